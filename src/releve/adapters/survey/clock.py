"""How far the clock of a machine is from ours."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from time import monotonic, time

from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.plan import HostSpec
from releve.domain.ports import Host
from releve.domain.seen import Clock

WHAT = "horloge"
_TRIES = 3  # the quickest is kept: its margin is the least
_ASK = b"import time\nprint(repr(time.time()))\n"


def clock(
    host: Host,
    spec: HostSpec,
    *,
    synchronised: bool | None = None,
    timeout: float,
    wall: Callable[[], float] = time,
) -> Found:
    """A `Clock`: the machine's instant lies between the sending of a question and its answer.

    `offset` is its distance (seconds) to the middle of the two, `margin` half of what lies between them.
    `synchronised`: what the machine says, kept beside: a clock that nobody sets may still be right.
    `wall`: our own clock, seconds since 1970.
    """
    best: Clock | None = None
    for _ in range(_TRIES):
        sent, begun = wall(), monotonic()
        try:
            done = host.run(("python3", "-I", "-S", "-"), stdin=_ASK, timeout=timeout)
        except ReleveError as error:
            return Found(gaps=(Gap(error.code, error.sentence, WHAT),))
        margin = (monotonic() - begun) / 2
        try:
            offset = float(done.stdout) - sent - margin
        except ValueError:
            offset = float("nan")
        if not isfinite(offset):
            said = f"l'heure donnée par {spec.id} ne se comprend pas"
            return Found(gaps=(Gap("answer-unclear", said, WHAT),))
        if best is None or margin < best.margin:
            best = Clock(spec.id, offset, margin, synchronised)
    return Found((best,) if best is not None else ())
