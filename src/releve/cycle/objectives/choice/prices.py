"""The association's own price list: what is offered, what it costs, what it gives. Pure.

No price of relief or backup is published: there is no default price anywhere here, every amount is
input. `PricesBlock` is the list as written, `judge` says what is wrong with it, `build` makes the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from releve.cycle.objectives.choice.money import Cents, Rate
from releve.cycle.plan.blocks import Block
from releve.cycle.plan.fields import Id, Name, Text, WallDuration
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.source import Path
from releve.domain.names import nearest

YEARS = 5  # over how many years a purchase is weighed: valeur proposée, editable
GO = 10**9


class Kind(StrEnum):
    """What a protection is. The first five copy data, the next five relieve an application."""

    SYNCHRONOUS = "synchronous"  # a write is acknowledged once it stands on both sides
    REALTIME = "realtime"
    HOURLY = "hourly"
    DAILY = "daily"
    OFFLINE_COPY = "offline-copy"
    HOT = "hot"
    WARM = "warm"
    COLD = "cold"
    SPARE_HARDWARE = "spare-hardware"
    HOSTED = "hosted"
    SECOND_LINK = "second-link"
    RELIEF_SERVER = "relief-server"
    BACKUP_SERVER = "backup-server"


class Serves(StrEnum):
    """Whom a protection is chosen for. A support is chosen for nobody: others require it."""

    DATA_SET = "data-set"
    APPLICATION = "application"
    SUPPORT = "support"


class Per(StrEnum):
    """How often a price is paid: for each one served, once an establishment, once for all."""

    DATA_SET = "data-set"
    APPLICATION = "application"
    ESTABLISHMENT = "establishment"
    ASSOCIATION = "association"


class Medium(StrEnum):
    """On what a copy lies; two copies on one medium share its faults."""

    DISK = "disk"
    TAPE = "tape"
    CLOUD = "cloud"
    REMOVABLE = "removable"


REPLICAS = frozenset({Kind.SYNCHRONOUS, Kind.REALTIME})
COPIES = REPLICAS | {Kind.HOURLY, Kind.DAILY, Kind.OFFLINE_COPY}
RELIEFS = frozenset({Kind.HOT, Kind.WARM, Kind.COLD, Kind.SPARE_HARDWARE, Kind.HOSTED})
KIND_FR: dict[Kind, str] = {
    Kind.SYNCHRONOUS: "copie synchrone",
    Kind.REALTIME: "copie en temps réel",
    Kind.HOURLY: "copie de chaque heure",
    Kind.DAILY: "copie de chaque jour",
    Kind.OFFLINE_COPY: "copie hors ligne",
    Kind.HOT: "secours chaud",
    Kind.WARM: "secours tiède",
    Kind.COLD: "secours froid",
    Kind.SPARE_HARDWARE: "matériel de rechange",
    Kind.HOSTED: "hébergement",
    Kind.SECOND_LINK: "second lien",
    Kind.RELIEF_SERVER: "serveur de secours",
    Kind.BACKUP_SERVER: "serveur de sauvegarde",
}


class OfferBlock(Block):
    """A protection that the association can buy, with its price."""

    TITLE = "une protection de la liste de prix"
    id: Id
    name: Name
    kind: Kind
    serves: Serves | None = None
    initial: Cents
    yearly: Cents
    per_gb_yearly: Rate = Decimal(0)
    rpo: WallDuration | None = None
    rto: WallDuration | None = None
    throughput: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    site: Text = ""
    third_party: Text = ""
    hds: bool = False
    offline: bool = False
    immutable: bool = False
    medium: Medium = Medium.DISK
    shared: bool = False
    per: Per | None = None
    requires: list[Name] = Field(default_factory=list)
    only: list[Name] = Field(default_factory=list)
    capacity_gb: Annotated[int, Field(ge=1, le=10**9)] | None = None
    capacity_applications: Annotated[int, Field(ge=1, le=10**6)] | None = None


class PricesBlock(Block):
    """The price list. `reaction`: detection and decision, before any work starts."""

    TITLE = "la liste de prix"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    years: Annotated[int, Field(ge=1, le=30)] = YEARS
    reaction: WallDuration | None = None
    source: Text = ""
    as_of: date | None = None
    offers: list[OfferBlock]


@dataclass(frozen=True, slots=True)
class Offer:
    """A protection offered. `initial`, `yearly`: cents; `per_gb_yearly`: euros a Go (10^9 bytes) and year.

    `rpo`, `rto`: whole seconds, None where it gives none. `throughput`: bytes a second of a restore,
    0 where nothing has to be carried back. `capacity_bytes`, `capacity_applications`: what one unit of
    it bears, 0 for no limit; what exceeds it is a second unit, paid again.
    """

    id: str
    name: str
    kind: Kind
    serves: Serves
    initial: int
    yearly: int
    per: Per
    per_gb_yearly: Decimal = Decimal(0)
    rpo: int | None = None
    rto: int | None = None
    throughput: float = 0.0
    site: str = ""
    third_party: str = ""
    hds: bool = False
    offline: bool = False
    immutable: bool = False
    medium: Medium = Medium.DISK
    requires: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    capacity_bytes: int = 0
    capacity_applications: int = 0

    @property
    def replica(self) -> bool:
        """Whether it follows the data as it changes, mistakes and encryption included."""
        return self.kind in REPLICAS

    @property
    def each(self) -> bool:
        """Whether each one served pays for itself."""
        return self.per in {Per.DATA_SET, Per.APPLICATION}

    def volume_cents(self, volume: int) -> int:
        """What a year of `volume` bytes costs, in cents, rounded up to a whole one."""
        cents = self.per_gb_yearly * volume * 100 / GO
        return int(cents.to_integral_value(ROUND_CEILING))

    def restore_seconds(self, volume: int) -> int | None:
        """Seconds until `volume` bytes are back: fixed time, and carrying them. None: it gives none."""
        if self.rto is None:
            return None
        return self.rto + (_up(volume / self.throughput) if self.throughput else 0)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The offers in the order written. `years` ≥ 1; `reaction`: seconds, None where nobody said."""

    offers: tuple[Offer, ...]
    years: int = YEARS
    currency: str = "EUR"
    reaction: int | None = None
    source: str = ""
    as_of: date | None = None


