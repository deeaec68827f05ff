"""Copies of the day on DBOS: schedules that follow the plan, fire, and are asked for again."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path

from releve.adapters.durable import DbosDriver
from releve.adapters.durable.schedules import Daily, Schedules
from releve.domain.errors import Unreachable
from tests.fakes.ledger import FakeLedger
from tests.fakes.performing import Script

_NUMBERS = itertools.count()


class EverySecond(Daily):
    """The same, with a shorter day."""

    @property
    def cron(self) -> str:
        return "* * * * * *"


@contextmanager
def launched(folder: Path, save: Callable[[str], str], *daily: Daily) -> Iterator[Schedules]:
    """A driver with these schedules."""
    schedules = Schedules({item.data_set: item for item in daily}, save)
    ledger = FakeLedger()
    driver = DbosDriver(
        folder,
        Script(ledger).perform,
        ledger,
        executor_id=f"daily-{next(_NUMBERS)}",
        schedules=schedules,
    )
    driver.launch()
    try:
        yield schedules
    finally:
        driver.close()


def known() -> dict[str, str]:
    """Schedules that DBOS holds: name -> cron."""
    from dbos import DBOS

    return {item["schedule_name"]: item["schedule"] for item in DBOS.list_schedules()}


def test_schedules_follow_the_plan(tmp_path: Path) -> None:
    """A changed hour is changed, a data set that left the plan is no longer scheduled."""
    nights = Daily("a", time(2, 0), "Europe/Paris"), Daily("b", time(3, 30), "Europe/Paris")
    with launched(tmp_path, str, *nights):
        assert known() == {"releve.daily:a": "0 2 * * *", "releve.daily:b": "30 3 * * *"}
    with launched(tmp_path, str, Daily("a", time(4, 15), "Europe/Paris")):
        assert known() == {"releve.daily:a": "15 4 * * *"}
    with launched(tmp_path, str):
        assert known() == {}


def test_a_schedule_fires_by_itself(tmp_path: Path) -> None:
    """When its time comes the copy is made, nobody asking."""
    fired = threading.Event()

    def save(name: str) -> str:
        assert name == "a"
        fired.set()
        return "faite"

    with launched(tmp_path, save, EverySecond("a", time(0, 0), "UTC")):
        assert fired.wait(15)


def test_a_copy_that_failed_can_be_asked_for_again(tmp_path: Path) -> None:
    """A failure ends that workflow without harm; the next request is a new one."""
    tries: list[str] = []
    done = threading.Event()

    def save(name: str) -> str:
        tries.append(name)
        if len(tries) == 1:
            raise Unreachable("share-keeper-silent", "rien ne répond")
        done.set()
        return "faite"

    with launched(tmp_path, save, Daily("a", time(0, 0), "UTC")) as schedules:
        schedules.trigger("a")
        schedules.trigger("a")
        assert done.wait(15)
    assert tries == ["a", "a"]
