"""RES-06 to RES-13: what joins the sites, how well, and what they lose with it."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.graph import SinglePoint, single_points
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import device_of, holder, names, number, once, percent, wall
from releve.domain.audit import Topic
from releve.domain.inventory import Device, LinkSpec
from releve.domain.seen import Base, Files, Path
from releve.domain.units import say_bytes, say_promise, say_seconds

# Share; value of ours: TCP's throughput falls with 1/√loss, and a sound link loses next to nothing.
LOSS = 0.01
LOST = 2  # packets; value of ours: one alone may be chance
LATENCY = 100.0  # ms, half of the round trips; value of ours: a synchronous write waits for one each time


def links_of(estate: Estate, site: str) -> list[LinkSpec]:
    """The links that touch a site, those that another site declares included."""
    return [item for item in estate.plan.inventory.links if site in {item.site, item.to}]


def _alone(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        links = links_of(estate, site.id)
        if len(links) == 1:
            away = tuple(item.id for item in estate.plan.applications if site.id not in item.ends)
            lost = f" : sans lui, on n'y atteint plus {names(estate, away)}" if away else ""
            yield Weakness(
                site.id, f"{site.name} n'a qu'un lien déclaré, « {links[0].name} »{lost}", site.id, stops=away
            )


def _path(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        links = links_of(estate, site.id)
        paths = {item.path for item in links}
        if len(links) > 1 and len(paths) == 1 and "" not in paths:
            yield Weakness(
                site.id,
                f"les {len(links)} liens de « {site.name} » passent tous par « {paths.pop()} »",
                site.id,
            )


def _operator(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        links = links_of(estate, site.id)
        operators = {item.operator for item in links}
        if len(links) > 1 and len(operators) == 1 and "" not in operators:
            yield Weakness(
                site.id,
                f"les {len(links)} liens de « {site.name} » sont tous de « {operators.pop()} »",
                site.id,
            )


@once
def _loss(estate: Estate) -> Iterator[Weakness]:
    for fact in sorted(estate.all(Path), key=lambda one: -one.lost):
        # Where nothing came back at all, nothing was measured: that is a gap.
        if LOSS <= fact.lost < 1 and round(fact.lost * fact.sent) >= LOST:
            yield Weakness(
                fact.target,
                f"{percent(fact.lost)} des {fact.sent} paquets envoyés à {estate.name_of(fact.target)} se sont perdus",
                estate.site_of(fact.target),
                seen=estate.seen_at(fact),
            )


@once
def _latency(estate: Estate) -> Iterator[Weakness]:
    for fact in sorted(estate.all(Path), key=lambda one: -(one.p50 or 0.0)):
        if fact.p50 is not None and fact.p50 > LATENCY:
            yield Weakness(
                fact.target,
                f"un aller-retour vers {estate.name_of(fact.target)} prend {number(fact.p50)} ms une fois sur deux",
                estate.site_of(fact.target),
                seen=estate.seen_at(fact),
            )


def between(estate: Estate, data: str) -> Path | None:
    """The fastest way measured between the two sites of a data set; None when none was."""
    item = estate.plan.data_set(data)
    sites = {item.primary_site, item.relief_site}
    found = [
        fact
        for fact in estate.all(Path)
        if fact.throughput
        and estate.site_of(fact.target) in sites
        and estate.site_of(fact.source) in sites | {""}
    ]
    return max(found, key=lambda fact: fact.throughput or 0.0, default=None)


def _slow(estate: Estate) -> Iterator[Weakness]:
    sizes = {fact.subject: fact.bytes for fact in estate.all(Files)}
    for base in estate.all(Base):
        sizes[base.subject] = sizes.get(base.subject, 0) + base.bytes
    for data in estate.plan.data_sets:
        way = between(estate, data.id)
        users = [item for item in estate.plan.applications if data.id in item.data]
        if way is None or way.throughput is None or data.id not in sizes or not users:
            continue
        hurried = min(users, key=lambda item: wall(estate, item.need.rto, item.need.calendar))
        allowed = wall(estate, hurried.need.rto, hurried.need.calendar).total_seconds()
        seconds = sizes[data.id] / way.throughput
        if seconds > allowed:
            yield Weakness(
                data.id,
                f"rapatrier {data.name} ({say_bytes(sizes[data.id])}) au débit mesuré de"
                f" {say_bytes(round(way.throughput))}/s prendrait {say_promise(seconds)}, et on ne peut se passer"
                f" de {hurried.name} que {say_seconds(allowed)}",
                holder(estate, data),
                seen=estate.seen_at(way),
            )


def _outrun(estate: Estate) -> Iterator[Weakness]:
    for data in estate.plan.data_sets:
        way = between(estate, data.id)
        rates = [fact for fact in estate.all(Base) if fact.subject == data.id and fact.written is not None]
        # The rate is the server's, told by each of its databases.
        written = max((fact.written or 0.0 for fact in rates), default=0.0)
        if way is not None and way.throughput is not None and written > way.throughput:
            yield Weakness(
                data.id,
                f"{data.name} écrit {say_bytes(round(written))}/s et le chemin vers le secours porte"
                f" {say_bytes(round(way.throughput))}/s",
                holder(estate, data),
                seen=estate.seen_at(rates[0]),
            )


_NETWORKING = frozenset({Device.SWITCH, Device.ROUTER, Device.FIREWALL, Device.ACCESS_POINT, Device.OTHER})


def _single(estate: Estate) -> Iterator[Weakness]:
    for point in single_points(estate.plan):
        link = next((item for item in estate.plan.inventory.links if item.id == point.thing), None)
        if link is not None and any(len(links_of(estate, site)) == 1 for site in (link.site, link.to)):
            continue  # said of the site: it has no other link
        if link is None and device_of(estate, point.thing) not in _NETWORKING:
            continue
        cut = isolated(estate, point)
        if point.stops or cut:
            yield Weakness(
                point.thing,
                f"la panne de « {estate.name_of(point.thing)} » {effects(estate, point.stops, cut)}",
                estate.site_of(point.thing),
                stops=point.stops,
            )


def isolated(estate: Estate, point: SinglePoint) -> tuple[str, ...]:
    """The sites that it cuts off though they have several links; of one that has a single link that is said (RES-06)."""
    return tuple(site for site in point.isolates if len(links_of(estate, site)) > 1)


def effects(estate: Estate, stops: tuple[str, ...], isolates: tuple[str, ...] = ()) -> str:
    """What a single failure does, in words."""
    said = [f"arrête {names(estate, stops)}"] if stops else []
    said += [f"coupe {names(estate, isolates)} de l'extérieur"] if isolates else []
    return " et ".join(said)


RULES = (
    Rule(
        "RES-06",
        Severity.MAJOR,
        "un site ne tient que par un seul lien",
        "un coup de pelle, une panne de l'opérateur, et plus rien de ce qui est ailleurs n'est accessible,"
        " sauvegardes comprises",
        (src.RGPD_32_B, src.HAS_314, src.PLAN_BLEU),
        "prenez un second lien d'un autre opérateur et d'un autre chemin (une box 4G ou 5G est un début)",
        _alone,
    ),
    Rule(
        "RES-07",
        Severity.MAJOR,
        "les liens d'un site passent par le même chemin",
        "le même fourreau, la même armoire de rue : un seul accident les coupe tous",
        (src.RGPD_32_B, src.HAS_314),
        "demandez aux opérateurs un autre cheminement, ou ajoutez un lien par les airs",
        _path,
    ),
    Rule(
        "RES-08",
        Severity.MINOR,
        "les liens d'un site sont du même opérateur",
        "une panne du cœur de réseau de l'opérateur, ou un contrat coupé, les arrête ensemble",
        (src.RGPD_32_B, src.OBSERVATORY),
        "prenez le second lien chez un opérateur qui a son propre réseau",
        _operator,
    ),
    Rule(
        "RES-09",
        Severity.MAJOR,
        "le chemin entre deux sites perd des paquets",
        "la copie vers le secours prend du retard et la bascule peut échouer au plus mauvais moment",
        (src.OURS, src.RGPD_32_C),
        "faites mesurer le lien par l'opérateur ; vérifiez le routeur et les câbles aux deux bouts",
        _loss,
        (Topic.PATH,),
        reads=(Path,),
    ),
    Rule(
        "RES-10",
        Severity.MINOR,
        "le chemin entre deux sites est lent à répondre",
        "chaque écriture copiée en temps réel attend un aller-retour : l'application ralentit d'autant",
        (src.OURS, src.RGPD_32_B),
        "voyez avec l'opérateur ce qui allonge le chemin ; à défaut, une copie quotidienne gêne moins",
        _latency,
        (Topic.PATH,),
        reads=(Path,),
    ),
    Rule(
        "RES-11",
        Severity.MAJOR,
        "rapatrier les données prendrait plus longtemps qu'on ne peut s'en passer",
        "après un rançongiciel, la copie du secours ne vaut plus rien : il faut tout rapatrier, et le lien ne suffit pas",
        (src.RGPD_32_C, src.MSS_CONTINU, src.CNIL_18),
        "gardez une copie sur place qui ne s'efface pas, ou prenez un lien plus large, ou revoyez le besoin",
        _slow,
        (Topic.PATH,),
        reads=(Path,),
    ),
    Rule(
        "RES-12",
        Severity.MAJOR,
        "une base écrit plus vite que le lien ne copie",
        "la copie du secours prend un retard qui ne se rattrape pas : à la bascule, il serait perdu",
        (src.RGPD_32_C, src.MSS_CONTINU),
        "prenez un lien plus large, ou cherchez ce qui écrit autant",
        _outrun,
        (Topic.PATH, Topic.BASE),
        reads=(Path, Base),
    ),
    Rule(
        "RES-13",
        Severity.MAJOR,
        "un seul équipement du réseau arrête des applications",
        "rien ne le remplace : sa panne dure le temps d'en trouver un autre et de le régler",
        (src.CASES_SHARED, src.HAS_314, src.MSS_CONTINU),
        "doublez-le (« behind » avec les deux), ou gardez-en un réglé en réserve et sa configuration copiée",
        _single,
    ),
)
