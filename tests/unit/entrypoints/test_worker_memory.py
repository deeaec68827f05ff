"""The worker's memory: what grows neither with its threads nor with its history."""

from __future__ import annotations

import subprocess
import sys

import pytest

from releve.cycle.recover.act import Performer
from releve.cycle.recover.conduct import Conductor, Word
from releve.domain.runbook import Direction, Runbook, RunRecord, RunState
from releve.entrypoints.worker.memory import ARENAS
from releve.entrypoints.worker.service import settle_claims
from tests.fakes.driver import FakeDriver
from tests.fakes.world import FakeWorld

# Threads that all live at once each take a heap of their own from glibc, as long as it allows one more.
_HEAPS = """
import ctypes, sys, tempfile, threading
from releve.entrypoints.worker.memory import few_arenas
if sys.argv[1] == "held":
    assert few_arenas()
together = threading.Barrier(6)
def work():
    kept = bytearray(20_000)
    together.wait(20)
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as told:
    stream = ctypes.c_void_p(libc.fopen(told.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(told.read().count(b"<heap nr="))
"""


def test_threads_share_few_heaps() -> None:
    """Six threads at once make more heaps than the worker allows, and no more than that once it says so."""
    free, held = (
        int(subprocess.run([sys.executable, "-c", _HEAPS, word], capture_output=True, check=True).stdout)
        for word in ("free", "held")
    )
    assert free > ARENAS >= held


class Desk:
    """A conductor over the world in memory, whose history must not be read whole."""

    def __init__(self) -> None:
        self.fake, self.settled = FakeWorld(), 0
        driver = FakeDriver(Performer(self.fake.world).perform, self.fake.ledger, self.fake.clock)
        self.conductor = Conductor(self.fake.world, self.fake.engines, driver)

    def switch(self) -> Runbook:
        """Order a switch to the relief."""
        return self.conductor.launch(Direction.SWITCH, "secours", "", {})

    def look(self) -> str:
        """One look of the worker at the claims."""
        return settle_claims(self.fake.world.plan, self.fake.ledger, self._settle)

    def _settle(self) -> list[str]:
        self.settled += 1
        return self.conductor.settle()


def test_the_history_is_not_read_while_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run that ended, a look at the claims reads no run at all."""
    desk = Desk()
    desk.fake.engine.write("principal", "a")
    run = desk.switch().run
    assert desk.fake.ledger.runs.get(run).state is RunState.DONE

    def read(*_run: str) -> RunRecord:
        raise AssertionError("the history was read")

    monkeypatch.setattr(desk.fake.ledger.runs, "get", read)
    monkeypatch.setattr(desk.fake.ledger.runs, "all", read)
    assert (desk.look(), desk.settled) == ("", 0)


def test_only_a_stopped_run_that_claims_is_settled() -> None:
    """A run that goes on is left alone; once stopped its claim is given back, once."""
    desk = Desk()
    desk.fake.engine.write("principal", "a")
    desk.fake.look()
    desk.fake.lose_primary()
    runbook = desk.switch()
    assert (desk.look(), desk.settled) == ("", 0)
    unsure = Word("directrice", "je n'en sais rien", "not-sure")
    desk.conductor.decide(runbook.run, "confirm-fence:dossiers", unsure)
    assert "dossiers" in desk.look()
    assert desk.fake.ledger.tenures.claimed("dossiers") == ""
    assert (desk.look(), desk.settled) == ("", 1)
