"""A rule, and the weak point that it names: values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from releve.cycle.audit.estate import Estate
from releve.domain.audit import Acceptance, Topic
from releve.domain.seen import (
    Base,
    Clock,
    Disk,
    Fact,
    Files,
    Lldp,
    Path,
    Port,
    Reading,
    System,
    Unit,
    Updates,
    Ups,
)


class Severity(StrEnum):
    """How much it can cost. The words are ours; SARIF's levels are error, warning and note."""

    CRITICAL = (
        "critical"  # people left without help, data lost, or the law broken, as soon as something fails
    )
    MAJOR = "major"  # recovery would be late, dear or uncertain
    MINOR = "minor"  # to be put right at the next occasion


SEVERITY_FR = {
    Severity.CRITICAL: "critique",
    Severity.MAJOR: "important",
    Severity.MINOR: "à corriger",
}


READ_FR: Mapping[type[Fact], str] = MappingProxyType(
    {
        Base: "bases de données",
        Clock: "horloge",
        Disk: "disques",
        Files: "fichiers",
        Lldp: "voisins au bout des câbles",
        Path: "chemin entre deux sites",
        Port: "prises",
        Reading: "documents lus",
        System: "système",
        Unit: "services",
        Updates: "mises à jour",
        Ups: "état des onduleurs",
    }
)


@dataclass(frozen=True, slots=True)
class Weakness:
    """What a check found at one place. `subject`: an identifier of the plan, an address, or "machine:port".

    (code of the rule, subject) is stable from one audit to the next: acceptances and the trend hang on it.
    `sentence`: French, what was seen there with its figures, no capital, no full stop. `stops`: applications
    (identifiers) that stop with it. `seen`: when; None for what is read from the plan alone.
    """

    subject: str
    sentence: str
    site: str = ""
    stops: tuple[str, ...] = ()
    seen: datetime | None = None


Check = Callable[[Estate], Iterator[Weakness]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One weak point that can be named.

    `code`: three letters of its family, a dash, two digits; never used again for something else. `title`: one
    sentence, lower case. `sources`: article or guide of each, as the reference page prints them. `mend`: what
    to do. `topics`: the looks without which the check can not say "there is none"; with `either`, any one of
    them suffices. `compares`: looks of which it needs an earlier one as well (one of them), `apart` before at least.
    `passing`: what it names is met by chance, a machine that answers or an exchange under way: not to meet it again
    proves nothing. `reads`: the types of fact without which the check can not say "there is none" either: a look may
    come back with a part of what it was sent for. `unheard`: why looks that brought something still prove
    nothing, in French; empty when they do.
    """

    code: str
    severity: Severity
    title: str
    why: str
    sources: tuple[str, ...]
    mend: str
    check: Check
    topics: tuple[Topic, ...] = ()
    compares: tuple[Topic, ...] = ()
    apart: timedelta = timedelta()
    either: bool = False
    passing: bool = False
    unheard: Callable[[Estate], str] = lambda _estate: ""
    reads: tuple[type[Fact], ...] = ()


class Standing(StrEnum):
    """What people said of a weak point."""

    OPEN = "open"
    ACCEPTED = "accepted"
    EXPIRED = "expired"  # accepted once, and the day has passed: it is open again


@dataclass(frozen=True, slots=True)
class WeakPoint:
    """A weakness under its rule, and whether somebody lives with it."""

    rule: Rule
    weakness: Weakness
    standing: Standing = Standing.OPEN
    acceptance: Acceptance | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other, from one audit to the next."""
        return self.rule.code, self.weakness.subject
