"""What is observed of a share between two of its snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=10)  # how long a change counts towards an alert


@dataclass(frozen=True, slots=True)
class Burst:
    """What changed in one step. Counts are files.

    `rewritten`: their content was replaced; a file that had been written within `WINDOW` already is not counted
    again: a log, or a document under work, is one file however often it is saved. `scrambled`: of these, what could be squeezed no longer can, or the
    content no longer begins as its extension says. `renamed`: new extension -> files that took it and whose
    former name, without it, went. `added` and `removed`: names that came and went, moved ones too; the next
    three leave out what only moved. `vanished`: documents that went. `strange`: files that came with a content that
    cannot be squeezed and that no known format explains. `novel`: extension -> files that came with it, where the
    share had none. `files`: how many the share has. `before`: the snapshot that came before.
    """

    at: datetime
    before: str
    snapshot: str
    files: int = 0
    rewritten: int = 0
    scrambled: int = 0
    removed: int = 0
    renamed: Mapping[str, int] = field(default_factory=dict)
    added: int = 0
    vanished: int = 0
    strange: int = 0
    novel: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[str, ...] = ()  # some paths, for a person to look at

    @property
    def suspect(self) -> int:
        """Files that look as if somebody had locked them."""
        return self.scrambled + self.strange + sum(self.renamed.values()) + sum(self.novel.values())
