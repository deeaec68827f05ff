"""An audit, performed: errand by errand, a few at once, each kept as soon as it is back.

A look that fails is a gap, and the others go on. Whatever stops the audit (Ctrl-C, kill -9, a full disk)
loses the looks in flight and nothing else: the same audit is taken up where it was.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from releve.domain.audit import Audit, Errand, Found, Gap, Look
from releve.domain.errors import ReleveError, Unheld
from releve.domain.ports import Audits, Now

See = Callable[[Errand], Found]
FRESH = timedelta(hours=24)  # an older audit that was interrupted describes another day (value of ours)
FAULT = "our-fault"


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told: `begun` when a look starts, `done` when it is kept, `fault` of a defect of ours."""

    begun: Callable[[Errand], None] = lambda _errand: None
    done: Callable[[Look], None] = lambda _look: None
    fault: Callable[[Errand, Exception], None] = lambda _errand, _error: None


def unfinished(audits: Audits, audit: Audit) -> Audit | None:
    """The last audit, when it was interrupted less than a day ago and set out to look at the very same.

    One that is dated of later than `audit` was begun under a wrong clock: nobody knows how old it is.
    """
    last = next(iter(audits.all()), None)
    if last is None or last.ended is not None or not timedelta() <= audit.started - last.started <= FRESH:
        return None
    same = (last.fingerprint, last.errands, last.site) == (audit.fingerprint, audit.errands, audit.site)
    return last if same else None


def left(audits: Audits, audit: Audit) -> tuple[Errand, ...]:
    """The errands of an audit that were not looked at yet."""
    seen = {look.errand for look in audits.looks(audit.id)}
    return tuple(errand for errand in audit.errands if errand not in seen)


def conduct(
    audit: Audit,
    todo: Sequence[Errand],
    see: See,
    audits: Audits,
    now: Now,
    *,
    at_once: int,
    watcher: Watcher,
) -> Audit:
    """Look at everything of `todo`, `at_once` at a time; the audit as it stands afterwards.

    It has ended when nothing of it is left. A look that no ledger can hold is a gap. Any other that cannot be kept (a
    full disk) raises at once: an audit that forgets is no audit. Must be called by one thread at a time for one audit.
    """
    audits.begin(audit)
    with _looking(todo, see, now, at_once, watcher) as looks:
        for look in looks:
            watcher.done(_kept(audits, audit, look))
    if left(audits, audit):
        return audit
    ended = now()
    audits.end(audit.id, ended)
    return replace(audit, ended=ended)


def _kept(audits: Audits, audit: Audit, look: Look) -> Look:
    """The look as it is kept."""
    try:
        audits.keep(audit.id, look)
    except Unheld as error:
        look = replace(look, facts=(), gaps=(Gap(error.code, error.sentence),))
        audits.keep(audit.id, look)
    return look


@contextmanager
def _looking(
    todo: Sequence[Errand], see: See, now: Now, at_once: int, watcher: Watcher
) -> Iterator[Iterator[Look]]:
    """Threads that look, and their looks as they come. Leaving asks for no other; those in flight are left alone."""
    waiting: queue.SimpleQueue[Errand] = queue.SimpleQueue()
    back: queue.SimpleQueue[Look] = queue.SimpleQueue()
    enough = threading.Event()
    for errand in todo:
        waiting.put(errand)

    def work() -> None:
        while not enough.is_set():
            try:
                errand = waiting.get_nowait()
            except queue.Empty:
                return
            watcher.begun(errand)
            back.put(_look(errand, see, now, watcher))

    # Daemons: Ctrl-C must not wait for a machine that does not answer.
    for number in range(min(at_once, len(todo))):
        threading.Thread(target=work, name=f"audit-{number}", daemon=True).start()
    try:
        yield (back.get() for _errand in todo)
    finally:
        enough.set()


def _look(errand: Errand, see: See, now: Now, watcher: Watcher) -> Look:
    at, begun = now(), time.monotonic()
    try:
        found = see(errand)
    except ReleveError as error:
        found = Found(gaps=(Gap(error.code, error.sentence),))
    except Exception as error:  # noqa: BLE001 (a defect in one look must not hide the others; it is told, and the command fails)
        watcher.fault(errand, error)
        found = Found(gaps=(Gap(FAULT, f"défaut de Relève : {type(error).__name__}"),))
    return Look(errand, at, time.monotonic() - begun, found.facts, found.gaps)
