"""Who listens on a machine, and who talks to whom: what the probe of that name saw, as facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releve.adapters.survey.asking import answered, unclear
from releve.adapters.survey.telling import count, flag, joined, section, text
from releve.domain.audit import Found, Gap
from releve.domain.plan import HostSpec
from releve.domain.ports import Host
from releve.domain.seen import Connection, Fact, Listening
from releve.domain.units import say_count

HIDDEN = "programs-hidden"
APART = "containers-apart"
_EVERY = 0.2  # seconds between two looks: a shorter conversation may be missed; a look costs a millisecond
_SLACK = 30.0  # seconds beyond the watch: start of python3, and looks at thousands of processes


def connections(host: Host, spec: HostSpec, *, seconds: float, timeout: float = _SLACK) -> Found:
    """`Connection` facts: TCP conversations that a machine has with others during `seconds`.

    `times` counts conversations (pairs of ends), not looks. Left out: what the machine says to itself, and the
    audit's own (sockets of the ancestors of the probe, of its siblings, and the SSH session that carries it).
    A conversation shorter than `_EVERY` may be missed; UDP has none that the kernel knows of. What containers
    with a network of their own say is not seen, and is a gap. `timeout`: seconds beyond the watch.
    """
    asked = {"seconds": seconds, "every": _EVERY}
    told = answered(host, "sockets", asked, what="", timeout=seconds + timeout)
    return Found(gaps=(told,)) if isinstance(told, Gap) else connections_of(spec.id, told)


def connections_of(host: str, told: Mapping[str, Any]) -> Found:
    """What the probe saw of conversations. Pure."""

    def flows(value: Any) -> tuple[Connection, ...]:
        return tuple(
            Connection(
                host, "tcp", text(local), text(peer), _port(port), flag(out), count(times), text(program)
            )
            for local, peer, port, out, program, times in value
        )

    found = section(told, "flows", flows, host=host, what="")
    try:
        others = count(told.get("apart"))
    except ValueError:
        return Found(gaps=(unclear(host, ""),))
    if told.get("flows") is None:
        return Found(gaps=(unclear(host, ""),))
    gaps = _hidden(host, told, found.facts, "programmes des échanges")
    if others:
        those = say_count(others, "réseau de conteneurs", "réseaux de conteneurs")
        why = f"{those} sur {host} : ce qui s'y échange ne se voit pas d'ici"
        gaps += (Gap(APART, why, "échanges des conteneurs"),)
    return joined(found, Found(gaps=gaps))


def listening_of(host: str, told: Mapping[str, Any], *, what: str) -> Found:
    """What the probe saw of sockets that wait. Pure."""

    def listening(value: Any) -> tuple[Listening, ...]:
        return tuple(
            Listening(host, text(protocol), text(address), _port(port), text(program))
            for protocol, address, port, program in value
        )

    found = section(told, "listening", listening, host=host, what=what)
    if told.get("listening") is None:
        return Found(gaps=(unclear(host, what),))
    return joined(found, Found(gaps=_hidden(host, told, found.facts, what)))


def _hidden(host: str, told: Mapping[str, Any], facts: tuple[Fact, ...], what: str) -> tuple[Gap, ...]:
    """Programs that we could not know: an ordinary account has no right to, and from root some are out of sight."""
    unnamed = sum(isinstance(fact, Listening | Connection) and not fact.program for fact in facts)
    if not unnamed or told.get("hidden") is not True:
        return ()
    why = (
        f"{host} ne montre pas tous ses processus, même à root (autre espace de processus, conteneur, protection)"
        if told.get("root") is True
        else f"le compte utilisé sur {host} n'a pas le droit d'en savoir plus"
    )
    return (Gap(HIDDEN, f"{say_count(unnamed, 'programme')} sans nom : {why}", what),)


def _port(value: Any) -> int:
    if (number := count(value)) > 65_535:
        raise ValueError(number)
    return number
