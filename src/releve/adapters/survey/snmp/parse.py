"""What an agent's columns mean: who it is, and its ports. Pure.

A value of the wrong sort is no value: it becomes None, and one gap says in which columns that was seen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from releve.adapters.survey.snmp.ask import Index, Reading, Value
from releve.adapters.survey.snmp.columns import (
    ABILITY_BITS,
    ABILITY_WORDS,
    COUNTERS,
    DESCRIPTION,
    ETHERNET_ERRORS,
    ETHERNET_TYPES,
    NAME,
    UPTIME,
    Column,
)
from releve.domain.audit import Gap
from releve.domain.seen import Agent, Port

SIMULATED = "compteurs simulés"  # words by which a laboratory's agent says that it makes its figures up
_LONGEST = 255  # characters of a text of an agent (RFC 1213, DisplayString)
_NAMED = 30  # parts that a gap names
_HIGH = 10**6  # ifHighSpeed counts in Mb/s
_FULL_32 = 2**32 - 1  # ifSpeed of what is faster than it can say (RFC 2863)

_SUMS: Mapping[str, tuple[Column, ...]] = {
    "crc": (Column.FCS,),
    "frame": (Column.ALIGNMENT,),
    "length": (Column.TOO_LONG,),
    "late": (Column.LATE,),
    "collisions": (Column.ONE_COLLISION, Column.MANY_COLLISIONS),
    "errors": (Column.IN_ERRORS, Column.OUT_ERRORS),
    "discards": (Column.IN_DISCARDS, Column.OUT_DISCARDS),
}
_PACKETS = (Column.IN_PACKETS, Column.OUT_PACKETS)
_PACKETS_64 = (Column.IN_PACKETS_64, Column.OUT_PACKETS_64)


def agent(device: str, reading: Reading) -> Agent:
    """What it says of itself."""
    description = text(reading.scalars.get(DESCRIPTION))
    return Agent(
        device,
        description,
        text(reading.scalars.get(NAME)),
        uptime(reading),
        simulated=SIMULATED in description,
    )


def uptime(reading: Reading) -> float | None:
    """Seconds since the agent counts."""
    ticks = reading.scalars.get(UPTIME)
    return ticks / 100 if isinstance(ticks, int) and ticks >= 0 else None


def text(value: Value | None) -> str:
    """A text of an agent: one line, no control character, bounded. Empty when it is none."""
    if not isinstance(value, bytes):
        return ""
    plain = value[:1024].rstrip(b"\0").decode("utf-8", "replace")
    kept = ("�" if unicodedata.category(sign).startswith("C") else sign for sign in " ".join(plain.split()))
    return "".join(kept)[:_LONGEST]


def moved(first: Reading, second: Reading) -> bool:
    """Whether any counter differs: an agent that answers the same twice has answered from its memory."""
    return any(first.columns.get(column) != second.columns.get(column) for column in COUNTERS)


def restarted(first: Reading, second: Reading) -> bool:
    """Whether the agent began to count again in between."""
    before, after = uptime(first), uptime(second)
    return before is not None and after is not None and after < before


def ports(device: str, first: Reading, second: Reading | None) -> list[Port]:
    """One fact a port (Ethernet only). `second`: a later reading, from which growth is told.

    A port that says neither "up" nor "down" is no fact: `doubts` names it.
    """
    return [_port(device, index, first, second) for index in _indexes(first) if _stated(first, index)]


def _indexes(reading: Reading) -> list[Index]:
    known = {**reading.columns.get(Column.DESCR, {}), **reading.columns.get(Column.OPER, {})}
    return [index for index in sorted(known) if _ethernet(reading, index)]


def _stated(reading: Reading, index: Index) -> bool:
    """Whether its state is one of those of RFC 2863 that tell something (4 is "unknown")."""
    return number(reading, Column.OPER, index) in {1, 2, 3, 5, 6, 7}


def _named(reading: Reading, index: Index) -> str:
    known = word(reading, Column.IF_NAME, index) or word(reading, Column.DESCR, index)
    return known or ".".join(map(str, index))


def _ethernet(reading: Reading, index: Index) -> bool:
    kind = number(reading, Column.TYPE, index)
    return kind is None or kind in ETHERNET_TYPES


def _port(device: str, index: Index, first: Reading, second: Reading | None) -> Port:
    latest = second or first
    counts: dict[str, int | None] = {name: _sum(latest, parts, index) for name, parts in _SUMS.items()}
    counts["packets"] = _packets(latest, index)
    descr = word(first, Column.DESCR, index)
    up = number(first, Column.OPER, index) == 1
    duplex = {2: "half", 3: "full"}.get(number(first, Column.DUPLEX, index) or 0, "")
    return Port(
        device,
        _named(first, index),
        up,
        word(first, Column.ALIAS, index),
        _speed(first, index) if up else None,
        _ability(first, index, descr),
        duplex if up else "",
        seconds=round(second.at - first.at, 3) if second else 0.0,
        grown=_grown(first, second, index) if second else {},
        changed=_changed(latest, index),
        **counts,
    )


def _packets(reading: Reading, index: Index) -> int | None:
    wide = _sum(reading, _PACKETS_64, index)
    return _sum(reading, _PACKETS, index) if wide is None else wide


def _sum(reading: Reading, parts: Iterable[Column], index: Index) -> int | None:
    """Of those that are known; None when none is."""
    known = [value for part in parts if (value := number(reading, part, index)) is not None]
    return sum(known) if known else None


def _grown(first: Reading, second: Reading, index: Index) -> dict[str, int]:
    wide = _sum(first, _PACKETS_64, index) is not None
    sums = {**_SUMS, "packets": _PACKETS_64 if wide else _PACKETS}
    grown = {name: sum(_growth(first, second, part, index) for part in parts) for name, parts in sums.items()}
    before, after = (number(reading, Column.CHANGED, index) for reading in (first, second))
    if before is not None and after is not None and before != after:
        grown["changes"] = 1  # at least: only the last change is told
    return {name: count for name, count in grown.items() if count}


def _growth(first: Reading, second: Reading, column: Column, index: Index) -> int:
    before, after = number(first, column, index), number(second, column, index)
    if before is None or after is None:
        return 0
    # A counter of 32 bits goes round; one that seems to run backwards by more than half of it was reset.
    wide = column in _PACKETS_64
    growth = after - before if wide else (after - before) % 2**32
    return growth if 0 <= growth < 2**31 or (wide and growth > 0) else 0


def _changed(reading: Reading, index: Index) -> float | None:
    """Seconds since the port last came or went."""
    now, last = uptime(reading), number(reading, Column.CHANGED, index)
    if now is None or last is None or not 0 < last / 100 <= now:
        return None  # before the agent counted: nobody can tell
    return round(now - last / 100, 2)


def _speed(reading: Reading, index: Index) -> int | None:
    high = number(reading, Column.HIGH_SPEED, index)
    plain = number(reading, Column.SPEED, index)
    if plain and plain != _FULL_32:
        return plain
    return high * _HIGH if high else None


def _ability(reading: Reading, index: Index, descr: str) -> int | None:
    """The best that a port can do: what it offers to its neighbour (MAU-MIB), otherwise the name it bears."""
    offered = [
        value
        for row, value in reading.columns.get(Column.ABILITIES, {}).items()
        if row[:1] == index and isinstance(value, bytes)
    ]
    bits = {
        place * 8 + bit
        for raw in offered
        for place, byte in enumerate(raw)
        for bit in range(8)
        if byte & 128 >> bit
    }
    known = [ABILITY_BITS[bit] for bit in bits if bit in ABILITY_BITS]
    if known and max(bits) <= max(ABILITY_BITS):
        return max(known) * _HIGH
    return next((rate * _HIGH for word, rate in ABILITY_WORDS if word.lower() in descr.lower()), None)


def number(reading: Reading, column: Column, index: Index) -> int | None:
    """A count or a code; None when the agent gave none that makes sense."""
    value = reading.columns.get(column, {}).get(index)
    return value if isinstance(value, int) and value >= 0 else None


def word(reading: Reading, column: Column, index: Index) -> str:
    """A text of a table."""
    return text(reading.columns.get(column, {}).get(index))


_TEXTS = frozenset({Column.DESCR, Column.IF_NAME, Column.ALIAS, Column.ABILITIES})


def doubts(reading: Reading, columns: Iterable[Column]) -> list[Gap]:
    """What could not be trusted: columns whose values are of the wrong sort, and tables that are not there."""
    asked = tuple(columns)
    wrong = [
        column.name.lower()
        for column in asked
        if any(
            not isinstance(value, bytes if column in _TEXTS else int)
            for value in reading.columns.get(column, {}).values()
        )
    ]
    gaps = []
    if wrong:
        gaps.append(
            Gap(
                "snmp-garbage", "l'agent SNMP donne des valeurs insensées, laissées de côté", ", ".join(wrong)
            )
        )
    unclear = [_named(reading, index) for index in _indexes(reading) if not _stated(reading, index)]
    if unclear:
        gaps.append(Gap("snmp-port-unclear", "l'agent ne dit pas l'état de ces ports", _some(unclear)))
    if not reading.columns.get(Column.OPER):
        gaps.append(Gap("snmp-no-ports", "l'agent SNMP ne montre aucun port", "ifTable"))
    elif not any(reading.columns.get(column) for column in ETHERNET_ERRORS):
        sentence = (
            "l'agent SNMP ne compte pas les erreurs de câble : ni CRC, ni collisions tardives n'ont été vues"
        )
        gaps.append(Gap("snmp-no-ethernet", sentence, "EtherLike-MIB"))
    return gaps


def _some(names: list[str]) -> str:
    """Names enough to know what is meant, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" et {more} autres" if more > 0 else "")


def together(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """One gap where several say the same of several parts."""
    parts: dict[tuple[str, str], dict[str, None]] = {}
    for gap in gaps:
        parts.setdefault((gap.code, gap.sentence), {})[gap.what] = None
    return tuple(Gap(*said, _some([part for part in what if part])) for said, what in parts.items())
