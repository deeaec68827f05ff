"""The map of what is declared and seen, with the weak points on it: one SVG, for a screen and for paper. Pure.

Sites are columns; inside, what stands behind what from top to bottom, machines last. Above them the links and
the outside, below them what has no place: the association, its applications, people. Exchanges that leave a site are drawn, those that nobody declared in dashes. A number in a circle
is a weak point, explained below the picture: nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax import saxutils

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.exchanges import UNKNOWN_COUNTRY, Exchange, declared, exchanges
from releve.cycle.audit.rule import SEVERITY_FR, Severity, Standing, WeakPoint
from releve.domain.inventory import INTERNET, Device
from releve.domain.seen import Neighbour
from releve.domain.terminal import printable
from releve.domain.units import say_count

BOX, HIGH, GAP = 190, 46, 14  # pixels of a box, and between two side by side
ROW = HIGH + 24  # from a box to the one below: the marks of the first stand between
COLUMN = 2 * BOX + 3 * GAP
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

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + BOX / 2, self.y + HIGH / 2


def picture(estate: Estate, points: Sequence[WeakPoint], title: str, caveats: Sequence[str] = ()) -> str:
    """The SVG text. Accepted points are left out. `caveats`: what the picture does not show, said below it."""
    live = [point for point in points if point.standing is not Standing.ACCEPTED]
    boxes, frames, seats, width, bottom = _laid_out(estate)
    placed = {point.key: place_of(estate, point, seats) for point in live[:_MOST]}
    homeless = dict.fromkeys(point.weakness.subject for point in live[:_MOST] if not placed[point.key])
    if homeless:
        bottom = _nowhere(estate, homeless, boxes, frames, width, bottom)
        seats |= {name: _seat(box) for name, box in boxes.items()}
        placed |= {p.key: _NOWHERE + p.weakness.subject for p in live[:_MOST] if not placed[p.key]}
    numbers = {point.key: number for number, point in enumerate(live[:_MOST], 1)}
    marks = _marks(live[:_MOST], placed, seats, numbers)
    said = _cut(", ".join(caveats), int(width / 7))
    legend = list(_legend(estate, live, numbers, bottom + (60 if said else 40), width))
    height = bottom + 60 + 20 * (len(legend) + 2)
    parts = [
        _opening(width, height),
        f'<title id="t">{_said(title)}</title>',
        f'<desc id="d">{_said(_told(estate, live))}</desc>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{GAP}" y="26" font-size="18" font-weight="bold">{_said(title)}</text>',
        *frames,
        *_stands(estate, boxes),
        *_drawn(estate, boxes),
        *(_boxed(box) for box in boxes.values()),
        *marks,
        *(
            [f'<text x="{GAP}" y="{bottom + 30:.0f}" font-style="italic">{_said(said)}</text>']
            if said
            else []
        ),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _said(text: str) -> str:
    """A name or a sentence as it goes into the picture: machines may say what XML does not hold."""
    return saxutils.escape(printable(text))


def _opening(width: float, height: float) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    said = 'role="img" aria-labelledby="t d" font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {said}>'


def _laid_out(
    estate: Estate,
) -> tuple[dict[str, _Box], list[str], dict[str, tuple[float, float]], float, float]:
    """Every box by name, the frames of the sites, the corner where marks go, the width and the bottom."""
    owned = estate.plan.inventory
    boxes: dict[str, _Box] = {}
    outside = [(INTERNET, "Internet", "hors de l'association", True)]
    outside += [
        (item.id, item.name, item.country or UNKNOWN_COUNTRY, True)
        for item in owned.suppliers
        if item.addresses
    ]
    outside += [
        (end.name, end.address, UNKNOWN_COUNTRY, False)
        for exchange in exchanges(estate)
        for end in (exchange.source, exchange.to)
        if end.outside and not end.known
    ]
    width = max(len(estate.plan.sites) * (COLUMN + GAP) + GAP, 4 * (BOX + GAP) + GAP)
    a_row = int((width - GAP) // (BOX + GAP))
    for index, (name, said, under, known) in enumerate(dict.fromkeys(outside)):
        row, column = divmod(index, a_row)
        boxes[name] = _Box(name, said, under, GAP + column * (BOX + GAP), TOP - 22 + row * ROW, known)
    top = max(box.y for box in boxes.values()) + HIGH + 60
    frames, lowest, seats = [], top, dict[str, tuple[float, float]]()
    for number, site in enumerate(estate.plan.sites):
        left = GAP + number * (COLUMN + GAP)
        things = list(_things(estate, site.id))
        for index, (name, said, under, known) in enumerate(things):
            row, column = divmod(index, 2)
            boxes[name] = _Box(
                name,
                said,
                under,
                left + GAP + column * (BOX + GAP),
                top + 34 + row * ROW,
                known,
            )
        tall = 34 + max(1, (len(things) + 1) // 2) * ROW + GAP
        frames.append(
            f'<rect x="{left}" y="{top}" width="{COLUMN}" height="{tall}" rx="8" fill="#f4f6f8" stroke="#8896a5"/>'
            f'<text x="{left + GAP}" y="{top + 23}" font-weight="bold">{_said(_cut(site.name, 26))}</text>'
        )
        seats[site.id] = (left + COLUMN, top + 6)
        lowest = max(lowest, top + tall)
    seats |= {name: _seat(box) for name, box in boxes.items()}
    return boxes, frames, seats, width, lowest


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
        title = people.get(subject) or estate.name_of(subject) or plan.association.name
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


def _stands(estate: Estate, boxes: Mapping[str, _Box]) -> Iterator[str]:
    """What stands behind what, as plain lines under the boxes."""
    owned = estate.plan.inventory
    pairs = [(item.id, name) for item in estate.plan.hosts for name in item.behind]
    pairs += [(item.id, name) for item in owned.equipment for name in item.behind]
    pairs += [(item.id, name) for item in owned.links for name in item.behind]
    pairs += [(item.id, item.to) for item in owned.links if item.to == INTERNET]
    for first, second in pairs:
        if first in boxes and second in boxes:
            (a, b), (c, d) = boxes[first].middle, boxes[second].middle
            yield f'<line x1="{a:.0f}" y1="{b:.0f}" x2="{c:.0f}" y2="{d:.0f}" stroke="#b8c2cc" stroke-width="2"/>'


def _drawn(estate: Estate, boxes: Mapping[str, _Box]) -> Iterator[str]:
    """The exchanges that leave a site, as curves; in dashes those that no flow of the plan covers."""
    yield (
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#2b6cb0"/></marker></defs>'
    )
    for exchange in exchanges(estate):
        first, second = boxes.get(exchange.source.name), boxes.get(exchange.to.name)
        if first is not None and second is not None and exchange.crosses:
            yield _curve(exchange, first, second, known=declared(estate, exchange))


def _curve(exchange: Exchange, first: _Box, second: _Box, *, known: bool) -> str:
    a, c = first.middle[0], second.middle[0]
    if first.y == second.y:
        b = d = first.y
        bends = (b - 34, d - 34)
    else:
        b, d = (first.y + HIGH, second.y) if first.y < second.y else (first.y, second.y + HIGH)
        bends = ((b + d) / 2, (b + d) / 2)
    ink, dash = ("#2b6cb0", "") if known else ("#a4161a", ' stroke-dasharray="6 4"')
    word = f"{exchange.source.name} → {exchange.to.name}, port {exchange.port}"
    return (
        f'<path d="M{a:.0f} {b:.0f}C{a:.0f} {bends[0]:.0f} {c:.0f} {bends[1]:.0f} {c:.0f} {d:.0f}" fill="none" '
        f'stroke="{ink}" stroke-width="1.6"{dash} marker-end="url(#a)"><title>{_said(word)}'
        f"{'' if known else ' (non déclaré)'}</title></path>"
    )


def _boxed(box: _Box) -> str:
    dash = "" if box.known else ' stroke-dasharray="4 3"'
    ink = "#8896a5" if box.known else "#a4161a"
    return (
        f"<g><title>{_said(box.title)} : {_said(box.under)}</title>"
        f'<rect x="{box.x}" y="{box.y}" width="{BOX}" height="{HIGH}" rx="5" fill="#ffffff" stroke="{ink}"{dash}/>'
        f'<text x="{box.x + 10}" y="{box.y + 20}">{_said(_cut(box.title, 24))}</text>'
        f'<text x="{box.x + 10}" y="{box.y + 37}" font-size="11" fill="#4a5568">{_said(_cut(box.under, 28))}</text></g>'
    )


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
        yield (
            f"{_disc(GAP + 12, y - 4, point.rule.severity, numbers[point.key])}"
            f'<text x="{GAP + 30}" y="{y}" font-size="12">{_said(_cut(said, most))}</text>'
        )
    if len(points) > _MOST:
        y = top + 20 * _MOST
        yield f'<text x="{GAP + 30}" y="{y}" font-size="12">et {say_count(len(points) - _MOST, "autre")} : releve audit show</text>'


def _told(estate: Estate, points: Sequence[WeakPoint]) -> str:
    sites = ", ".join(site.name for site in estate.plan.sites)
    counted = say_count(len(points), "point faible", "points faibles")
    return f"Sites : {sites}. Sous le dessin, {counted} : à chaque numéro sa phrase."
