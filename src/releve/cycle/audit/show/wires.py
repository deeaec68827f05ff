"""The lines of the map: each runs in the free room between boxes, and never behind one. Pure.

What ends at one thing shares a wire: a trunk beside the boxes of each site, joined above the sites when it leaves one,
a stem to each end and an arrow at the thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from releve.domain.terminal import printable

LANE = 7  # pixels from one trunk to the next
GREY, BLUE, RED = "#7d8a97", "#2b6cb0", "#a4161a"
_INKS = (GREY, BLUE, RED)
_ENDS = 8  # pixels kept free at both ends of the side of a box


def svg_text(text: str) -> str:
    """Names and sentences as they go into the picture: machines may say what XML does not hold. Lines stay lines."""
    return escape("\n".join(printable(line) for line in text.split("\n")))


@dataclass(frozen=True, slots=True)
class Wire:
    """Lines that end at `target`. `words`: source -> what is said of it there."""

    target: str
    words: Mapping[str, str]
    ink: str
    dashed: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        """Every box that it touches, the target last."""
        return (*self.words, self.target)


@dataclass(frozen=True, slots=True)
class Side:
    """The free side of a box: from (x, y) over `long` pixels, down, or to the right (`flat`) for a box outside."""

    site: str  # empty: outside
    x: float
    y: float
    long: float
    way: float = 0.0  # outside: x of the free column beside it, by which a wire gets below the other rows


@dataclass(slots=True)
class Room:
    """Where wires may run: x of the first lane of each site, y of the lowest level above them."""

    lanes: Mapping[str, float]
    level: float
    sides: Mapping[str, Side]
    taken: dict[str, int] = field(default_factory=dict)


def lanes_of(wires: Iterable[Wire], home: Mapping[str, str]) -> dict[str, list[Wire]]:
    """The wires that need a trunk at each site, in their order."""
    found: dict[str, list[Wire]] = {}
    for wire in wires:
        for site in dict.fromkeys(home[name] for name in wire.ends if home[name]):
            found.setdefault(site, []).append(wire)
    return found


def leaving(wires: Iterable[Wire], home: Mapping[str, str]) -> list[Wire]:
    """Those that join two sites, or a site and the outside: each runs at its own level above the sites."""
    return [wire for wire in wires if len({home[name] for name in wire.ends}) > 1]


def drawn(wires: Sequence[Wire], room: Room) -> Iterator[str]:
    """Every wire as SVG, the arrows' own shapes first."""
    shapes = (
        f'<marker id="{_arrow(ink)}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="{ink}"/></marker>'
        for ink in _INKS
    )
    yield f"<defs>{''.join(shapes)}</defs>"
    home = {name: side.site for name, side in room.sides.items()}
    lanes = {
        site: {id(wire): nth for nth, wire in enumerate(mine)} for site, mine in lanes_of(wires, home).items()
    }
    levels = {id(wire): room.level - LANE * nth for nth, wire in enumerate(leaving(wires, home))}
    share = {name: sum(wire.ends.count(name) for wire in wires) for name in room.sides}
    for wire in wires:
        yield from _wire(wire, room, lanes, levels.get(id(wire)), share)


def _wire(
    wire: Wire,
    room: Room,
    lanes: Mapping[str, Mapping[int, int]],
    level: float | None,
    share: Mapping[str, int],
) -> Iterator[str]:
    trunks: dict[str, list[float]] = {}
    across: list[float] = []
    for name in wire.ends:
        side = room.sides[name]
        at = _port(side, room, name, share[name])
        last = name == wire.target
        word = "\n".join(wire.words.values()) if last else wire.words[name]
        if side.site:
            lane = room.lanes[side.site] + LANE * lanes[side.site][id(wire)]
            trunks.setdefault(side.site, []).append(at)
            yield _line(wire, [(lane, at), (side.x, at)], word, arrow=last)
            yield f'<circle cx="{lane:.0f}" cy="{at:.1f}" r="2.2" fill="{wire.ink}"/>'
        elif level is not None:
            down = side.y + 6 + LANE * (room.taken[name] % 3)
            free = [(at, level)] if not side.way else [(side.way, level), (side.way, down), (at, down)]
            across.append(free[0][0])
            yield _line(wire, [*free, (at, side.y)], word, arrow=last)
    said = "\n".join(wire.words.values())
    for site, heights in trunks.items():
        lane = room.lanes[site] + LANE * lanes[site][id(wire)]
        if level is not None:
            heights.append(level)
            across.append(lane)
        if min(heights) < max(heights):
            yield _line(wire, [(lane, min(heights)), (lane, max(heights))], said)
    if level is not None and min(across) < max(across):
        yield _line(wire, [(min(across), level), (max(across), level)], said)


def _port(side: Side, room: Room, name: str, share: int) -> float:
    """Where the next wire touches that side: they part it between them."""
    nth = room.taken.get(name, 0)
    room.taken[name] = nth + 1
    begin = side.y if side.site else side.x
    return begin + _ENDS + (side.long - 2 * _ENDS) * (nth + 0.5) / share


def _line(wire: Wire, points: Sequence[tuple[float, float]], word: str, *, arrow: bool = False) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="6 4"' if wire.dashed else ""
    end = f' marker-end="url(#{_arrow(wire.ink)})"' if arrow else ""
    return (
        f'<path d="M{path}" fill="none" stroke="{wire.ink}" stroke-width="1.6"{dash}{end}>'
        f"<title>{svg_text(word)}</title></path>"
    )


def _arrow(ink: str) -> str:
    return f"a{_INKS.index(ink)}"
