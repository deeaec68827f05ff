"""The objectives file and the files of answers as they are written: one model a kind of block.

The models only judge a block by itself; what needs two blocks, or the plan, is in `rules.py`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from releve.cycle.plan.blocks import Block
from releve.cycle.plan.fields import Duration, Id, Name, Text, WallDuration, quote, wrong
from releve.domain.objectives import ComponentKind
from releve.domain.periods import Period, parse_period
from releve.domain.plan import DataKind, Sensitivity
from releve.domain.units import parse_bytes


def _number(value: Any) -> Any:
    """A number as French writes it: "0,3"."""
    if isinstance(value, bool):
        raise wrong("number", "un nombre est attendu", "écrivez par exemple 12 ou 0,5")
    text = str(value).strip().replace(",", ".").removesuffix("%").strip()
    try:
        number = float(text)
    except ValueError as error:
        raise wrong(
            "number", f"« {quote(value)} » n'est pas un nombre", "écrivez par exemple 12 ou 0,5"
        ) from error
    if not abs(number) < 1e15:  # also refuses "nan" and "inf"
        raise wrong("number", f"« {quote(value)} » n'est pas un nombre utilisable", "")
    return number


def _bytes(value: Any) -> int:
    try:
        return parse_bytes(str(value)[:60])
    except ValueError as error:
        raise wrong("size", str(error), "écrivez par exemple 40 Go") from error


def _levels(value: Any) -> Any:
    """Levels as text, "1 1 2 3", which a file of thousands of answers reads twice as fast; a list is taken too."""
    if isinstance(value, str) and all(word.isdecimal() for word in value.split()):
        value = value.split()
    if not isinstance(value, list):
        raise wrong(
            "levels",
            f"« {quote(value)} » : un niveau de 1 à 4 par durée est attendu",
            "écrivez 1 1 2 2 3 3 3 4 4 4",
        )
    return value


def _truth(value: Any) -> Any:
    """yes/no as a French person writes it: the plan's YAML leaves these words as text."""
    known = {"oui": True, "non": False, "yes": True, "no": False, "true": True, "false": False}
    word = str(value).strip().lower()
    if word not in known:
        raise wrong("yes-no", f"« {quote(value)} » : oui ou non est attendu")
    return known[word]


def _when(text: str) -> str:
    """The text of a critical period that can be read."""
    try:
        parse_period(text)
    except ValueError as error:
        raise wrong("period", str(error), "écrivez « du 18 au 5 » ou « du 1 janvier au 30 avril »") from error
    return text


def _people(value: Any) -> Any:
    if str(value).strip() == "0":
        raise wrong(
            "wrong-value",
            "0 personne : ce qu'une personne remet en service ne reviendrait jamais",
            "écrivez combien de personnes peuvent venir, au moins 1 ; leurs heures se disent avec « calendar »",
        )
    return value


Number = Annotated[float, PlainValidator(_number)]
Bytes = Annotated[int, PlainValidator(_bytes)]
Level = Annotated[int, Field(ge=1, le=4)]
Levels = Annotated[list[Level], BeforeValidator(_levels)]
Truth = Annotated[bool, BeforeValidator(_truth)]


class EstablishmentBlock(Block):
    """A place that uses applications."""

    TITLE = "un établissement"
    id: Id
    name: Name
    calendar: Text = ""
    weight: Number = 1.0
    applications: list[Name] = []


class PeriodBlock(Block):
    """A critical period. `when`: "du 18 au 5", "du 1 janvier au 30 avril", "du 2026-12-20 au 2027-01-05"."""

    TITLE = "une période critique"
    id: Id
    name: Name
    when: Annotated[Name, AfterValidator(_when)]

    def value(self) -> Period:
        """The period. Raises ValueError."""
        return parse_period(self.when, id=self.id, name=self.name)


class ThresholdBlock(Block):
    """What the association changes of a criterion of the scale."""

    TITLE = "un critère de l'échelle"
    criterion: Name
    weight: Number
    unacceptable: Level


class SettledBlock(Block):
    """A need settled by a person."""

    TITLE = "un besoin arrêté"
    application: Name
    establishment: Text = ""
    rto: Duration
    by: Name
    on: date
    why: Name


