"""Hints: waking those who wait, and letting go."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from releve.adapters.durable.hints import LATEST, SOONEST, Closing, Hints, pause

LONG = 30.0  # seconds that no test waits


def test_what_was_told_before_is_known_at_once() -> None:
    """Nobody waits for what already ended."""
    hints = Hints()
    hints.tell("r:a", "done")
    assert hints.wait(["r:a", "r:b"], LONG)
    assert hints.told(["r:a", "r:b"]) == {"r:a": "done"}


def test_a_hint_wakes_the_one_who_waits_for_it() -> None:
    """The waiter returns as soon as one of its ids is told, and not for another one."""
    hints = Hints()
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(hints.wait, ["r:a"], LONG)
        hints.tell("r:other", "done")
        hints.tell("r:a", "failed")
        assert waiter.result(LONG)


def test_no_hint_is_no_news() -> None:
    """After its time the waiter is told that nothing came."""
    assert not Hints().wait(["r:a"], 0.001)


def test_closing_wakes_everybody() -> None:
    """Waiters and sleepers leave, and so does whoever comes later."""
    hints = Hints()
    ready = threading.Barrier(3)

    def leaves(call: str) -> bool:
        ready.wait()
        with pytest.raises(Closing):
            hints.wait(["r:a"], LONG) if call == "wait" else hints.sleep(LONG)
        return True

    with ThreadPoolExecutor(2) as pool:
        both = pool.map(leaves, ("wait", "sleep"))
        ready.wait()
        hints.close()
        assert list(both) == [True, True]
    with pytest.raises(Closing):
        hints.check()


def test_closing_is_not_an_exception() -> None:
    """DBOS would record an Exception as the result of the step, and the run would end on it."""
    assert not issubclass(Closing, Exception)


def test_what_is_forgotten_is_not_told() -> None:
    """A finished run leaves nothing behind."""
    hints = Hints()
    hints.tell("r:a", "done")
    hints.forget(["r:a", "r:never"])
    assert hints.told(["r:a"]) == {}


def test_looks_at_the_database_thin_out() -> None:
    """From 50 ms to one second, never more, however long it lasts."""
    pauses = [pause(looks) for looks in range(1000)]
    assert pauses[0] == SOONEST
    assert pauses == sorted(pauses)
    assert pauses[-1] == LATEST
