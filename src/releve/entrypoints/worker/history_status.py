"""What the state folder of an archiver says of the history of its database: nothing else is asked, nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from releve.domain.errors import ReleveError
from releve.domain.units import say_bytes, say_count, say_seconds
from releve.entrypoints.worker.database import BaseNote, last_base, last_trial, open_gaps, read_archive
from releve.entrypoints.worker.history import TRIED_EVERY, read_failures
from releve.entrypoints.worker.register import read_roll, told

_STALE = 30.0  # seconds without a word, or without progress, of a process that speaks every few
_UNTRIED = timedelta(days=2)  # after the first base: a worker tries it at once


@dataclass(frozen=True, slots=True)
class HistoryStatus:
    """For a screen, in French: `lines` say how it is, `troubles` what is wrong; `data` the same as facts."""

    lines: Sequence[str]
    troubles: Sequence[str]
    data: Mapping[str, object]


def history_status(state: Path, now: datetime) -> HistoryStatus:
    """Raises `Unreachable` where no archiver ever said anything."""
    said = read_archive(state)
    telling = _Telling(state, now)
    telling.archiver(said)
    base, gaps, trial = telling.bases()
    listed, missing, unread = telling.register()
    data = {
        **said,
        "gaps": gaps,
        "base_ready_at": base and base.ready.isoformat(),
        "verified_at": trial and trial.isoformat(),
        "listed": listed,
        "missing": missing,
        "list_unread": unread or None,
        "well": not telling.troubles,
    }
    return HistoryStatus(telling.lines, telling.troubles, data)


class _Telling:
    def __init__(self, state: Path, now: datetime) -> None:
        self.lines: list[str] = []
        self.troubles: list[str] = []
        self._state = state
        self._now = now

    def archiver(self, said: Mapping[str, object]) -> None:
        """Up to when it is safe, and whether the process lives and is well."""
        self._safe(said)
        self.lines.append(f"{say_bytes(int(str(said['spool_bytes'])))} dans la réserve")
        if said.get("slot_without_limit"):
            self.lines.append(
                "attention : sans max_slot_wal_keep_size, un archivage arrêté finirait par remplir le disque du serveur"
            )
        if said.get("troubled"):
            self.troubles.append(f"en panne : {said['troubled']}")
        silent = (self._now - datetime.fromisoformat(str(said["written_at"]))).total_seconds()
        if silent > _STALE:
            self.troubles.append(
                f"plus aucune nouvelle depuis {say_seconds(silent)} : le processus est arrêté ?"
            )

    def _safe(self, said: Mapping[str, object]) -> None:
        """A standby tells the time of the last transaction that came to it: old is not late where nobody writes."""
        safe, quiet = _instant(said, "safe_until"), _instant(said, "quiet_at")
        lines = self.lines if self._recent(safe) or self._recent(quiet) else self.troubles
        line = "rien n'est encore à l'abri"
        if safe is not None:
            line = (
                f"à l'abri dans le coffre jusqu'au {_shown(safe)} ({self._ago(safe)}), position {said['lsn']}"
            )
        elif self._recent(quiet):
            line = "aucune transaction n'est encore venue au secours"
        if quiet is not None and not self._recent(safe):
            line += (
                f" ; tout ce qui est venu au secours y est (constaté {self._ago(quiet)})"
                if self._recent(quiet)
                else f" ; depuis le {_shown(quiet)}, le secours n'est plus relié à son serveur, ou ne rejoue plus ce qu'il reçoit"
            )
        lines.append(line)

    def _recent(self, at: datetime | None) -> bool:
        return at is not None and (self._now - at).total_seconds() <= _STALE

    def _ago(self, at: datetime) -> str:
        past = (self._now - at).total_seconds()
        return (
            f"il y a {say_seconds(past)}"
            if past > -1.0
            else f"dans {say_seconds(-past)} : une horloge est fausse"
        )

    def bases(self) -> tuple[BaseNote | None, Sequence[Mapping[str, str]], datetime | None]:
        """(the newest base, the holes after it, the last trial that brought it back), as far as they can be read."""
        try:
            base, gaps, trial = last_base(self._state), open_gaps(self._state), last_trial(self._state)
            failing = read_failures(self._state)
        except ReleveError as error:  # the rest is said all the same
            self.troubles.append(f"{error.sentence} ; {error.hint}")
            return None, (), None
        if base is None:
            self.troubles.append(
                "aucune base : sans elle, ces journaux ne ramènent rien (releve database base)"
            )
        else:
            self.lines.append(f"dernière base du {_shown(base.taken)}")
            self._trial(base.taken, trial)
        self.troubles += failing
        self.troubles += [
            f"TROU dans les journaux ({one['at']}) : {one['why']} ; il faut une nouvelle base" for one in gaps
        ]
        return base, gaps, trial

    def _trial(self, base: datetime, trial: datetime | None) -> None:
        late = self._now - (trial or base) > (2 * TRIED_EVERY if trial else _UNTRIED)
        line = (
            f"ramenée et ouverte pour essai le {_shown(trial)}"
            if trial
            else "jamais ramenée pour essai (releve database verify --state …)"
        )
        (self.troubles if late else self.lines).append(line)

    def register(self) -> tuple[int, Sequence[str], str]:
        """(snapshots on the list of the thinning, what the vault lost of them, why the list cannot be read)."""
        try:
            roll = read_roll(self._state)
        except ReleveError as error:  # what the archiver says is worth showing without it
            self.troubles.append(f"la liste des instantanés ne se lit pas : {error.sentence}")
            return 0, (), error.sentence
        if roll is None:
            return 0, (), ""
        if roll.last_at:
            self.lines.append(
                f"{say_count(len(roll.live), 'instantané')} sur la liste du ménage, écrite le {_shown(roll.last_at)}"
            )
        missing = [told(one) for one in roll.troubles.values()]
        self.troubles += [f"ALERTE : {line}" for line in missing]
        return len(roll.live), missing, ""


def _instant(said: Mapping[str, object], name: str) -> datetime | None:
    return datetime.fromisoformat(str(said[name])) if said.get(name) else None


def _shown(at: datetime) -> str:
    return f"{at.astimezone():%d/%m/%Y %H:%M:%S}"
