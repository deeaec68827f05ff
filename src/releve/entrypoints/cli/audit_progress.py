"""An audit told as it goes: a bar on a screen, one line a look elsewhere."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from releve.domain.audit import Errand, Look
from releve.domain.terminal import printable
from releve.domain.units import say_count, say_seconds
from releve.entrypoints.cli.telling import talk

if TYPE_CHECKING:
    from rich.console import Console

    from releve.cycle.audit.act import Watcher

BAR = 20  # columns


@contextmanager
def shown(todo: Sequence[Errand], faults: list[Errand]) -> Iterator[Watcher]:
    """Tell on stderr; the errands that a defect of ours ended go to `faults`, with their trace."""
    from releve.cycle.audit.act import Watcher

    def fault(errand: Errand, error: Exception) -> None:
        faults.append(errand)
        _frames(error)

    if not sys.stderr.isatty():
        yield Watcher(done=_line(len(todo)), fault=fault)
        return
    from rich.console import Console

    with bar(len(todo), Console(stderr=True)) as (begun, done):
        yield Watcher(begun, done, fault)


def _frames(error: BaseException) -> None:
    """Where it broke and what it was, and before it what led to it; never its message, which may hold what was read."""
    before = error.__cause__ or error.__context__
    if before is not None:
        _frames(before)
    traceback.print_tb(error.__traceback__, file=sys.stderr)
    sys.stderr.write(f"{type(error).__name__}\n")


@contextmanager
def bar(total: int, console: Console) -> Iterator[tuple[Callable[[Errand], None], Callable[[Look], None]]]:
    """A line with a bar, how many looks are done, since when, and in what is left of it those that go on, the newest first.

    Looks that saw nothing stay written above it. What it gives is told of each look that begins and ends.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    from releve.cycle.audit.errands import TOPIC_FR

    columns = (
        BarColumn(BAR, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
    )
    going: dict[str, str] = {}
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task("", total=total)

        def say() -> None:
            progress.update(task, description=" ; ".join(reversed(tuple(going.values()))))

        def begun(errand: Errand) -> None:
            going[errand.key] = f"{errand.subject} : {TOPIC_FR[errand.topic]}"
            say()

        def done(look: Look) -> None:
            from releve.cycle.audit.estate import brought

            going.pop(look.errand.key, None)
            progress.advance(task)
            if not brought(look):
                progress.console.print(told(look), markup=False, highlight=False)
            say()

        yield begun, done


def _line(total: int) -> Callable[[Look], None]:
    number = count(1)
    return lambda look: talk(f"{next(number):>3}/{total} {told(look)}")


def told(look: Look) -> str:
    """What a look brought back, or why it saw nothing. Pure."""
    from releve.cycle.audit.estate import brought

    if brought(look):
        end = say_count(len(look.facts), "fait")
        if look.gaps:
            end += f", {say_count(len(look.gaps), 'partie non vue', 'parties non vues')}"
    else:
        whole = [gap for gap in look.gaps if not gap.what] or look.gaps
        end = "pas vu, " + " ; ".join(dict.fromkeys(gap.sentence for gap in whole))
    said = f"{look.errand.topic.value:<12} {look.errand.subject} : {end} ({say_seconds(look.seconds)})"
    return printable(said)
