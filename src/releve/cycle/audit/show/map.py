"""The map of what is declared and seen, with the weak points on it: one SVG, for a screen and for paper. Pure.

Sites are frames of two columns of boxes, links first, machines last. Above them the outside, below them what has no
place: the association, its applications, people. An arrow goes from what stands behind something to that thing, or
along an exchange that leaves a site, in dashes when nobody declared it (`wires`). A number in a circle is a weak point,
explained below the picture: nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.exchanges import UNKNOWN_COUNTRY, declared, exchanges
from releve.cycle.audit.rule import SEVERITY_FR, Severity, Standing, WeakPoint
from releve.cycle.audit.show.wires import (
    BLUE,
    GREY,
    LANE,
    RED,
    Room,
    Side,
    Wire,
    drawn,
    lanes_of,
    leaving,
    svg_text,
)
from releve.domain.inventory import INTERNET, Device
from releve.domain.seen import Neighbour
from releve.domain.units import say_count

BOX, HIGH, GAP = 190, 46, 14  # pixels of a box, and between two side by side
ROW = HIGH + 24  # from a box to the one below: the marks of the first stand between
TOP = 64
_INK = {Severity.CRITICAL: "#a4161a", Severity.MAJOR: "#b25e00", Severity.MINOR: "#4a5568"}
_KIND_FR = {
    Device.SWITCH: "commutateur",
    Device.ROUTER: "routeur",
    Device.FIREWALL: "pare-feu",
    Device.ACCESS_POINT: "borne wifi",
    Device.UPS: "onduleur",
    Device.NAS: "NAS",
    Device.PRINTER: "imprimante",
    Device.PHONE: "téléphone",
    Device.WORKSTATION: "poste",
    Device.SERVER: "serveur",
    Device.OTHER: "appareil",
}
_A_BOX = 8  # marks on one box, side by side; more are drawn smaller, in two rows
_SMALL = 12  # small marks in a row
_NOWHERE = "sans lieu "  # before the name of a box that stands on no site
_MOST = 40  # lines of legend; the rest is in the list


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    title: str
    under: str
    x: float
    y: float
    known: bool = True


def picture(estate: Estate, points: Sequence[WeakPoint], title: str, caveats: Sequence[str] = ()) -> str:
    """The SVG text. Accepted points are left out. `caveats`: what the picture does not show, said below it."""
    live = [point for point in points if point.standing is not Standing.ACCEPTED]
    boxes, frames, seats, width, bottom, lines = _laid_out(estate)
    placed = {point.key: place_of(estate, point, seats) for point in live[:_MOST]}
    homeless = dict.fromkeys(point.weakness.subject for point in live[:_MOST] if not placed[point.key])
    if homeless:
        bottom = _nowhere(estate, homeless, boxes, frames, width, bottom)
        seats |= {name: _seat(box) for name, box in boxes.items()}
        placed |= {p.key: _NOWHERE + p.weakness.subject for p in live[:_MOST] if not placed[p.key]}
    numbers = {point.key: number for number, point in enumerate(live[:_MOST], 1)}
    marks = _marks(live[:_MOST], placed, seats, numbers)
    said = ", ".join(caveats)
    keys, below = _keys(bottom + 30, width)
    legend = list(_legend(estate, live, numbers, below + (60 if said else 40), width))
    height = below + 60 + 20 * (min(len(live), _MOST) + 3)
    parts = [
        _opening(width, height),
        f'<title id="t">{svg_text(title)}</title>',
        f'<desc id="d">{svg_text(_told(estate, live))}</desc>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{GAP}" y="26" font-size="18" font-weight="bold">{svg_text(title)}</text>',
        *frames,
        *lines,
        *(_boxed(box) for box in boxes.values()),
        *marks,
        *keys,
        *([_words(GAP, below + 30, 'font-style="italic"', said, int(width / 7))] if said else []),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _opening(width: float, height: float) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    said = 'role="img" aria-labelledby="t d" font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {said}>'


def _laid_out(
    estate: Estate,
) -> tuple[dict[str, _Box], list[str], dict[str, tuple[float, float]], float, float, list[str]]:
    """Every box by name, the frames of the sites, the corner where marks go, the width, the bottom and the lines."""
    outside = _outside(estate)
    inside = {site.id: list(_things(estate, site.id)) for site in estate.plan.sites}
    home = {name: site for site, things in inside.items() for name, *_rest in things}
    home |= {name: "" for name, *_rest in outside}
    wires = _wires(estate, home)
    lanes = lanes_of(wires, home)
    gutters = {site: 2 * GAP + LANE * max(0, len(lanes.get(site, ())) - 1) for site in inside}
    width = max(GAP + sum(2 * BOX + 3 * GAP + gutter for gutter in gutters.values()), 4 * (BOX + GAP) + GAP)
    boxes: dict[str, _Box] = {}
    sides: dict[str, Side] = {}
    a_row = int((width - GAP) // (BOX + GAP))
    for index, (name, said, under, known) in enumerate(outside):
        row, column = divmod(index, a_row)
        box = _Box(name, said, under, GAP + column * (BOX + GAP), TOP - 22 + row * ROW, known)
        last = row == (len(outside) - 1) // a_row
        boxes[name] = box
        # What stands under another row is reached by the free column at its right.
        sides[name] = Side("", box.x, box.y + HIGH, BOX, 0.0 if last else box.x + BOX + 3 + 4 * (row % 3))
    level = max(box.y for box in boxes.values()) + HIGH + 30 + LANE * len(leaving(wires, home))
    top = level + 16
    frames, lowest, seats = [], top, dict[str, tuple[float, float]]()
    firsts: dict[str, float] = {}
    left = float(GAP)
    for site in estate.plan.sites:
        things, wide = inside[site.id], 2 * BOX + 2 * GAP + gutters[site.id]
        firsts[site.id] = left + GAP + BOX + GAP
        for index, (name, said, under, known) in enumerate(things):
            row, column = divmod(index, 2)
            x, y = left + GAP + column * (BOX + gutters[site.id]), top + 34 + row * ROW
            boxes[name] = _Box(name, said, under, x, y, known)
            # The two columns share the room between them: the ends of one stand a little lower than the other's.
            sides[name] = Side(site.id, x if column else x + BOX, y + 2 * column, HIGH)
        tall = 34 + max(1, (len(things) + 1) // 2) * ROW + GAP
        frames.append(
            f'<rect x="{left:.0f}" y="{top}" width="{wide:.0f}" height="{tall}" rx="8" fill="#f4f6f8" stroke="#8896a5"/>'
            + _words(left + GAP, top + 23, 'font-weight="bold"', site.name, 22)
        )
        seats[site.id] = (left + wide, top + 6)
        lowest = max(lowest, top + tall)
        left += wide + GAP
    seats |= {name: _seat(box) for name, box in boxes.items()}
    lines = list(drawn(wires, Room(firsts, level, sides)))
    return boxes, frames, seats, width, lowest, lines


def _outside(estate: Estate) -> list[tuple[str, str, str, bool]]:
    """(name, title, what it is, declared) of what stands on no site: the Internet, suppliers, who was spoken to."""
    found = [(INTERNET, "Internet", "hors de l'association", True)]
    found += [
        (item.id, item.name, item.country or UNKNOWN_COUNTRY, True)
        for item in estate.plan.inventory.suppliers
        if item.addresses
    ]
    found += [
        (end.name, end.address, UNKNOWN_COUNTRY, False)
        for exchange in exchanges(estate)
        for end in (exchange.source, exchange.to)
        if end.outside and not end.known
    ]
    return list(dict.fromkeys(found))


def _seat(box: _Box) -> tuple[float, float]:
    """Where the marks of a box go: below its right corner."""
    return box.x + BOX, box.y + HIGH


def _nowhere(
    estate: Estate,
    subjects: Iterable[str],
    boxes: dict[str, _Box],
    frames: list[str],
    width: float,
    bottom: float,
) -> float:
    """A frame for what stands on no site, a box each; the new bottom."""
    plan, top = estate.plan, bottom + GAP
    people = {item.id: item.name for item in plan.contacts}
    what = dict.fromkeys(people, "personne")
    what |= {item.id: "application" for item in plan.applications}
    what |= {item.id: "données" for item in plan.data_sets}
    what |= {item.id: "données" for item in plan.inventory.holdings}
    what |= {item.id: "fournisseur" for item in plan.inventory.suppliers}
    a_row = max(1, int((width - 3 * GAP) // (BOX + GAP)))
    rows = 0
    for index, subject in enumerate(subjects):
        row, column = divmod(index, a_row)
        rows = row + 1
        title = people.get(subject) or (estate.name_of(subject) if subject in what else plan.association.name)
        x, y = 2 * GAP + column * (BOX + GAP), top + 34 + row * ROW
        boxes[_NOWHERE + subject] = _Box(subject, title, what.get(subject, "association"), x, y)
    tall = 34 + rows * ROW + GAP
    frames.append(
        f'<rect x="{GAP}" y="{top}" width="{width - 2 * GAP}" height="{tall}" rx="8" fill="#ffffff" stroke="#8896a5"/>'
        f'<text x="{2 * GAP}" y="{top + 23}" font-weight="bold">Sans lieu</text>'
    )
    return top + tall


def _things(estate: Estate, site: str) -> Iterator[tuple[str, str, str, bool]]:
    """(name, title, what it is, declared) of what stands at a site: links, equipment, machines, then strangers."""
    owned = estate.plan.inventory
    yield from (
        (item.id, item.name, f"lien vers {item.to}", True) for item in owned.links if item.site == site
    )
    yield from (
        (item.id, item.name, _KIND_FR[item.kind], True)
        for item in owned.equipment
        if item.site == site and not estate.unsaid(item.id)
    )
    yield from (
        (item.id, item.id, _KIND_FR[item.kind], True) for item in estate.plan.hosts if item.site == site
    )
    strangers = {
        fact.address: fact.vendor or "inconnu du plan"
        for fact in estate.all(Neighbour)
        if estate.site_of(fact.network) == site and not estate.known_at(fact.address)
    }
    yield from ((address, address, said, False) for address, said in strangers.items())


def _wires(estate: Estate, home: Mapping[str, str]) -> list[Wire]:
    """What stands behind what; then the exchanges that leave a site, those that the plan covers first."""
    owned = estate.plan.inventory
    pairs = [(item.id, name) for item in estate.plan.hosts for name in item.behind]
    pairs += [(item.id, name) for item in owned.equipment for name in item.behind]
    pairs += [(item.id, name) for item in owned.links for name in item.behind]
    pairs += [(item.id, item.to) for item in owned.links if item.to == INTERNET]
    stands: dict[str, dict[str, str]] = {}
    for first, second in pairs:
        if first in home and second in home and first != second:
            said = f"{estate.name_of(first)} est derrière {estate.name_of(second)}"
            stands.setdefault(second, {})[first] = said
    spoken: dict[tuple[bool, str], dict[str, list[str]]] = {}
    for exchange in exchanges(estate):
        first, second = exchange.source.name, exchange.to.name
        if first in home and second in home and exchange.crosses and first != second:
            known = declared(estate, exchange)
            word = f"{first} → {second}, port {exchange.port}" + ("" if known else " (non déclaré)")
            spoken.setdefault((not known, second), {}).setdefault(first, []).append(word)
    return [
        *(Wire(target, words, GREY) for target, words in stands.items()),
        *(
            Wire(
                target,
                {name: "\n".join(said) for name, said in words.items()},
                RED if unknown else BLUE,
                dashed=unknown,
            )
            for (unknown, target), words in sorted(spoken.items())
        ),
    ]


def _keys(top: float, width: float) -> tuple[list[str], float]:
    """What the signs mean, as many in a line as there is room for; and the height of the last line."""
    line = '<path d="M{x:.0f} {y:.0f}h26" fill="none" stroke="{ink}" stroke-width="1.6"{dash} marker-end="url(#a{nth})"/>'
    disc = '<circle cx="{x:.0f}" cy="{y:.0f}" r="6" fill="{ink}"/>'
    box = '<rect x="{x:.0f}" y="{y:.0f}" width="26" height="12" rx="3" fill="#ffffff" stroke="{ink}" stroke-dasharray="4 3"/>'
    dash = ' stroke-dasharray="6 4"'
    signs = [
        *((disc, _INK[severity], f"point {SEVERITY_FR[severity]}", 0, "") for severity in Severity),
        (line, GREY, "est derrière (vers la sortie)", 0, ""),
        (line, BLUE, "échange qui sort d'un site", 1, ""),
        (line, RED, "le même, non déclaré au plan", 2, dash),
        (box, RED, "inconnu du plan", 0, ""),
    ]
    found: list[str] = []
    x, y = float(GAP), top
    for shape, ink, word, nth, dashed in signs:
        wide = 34 + 7 * len(word) + GAP
        if x > GAP and x + wide > width:
            x, y = float(GAP), y + 20
        at = {disc: (x + 13, y - 4), box: (x, y - 10)}.get(shape, (x, y - 4))
        found.append(shape.format(x=at[0], y=at[1], ink=ink, dash=dashed, nth=nth))
        found.append(f'<text x="{x + 34:.0f}" y="{y:.0f}" font-size="12">{svg_text(word)}</text>')
        x += wide
    return found, y


def _boxed(box: _Box) -> str:
    dash = "" if box.known else ' stroke-dasharray="4 3"'
    ink = "#8896a5" if box.known else "#a4161a"
    return (
        f"<g><title>{svg_text(box.title)} : {svg_text(box.under)}</title>"
        f'<rect x="{box.x}" y="{box.y}" width="{BOX}" height="{HIGH}" rx="5" fill="#ffffff" stroke="{ink}"{dash}/>'
        f'<text x="{box.x + 10}" y="{box.y + 20}">{svg_text(_cut(box.title, 24))}</text>'
        f'<text x="{box.x + 10}" y="{box.y + 37}" font-size="11" fill="#4a5568">{svg_text(_cut(box.under, 28))}</text></g>'
    )


def _words(x: float, y: float, style: str, text: str, most: int) -> str:
    """A line of text; where there is no room for all of it, the whole is its title."""
    whole = f"<title>{svg_text(text)}</title>" if len(text) > most else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{whole}{svg_text(_cut(text, most))}</text>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def place_of(estate: Estate, point: WeakPoint, names: Mapping[str, object]) -> str:
    """The box on which a point is drawn: its subject, the machine that holds it, or nothing."""
    subject = point.weakness.subject
    if subject in names:
        return subject
    holders = {item.id: item.host for item in estate.plan.inventory.holdings}
    holders |= {item.id: item.ends[item.primary_site].host for item in estate.plan.data_sets}
    if subject in holders:
        return holders[subject]
    for mark in ("→", ":", "/"):
        for part in subject.split(mark):
            if part in names:
                return part
    return point.weakness.site if point.weakness.site in names else ""


def _marks(
    points: Sequence[WeakPoint],
    placed: Mapping[tuple[str, str], str],
    seats: Mapping[str, tuple[float, float]],
    numbers: Mapping[tuple[str, str], int],
) -> Iterator[str]:
    """The marks of each place, from its right end: eight side by side, or smaller ones in two rows."""
    for name in dict.fromkeys(placed.values()):
        mine = [point for point in points if placed[point.key] == name]
        right, top = seats[name]
        if len(mine) <= _A_BOX:
            for nth, point in enumerate(mine):
                yield _disc(right - 12 - nth * 22, top + 2, point.rule.severity, numbers[point.key])
            continue
        room = (
            2 * _SMALL if len(mine) <= 2 * _SMALL else 2 * _SMALL - 2
        )  # the last two places say how many more
        for nth, point in enumerate(mine[:room]):
            row, column = divmod(nth, _SMALL)
            x, y = right - 8 - column * 15, top + 3 + row * 14
            yield _disc(x, y, point.rule.severity, numbers[point.key], small=True)
        if len(mine) > room:
            x, y = right - (_SMALL - 2) * 15, top + 21
            yield f'<text x="{x:.0f}" y="{y:.0f}" font-size="11" text-anchor="end">+{len(mine) - room}</text>'


def _disc(x: float, y: float, severity: Severity, number: int, *, small: bool = False) -> str:
    radius, size, down = (7, 8, 3) if small else (10, 11, 4)
    return (
        f'<g><circle cx="{x:.0f}" cy="{y:.0f}" r="{radius}" fill="{_INK[severity]}"/>'
        f'<text x="{x:.0f}" y="{y + down:.0f}" font-size="{size}" fill="#ffffff" text-anchor="middle">{number}</text></g>'
    )


def _legend(
    estate: Estate,
    points: Sequence[WeakPoint],
    numbers: Mapping[tuple[str, str], int],
    top: float,
    width: float,
) -> Iterator[str]:
    most = int(width / 7)
    for index, point in enumerate(points[:_MOST]):
        y = top + 20 * index
        site, sentence = estate.name_of(point.weakness.site), point.weakness.sentence
        where = f"{site}, " if site and site not in sentence else ""
        said = f"{point.rule.code}, {SEVERITY_FR[point.rule.severity]} : {where}{sentence}"
        yield _disc(GAP + 12, y - 4, point.rule.severity, numbers[point.key])
        yield _words(GAP + 30, y, 'font-size="12"', said, most)
    if len(points) > _MOST:
        y = top + 20 * _MOST
        yield f'<text x="{GAP + 30}" y="{y}" font-size="12">et {say_count(len(points) - _MOST, "autre")} : releve audit show</text>'


def _told(estate: Estate, points: Sequence[WeakPoint]) -> str:
    sites = ", ".join(site.name for site in estate.plan.sites)
    counted = say_count(len(points), "point faible", "points faibles")
    return f"Sites : {sites}. Sous le dessin, {counted} : à chaque numéro sa phrase."
