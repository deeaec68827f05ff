"""An audit: what it set out to look at, what it saw, what it could not see, and what people said and accepted.

A look is one question to one thing (a network, a machine, a data set). It ends with facts and with gaps;
both are kept, dated. What was planned and never looked at is a gap too: nothing is fine that was not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from releve.domain.seen import Fact

RESTORED = "restored"  # the question under which a restoration made by hand is told, its subject some data


class Topic(StrEnum):
    """What a look asks."""

    NETWORK = "network"  # subject: a network of the plan
    PATH = "path"  # subject: a machine, seen from this one
    PORTS = "ports"  # subject: a piece of equipment that speaks SNMP
    MACHINE = "machine"  # subject: a machine (system, disks, services, interfaces, clock)
    UPS = "ups"  # subject: a UPS that NUT knows
    DOCUMENTS = "documents"  # subject: a machine (documents kept on it)
    FILES = "files"  # subject: a share or a holding of files
    SENSITIVE = "sensitive"  # the same, read for what it holds
    BASE = "base"  # subject: a database of the plan
    CONNECTIONS = "connections"  # subject: a machine
    COPIES = "copies"  # subject: a data set or a holding


@dataclass(frozen=True, slots=True)
class Errand:
    """A look to be made. `site`: where its subject is."""

    topic: Topic
    subject: str
    site: str

    @property
    def key(self) -> str:
        """What tells it from every other errand of an audit."""
        return f"{self.topic}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be looked at. `code` is stable; `sentence` says why, `what` names the part.

    `what` is empty when the whole look failed.
    """

    code: str
    sentence: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look brings back: what was seen, and what could not be."""

    facts: tuple[Fact, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What one errand brought back, and when."""

    errand: Errand
    at: datetime
    seconds: float
    facts: tuple[Fact, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit of a plan. `ended` None: interrupted, or still at work.

    `where`: the machine that looked; `site`: from which one; `plan`: the text that it was made from, so that an
    old audit stays what it was. `errands`: what it set out to look at, which may be a part of the whole.
    """

    id: str
    started: datetime
    fingerprint: str
    where: str
    errands: tuple[Errand, ...]
    ended: datetime | None = None
    site: str = ""
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says to a question that no scanner can answer.

    `question`: a code of the checklist; `subject`: a site, a supplier, or empty for the association.
    `good`: the answer is the wanted one; None: "does not apply". `until`: it must be asked again after that.
    `photo`: SHA-256 (hex) of a picture kept beside, or empty.
    """

    question: str
    subject: str
    good: bool | None
    by: str
    on: date
    label: str = ""
    photo: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A named role lives with a finding until a day. `withdrawn`: no longer."""

    code: str
    subject: str
    by: str
    on: date
    why: str
    until: date
    withdrawn: bool = False


def in_force(notes: Iterable[Answer | Acceptance]) -> dict[tuple[str, str], Answer]:
    """The answer that stands to each (question, subject): of the newest day, and of one day the last said.

    `notes`: in the order in which they were said. What is told late of an earlier day never hides what is known since.
    """
    found: dict[tuple[str, str], Answer] = {}
    for note in notes:
        if isinstance(note, Answer):
            key = (note.question, note.subject)
            if key not in found or note.on >= found[key].on:
                found[key] = note
    return found
