"""The world of the laboratory: one process that holds every namespace, and whose end is the end of everything.

    supervisor (the command)                 kill -9 here …
      └ world        process 1 of a PID namespace, dies with the supervisor (PR_SET_PDEATHSIG)
          ├ machine  process 1 of its own PID namespace …
          └ …                                … and the kernel ends all of this, mounts and networks with it

Nothing has a name outside: no entry of /run/netns, no mount in the real tree. So nothing can be left behind
but the folder of the run itself.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import cables, kernel
from lab.estate import POST, Node
from lab.faults import Fault
from lab.files import Place
from lab.keys import Keys
from lab.machine import STATE, Birth, live

PROJECT = Path(__file__).resolve().parents[1]
_ALONE = kernel.NEW_MOUNTS | kernel.NEW_NAME | kernel.NEW_IPC | kernel.NEW_NET
_END = 3.0  # seconds given to all machines to end; then they are ended


@dataclass(frozen=True, slots=True)
class World:
    """What the laboratory is started with. `folder`: of the run."""

    folder: Path
    nodes: tuple[Node, ...]
    keys: Keys
    faults: tuple[Fault, ...]


def started(world: World) -> tuple[int, int, socket.socket]:
    """Start it: the process that holds it, the pipe whose closing ends it, the socket on which machines speak."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kernel.with_senders(ours)
    life_out, life = os.pipe()
    kernel.unshare(kernel.NEW_PIDS)  # for the children to come: this process stays where it is
    pid = os.fork()
    if pid:
        theirs.close()
        os.close(life_out)
        return pid, life, ours
    try:
        kernel.die_with_parent()
        ours.close()
        os.close(life)
        os.setsid()  # a Ctrl-C is for the supervisor, and a server's kill(0, …) must not reach who started us
        _hold(world, life_out, theirs)
    except BaseException:  # noqa: BLE001 - the last frame of a process
        with suppress(OSError):
            theirs.send(
                json.dumps({"node": "", "ready": False, "why": traceback.format_exc()[-1500:]}).encode()
            )
        os._exit(1)
    os._exit(0)


def _hold(world: World, life: int, tell: socket.socket) -> None:
    """Process 1 of the laboratory: make the machines and their cables, then wait for the end."""
    kernel.call_me("labo")
    kernel.unshare(_ALONE)
    kernel.mount("none", Path("/"), flags=kernel.RECURSIVE | kernel.PRIVATE)
    base = world.folder / "world"
    kernel.mount("labo", base, "tmpfs", options="mode=755")
    kernel.mount("proc", Path("/proc"), "proc")
    plug, plugged = os.pipe()
    end, ended = os.pipe()
    pids = {}
    for node in world.nodes:
        birth = Birth(
            node,
            world.keys,
            world.faults,
            Place(base / node.name),
            plug,
            end,
            tell,
            world.folder,
            shown=_shown() if node.name == POST else (),
            given=_given(world.folder) if node.name == POST else (),
        )
        pids[node.name] = _born(birth, (plugged, ended, life))
    cables.run(cables.between(world.nodes, pids))
    os.close(plugged)
    _wait(life, set(pids.values()), tell)
    os.close(ended)
    _bury(set(pids.values()), time.monotonic() + _END)
    _bring_back(world, Place(base / POST))


def _born(birth: Birth, not_theirs: tuple[int, ...]) -> int:
    """A machine's first process, by a middle one that enters the namespaces and ends. Its number here."""
    answer, question = os.pipe()
    middle = os.fork()
    if not middle:
        for handle in (answer, *not_theirs):
            os.close(handle)
        kernel.unshare(_ALONE | kernel.NEW_PIDS)
        first = os.fork()
        if not first:
            os.close(question)
            live(birth)
        os.write(question, str(first).encode())
        os._exit(0)
    os.close(question)
    told = os.read(answer, 32)
    os.close(answer)
    os.waitpid(middle, 0)
    if not told:
        raise RuntimeError(f"{birth.node.name}: no namespaces")
    return int(told)


def _shown() -> tuple[Path, ...]:
    """What the machine that audits must see outside the system: the project and its Python."""
    wanted = (PROJECT, Path(sys.prefix), Path(sys.base_prefix))
    return tuple(dict.fromkeys(path for path in wanted if not path.is_relative_to("/usr")))


def _given(folder: Path) -> tuple[tuple[Path, bytes], ...]:
    """The plan, its keys, and what earlier audits left, at the places that the plan names."""
    wanted = (
        folder / "plan.yaml",
        *sorted((folder / "keys").iterdir()),
        *sorted((folder / STATE).rglob("*")),
    )
    return tuple((path, path.read_bytes()) for path in wanted if path.is_file())


def _wait(life: int, machines: set[int], tell: socket.socket) -> None:
    """Until `life` closes. A machine that ended before is told."""
    while not select.select([life], [], [], 0.2)[0]:
        for pid in _reaped():
            if pid in machines:
                with suppress(OSError):
                    tell.send(
                        json.dumps({"node": "", "ready": False, "why": f"machine {pid} ended"}).encode()
                    )


def _reaped() -> list[int]:
    found = []
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            found.append(pid)
    return found


def _bury(left: set[int], until: float) -> None:
    while left and time.monotonic() < until:
        left -= set(_reaped())
        time.sleep(0.01)


def _bring_back(world: World, post: Place) -> None:
    """What the audit kept at the post, into the folder of the run: the rest goes with the memory it was in.

    It began with what was there (`_given`) and takes its place whole: half of each would be neither.
    """
    kept = world.folder / STATE
    made = post.upper / kept.relative_to("/")
    if made.is_dir():
        new = kept.with_name(f"{STATE}.new")
        shutil.rmtree(new, ignore_errors=True)  # of a laboratory that was killed in here
        shutil.copytree(made, new)
        shutil.rmtree(kept)
        new.rename(kept)
