"""`python -m lab`: bring the laboratory up, run a command in it, write its plan, list its faults."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from lab import kernel
from lab.estate import POST, nodes
from lab.faults import FAULTS, Fault, chosen
from lab.keys import made
from lab.plan import write_plan
from lab.world import PROJECT, World, started

DEFAULT = Path("/tmp/releve-labo")  # noqa: S108 - made 0700, and refused when it is another's
_SLOWEST = 60.0  # seconds for the whole laboratory
_END = 8.0
_GONE = '{"node": "", "ready": false, "why": "le laboratoire s\'est arrêté"}'


class Wrong(Exception):
    """Something that the caller must put right, in one sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 when the laboratory failed, 2 for a wrong command; that of the command for `run`."""
    given = _arguments(argv)
    try:
        code: int = given.does(given)
    except Wrong as error:
        sys.stderr.write(f"erreur : {error}\n")
        return 2
    return code


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="Laboratoire : deux sites sur une machine"
    )
    parser.add_argument("--folder", type=Path, default=DEFAULT, help=f"dossier ({DEFAULT})")
    orders = parser.add_subparsers(required=True, dest="order")
    up = orders.add_parser("up", help="démarrer ; Ctrl-C arrête")
    up.add_argument("--faults", default="all", help="all, none, ou des fautes séparées par des virgules")
    up.set_defaults(does=_up)
    run = orders.add_parser("run", help="lancer une commande sur une machine du laboratoire")
    run.add_argument("--host", default=POST, help=f"la machine ({POST})")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(does=_run)
    plan = orders.add_parser("plan", help="écrire le plan")
    plan.add_argument("--faults", default="none")
    plan.set_defaults(does=_plan)
    audit = orders.add_parser("audit", help="démarrer, auditer avec releve, montrer, arrêter")
    audit.add_argument("--faults", default="all")
    audit.set_defaults(does=_audit)
    orders.add_parser("faults", help="dire les fautes").set_defaults(does=_faults)
    for order in (up, run, plan, audit):
        order.add_argument("--folder", type=Path, default=argparse.SUPPRESS, help=f"dossier ({DEFAULT})")
    return parser.parse_args(argv)


def _faults(_given: argparse.Namespace) -> int:
    for fault in FAULTS:
        print(
            f"{fault.id:14} {fault.title} : {fault.caused}\n{'':14} attendu : {fault.expected} ({fault.fact})"
        )
    return 0


def _chosen(words: str) -> tuple[Fault, ...]:
    try:
        return chosen(words)
    except KeyError as error:
        raise Wrong(f"faute inconnue : {error} ; « python -m lab faults » les dit") from error


def _plan(given: argparse.Namespace) -> int:
    folder = _own(given.folder)
    print(write_plan(folder, _chosen(given.faults)))
    return 0


def _own(folder: Path) -> Path:
    """A folder that is ours alone. Raises `Wrong`."""
    folder = folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise Wrong(f"{folder} n'est pas à vous")
    return folder


def _locked(folder: Path) -> IO[bytes]:
    """The lock of a running laboratory, held until this process ends. Raises `Wrong`."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Wrong(f"un laboratoire tourne déjà dans {folder}") from error
    return lock


def _free(folder: Path) -> bool:
    """Whether no laboratory runs there: the lock goes with its supervisor, kill -9 included."""
    try:
        with (folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def _up(given: argparse.Namespace) -> int:
    if os.geteuid():
        raise Wrong("il faut être root : le laboratoire fait des espaces de noms et des montages")
    began = time.monotonic()
    faults = _chosen(given.faults)
    folder = _own(given.folder)
    with _locked(folder):
        machines = nodes(frozenset(fault.id for fault in faults))
        (folder / "lab.json").unlink(missing_ok=True)
        (folder / "world").mkdir(exist_ok=True)
        (folder / "state").mkdir(mode=0o700, exist_ok=True)
        keys = made(folder / "keys", machines)
        write_plan(folder, faults)
        stop = _stop_asked()
        pid, life, ear = started(World(folder, machines, keys, faults))
        try:
            return _watch(folder, faults, {node.name for node in machines}, ear, stop, began)
        finally:
            os.close(life)
            _ended(pid)
            (folder / "lab.json").unlink(missing_ok=True)
            (folder / "world").rmdir()


def _stop_asked() -> int:
    """A handle that becomes readable when somebody asks to stop: Ctrl-C, TERM, the terminal gone."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return readable


def _watch(
    folder: Path, faults: tuple[Fault, ...], left: set[str], ear: socket.socket, stop: int, began: float
) -> int:
    """Hear every machine, say READY, wait to be stopped."""
    pids: dict[str, int] = {}
    effects = {fault.id: "" for fault in faults}
    while True:
        limit = None if not left else max(0.0, began + _SLOWEST - time.monotonic())
        heard: list[object] = list(select.select([ear.fileno(), stop], [], [], limit)[0])
        if not heard:
            sys.stderr.write(f"erreur : sans nouvelles de {', '.join(sorted(left))}\n")
            return 1
        if stop in heard:
            return 0
        message, sender = kernel.received(ear)
        told: dict[str, Any] = json.loads(message or _GONE)
        if not told["ready"]:
            sys.stderr.write(f"erreur : {told['node']} {told['why']}\n")
            return 1
        pids[told["node"]] = sender
        effects |= {name: why for name, why in told["faults"].items() if why}
        left.discard(told["node"])
        if not left:
            _ready(folder, pids, effects, time.monotonic() - began)


def _ready(folder: Path, pids: dict[str, int], effects: dict[str, str], seconds: float) -> None:
    kept = {
        "supervisor": os.getpid(),
        "post": POST,
        "pids": pids,
        "faults": effects,
        "seconds": round(seconds, 2),
    }
    new = folder / "lab.json.new"
    new.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    new.rename(folder / "lab.json")
    for name, why in effects.items():
        print(f"{name:14} " + (f"absente : ce noyau ne la permet pas ({why})" if why else "posée"))
    print(f"READY en {seconds:.1f} s : {len(pids)} machines, plan {folder / 'plan.yaml'}", flush=True)


def _ended(pid: int) -> None:
    """Wait for the world's end; end it after a while."""
    until = time.monotonic() + _END
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _run(given: argparse.Namespace) -> int:
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        raise Wrong("quelle commande ? python -m lab run -- COMMANDE")
    if _free(given.folder):
        raise Wrong(f"aucun laboratoire ne tourne dans {given.folder}")
    try:
        kept = json.loads((given.folder / "lab.json").read_text(encoding="utf-8"))
        pid = kept["pids"][given.host]
    except FileNotFoundError as error:
        raise Wrong(f"le laboratoire de {given.folder} n'est pas prêt") from error
    except KeyError as error:
        raise Wrong(f"machine inconnue : {error}") from error
    where = PROJECT if given.host == POST else Path("/")
    enter = ["nsenter", "--target", str(pid), "--all", "--root", "--wd", "env", "-C", str(where)]
    os.execvp(enter[0], [*enter, *command])  # noqa: S606 - the command is the caller's own


def _audit(given: argparse.Namespace) -> int:
    from lab.audit import audited

    _chosen(given.faults)
    try:
        return audited(_own(given.folder), given.faults)
    except RuntimeError as error:
        raise Wrong(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
