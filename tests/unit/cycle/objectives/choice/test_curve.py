"""What each shorter delay costs, as figures and as a picture."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.choice.conflict import Conflict
from releve.cycle.objectives.choice.curve import Curve, Point, curve_of, curve_of_all
from releve.cycle.objectives.choice.estate import estate, rpo_bounds
from releve.cycle.objectives.choice.measure import Measure, bill, broken
from releve.cycle.objectives.choice.picture import svg
from releve.cycle.objectives.choice.prices import PriceList
from releve.cycle.objectives.choice.show import curve_text, curve_value
from releve.cycle.objectives.choice.solve import Choice, choose
from releve.domain.errors import BadInput
from tests.choices import DAY, HOUR, PRICES, application, data, invented, rpo, rto, subsets

SUBJECTS = [data("d"), application("Paie", "d")]


def _stairs(seed: int) -> tuple[list[tuple[int, int]], Curve | Conflict]:
    """The staircase by trying every purchase, and ours."""
    subjects, wishes, prices = invented(seed)
    kept = [wish for wish in wishes if wish.id != "rto-a1"]
    home = estate(subjects, kept, prices)
    picks = [(s.id, o.id) for s in home.subjects.values() for o in home.direct(s)]
    best: dict[int, int] = {}
    for chosen in subsets(picks):
        selection = home.selection(chosen)
        seconds = Measure(home, selection, rpo_bounds(home, kept)).obtained(rto("a1", 0))
        if seconds is None or broken(home, selection, home.demands):
            continue
        total = sum(line.total for line in bill(home, selection))
        best[seconds] = min(total, best.get(seconds, total))
    stairs: list[tuple[int, int]] = []
    for seconds, total in sorted(best.items()):
        if not stairs or total < stairs[-1][1]:
            stairs.append((seconds, total))
    return stairs[::-1], curve_of("a1", subjects, wishes, prices)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_step_is_there_and_at_its_least_price(seed: int) -> None:
    """The curve of an application is the staircase that trying everything gives."""
    stairs, found = _stairs(seed)
    if isinstance(found, Conflict):
        assert stairs == []
    else:
        assert [(point.seconds, point.total) for point in found.points] == stairs
        assert (found.proven, found.complete) == (True, True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_shorter_delay_never_costs_less(seed: int) -> None:
    """Of the whole association too: delays fall, totals rise, and each total is the least for its factor."""
    subjects, wishes, prices = invented(seed, wide=True)
    assume(any(wish.id.startswith("rto") for wish in wishes))
    found = curve_of_all(subjects, wishes, prices, step=Fraction(0))
    if isinstance(found, Conflict):
        return
    factors = [point.factor or 0 for point in found.points]
    totals = [point.total for point in found.points]
    assert factors == sorted(factors, reverse=True) and len(set(factors)) == len(factors)
    assert totals == sorted(totals) and len(set(totals)) == len(totals)
    whole = choose(subjects, wishes, prices)
    if isinstance(whole, Choice):  # the dearest step at which every wish is kept is the choice itself
        assert next(p.total for p in found.points if (p.factor or 0) <= 1) == whole.total


def test_a_coarser_curve_is_made_of_true_steps() -> None:
    """With a step, fewer points, each one of the whole staircase."""
    subjects, wishes, prices = invented(59, wide=True)
    fine = curve_of_all(subjects, wishes, prices, step=Fraction(0))
    coarse = curve_of_all(subjects, wishes, prices, step=Fraction(1, 2))
    assert isinstance(fine, Curve) and isinstance(coarse, Curve)
    assert set(coarse.points) < set(fine.points)


def test_a_curve_can_be_cut_and_says_so() -> None:
    """Fewer points than there are: not complete, and the text says it."""
    found = curve_of("Paie", SUBJECTS, [], PRICES, most_points=1)
    assert isinstance(found, Curve)
    assert not found.complete
    assert "n'a pas été calculée" in curve_text(found)


def test_what_cannot_be_drawn_is_refused() -> None:
    """An unknown application, an association that wished nothing, a conflict among the others, no point."""
    with pytest.raises(BadInput, match="n'est pas dans le plan") as refused:
        curve_of("Paye", SUBJECTS, [], PRICES)
    assert "d" in refused.value.hint and "Paie" in refused.value.hint
    with pytest.raises(BadInput, match="aucun délai"):
        curve_of_all(SUBJECTS, [rpo("d", DAY)], PRICES)
    assert isinstance(curve_of("Paie", SUBJECTS, [rpo("d", 0)], PRICES), Conflict)
    assert isinstance(curve_of_all(SUBJECTS, [rpo("d", 0), rto("Paie", DAY)], PRICES), Conflict)
    with pytest.raises(ValueError, match="no picture"):
        svg(Curve("", "x", (), 5, "EUR"))


def _drawn() -> Curve:
    wishes = [rto("Paie", 4 * HOUR)]
    today = choose(SUBJECTS, wishes, PRICES)
    assert isinstance(today, Choice)
    found = curve_of("Paie", SUBJECTS, wishes, PRICES, today=today)
    assert isinstance(found, Curve)
    return found


def test_the_need_and_the_choice_are_on_the_curve() -> None:
    """What is chosen today is one of the steps: the first that keeps the need."""
    found = _drawn()
    assert found.need == 4 * HOUR
    first = next(point for point in found.points if point.seconds <= 4 * HOUR)
    assert found.today == (first.seconds, first.total)


def test_the_picture_says_its_words_and_needs_no_network() -> None:
    """French words and ticks, an embedded font, well-formed, no link but the names of its formats."""
    text = svg(_drawn())
    words = " ".join(ET.fromstring(text).itertext())  # noqa: S314
    for word in (
        "Ce que coûte à l'association chaque délai de reprise de « Paie »",
        "que coûte le choix le moins cher pour tout le reste",
        "Coût en plus pour l'association",
        "ce qui est acheté pour le reste le donne déjà",
        "besoin : 4 h",
        "choix : ",
        "1 h",
        "1 j",
        "€",
    ):
        assert word in words
    assert 'font-family="Liberation Sans' in text
    assert set(re.findall(r"https?://[^\"']+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_the_picture_of_the_docs_is_drawn_with_the_words_of_today() -> None:
    """`curve --svg` on the example: where its sentences are others, it is to be drawn again."""
    kept = Path(__file__).parents[5] / "docs/images/courbe.svg"
    words = set(ET.fromstring(kept.read_text(encoding="utf-8")).itertext())  # noqa: S314
    points = (Point(6 * HOUR + 120, 55_988_00, 0, 0), Point(240, 88_818_00, 0, 0))
    drawn = svg(Curve("", "Association fictive Les Tilleuls", points, 5, "EUR", need=300))
    said = {text for text in ET.fromstring(drawn).itertext() if len(text) > 12}  # noqa: S314
    assert len(said) >= 5
    assert said - words <= {"4 min : 88 818 €"}  # the choice stands beside it there


def test_the_picture_shows_extreme_curves() -> None:
    """One point, a delay of nothing, another currency: a picture all the same."""
    alone = svg(Curve("a", "A", (Point(0, 0, 0, 0),), 5, "CHF", need=0, today=(0, 0), proven=False))
    assert "preuve incomplète" in alone
    assert "CHF" in alone


def test_the_text_says_whose_cost_it_is_and_why_it_begins_there() -> None:
    """The first figure is the association's, not the application's; nothing slower is cheaper."""
    found = _drawn()
    text = curve_text(found)
    first = text.splitlines()[0]
    assert first == "Ce que coûte à toute l'association chaque délai de reprise de « Paie » (sur 5 ans)"
    assert "n'est pas le prix de « Paie » seul" in text
    assert "rien de plus lent n'est montré" in text
    assert text.count("← le choix") == 1
    whole = replace(found, subject="", name="Les Tilleuls")
    assert curve_text(whole).startswith("Les Tilleuls : ce que coûte chaque délai de reprise")
    assert "de l'application la plus pressée : 4 h" in curve_text(whole)
    assert "tous les délais bougeant ensemble" in svg(whole)


def test_a_delay_is_shown_no_shorter_than_it_is_and_once() -> None:
    """61 s are said 2 min; of two points said alike the cheaper one is shown; JSON keeps both as they are."""
    points = (
        Point(90_000 + 1, 100, 0, 0),
        Point(353, 80_258_00, 0, 0),
        Point(313, 81_758_00, 0, 0),
        Point(61, 90_000_00, 0, 0),
    )
    drawn = Curve("a", "A", points, 5, "EUR")
    rows = [line.split("   ")[0].strip() for line in curve_text(drawn).splitlines() if "€" in line]
    text = curve_text(drawn)
    assert [said in text for said in ("1 j 2 h", " 6 min ", " 2 min ")] == [True] * 3
    assert len(rows) == 3
    assert "81 758" not in text
    assert [p["seconds"] for p in curve_value(drawn)["points"]] == [90_001, 353, 313, 61]
    assert "2 min : +" in svg(drawn).replace("\u00a0", " ")


def test_the_choice_is_a_point_of_the_coarse_curve_too() -> None:
    """Between two points of a tenth the choice would cost less than the curve says: it is one of them."""
    subjects, wishes, prices = invented(59, wide=True)
    today = choose(subjects, wishes, prices)
    assert isinstance(today, Choice)
    coarse = curve_of_all(subjects, wishes, prices, step=Fraction(1, 2), today=today)
    assert isinstance(coarse, Curve) and coarse.today is not None
    assert coarse.today in [(point.seconds, point.total) for point in coarse.points]
    totals = [point.total for point in coarse.points]
    assert totals == sorted(set(totals))
    assert [p.seconds for p in coarse.points] == sorted({p.seconds for p in coarse.points}, reverse=True)


def test_the_figures_are_ready_for_others() -> None:
    """JSON and text hold each step, and the text what each adds."""
    found = _drawn()
    value = json.loads(json.dumps(curve_value(found)))
    assert [(p["seconds"], p["total_cents"]) for p in value["points"]] == [
        (p.seconds, p.total) for p in found.points
    ]
    assert value["today"] == {"seconds": found.today[0], "total_cents": found.today[1]}
    text = curve_text(found)
    assert text.count(" + ") == len(found.legible) - 1
    assert "besoin : 4 h" in text


def test_the_curve_of_all_marks_the_choice() -> None:
    """The choice stands where its worst factor puts it; a wish of zero is left as it is."""
    wishes = [rto("Paie", 4 * HOUR), rto("d", 2 * HOUR)]
    today = choose(SUBJECTS, wishes, PRICES)
    assert isinstance(today, Choice)
    found = curve_of_all(SUBJECTS, wishes, PRICES, today=today)
    assert isinstance(found, Curve)
    got = max(Fraction(kept.obtained, kept.wish.seconds) for kept in today.kept)
    assert found.today == (-(-2 * HOUR * got.numerator // got.denominator), today.total)
    never = replace(
        PRICES,
        offers=tuple(replace(o, rto=0, throughput=0.0) if o.rto is not None else o for o in PRICES.offers),
    )
    zero = curve_of_all(SUBJECTS, [rto("Paie", 0), rto("d", HOUR)], PriceList(never.offers, reaction=0))
    assert isinstance(zero, Curve)
    assert [point.seconds for point in zero.points] == [0]


def test_a_need_beyond_the_shortest_is_said_to_be_out_of_reach() -> None:
    """Only where the curve was drawn to its end."""
    found = replace(_drawn(), need=1)
    assert "hors d'atteinte : le mieux possible est" in curve_text(replace(found, complete=True))
    assert "hors d'atteinte" not in curve_text(replace(found, complete=False))
    assert "hors d'atteinte" not in curve_text(replace(found, need=found.points[0].seconds, complete=True))
