"""Who is at the other end of the cables of a piece of equipment, as its agent heard by LLDP (IEEE 802.1AB). Pure."""

from __future__ import annotations

from typing import Any

from releve.adapters.survey.snmp.ask import Index, Reading
from releve.adapters.survey.snmp.columns import Column
from releve.adapters.survey.snmp.parse import number, text, word
from releve.domain.seen import Lldp


def neighbours(device: str, reading: Reading) -> list[Lldp]:
    """Who says, by LLDP, to be at the other end of each port's cable."""
    names = reading.columns.get(Column.REMOTE_CHASSIS, {})
    seen = []
    for row in sorted(names):
        if len(row) != 3:
            continue
        _, local, _ = row
        name = word(reading, Column.REMOTE_NAME, row) or _identity(
            reading, Column.REMOTE_CHASSIS, Column.REMOTE_CHASSIS_KIND, row, mac=4
        )
        far = _identity(reading, Column.REMOTE_PORT, Column.REMOTE_PORT_KIND, row, mac=3)
        seen.append(Lldp(device, _local_port(reading, local), name, far))
    return seen


def _local_port(reading: Reading, local: int) -> str:
    """The name of our end: LLDP numbers ports on its own, most agents by the index of the interface."""
    index = (local,)
    kind = number(reading, Column.LOCAL_PORT_KIND, index)
    said = "" if kind == 3 else word(reading, Column.LOCAL_PORT, index)  # 3: a hardware address, no name
    known = word(reading, Column.IF_NAME, index) or word(reading, Column.DESCR, index)
    return said or word(reading, Column.LOCAL_PORT_DESCR, index) or known or str(local)


def _identity(reading: Reading, column: Column, kind: Column, row: Index, *, mac: int) -> str:
    """A name, or a hardware address (`mac`: the subtype that says so) in its usual notation."""
    value: Any = reading.columns.get(column, {}).get(row)
    if number(reading, kind, row) == mac and isinstance(value, bytes) and len(value) == 6:
        return value.hex(":")
    return text(value)
