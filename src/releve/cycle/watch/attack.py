"""Does what happens to a share look like ransomware at work? Pure; a person decides, never this.

Three signs, over the last ten minutes: contents that no longer are what their names say, names that all take the
same new extension, and a share that is rewritten at a pace at which nobody types.
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
    rewritten = sum(one.rewritten for one in bursts)
    scrambled = sum(one.scrambled for one in bursts)
    renamed: Counter[str] = Counter()
    for one in bursts:
        renamed.update(one.renamed)
    extension, taken = max(renamed.items(), key=lambda item: item[1], default=("", 0))
    files = max((one.files for one in bursts), default=0)
    if scrambled >= limits.scrambled and scrambled >= limits.scrambled_part * rewritten:
        reason = f"{say_count(scrambled, 'fichier')} sur {rewritten} réécrits n'ont plus le contenu que dit leur nom"
    elif taken >= limits.renamed:
        reason = f"{say_count(taken, 'fichier a pris', 'fichiers ont pris')} la même extension nouvelle « {extension} »"
    elif rewritten >= limits.rewritten and rewritten >= limits.rewritten_part * files:
        reason = f"{say_count(rewritten, 'fichier')} sur {files} réécrits en dix minutes"
    else:
        return None
    first = next((one for one in bursts if one.suspect), bursts[0])
    samples = tuple(path for one in bursts for path in one.samples)[:5]
    return Suspicion(reason, first.before, first.at, samples)
