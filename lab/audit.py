"""The laboratory looked at with the product, from its audit post: what `make lab` does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.faults import BY_ID, NEVER_RESTORED
from lab.machine import STATE

RELEVE = Path(sys.prefix) / "bin" / "releve"
_READY = 90.0  # seconds for the laboratory to be there
_END = 15.0
_ENOUGH = "oui\n" * 1000  # more answers than there are questions
_HELD = ("partage", "usagers", "paie")  # what the plan says is held
_WHO = "technicien"
_OWN = frozenset(
    {
        "VU-03",  # figures that say themselves that they are simulated
        "VU-14",  # the health of its disks, where it is virtual
        *(
            "POS-07",
            "POS-11",
            "POS-12",
            "POS-13",
            "POS-14",
            "POS-16",
            "POS-17",
        ),  # uptime, disk, memory, clock
    }
)


_HEALTH = ":santé des disques"  # the end of what VU-02 says where they are its own, and smartctl is not there


@contextmanager
def running(folder: Path, faults: str) -> Iterator[dict[str, Any]]:
    """A laboratory, ready: what it says of itself (`lab.json`). Ended on leaving. Raises RuntimeError."""
    argv = [sys.executable, "-m", "lab", "up", "--folder", str(folder), "--faults", faults]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _READY
        while not (told := said(folder, process.pid)):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the laboratory does not start (exit code {process.poll()})")
            time.sleep(0.05)
        yield told
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_END)


def said(folder: Path, supervisor: int) -> dict[str, Any]:
    """What the laboratory of that process says once it is ready; nothing before, nor of one that was killed."""
    try:
        told: dict[str, Any] = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return told if told["supervisor"] == supervisor else {}


def inside(folder: Path, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` at the audit post."""
    return [sys.executable, "-m", "lab", "run", "--folder", str(folder), "--", *argv]


def answered(folder: Path, faults: Sequence[str]) -> None:
    """What people say in a healthy house: "yes" to every question, and every copy was brought back.

    But for the fault that says that one never was: it failed, where an earlier laboratory may have said otherwise. Raises RuntimeError when the product refuses.
    """
    plan = ("--plan", str(folder / "plan.yaml"), "--by", _WHO)
    orders = [(["ask", *plan], _ENOUGH)]
    for name in _HELD:
        if not (name == "paie" and NEVER_RESTORED in faults):
            orders.append((["restored", name, *plan], ""))
        elif any((folder / STATE).iterdir()):  # an earlier laboratory may have said otherwise there
            orders.append((["restored", name, *plan, "--failed"], ""))
    for words, typed in orders:
        done = subprocess.run(
            inside(folder, [str(RELEVE), "audit", *words]),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"releve audit {words[0]}: {done.stderr.strip()[-500:]}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit of the laboratory was worth: (code, subject) each.

    `unnamed`: put in and not named. `uncaused`: named, and nobody put it in. `own`: true of every laboratory, or
    of the computer that bears it.
    """

    unnamed: tuple[tuple[str, str], ...]
    uncaused: tuple[tuple[str, str], ...]
    own: tuple[tuple[str, str], ...]


def judged(placed: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Verdict:
    """Compare the faults that were really put in with the weak points of `releve audit show --json`. Pure."""
    caused = {point for name in placed for point in BY_ID[name].named}
    named = [(point["code"], point["subject"]) for point in points]
    own = tuple(point for point in named if point[0] in _OWN or point[1].endswith(_HEALTH))
    return Verdict(
        tuple(sorted(caused - set(named))),
        tuple(point for point in named if point not in caused and point not in own),
        own,
    )


def look(folder: Path, placed: Sequence[str]) -> tuple[Verdict, float]:
    """Let people answer, audit the running laboratory; how good that was, and the seconds of the audit itself.

    Raises RuntimeError when the product fails.
    """
    answered(folder, placed)
    plan = ("--plan", str(folder / "plan.yaml"))
    began = time.monotonic()
    if code := subprocess.call(inside(folder, [str(RELEVE), "audit", "run", "--new", *plan])):
        raise RuntimeError(f"releve audit run: exit code {code}")
    seconds = time.monotonic() - began
    shown = subprocess.run(
        inside(folder, [str(RELEVE), "audit", "show", "--json", *plan]), capture_output=True, check=True
    )
    return judged(placed, json.loads(shown.stdout)["weak_points"]), seconds


def audited(folder: Path, faults: str) -> int:
    """Bring it up, audit it, show what was found and what that was worth, end it. 0: all named, nothing else."""
    with running(folder, faults) as lab:
        placed = [name for name, why in lab["faults"].items() if not why]
        verdict, seconds = look(folder, placed)
        plan = ("--plan", str(folder / "plan.yaml"))
        subprocess.run(inside(folder, [str(RELEVE), "audit", "show", *plan]), check=True)
    named = len(placed) - len({name for name in placed if set(BY_ID[name].named) & set(verdict.unnamed)})
    print(
        f"\naudit en {seconds:.1f} s : {named} fautes nommées sur {len(placed)} posées, "
        f"{len(verdict.uncaused)} points sans cause, {len(verdict.own)} qui tiennent au laboratoire lui-même"
    )
    for word, points in (("non nommé", verdict.unnamed), ("sans cause", verdict.uncaused)):
        for code, subject in points:
            print(f"  {word} : {code} {subject}")
    return 3 if verdict.unnamed or verdict.uncaused else 0
