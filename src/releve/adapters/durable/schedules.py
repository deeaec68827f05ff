"""Copies of the day, scheduled by DBOS: one schedule a data set, kept in step with the plan.

A schedule fires once a day, up to ten seconds late (DBOS spreads them). What failed, or was missed while
nobody ran, is asked for again by `trigger`: the step looks whether a copy is still due before it makes one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time

from releve.domain.errors import ReleveError

_log = logging.getLogger(__name__)
_PREFIX = "releve.daily:"


@dataclass(frozen=True, slots=True)
class Daily:
    """A data set to copy every day at `at` in the time zone `zone` (IANA name)."""

    data_set: str
    at: time
    zone: str

    @property
    def cron(self) -> str:
        """As DBOS wants it."""
        return f"{self.at.minute} {self.at.hour} * * *"


class Schedules:
    """The schedules of the driver that is launched in this process."""

    def __init__(self, daily: Mapping[str, Daily], save: Callable[[str], str]) -> None:
        """`save(data_set)` makes one copy when it is due, and says what came of it."""
        self._daily, self.save = daily, save

    def apply(self) -> None:
        """Create, change and remove schedules so that they are those of the plan."""
        from dbos import DBOS

        from releve.adapters.durable.workflows import daily_workflow

        for known in DBOS.list_schedules(schedule_name_prefix=_PREFIX):
            if known["schedule_name"].removeprefix(_PREFIX) not in self._daily:
                DBOS.delete_schedule(known["schedule_name"])
        if self._daily:
            DBOS.apply_schedules(
                [
                    {
                        "schedule_name": _PREFIX + item.data_set,
                        "workflow_fn": daily_workflow,
                        "schedule": item.cron,
                        "cron_timezone": item.zone,
                        "context": item.data_set,
                    }
                    for item in self._daily.values()
                ]
            )

    @staticmethod
    def trigger(data_set: str) -> None:
        """Ask for the copy of `data_set` now, durably."""
        from dbos import DBOS

        DBOS.trigger_schedule(_PREFIX + data_set)


def save_due(data_set: str) -> str:
    """The step: what came of it. What failed is in the ledger's evidence, and asked for again later."""
    here = _current
    if here is None:
        return "aucune copie du jour n'est prévue ici"
    try:
        return here.save(data_set)
    except ReleveError as error:
        _log.warning("copie du jour de %s : %s [%s]", data_set, error.sentence, error.code)
        return f"{error.sentence} [{error.code}]"


_current: Schedules | None = None


def take_charge(mine: Schedules | None) -> None:
    """Make `mine` the schedules of this process; None when the driver closes."""
    global _current  # noqa: PLW0603 — DBOS itself is a global of the process
    _current = mine
