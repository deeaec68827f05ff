"""Why a document could not be read for what it holds."""

from __future__ import annotations

from enum import StrEnum


class Unread(StrEnum):
    """A reason. OTHER is no fault: a film or a program holds no text.

    UNOPENED: a picture, an archive or a document of another sort, which may hold some that we do not read; SCAN: a PDF whose pages are pictures.
    """

    OTHER = "other"
    UNOPENED = "unopened"
    SCAN = "scan"
    BOMB = "bomb"
    DAMAGED = "damaged"
    LOCKED = "locked"
    LARGE = "large"
    DENIED = "denied"
    SLOW = "slow"


class Refusal(Exception):
    """A document is not read. Carries the reason alone: no name, no content."""

    def __init__(self, why: Unread) -> None:
        super().__init__(str(why))
        self.why = why