def build(block: PricesBlock) -> PriceList:
    """The value. The block has no grave finding from `judge`."""
    return PriceList(
        tuple(_offer(item) for item in block.offers),
        block.years,
        block.currency,
        None if block.reaction is None else _up(block.reaction.seconds),
        block.source,
        block.as_of,
    )


def _offer(block: OfferBlock) -> Offer:
    return Offer(
        block.id,
        block.name,
        block.kind,
        _serves(block),
        block.initial,
        block.yearly,
        _per(block),
        block.per_gb_yearly,
        None if block.rpo is None else _up(block.rpo.seconds),
        None if block.rto is None else _up(block.rto.seconds),
        (block.throughput or 0.0) * 10**6,
        block.site,
        block.third_party,
        block.hds,
        block.offline,
        block.immutable,
        block.medium,
        tuple(dict.fromkeys(block.requires)),
        frozenset(block.only),
        (block.capacity_gb or 0) * GO,
        block.capacity_applications or 0,
    )


def _up(seconds: float) -> int:
    """Whole seconds, never fewer than said: a promise is not made shorter by rounding."""
    return int(seconds) + (seconds > int(seconds))


def _serves(block: OfferBlock) -> Serves:
    if block.serves is not None:
        return block.serves
    if block.kind in COPIES:
        return Serves.DATA_SET
    return Serves.APPLICATION if block.kind in RELIEFS else Serves.SUPPORT


def _per(block: OfferBlock) -> Per:
    if block.shared:
        return Per.ASSOCIATION
    if block.per is not None:
        return block.per
    return Per.APPLICATION if _serves(block) is Serves.APPLICATION else Per.DATA_SET


def judge(block: PricesBlock) -> Iterator[Finding]:
    """What is wrong between the offers; paths start at the list itself: ("offers", 2, "rto")."""
    if not block.offers:
        yield Finding(
            ("offers",),
            "offers-none",
            "la liste de prix ne propose aucune protection",
            "écrivez-en au moins une",
        )
    seen: set[str] = set()
    known = {item.id: item for item in block.offers}
    for index, item in enumerate(block.offers):
        path: Path = ("offers", index)
        if item.id in seen:
            yield Finding(
                (*path, "id"), "id-twice", f"deux protections s'appellent « {item.id} »", "renommez-en une"
            )
        seen.add(item.id)
        for rule in _RULES:
            yield from rule(item, path)
        yield from _requires(item, path, known)
    yield from _circles(block, known)


def _gives(item: OfferBlock, path: Path) -> Iterator[Finding]:
    serves = _serves(item)
    if serves is not Serves.SUPPORT and item.rto is None:
        yield Finding(
            path,
            "rto-missing",
            f"« {item.id} » : en combien de temps cette protection rend-elle le service ?",
            "ajoutez « rto: … », et « throughput: … » (Mo/s) s'il faut rapporter les données",
        )
    if serves is Serves.DATA_SET and item.rpo is None:
        yield Finding(
            path,
            "rpo-missing",
            f"« {item.id} » : combien de données cette copie peut-elle perdre ?",
            "ajoutez « rpo: … »",
        )
    if serves is not Serves.DATA_SET and item.rpo is not None:
        yield Finding(
            (*path, "rpo"),
            "rpo-useless",
            f"« {item.id} » ne copie pas de données : sa perte de données n'a pas de sens",
            "retirez « rpo », ou écrivez-le à la copie",
        )
    if item.kind is Kind.SYNCHRONOUS and item.rpo is not None and item.rpo.seconds > 0:
        yield Finding(
            (*path, "rpo"),
            "rpo-synchronous",
            f"« {item.id} » : une copie synchrone ne perd rien",
            "écrivez « rpo: 0 »",
        )


