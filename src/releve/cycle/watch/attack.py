"""Does what happens to a share look like ransomware at work? Pure; a person decides, never this.

Four signs, over the last ten minutes: contents that no longer are what their names say, names that all take the
same new extension, a share that is rewritten at a pace at which nobody types, and one of which most is removed.
Files that vanish while about as many come that no known format explains count as rewritten: an attack that gives
its files other names does that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from releve.domain.share import WINDOW, Burst
from releve.domain.units import say_count


@dataclass(frozen=True, slots=True)
class Limits:
    """From how many files on a sign counts. `part`: of the files rewritten meanwhile, or of the share."""

    scrambled: int = 20
    scrambled_part: float = 0.5
    renamed: int = 20
    rewritten: int = 1000
    rewritten_part: float = 0.3
    removed: int = 100
    removed_part: float = 0.5
    in_place_of: float = 0.5  # of the files that came: those in whose place documents must have vanished


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why it looks like an attack, in French; `clean`: the last snapshot before the first sign."""

    reason: str
    clean: str
    since: datetime
    samples: tuple[str, ...]


def within(bursts: Sequence[Burst], now: datetime) -> list[Burst]:
    """Those that still count."""
    return [one for one in bursts if now - one.at <= WINDOW]


def judge(bursts: Sequence[Burst], limits: Limits = Limits()) -> Suspicion | None:
    """What the bursts of a window say together; None when they say nothing."""
    vanished = sum(one.vanished for one in bursts)

    def replacing(came: int) -> int:
        """How many of them came in the place of what vanished; 0 when they are mostly something else."""
        return min(came, vanished) if vanished >= limits.in_place_of * came else 0

    replaced = replacing(sum(one.strange for one in bursts))
    rewritten = sum(one.rewritten for one in bursts) + replaced
    scrambled = sum(one.scrambled for one in bursts) + replaced
    renamed: Counter[str] = Counter()
    novel: Counter[str] = Counter()
    for one in bursts:
        renamed.update(one.renamed)
        novel.update(one.novel)
    renamed.update({extension: replacing(came) for extension, came in novel.items()})
    removed = sum(one.removed - one.added for one in bursts)
    extension, taken = max(renamed.items(), key=lambda item: item[1], default=("", 0))
    files = max((one.files for one in bursts), default=0)
    if scrambled >= limits.scrambled and scrambled >= limits.scrambled_part * rewritten:
        reason = f"{say_count(scrambled, 'fichier')} sur {rewritten} réécrits n'ont plus le contenu que dit leur nom"
    elif taken >= limits.renamed:
        reason = f"{say_count(taken, 'fichier a pris', 'fichiers ont pris')} la même extension nouvelle « {extension} »"
    elif rewritten >= limits.rewritten and rewritten >= limits.rewritten_part * files:
        reason = f"{say_count(rewritten, 'fichier')} sur {files} réécrits en dix minutes"
    elif removed >= limits.removed and removed >= limits.removed_part * (bursts[-1].files + removed):
        reason = f"{say_count(removed, 'fichier')} sur {bursts[-1].files + removed} ôtés en dix minutes"
    else:
        return None
    first = next(
        (one for one in bursts if one.suspect or one.removed - one.added >= limits.removed), bursts[0]
    )
    samples = tuple(path for one in bursts for path in one.samples)[:5]
    return Suspicion(reason, first.before, first.at, samples)
