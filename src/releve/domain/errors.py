"""Errors, as the person at three in the morning meets them.

    ReleveError                 code, one sentence, hint, context, retryable
    ├── PlanError       exit 2  the plan (or another input) is wrong: carries every fault found
    ├── BadInput        exit 2  one wrong argument
    ├── PromiseBroken   exit 3  an objective was not kept
    ├── Refused         exit 4  refused for safety
    ├── WaitsForPerson  exit 5  a person must answer first
    └── Unreachable     exit 6  something needed did not answer

Anything else that escapes is a fault of ours: exit 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Process exit codes; `docs/reference/exit-codes.md` is generated from this table."""

    DONE = 0
    OUR_FAULT = 1
    BAD_INPUT = 2
    PROMISE_NOT_KEPT = 3
    REFUSED_FOR_SAFETY = 4
    WAITS_FOR_PERSON = 5
    NOT_REACHABLE = 6


EXIT_MEANING_FR: Mapping[Exit, str] = {
    Exit.DONE: "fait",
    Exit.OUR_FAULT: "défaut de Relève lui-même",
    Exit.BAD_INPUT: "entrée incorrecte (plan, option, argument)",
    Exit.PROMISE_NOT_KEPT: "un engagement n'a pas été tenu",
    Exit.REFUSED_FOR_SAFETY: "refusé par sécurité",
    Exit.WAITS_FOR_PERSON: "attend la réponse d'une personne",
    Exit.NOT_REACHABLE: "un élément nécessaire n'a pas répondu",
}


class ReleveError(Exception):
    """Base of every error that we raise on purpose.

    `code` is stable and greppable; `sentence` says what happened, lower case, no full stop;
    `hint` says what to do; `context` holds facts as text; `retryable` tells whether trying the
    same thing again can help.
    """

    exit_code: Exit = Exit.OUR_FAULT

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        hint: str = "",
        context: Mapping[str, str] | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.hint = hint
        self.context: dict[str, str] = dict(context or {})
        self.retryable = retryable

    def as_json(self) -> dict[str, object]:
        """The error as the value printed under `--json`."""
        return {
            "code": self.code,
            "message": self.sentence,
            "hint": self.hint,
            "context": self.context,
            "retryable": self.retryable,
            "exit_code": int(self.exit_code),
        }


class BadInput(ReleveError):
    """An argument, an option or a file given by the user is wrong."""

    exit_code = Exit.BAD_INPUT


class Unheld(BadInput):
    """A value that the ledger cannot hold: a number that is none, an instant without a time zone."""


class PromiseBroken(ReleveError):
    """Everything ran, and an objective was not kept."""

    exit_code = Exit.PROMISE_NOT_KEPT


class Refused(ReleveError):
    """Going on could lose data or let two sites write: we do not."""

    exit_code = Exit.REFUSED_FOR_SAFETY


class WaitsForPerson(ReleveError):
    """A question stands open; nothing more happens until somebody answers."""

    exit_code = Exit.WAITS_FOR_PERSON


class Unreachable(ReleveError):
    """A machine, a server or a program that is needed did not answer in time."""

    exit_code = Exit.NOT_REACHABLE


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of an input file. Line and column are 1-based; 0 means the whole file."""

    file: str
    line: int
    column: int
    code: str
    sentence: str
    hint: str = ""

    def as_json(self) -> dict[str, object]:
        """The fault as a JSON-ready mapping."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "message": self.sentence,
            "hint": self.hint,
        }


class PlanError(BadInput):
    """A file that people write cannot be used; `faults` lists everything that is wrong, in file order.

    `noun`: what contains them, with its verb ("le plan contient").
    """

    def __init__(
        self, faults: tuple[Fault, ...], *, noun: str = "le plan contient", code: str = "plan-invalid"
    ) -> None:
        count = len(faults)
        word = "faute" if count == 1 else "fautes"
        super().__init__(code, f"{noun} {count} {word} ; rien n'a été touché")
        self.faults = faults

    def as_json(self) -> dict[str, object]:
        """The error with every fault."""
        return {**super().as_json(), "faults": [fault.as_json() for fault in self.faults]}
