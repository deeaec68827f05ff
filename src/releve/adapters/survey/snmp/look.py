"""One look at a piece of equipment through its SNMP agent: two readings, and what grew in between.

Agents remember: net-snmp answers for its interfaces from a memory up to 30 s old, and switches of the trade do
the like. Two readings that agree in every counter, packets of our own questions included, are one reading
twice; so we read again until something moves, at most `patience` seconds after the first. If nothing does, the
ports are given with `seconds` 0 and a gap says that growth was not seen: it must not pass for "no error".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from releve.adapters.survey.snmp import parse
from releve.adapters.survey.snmp.ask import Account, Reading, Silent, read
from releve.adapters.survey.snmp.columns import COUNTERS, DESCRIPTION, NAME, NEIGHBOURS, UPTIME, WHO
from releve.adapters.survey.snmp.lldp import neighbours
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.inventory import Equipment
from releve.domain.secret import SecretRef
from releve.domain.seen import Fact

Secret = Callable[[SecretRef], str]  # raises ReleveError

PATIENCE = 32.0  # seconds: a little more than the 30 for which net-snmp answers from memory


def snmp(device: Equipment, *, secret: Secret, pause: float = 5.0, patience: float = PATIENCE) -> Found:
    """`Agent`, `Port` and `Lldp` facts. Never raises for what an agent does or does not say.

    `pause`: seconds between the two readings; 0 reads once. `secret` finds the value of a secret.
    """
    try:
        account = _account(device, secret)
    except ReleveError as error:
        return Found((), (Gap(error.code, error.sentence),))
    return asyncio.run(_look(device, account, pause, patience))


def _account(device: Equipment, secret: Secret) -> Account:
    spec = device.snmp
    if spec is None:
        return Account()
    community, auth, privacy = (
        secret(ref) if ref is not None else "" for ref in (spec.community, spec.auth, spec.privacy)
    )
    return Account(community, auth, privacy)


async def _look(device: Equipment, account: Account, pause: float, patience: float) -> Found:
    loop = asyncio.get_running_loop()
    troubles: list[str] = []
    # A datagram that pysnmp cannot make sense of may end in its own callback: kept as a gap, not printed.
    loop.set_exception_handler(lambda _, context: troubles.append(type(context.get("exception")).__name__))
    try:
        first = await read(device, account, (DESCRIPTION, NAME, UPTIME), (*WHO, *COUNTERS, *NEIGHBOURS))
    except Silent as silent:
        return Found((), (*_troubles(troubles), silent.gap))
    gaps = [*first.gaps, *parse.doubts(first, (*WHO, *COUNTERS))]
    second: Reading | None = None
    if pause > 0 and any(first.columns.get(column) for column in COUNTERS):
        second, gap = await _again(device, account, first, pause, patience)
        gaps += [gap] if gap else []
    facts: tuple[Fact, ...] = (
        parse.agent(device.id, first),
        *parse.ports(device.id, first, second),
        *neighbours(device.id, first),
    )
    return Found(facts, parse.together((*_troubles(troubles), *gaps)))


def _troubles(names: list[str]) -> tuple[Gap, ...]:
    if not names:
        return ()
    return (Gap("snmp-garbage", f"{len(names)} réponses SNMP illisibles ({names[0]})", "réponses"),)


async def _again(
    device: Equipment, account: Account, first: Reading, pause: float, patience: float
) -> tuple[Reading | None, Gap | None]:
    """A later reading that differs from `first`, or why there is none."""
    while True:
        await asyncio.sleep(pause)
        try:
            second = await read(device, account, (UPTIME,), COUNTERS)
        except Silent as silent:
            return None, Gap(silent.gap.code, f"seconde lecture : {silent.gap.sentence}", "growth")
        if parse.restarted(first, second):
            return None, Gap(
                "snmp-restarted", "l'agent SNMP vient de redémarrer : croissance non vue", "growth"
            )
        if second.gaps:
            return None, second.gaps[0]
        if parse.moved(first, second):
            return second, None
        if second.at - first.at + pause > patience:
            sentence = (
                f"aucun compteur n'a bougé en {second.at - first.at:.0f} s, pas même ceux de nos questions : "
                "l'agent répond de mémoire, la croissance n'a pas été vue"
            )
            return None, Gap("snmp-cached", sentence, "growth")