class ComponentBlock(Block):
    """What applications and data stand on."""

    TITLE = "un composant"
    id: Id
    name: Name
    kind: ComponentKind
    carries: list[Name] = []
    needs: list[Name] = []
    rebuild: WallDuration | None = None
    automatic: WallDuration | None = None


class PromiseBlock(Block):
    """What a supplier commits to."""

    TITLE = "l'engagement d'un fournisseur"
    on: Name
    respond: Duration | None = None
    restore: Duration | None = None
    calendar: Text = ""
    availability: Annotated[Number, Field(gt=0, le=100)] | None = None
    loss: WallDuration | None = None
    excludes: Text = ""


class SupplierBlock(Block):
    """A company that something depends on."""

    TITLE = "un fournisseur"
    id: Id
    name: Name
    promises: list[PromiseBlock] = []


class SpreadBlock(Block):
    """A duration that varies: a tenth of the cases below p10, half below p50, nine tenths below p90."""

    TITLE = "une durée qui varie"
    p10: WallDuration
    p50: WallDuration
    p90: WallDuration

    @model_validator(mode="after")
    def _in_order(self) -> SpreadBlock:
        if not self.p10.seconds <= self.p50.seconds <= self.p90.seconds:
            raise wrong("spread-order", "p10, p50 et p90 ne vont pas en croissant", "p10 ≤ p50 ≤ p90")
        return self


class ReliefBlock(Block):
    """What the relief has to recover with."""

    TITLE = "les moyens du secours"
    processors: Annotated[int, Field(ge=1, le=4096)]
    memory: Bytes
    restores: Annotated[int, Field(ge=1, le=64)] = 1
    throughput: Annotated[Bytes, Field(gt=0)]  # bytes a second, written as a size
    link: Annotated[Bytes, Field(gt=0)] | None = None
    people: Annotated[int, BeforeValidator(_people), Field(ge=1, le=1000)]
    calendar: Text = ""
    on_call: WallDuration | None = None
    detection: SpreadBlock | None = None
    decision: SpreadBlock | None = None


class RecoveryBlock(Block):
    """How an application comes back when Relève does not switch it."""

    TITLE = "la remise en service d'une application"
    application: Name
    install: WallDuration | None = None
    start: WallDuration | None = None
    check: WallDuration | None = None
    memory: Bytes | None = None
    processors: Annotated[int, Field(ge=1, le=4096)] = 1
    volume: Bytes | None = None
    hourly_cost: Annotated[Number, Field(ge=0)] | None = None
    automatic: WallDuration | None = None
    local: Truth = False
    kind: DataKind | None = None
    sensitivity: Sensitivity | None = None


class RateBlock(Block):
    """How often a scenario is expected."""

    TITLE = "la fréquence d'un scénario"
    scenario: Name
    per_year: Annotated[Number, Field(ge=0, le=366)]
    who: Text = ""


class DataBlock(Block):
    """What is typed into an application."""

    TITLE = "les données d'une réponse"
    kinds: Name
    entries_per_day: Annotated[int, Field(ge=0, le=10**9)]
    retype_hours: Annotated[Number, Field(ge=0, le=10_000)] | None = None
    paper: Truth
    volume: Bytes | None = None

    @model_validator(mode="after")
    def _hours_of_what_can_be_typed(self) -> DataBlock:
        if self.paper and self.retype_hours is None:
            raise wrong(
                "retype-missing",
                "il manque « retype_hours » : ce qui se ressaisit prend du temps",
                "écrivez les heures de travail pour ressaisir une journée, ou « paper: non » si rien ne le permet",
            )
        return self


class InPeriodBlock(Block):
    """The impact during a critical period."""

    TITLE = "la réponse pour une période critique"
    period: Name
    impact: dict[str, Levels]


class AnswerBlock(Block):
    """What one person says of one application at one establishment."""

    TITLE = "une réponse"
    application: Name
    establishment: Name
    by: Name
    on: date
    why: Text = ""
    impact: dict[str, Levels]
    in_period: list[InPeriodBlock] = []
    copes_for: Duration | None = None
    data: DataBlock | None = None
