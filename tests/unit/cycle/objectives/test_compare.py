"""Need, commitment and measure side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releve.cycle.objectives.compare import Band, Commitment, band_of, compared
from releve.cycle.objectives.history import Lost
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.show.compare import compared_text
from releve.domain.incident import Incident
from releve.domain.objectives import Supplier, SupplierPromise
from releve.domain.periods import parse_period
from releve.domain.plan import Application, Tolerance
from releve.domain.units import Span, parse_span
from tests.fakes.objectives import HOME, OFFICE_PLACE, SCALE, at_night, objectives, statement
from tests.fakes.plans import application, plan

MONDAY = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)  # 10:00 in Paris


def outage(hours: float, began: datetime = MONDAY, name: str = "i1") -> Incident:
    """An incident at whose end the record was back."""
    return Incident(name, "principal", "x", "x", began, began, None, {"dui": began + timedelta(hours=hours)})


def line(
    *incidents: Incident,
    the_application: Application | None = None,
    office: bool = False,
    now: datetime = MONDAY,
) -> object:
    """The one line of an estate of one application."""
    the_plan = plan((the_application or application("dui", data=("dossiers",)),))
    places = (OFFICE_PLACE,) if office else objectives().establishments
    said = objectives(statement(establishment=places[0].id), places=places)
    (found,) = compared(the_plan, said, needs(the_plan, said, SCALE, year=2026), incidents, {}, now)
    return found


def test_what_was_never_measured_has_no_ratio() -> None:
    """Jamais prouvé: no measure, no ratio, no verdict on the promise."""
    found = line()
    assert (found.measured, found.ratio, found.band, found.promise_kept) == (None, None, Band.NEVER, None)


@pytest.mark.parametrize(
    ("hours", "band"), [(2, Band.EASY), (3, Band.KEPT), (4, Band.TIGHT), (7, Band.BROKEN), (9, Band.FAR)]
)
def test_a_ratio_has_its_band(hours: float, band: Band) -> None:
    """Four hours are needed: half, four fifths, all, twice, more."""
    found = line(outage(hours))
    assert found.ratio == pytest.approx(hours / 4)
    assert found.band is band


def test_the_last_outage_is_compared_and_the_longest_kept_beside() -> None:
    """A bad one of last year does not hide a good one, nor the contrary."""
    found = line(outage(9, MONDAY - timedelta(days=200), "old"), outage(1))
    assert (found.measured.last, found.measured.worst, found.measured.count, found.measured.incident) == (
        3600.0,
        9 * 3600.0,
        2,
        "i1",
    )
    assert found.band is Band.EASY


def test_a_need_in_opening_hours_is_compared_on_its_own_clock() -> None:
    """From Friday 16:00 to Monday 10:00 is 66 hours of clock, and two hours of an office."""
    friday = datetime(2026, 6, 5, 14, 0, tzinfo=UTC)
    found = line(outage(66, friday), office=True)
    assert found.need == parse_span("4 h ouvrées")
    assert found.ratio == pytest.approx(0.5)


def test_a_promise_is_judged_beside_the_need_and_not_with_it() -> None:
    """Three hours keep the need of four and break the promise of one."""
    promised = replace(
        application("dui", data=("dossiers",)), commitment=Tolerance(parse_span("1 h"), Span())
    )
    found = line(outage(3), the_application=promised)
    assert found.band is Band.KEPT
    assert found.promise_kept is False
    assert [(item.who, item.rto) for item in found.commitments] == [("", parse_span("1 h"))]


def test_any_outage_breaks_a_need_of_none() -> None:
    """When no outage is bearable the ratio has no figure, and the band is the worst."""
    assert band_of(float("inf")) is Band.FAR
    assert band_of(None) is Band.NEVER


def test_an_outage_that_goes_on_counts_once_it_outlasts_the_need() -> None:
    """After three hours of four nothing is proven; after five the need is broken, and the outage is not over."""
    going = Incident("i1", "principal", "x", "x", MONDAY, MONDAY)
    assert line(going, now=MONDAY + timedelta(hours=3)).band is Band.NEVER
    late = line(going, now=MONDAY + timedelta(hours=5))
    assert (late.band, late.measured.ongoing, late.measured.last) == (Band.BROKEN, True, 5 * 3600.0)


def test_what_we_do_not_know_to_be_on_the_lost_site_is_not_said_to_be_out() -> None:
    """An application without an instance there is not counted as out."""
    going = Incident("i1", "principal", "x", "x", MONDAY, MONDAY)
    elsewhere = application("dui", moved=False)
    assert line(going, the_application=elsewhere, now=MONDAY + timedelta(days=9)).measured is None


def test_a_supplier_s_promise_stands_beside_the_plan_s_with_its_name() -> None:
    """Each with who promises it; a supplier who promises no restoration is there too, and says nothing."""
    promised = replace(
        application("dui", data=("dossiers",)), commitment=Tolerance(parse_span("1 h"), Span())
    )
    supplier = Supplier(
        "editeur",
        "Éditeur fictif",
        (
            SupplierPromise("dui", restore=parse_span("8 h"), calendar="bureau", loss=parse_span("1 j")),
            SupplierPromise("dui", respond=parse_span("4 h")),
            SupplierPromise("mail", restore=parse_span("2 h")),
        ),
    )
    said = replace(objectives(statement()), suppliers=(supplier,))
    the_plan = plan((promised,))
    (found,) = compared(the_plan, said, needs(the_plan, said, SCALE, year=2026), [], {}, MONDAY)
    assert found.commitments == (
        Commitment("", parse_span("1 h"), Span()),
        Commitment("Éditeur fictif", parse_span("8 h"), parse_span("1 j"), "bureau"),
        Commitment("Éditeur fictif", None, None),
    )
    assert found.promise_kept is None
    text = compared_text([found], said, {})
    assert "plan : 1 h ; Éditeur fictif : 8 h ; Éditeur fictif : aucun délai de rétablissement promis" in text


PAYROLL = parse_period("du 18 au 5", id="paie", name="Paie")


@pytest.mark.parametrize(
    ("began", "hours", "ratio", "need"),
    [
        (datetime(2026, 6, 10, 8, tzinfo=UTC), 8, 8 / 24, "24 h"),  # an ordinary Wednesday
        (datetime(2026, 6, 20, 8, tzinfo=UTC), 8, 2.0, "4 h"),  # in the period
        (
            datetime(2026, 6, 17, 12, tzinfo=UTC),
            12,
            3.0,
            "4 h",
        ),  # 22:00 UTC is the 18th in Paris: in it at the end
        (
            datetime(2026, 6, 17, 12, tzinfo=UTC),
            9,
            9 / 24,
            "24 h",
        ),  # over at 23:00 in Paris, before it begins
        (
            datetime(2026, 7, 5, 19, tzinfo=UTC),
            9,
            0.75,
            "4 h",
        ),  # three hours of its four, then an ordinary night
    ],
)
def test_an_outage_is_held_to_the_need_in_force_while_it_lasted(
    began: datetime, hours: float, ratio: float, need: str
) -> None:
    """Twenty-four hours all year, four from the 18th to the 5th: each counts while it holds."""
    said = replace(objectives(at_night(statement(step=7), "paie", 5)), periods=(PAYROLL,))
    the_plan = plan((application("dui", data=("dossiers",)),))
    found = needs(the_plan, said, SCALE, year=2026)
    (line_,) = compared(the_plan, said, found, [outage(hours, began)], {}, MONDAY)
    assert line_.ratio == pytest.approx(ratio)
    assert line_.need == parse_span(need)


@pytest.mark.parametrize(
    ("seconds", "at_most", "rpo", "band"),
    [
        (0.0, False, "0", Band.EASY),
        (1.0, True, "0", Band.FAR),
        (1800.0, True, "1 h", Band.EASY),
        (3600.0, False, "1 h", Band.TIGHT),
        (5400.0, False, "1 h", Band.BROKEN),
    ],
)
def test_data_lost_are_compared_with_what_may_be(seconds: float, at_most: bool, rpo: str, band: Band) -> None:
    """What a switch proved of the data set, against the loss that people admit."""
    the_plan = plan((application("dui", data=("dossiers",)),))
    said = objectives(statement())
    (need,) = needs(the_plan, said, SCALE, year=2026)
    need = replace(need, rpo=parse_span(rpo))
    known = {"dossiers": Lost(seconds, "i1", "constaté", at_most=at_most)}
    (found,) = compared(the_plan, said, [need], [], known, MONDAY)
    assert found.loss is not None
    assert found.loss.band is band
    (silent,) = compared(the_plan, said, [need], [], {"autres": known["dossiers"]}, MONDAY)
    assert silent.loss is not None
    assert (silent.loss.lost, silent.loss.ratio, silent.loss.band) == (None, None, Band.NEVER)
    text = compared_text([found, silent], said, {})
    assert "jamais prouvé" in text
    assert ("au plus" in text.split("Données perdues")[1]) is (at_most and seconds > 0)


def test_the_sum_is_above_the_table_and_what_is_said_alike_is_one_row() -> None:
    """Two establishments of one need share a row; the third has its own, and three are counted."""
    places = (HOME, replace(HOME, id="foyer", name="Foyer fictif"), OFFICE_PLACE)
    said = objectives(*(statement(establishment=place.id) for place in places), places=places)
    the_plan = plan((application("dui", data=("dossiers",)),))
    lines = compared(the_plan, said, needs(the_plan, said, SCALE, year=2026), [], {}, MONDAY)
    head, _titles, _rule, *rows = compared_text(
        [replace(item, loss=None) for item in lines], said, {}
    ).splitlines()
    assert head.endswith("(3 besoins : 3 jamais prouvé)")
    assert len(rows) == 2
    assert "EHPAD fictif, Foyer fictif" in rows[0]