def _where(item: OfferBlock, path: Path) -> Iterator[Finding]:
    if item.kind in COPIES and _serves(item) is not Serves.DATA_SET:
        yield Finding(
            (*path, "serves"),
            "serves",
            f"« {item.id} » : une copie protège des données",
            "écrivez « serves: data-set »",
        )
    if item.kind not in COPIES and item.serves is Serves.DATA_SET:
        yield Finding(
            (*path, "serves"),
            "serves",
            f"« {item.id} » n'est pas une copie de données",
            "choisissez application ou support",
        )
    if item.offline and item.kind in REPLICAS:
        yield Finding(
            (*path, "offline"),
            "replica-offline",
            f"« {item.id} » suit les données en continu : elle ne peut pas être hors ligne",
            "une copie hors ligne est une autre protection",
        )
    if item.kind is Kind.OFFLINE_COPY and not item.offline:
        yield Finding(
            (*path, "kind"),
            "offline",
            f"« {item.id} » est une copie hors ligne qui ne l'est pas",
            "ajoutez « offline: true »",
        )
    if item.hds and not item.third_party:
        yield Finding(
            (*path, "hds"),
            "hds-alone",
            f"« {item.id} » : quel hébergeur est certifié ?",
            "ajoutez « third_party: … »",
        )
    if item.kind is Kind.HOSTED and not item.third_party:
        yield Finding(
            path, "hosted-alone", f"« {item.id} » : chez quel hébergeur ?", "ajoutez « third_party: … »"
        )


def _paid(item: OfferBlock, path: Path) -> Iterator[Finding]:
    serves, per = _serves(item), _per(item)
    if item.shared and item.per not in {None, Per.ASSOCIATION}:
        yield Finding(
            (*path, "per"),
            "per",
            f"« {item.id} » est partagée par tous et payée pour chacun",
            "gardez « shared » ou « per »",
        )
    if (per is Per.DATA_SET and serves is Serves.APPLICATION) or (
        per is Per.APPLICATION and serves is Serves.DATA_SET
    ):
        yield Finding(
            (*path, "per"), "per", f"« {item.id} » : son prix compte autre chose que ce qu'elle protège", ""
        )
    if (item.capacity_gb or item.capacity_applications) and per in {Per.DATA_SET, Per.APPLICATION}:
        yield Finding(
            path,
            "capacity",
            f"« {item.id} » a une capacité et n'est partagée par personne",
            "ajoutez « shared: true » ou « per: establishment »",
        )
    if item.capacity_gb and item.capacity_applications:
        yield Finding(
            path, "capacity", f"« {item.id} » a deux capacités", "gardez celle qui manquera la première"
        )
    if (item.capacity_gb and serves is Serves.APPLICATION) or (
        item.capacity_applications and serves is Serves.DATA_SET
    ):
        yield Finding(
            path, "capacity", f"« {item.id} » : sa capacité compte autre chose que ce qu'elle protège", ""
        )


_RULES: tuple[Callable[[OfferBlock, Path], Iterator[Finding]], ...] = (_gives, _where, _paid)


def _requires(item: OfferBlock, path: Path, known: dict[str, OfferBlock]) -> Iterator[Finding]:
    for position, wanted in enumerate(item.requires):
        place = (*path, "requires", position)
        if wanted not in known:
            yield Finding(
                place,
                "offer-unknown",
                f"« {item.id} » demande « {wanted} », qui n'est pas dans la liste",
                nearest(wanted, known, "écrivez cette protection aussi"),
            )
        elif _serves(item) is not Serves.APPLICATION and _serves(known[wanted]) is Serves.APPLICATION:
            yield Finding(
                place,
                "requires-application",
                f"« {item.id} » ne peut pas demander « {wanted} », qui protège une application",
                "c'est l'application qui demande ses copies",
            )
        elif _serves(item) is Serves.SUPPORT and _serves(known[wanted]) is Serves.DATA_SET:
            yield Finding(
                place,
                "requires-copy",
                f"« {item.id} » est un moyen commun : il ne demande pas de copie",
                "c'est la copie qui demande le moyen",
            )


def _circles(block: PricesBlock, known: dict[str, OfferBlock]) -> Iterator[Finding]:
    done: set[str] = set()
    while True:  # what requires nothing that is still open is out of every circle
        free = {
            i.id
            for i in known.values()
            if i.id not in done and all(r in done or r not in known for r in i.requires)
        }
        if not free:
            break
        done |= free
    for index, item in enumerate(block.offers):
        if item.id not in done:
            yield Finding(
                ("offers", index, "requires"),
                "requires-circle",
                f"« {item.id} » demande une protection qui attend la sienne",
                "ouvrez le cercle",
            )


def judge_only(block: PricesBlock, subjects: frozenset[str]) -> Iterator[Finding]:
    """Names under `only` that are no application and no data set of the plan."""
    for index, item in enumerate(block.offers):
        for position, name in enumerate(item.only):
            if name not in subjects:
                yield Finding(
                    ("offers", index, "only", position),
                    "subject-unknown",
                    f"« {item.id} » est réservée à « {name} », que le plan ne connaît pas",
                    nearest(name, subjects, "le plan n'a ni application ni jeu de données"),
                )
