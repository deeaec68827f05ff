"""How a probe is sent to a machine, and how what comes back is taken: an answer, or the gap that it leaves.

The source of the probe goes on the standard input of `python3 -I -` (docs/decisions/0009), its question as a
last line. What is asked never stands in an argument: other accounts of a machine can read those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from releve.domain.audit import Gap
from releve.domain.errors import ReleveError
from releve.domain.ports import Host

_ARGV = ("python3", "-I", "-")


def question(probe: str, asked: Mapping[str, Any]) -> bytes:
    """The program to send: the probe of that name, then one call of its `main`."""
    text = json.dumps(asked)  # ASCII: names that are not UTF-8 travel as lone surrogates
    return f"{_source(probe)}\n\nmain(json.loads({text!r}))\n".encode()


def sent(host: Host, probe: str, asked: Mapping[str, Any], *, what: str, timeout: float) -> bytes | Gap:
    """What a probe printed. `what` names the place in the gap; `timeout` seconds in all."""
    try:
        done = host.run(_ARGV, stdin=question(probe, asked), timeout=timeout)
    except ReleveError as error:
        return Gap(error.code, error.sentence, what)
    if done.code:
        return Gap("probe-failed", f"la question posée à {host.id} s'est arrêtée (code {done.code})", what)
    return done.stdout


def answered(
    host: Host, probe: str, asked: Mapping[str, Any], *, what: str, timeout: float
) -> dict[str, Any] | Gap:
    """The JSON object that a probe printed on its last line."""
    told = sent(host, probe, asked, what=what, timeout=timeout)
    return told if isinstance(told, Gap) else document(told, host.id, what)


def document(told: bytes, host: str, what: str) -> dict[str, Any] | Gap:
    """The JSON object of the last line; a gap when there is none."""
    lines = told.strip().splitlines()
    try:
        found = json.loads(lines[-1], parse_float=_finite, parse_constant=_finite) if lines else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else unclear(host, what)


def unclear(host: str, what: str) -> Gap:
    """What came back cannot be understood."""
    return Gap("answer-unclear", f"ce que {host} a répondu ne se comprend pas", what)


def _finite(written: str) -> float:
    """A number that JSON has. Raises ValueError for the others that Python writes (NaN, Infinity)."""
    if not isfinite(found := float(written)):
        raise ValueError(written)
    return found


@cache
def _source(probe: str) -> str:
    return (files("releve.adapters.survey.probes") / f"{probe}.py").read_text(encoding="utf-8")
