"""The cheapest choice, against every choice there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.choice.basket import Basket
from releve.cycle.objectives.choice.conflict import Conflict, conflict
from releve.cycle.objectives.choice.estate import estate
from releve.cycle.objectives.choice.measure import broken
from releve.cycle.objectives.choice.parts import parts
from releve.cycle.objectives.choice.prices import PriceList
from releve.cycle.objectives.choice.reasons import reasons
from releve.cycle.objectives.choice.solve import Choice, Limits, cheapest, choose
from releve.cycle.objectives.choice.wishes import Loss
from tests.choices import (
    DAILY,
    DAY,
    HOUR,
    LIVE,
    PRICES,
    SERVER,
    SPARE,
    TAPE,
    WARM,
    application,
    by_hand,
    data,
    invented,
    rpo,
    rto,
)

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 10**6)


@SLOW
@given(SEEDS)
def test_nothing_cheaper_keeps_everything(seed: int) -> None:
    """The total is the least over every possible purchase, proven, and a conflict is said when there is none."""
    subjects, wishes, prices = invented(seed)
    best = by_hand(estate(subjects, wishes, prices))
    found = choose(subjects, wishes, prices)
    if best is None:
        assert isinstance(found, Conflict)
    else:
        assert isinstance(found, Choice)
        assert (found.total, found.bound, found.proven, found.gap) == (best, best, True, 0.0)


def test_the_random_estates_have_both_answers() -> None:
    """The comparison by hand is worth something: many estates can be kept, many cannot."""
    answers = [isinstance(choose(*invented(seed)), Choice) for seed in range(60)]
    assert 10 < sum(answers) < 50


@SLOW
@given(SEEDS)
def test_a_choice_breaks_no_wish_and_no_rule(seed: int) -> None:
    """Whatever is chosen keeps all that was asked; the objectives it shows are those measured."""
    found = choose(*invented(seed, wide=True))
    if isinstance(found, Choice):
        assert broken(found.home, found.chosen, found.home.demands) == []
        assert all(0 <= kept.obtained <= kept.wish.seconds for kept in found.kept)
        assert len(found.kept) == len(found.home.wishes)


@SLOW
@given(SEEDS)
def test_money_adds_up(seed: int) -> None:
    """Initial and yearly, each line, and the total agree to the cent."""
    found = choose(*invented(seed, wide=True))
    if isinstance(found, Choice):
        years = found.home.prices.years
        assert found.total == found.initial + years * found.yearly
        assert all(line.total == line.initial + years * line.yearly for line in found.lines)
        assert {line.offer for line in found.lines} == {o for used in found.chosen.values() for o in used}


@SLOW
@given(SEEDS, st.integers(0, 300_00))
def test_one_offer_more_never_costs_more(seed: int, price: int) -> None:
    """An offer can be left on the shelf."""
    subjects, wishes, prices = invented(seed, wide=True)
    before = choose(subjects, wishes, prices)
    more = replace(prices, offers=(*prices.offers, replace(LIVE, id="autre", initial=price)))
    after = choose(subjects, wishes, more)
    if isinstance(before, Choice):
        assert isinstance(after, Choice)
        assert after.total <= before.total


@SLOW
@given(SEEDS)
def test_the_same_question_has_the_same_answer(seed: int) -> None:
    """Nothing is left to chance or to the speed of the machine."""
    first, again = choose(*invented(seed, wide=True)), choose(*invented(seed, wide=True))
    assert type(first) is type(again)
    if isinstance(first, Choice) and isinstance(again, Choice):
        assert first.picks == again.picks


@SLOW
@given(SEEDS)
def test_by_parts_the_bound_is_true(seed: int) -> None:
    """Solved part by part, the bound is at most the optimum and the choice keeps everything."""
    subjects, wishes, prices = invented(seed, wide=True)
    exact = choose(subjects, wishes, prices)
    if isinstance(exact, Choice):
        split = choose(subjects, wishes, prices, limits=Limits(whole=0, wide=1.0))
        assert isinstance(split, Choice)
        assert split.bound <= exact.total <= split.total


def test_too_wide_a_gap_is_solved_as_a_whole() -> None:
    """Where parts leave a gap, the whole is solved; both roads were taken."""
    gaps = 0
    for seed in range(40):
        subjects, wishes, prices = invented(seed, wide=True)
        rough = choose(subjects, wishes, prices, limits=Limits(whole=0, wide=1.0))
        if isinstance(rough, Choice) and not rough.proven:
            gaps += 1
            fine = choose(subjects, wishes, prices, limits=Limits(whole=0, wide=0.0))
            assert isinstance(fine, Choice) and fine.proven
    assert gaps > 0


def test_parts_are_what_weighs_on_one_another() -> None:
    """A data set goes with those who use it, an application with what it needs; nothing is lost."""
    subjects = [
        data("d"),
        data("e"),
        application("a", "d"),
        application("b", "e", needs=("a",)),
        data("f"),
        application("c", "f"),
    ]
    home = estate(subjects, [rto("a", 1), rto("c", 1)], PRICES)
    found = parts(home)
    assert [set(part.subjects) for part in found] == [{"d", "e", "a", "b"}, {"f", "c"}]
    assert sum(len(part.duties) for part in found) == len(home.duties)
    assert [len(part.wishes) for part in found] == [1, 1]


def test_out_of_work_it_still_answers_and_says_so() -> None:
    """With no work allowed the choice keeps everything, is not proven, and its gap is told."""
    subjects = [data("d"), application("a", "d")]
    found = choose(subjects, [rto("a", 2 * HOUR)], PRICES, limits=Limits(work=0.0))
    assert isinstance(found, Choice)
    assert broken(found.home, found.chosen, found.home.demands) == []
    best = choose(subjects, [rto("a", 2 * HOUR)], PRICES)
    assert isinstance(best, Choice)
    assert found.bound <= best.total <= found.total


def test_each_protection_says_who_asked_for_it() -> None:
    """What fails without it, and why the cheaper one would not do, with the name of who said it."""
    found = choose([data("d")], [rpo("d", 300)], PRICES)
    assert isinstance(found, Choice)
    said = reasons(found)["d", "live"]
    assert "ne tient plus" in said[0]
    assert any("copie du soir" in text and "dit par M. Fictif" in text for text in said)
    assert all(reasons(found)[pick] for pick in found.picks)


def test_a_cheaper_one_that_would_do_is_dearer_in_the_end() -> None:
    """What others share already is counted, and said."""
    alone = replace(DAILY, id="seule", name="copie seule", initial=60_00, yearly=0)
    shared = replace(DAILY, id="partagee", initial=0, yearly=0, requires=("server",))
    prices = PriceList((alone, shared, *(o for o in PRICES.offers if o.id in {"tape", "server", "warm"})))
    subjects = [data("d"), application("a", "d")]
    found = choose(subjects, [rto("a", 2 * HOUR)], prices)
    assert isinstance(found, Choice)
    assert ("d", "partagee") in found.picks
    assert any("60 € de plus" in text for text in reasons(found)["d", "partagee"])


@pytest.mark.parametrize(("limit", "relief"), [(DAY + 2 * HOUR, "spare"), (2 * HOUR, "warm")])
def test_a_shorter_delay_buys_more(limit: int, relief: str) -> None:
    """The slow relief where it is enough, the quick one where it is not."""
    found = choose([data("d"), application("a", "d")], [rto("a", limit)], PRICES)
    assert isinstance(found, Choice)
    assert ("a", relief) in found.picks


def test_a_bound_that_nothing_keeps_has_no_answer() -> None:
    """The solver says so too, without the help of the measure."""
    home = estate([application("a")], [], PriceList((SPARE, TAPE)), ())
    assert conflict(home) is None
    assert cheapest(home, Limits(), [(rto("a", 0), HOUR)]) is None
    assert cheapest(home, Limits(whole=0), [(rto("a", 0), HOUR)]) is None


def test_three_exemplaires_are_two_copies_besides_the_original() -> None:
    """One tape is offline and on another medium, and is still only the second exemplaire."""
    found = choose([data("d")], [], PRICES, rules=("three-two-one",))
    assert isinstance(found, Choice)
    assert len(found.chosen["d"]) == 2
    assert "tape" in found.chosen["d"]


def test_what_the_association_shares_is_bounded_once() -> None:
    """Two parts on one server: the bound holds its price once, and here it meets the total."""
    prices = PriceList((WARM, replace(SERVER, capacity_applications=0)))
    subjects = [application("a"), application("b")]
    wishes = [rto("a", HOUR), rto("b", HOUR)]
    found = choose(subjects, wishes, prices, limits=Limits(whole=0, wide=1.0))
    assert isinstance(found, Choice)
    assert found.bound == found.total == 1000_00 + 2 * 350_00


def test_a_basket_keeps_what_somebody_still_needs() -> None:
    """Letting one of two users go leaves the server; letting both go takes it; taking back restores all."""
    home = estate([application("a"), application("b")], [], PRICES, ())
    basket = Basket(home, [("a", "warm"), ("b", "warm")], [])
    server = [("a", "server")]
    assert (sorted(basket.drop(("a", "warm")), reverse=True), basket.chosen["b"]) == (
        [("a", "warm"), *server],
        {"warm", "server"},
    )
    assert basket.cost(server) == SERVER.initial
    basket.drop(("b", "warm"))
    assert basket.cost(server) == 0
    basket.add(("a", "warm"))
    assert basket.chosen == {"a": {"warm", "server"}, "b": frozenset()}


def test_a_pick_that_another_requires_stays_used() -> None:
    """A copy chosen for itself and required by a relief: without its own pick it is still there."""
    hot = replace(WARM, requires=("live",))
    home = estate([data("d"), application("a", "d")], [], PriceList((LIVE, hot)), ())
    basket = Basket(home, [("a", "warm"), ("d", "live")], [])
    assert basket.drop(("d", "live")) == []
    assert basket.chosen["d"] == {"live"}
    assert basket.add(("d", "live")) == []


def test_what_is_bound_to_its_site_is_not_relieved_from_another() -> None:
    """Heating restarted in Lyon heats nobody in Paris: only what stands here counts, and it is bought even if dearer."""
    here = replace(SPARE, id="here", initial=900_00, site="paris")
    heating = application("heating", bound=True)
    wish = rto("heating", 2 * DAY, Loss.MACHINE)
    assert isinstance(choose([heating], [wish], PRICES), Conflict)
    found = choose([heating], [wish], replace(PRICES, offers=(*PRICES.offers, here)))
    assert isinstance(found, Choice)
    assert found.picks == (("heating", "here"),)
    free = choose([replace(heating, bound=False)], [wish], replace(PRICES, offers=(*PRICES.offers, here)))
    assert isinstance(free, Choice)
    assert free.picks == (("heating", "spare"),)
