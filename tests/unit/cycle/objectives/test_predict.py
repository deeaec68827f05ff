"""Will it hold, and what if: on the example of forty applications, and on small estates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from releve.app import recovery_runbook
from releve.cycle.objectives.flow import graph
from releve.cycle.objectives.history import History, history
from releve.cycle.objectives.means import Beside, Change, beside, changed
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.predict import Situation, instants, predict, predict_all, struck
from releve.cycle.objectives.prediction.simulate import Forecast
from releve.cycle.objectives.read import read_objectives
from releve.cycle.objectives.recovery import Way
from releve.cycle.objectives.scale import proposed_scale
from releve.cycle.objectives.scenarios import scenarios
from releve.cycle.objectives.show.figures import coarse_value
from releve.cycle.objectives.show.prediction import (
    Chance,
    chances,
    chances_text,
    prediction_value,
)
from releve.cycle.objectives.show.supposition import supposition_text
from releve.cycle.objectives.what_if import Supposition, understood, what_if
from releve.cycle.plan.load import read_plan
from releve.domain.errors import BadInput
from releve.domain.instants import say_instant
from releve.domain.objectives import Component, ComponentKind, DataAnswer, Rate
from releve.domain.units import parse_span
from releve.domain.work import Basis, Spread

FORTY = Path(__file__).parents[4] / "examples" / "quarante"
MORNING = datetime(2026, 11, 30, 9, tzinfo=UTC)  # a Monday, 10:00 in Paris
FRIDAY = datetime(2026, 11, 27, 17, tzinfo=UTC)  # 18:00 in Paris, the office is shut
NIGHT = datetime(2026, 11, 29, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def forty() -> Situation:
    """The example, with nothing measured."""
    plan = read_plan(FORTY / "plan.yaml")
    said, bargain = read_objectives(
        FORTY / "objectifs.yaml", sorted((FORTY / "reponses").glob("*.yaml")), plan
    )
    assert said.relief is not None
    found = needs(plan, said, proposed_scale(), year=2026)
    return Situation(
        plan,
        said,
        said.relief,
        found,
        graph(plan, said),
        history([], []),
        recovery_runbook(plan, None),
        bargain.arbitrations,
    )


def relieved(base: Situation, **changes: object) -> Situation:
    """The same association with another relief."""
    return replace(base, relief=replace(base.relief, **changes))  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_prediction(forty: Situation) -> None:
    """Repeatability is real: twice the same call, twice the same bits."""
    server = [scenarios()["S03"]]
    first = predict_all(forty, server, year=2026, draws=500)
    assert first == predict_all(forty, server, year=2026, draws=500)


def test_another_seed_draws_other_disasters_of_the_same_recovery(forty: Situation) -> None:
    """The order of the recovery is the estate's; the chances of ten seeds are within the intervals that each prints."""
    one = [scenarios()["S10"]]
    found = [predict_all(forty, one, year=2026, draws=250, seed=seed)[0] for seed in range(10)]
    assert len({item.timetable.order for item in found}) == 1
    assert len({middle(item, "dui") for item in found}) == 10  # and yet other draws
    (beside,) = (
        item
        for item in predict_all(forty, [scenarios()["S06"], *one], year=2026, draws=2)
        if item.scenario is one[0]
    )
    assert beside.timetable.order == found[0].timetable.order
    seen: dict[str, list[Forecast]] = {}
    for item in found:
        for line in item.outlook.applications:
            if line.kept is not None:
                seen.setdefault(line.application, []).append(line)
    means = {name: sum(line.kept for line in lines) / 10 for name, lines in seen.items()}
    assert sum(0.05 < mean < 0.95 for mean in means.values()) >= 3  # not only certainties
    for name, lines in seen.items():
        assert sum(line.low <= means[name] <= line.high for line in lines) >= 7, name


def test_every_scenario_that_hits_something_is_predicted(forty: Situation) -> None:
    """Twenty scenarios, each with its own disasters, and every chance between nothing and certainty."""
    found = predict_all(forty, list(scenarios().values()), year=2026, draws=2_000)
    assert [item.scenario.code for item in found] == list(scenarios())
    for item in found:
        if item.scenario.code == "S17":  # an absence: nobody knows until when
            assert item.outlook is None
            continue
        assert item.outlook is not None
        assert item.outlook.draws == 100
        assert all(one.kept is None or 0 <= one.kept <= 1 for one in item.outlook.applications)


@pytest.mark.parametrize(("draws", "points"), [(5, 33), (15, 23), (29, 18)])
def test_few_draws_are_called_coarse_with_their_margin(forty: Situation, draws: int, points: int) -> None:
    """The half width of the 95 % interval of a chance of one half."""
    found = predict_all(forty, [scenarios()["S03"]], year=2026, draws=draws)
    text = chances_text(chances(forty.plan, found), found)
    assert f"{draws} tirages par scénario seulement" in text
    assert f"± {points} points" in text
    assert coarse_value(draws) == {"draws_each": draws, "margin_points": points}


def test_enough_draws_are_not_called_coarse(forty: Situation) -> None:
    """Thirty of one scenario; and the fewest of several counts."""
    found = predict_all(forty, [scenarios()["S03"]], year=2026, draws=30)
    assert "grossiers" not in chances_text(chances(forty.plan, found), found)
    both = (*found, *predict_all(forty, [scenarios()["S04"]], year=2026, draws=8))
    assert "8 tirages par scénario" in chances_text(chances(forty.plan, both), both)


def test_nothing_measured_is_said_to_be_assumed(forty: Situation) -> None:
    """Every duration of the example is declared: the text says that all is assumed."""
    found = predict_all(forty, [scenarios()["S03"]], year=2026, draws=200)
    assert found[0].assumed == 1.0
    text = chances_text(chances(forty.plan, found), found)
    assert "toutes les durées sont supposées : aucune n'a été mesurée" in text
    assert "les autres" not in text


def test_what_was_measured_replaces_what_was_assumed(forty: Situation) -> None:
    """A promotion that took an hour in the past is predicted to take one."""
    measured = Spread(3500.0, 3600.0, 3700.0, Basis.MEASURED, 5)
    slow = replace(forty, known=History({"promote:dossiers": measured}))
    at = instants(2026, 200, forty.plan.timezone, 1)
    hit = ["srv1"]
    usual = predict(forty, understood("srv1 down", forty).scenario, hit, at)
    late = predict(slow, understood("srv1 down", slow).scenario, hit, at)
    assert middle(late, "dui") > middle(usual, "dui") + 3000
    assert late.assumed < 1.0


def middle(prediction: object, application: str) -> float:
    """The median return of an application."""
    outlook = prediction.outlook  # type: ignore[attr-defined]
    return next(item.p50 for item in outlook.applications if item.application == application)


def test_people_who_must_come_make_the_night_longer(forty: Situation) -> None:
    """At three in the morning somebody must come first; on a Monday at ten nobody must."""
    day = what_if(forty, understood("srv-dui down", forty), MORNING)
    night = what_if(forty, understood("srv-dui down", forty), NIGHT)
    by_day, by_night = (
        {line.application: line.forecast.p50 for line in found.lines} for found in (day, night)
    )
    assert all(by_night[name] > by_day[name] for name in by_day)


def test_without_on_call_the_night_waits_for_the_morning(forty: Situation) -> None:
    """Nobody on call: whatever stops in the night of Saturday is not back before Monday at nine."""
    alone = relieved(forty, on_call=None)
    found = what_if(alone, understood("srv-dui down", alone), NIGHT)
    opening = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert all(NIGHT + timedelta(seconds=line.forecast.p50) > opening for line in found.lines)


def test_more_people_and_a_bigger_relief_never_make_it_slower_on_the_whole(forty: Situation) -> None:
    """One more person and twice the machines: the sum of the medians does not grow."""
    supposed = understood("principal lost", forty)
    base = what_if(forty, supposed, MORNING)
    bigger, same = changed(forty, supposed, Change(people=1, times=2.0))
    better = what_if(bigger, same, MORNING)
    total = [sum(line.forecast.p50 for line in found.lines if line.forecast) for found in (base, better)]
    assert total[1] < total[0]


def test_a_second_link_takes_the_link_out_of_what_fails(forty: Situation) -> None:
    """With a second link the fibre stops nothing, and the text says so."""
    other, supposed = changed(forty, understood("fibre down", forty), Change(second_link=True))
    found = what_if(other, supposed, MORNING)
    assert found.lines == ()
    assert "rien de ce qui est déclaré ne s'arrête" in supposition_text(found, "Europe/Paris")


def test_a_scenario_of_a_link_or_of_a_machine_hits_what_is_declared(forty: Situation) -> None:
    """The internet link is the fibre, with its eight hours; of three machines, that on which the two others stand."""
    cut, fibre = (what_if(forty, understood(text, forty), MORNING) for text in ("S05", "fibre en panne"))
    assert cut.supposed.hit == ("fibre",)
    assert cut.components == ("fibre",)
    assert "opérateur : Fibre du site principal" in cut.supposed.scenario.name
    assert [line.forecast for line in cut.lines] == [line.forecast for line in fibre.lines]
    broken = what_if(forty, understood("S03", forty), MORNING)
    assert broken.supposed.hit == ("baie",)
    assert {"srv-dui", "srv-fichiers"} < set(broken.components)
    stolen = what_if(forty, understood("S09", forty), MORNING)
    assert stolen.supposed.hit == ("poste", "virt", "baie")
    (told,) = predict_all(forty, [scenarios()["S05"]], year=2026, draws=50)
    assert (told.hit, told.per_year) == (("fibre",), 2)


def test_a_second_link_takes_over_from_the_link_of_the_scenario(forty: Situation) -> None:
    """Nothing stops, and no line says that no declared link is touched."""
    found, aside = tried(forty, "S05", Change(second_link=True))
    assert found.lines == ()
    text = supposition_text(found, "Europe/Paris", aside)
    assert "n'est touché" not in text
    assert "sans le second lien : " in text


def built(base: Situation, *components: Component) -> Situation:
    """The same association standing on other components."""
    said = replace(base.objectives, components=components)
    return replace(base, objectives=said, stood=graph(base.plan, said))


def test_of_several_of_a_kind_the_worst_fails_and_all_of_the_power(forty: Situation) -> None:
    """By the activity that stops, then by what nothing takes over from, then by its length; what carries nothing is no one's."""
    hour, link, power = parse_span("1 h"), ComponentKind.LINK, ComponentKind.POWER
    many = built(
        forty,
        Component("spare", "Lien qui ne porte rien", link, rebuild=parse_span("9 h")),
        Component("quick", "Lien court", link, ("net",), rebuild=hour),
        Component("slow", "Lien long", link, ("net",), rebuild=parse_span("2 h")),
        Component("double", "Lien doublé", link, ("net",), rebuild=parse_span("3 h"), automatic=hour),
        Component("small", "Lien de la paie", link, ("paie",), rebuild=parse_span("8 h")),
        Component("ups1", "Onduleur", power, ("elec",), rebuild=hour),
        Component("ups2", "Groupe", power, ("paie",), rebuild=hour),
    )
    assert struck(many, scenarios()["S05"])[1] == ("slow",)
    assert set(struck(many, scenarios()["S01"])[1]) == {"ups1", "ups2"}  # elec comes back with its own
    only = built(forty, Component("ups2", "Groupe", power, ("paie",), rebuild=hour))
    assert struck(only, scenarios()["S01"])[1] == ("elec", "ups2")
    assert struck(only, scenarios()["S05"])[1] == ("net",)  # none is declared: what it hits of the catalogue
    idle = built(forty, Component("spare", "Lien qui ne porte rien", link))
    assert struck(idle, scenarios()["S05"])[1] == ("net",)


def tried(base: Situation, text: str, change: Change) -> tuple[Supposition, Beside]:
    """A supposition with other means, and the same without, beside it."""
    supposed = understood(text, base)
    found = what_if(*changed(base, supposed, change), MORNING)
    aside = beside(
        base,
        change,
        what_if(base, supposed, MORNING),
        lambda means: what_if(*changed(base, supposed, means), MORNING),
    )
    return found, aside


@pytest.mark.parametrize(
    ("text", "change", "why"),
    [
        ("srv-dui down", Change(second_link=True), "le débit déclaré suffit déjà"),
        ("tel down", Change(second_link=True), "rien n'est restauré à travers le lien"),
        ("fibre down", Change(times=3.0), "rien de cette reprise ne se fait sur ses machines"),
        ("compta down", Change(people=1), "2 personnes suffisent"),
    ],
    ids=["link", "no restore", "no machine", "enough people"],
)
def test_a_means_that_changes_nothing_is_said_with_why(
    forty: Situation, text: str, change: Change, why: str
) -> None:
    """On the screen, under the two columns that are the same."""
    found, aside = tried(forty, text, change)
    (said,) = aside.idle
    assert "rien ici" in said
    assert why in said
    assert said in supposition_text(found, "Europe/Paris", aside)


def test_a_second_link_beside_one_that_nothing_waits_for_is_said_so(forty: Situation) -> None:
    """A link is touched: the text does not say that none is."""
    idle = built(forty, Component("spare", "Lien qui ne porte rien", ComponentKind.LINK))
    (said,) = tried(idle, "spare down", Change(second_link=True))[1].idle
    assert "rien de ce qui s'arrête n'attend le lien touché" in said


def test_a_means_that_changes_something_is_not_called_useless(forty: Situation) -> None:
    """The loss of the site: people count; the column says without what it is."""
    found, aside = tried(forty, "principal lost", Change(people=1, second_link=True))
    assert len(aside.idle) <= 1  # the link, at most
    assert not any("personne de plus" in said for said in aside.idle)
    assert "sans la personne de plus ni le second lien" in supposition_text(found, "Europe/Paris", aside)
    found, aside = tried(forty, "fibre down", Change(second_link=True))
    assert aside.idle == ()
    assert "sans le second lien : " in supposition_text(found, "Europe/Paris", aside)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(people=1), "la personne de plus"),
        (Change(people=3, times=1.5), "les 3 personnes de plus ni le secours 1,5 fois plus grand"),
        (Change(second_link=True), "le second lien"),
    ],
    ids=["one", "two", "link"],
)
def test_the_means_are_named(change: Change, words: str) -> None:
    """As they follow "sans"."""
    assert change.words == words


def test_a_link_that_fails_loses_nothing_and_what_stands_on_it_waits(forty: Situation) -> None:
    """No reinstallation for a cut fibre: everything is back when it is."""
    found = what_if(forty, understood("fibre down", forty), MORNING)
    assert {line.way for line in found.lines} == {Way.FOLLOWS}
    assert len({line.forecast.p50 for line in found.lines}) == 1


def test_what_is_switched_restored_or_moot_at_the_loss_of_the_site(forty: Situation) -> None:
    """Relève switches two, the rest is put back, and what has no sense elsewhere is not asked for."""
    ways = {
        line.application: line.way
        for line in what_if(forty, understood("principal lost", forty), MORNING).lines
    }
    assert ways["dui"] is ways["compta"] is Way.SWITCH
    assert ways["mail"] is Way.RESTORE
    assert ways["tel"] is Way.MOOT


def test_what_is_bound_to_a_lost_site_is_told_so_and_left_to_who_is_there(forty: Situation) -> None:
    """Never a blank: the relief does not bring it back, its delay runs, and a person judges on site."""
    found = what_if(forty, understood("principal lost", forty), MORNING)
    text = supposition_text(found, "Europe/Paris")
    (row,) = (line for line in text.splitlines() if line.startswith("Appel malade") and "EHPAD" in line)
    assert "ne revient pas avec le secours : dépend du site" in row
    assert "avec le site" in row
    assert "pas jugé" in row
    assert "—" not in text.split("Pendant ce temps")[0]
    assert "À juger sur place : 13 applications dépendent du site perdu" in text
    (told,) = (row for row in chances(forty.plan, (found.prediction,)) if row.application == "appel")
    assert (told.touched, told.local) == (0, (found.supposed.scenario.code,))
    assert "Ne revient pas avec le secours" in chances_text([told], (found.prediction,))


def test_where_all_that_stops_is_bound_to_the_lost_site_no_line_says_that_all_is_well(
    forty: Situation,
) -> None:
    """Only the phones and what is local: no chance is known, and the text does not conclude."""
    supposed = understood("principal lost", forty)
    alone = what_if(forty, replace(supposed, hit=("incen",)), MORNING)
    assert {line.way for line in alone.lines} == {Way.MOOT}
    text = supposition_text(alone, "Europe/Paris")
    assert "Incident majeur :" not in text
    assert "À juger sur place : 1 application dépend du site perdu et ne revient pas" in text


def test_an_absence_has_no_end_that_can_be_told(forty: Situation) -> None:
    """The saving system waits for its person: unknown, and major at its delay; nobody restarts it in an hour."""
    found = what_if(forty, understood("S17", forty), MORNING)
    (line,) = found.lines
    assert (line.way, line.forecast, found.major_at, found.major_for) == (
        Way.UNKNOWN,
        None,
        line.due,
        "backup",
    )
    text = supposition_text(found, "Europe/Paris")
    assert "si « Système de sauvegarde » n'est pas revenu d'ici là" in text
    assert "dépend du retour de la personne" in text
    assert "supposées" not in text  # no duration was used
    all_of_it = predict_all(forty, [scenarios()["S17"]], year=2026, draws=100)
    assert "Système de sauvegarde, S17 : il dépend du retour" in chances_text(
        chances(forty.plan, all_of_it), all_of_it
    )


def test_no_major_incident_is_expected_only_with_how_sure_it_is(forty: Situation) -> None:
    """The least sure is named with its chance."""
    found = what_if(forty, understood("tel down", forty), MORNING)
    text = supposition_text(found, "Europe/Paris")
    assert "Incident majeur : pas attendu" in text
    first = min(found.lines, key=lambda line: line.due)
    assert (found.would_be_at, found.would_be_for) == (first.due, first.application)
    assert (
        f"Il deviendrait majeur le {say_instant(first.due, ZoneInfo('Europe/Paris'))}, si « {first.name} »"
        in text
    )
    expected = what_if(forty, understood("srv-dui down", forty), FRIDAY)
    assert expected.major_at is not None
    assert expected.would_be_at is None
    assert "deviendrait" not in supposition_text(expected, "Europe/Paris")
    assert "le moins sûr est « Téléphonie fixe / IP, DECT », à > 99 %" in text


def test_a_ransomware_trusts_no_replica(forty: Situation) -> None:
    """The relief copied the encryption: nothing is switched, the record is restored from the vault."""
    ways = {line.application: line.way for line in what_if(forty, understood("S10", forty), MORNING).lines}
    assert Way.SWITCH not in ways.values()
    assert ways["dui"] is Way.RESTORE


def test_an_application_of_which_nothing_is_declared_stays_unknown(forty: Situation) -> None:
    """Without its recovery the record's dependents are unknown too: no figure, and the reason."""
    said = replace(
        forty.objectives,
        recoveries=tuple(item for item in forty.objectives.recoveries if item.application != "fich"),
    )
    bare = replace(forty, objectives=said)
    found = what_if(bare, understood("fich down", bare), MORNING)
    lines = {line.application: line for line in found.lines}
    assert lines["fich"].way is Way.UNKNOWN
    assert lines["fich"].forecast is None
    assert "recoveries" in lines["fich"].why_unknown
    assert "Serveur de fichiers" in lines["resto"].why_unknown
    assert "inconnu" in supposition_text(found, "Europe/Paris")
    assert found.major_at == min(line.due for line in found.lines)


def test_a_promise_never_stands_in_for_a_duration(forty: Situation) -> None:
    """The link's supplier promises eight hours; without a declared repair its return is unknown."""
    fibre = replace(forty.objectives.components[3], rebuild=None)
    assert fibre.id == "fibre"
    said = replace(forty.objectives, components=(*forty.objectives.components[:3], fibre))
    bare = replace(forty, objectives=said, stood=graph(forty.plan, said))
    found = what_if(bare, understood("fibre down", bare), MORNING)
    assert {line.way for line in found.lines} == {Way.UNKNOWN}


def test_a_relief_that_cannot_hold_it_is_named_and_the_other_scenarios_still_count(forty: Situation) -> None:
    """Sixteen Go of memory: the scenario says what is missing, the short ones are predicted."""
    small = relieved(forty, memory=16 * 10**9)
    found = predict_all(small, [scenarios()["S02"], scenarios()["S06"]], year=2026, draws=200)
    assert [item.outlook is None for item in found] == [True, False]
    assert "mémoire" in found[0].refused
    assert "Le secours ne peut pas tout porter" in chances_text(chances(small.plan, found), found)


def test_the_last_moment_to_decide_leaves_nine_recoveries_in_ten(forty: Situation) -> None:
    """The later a decision may come, the longer the delay: never before the outage, never after the due."""
    found = what_if(forty, understood("srv-dui down", forty), MORNING)
    assert found.decide_by is not None
    for line in found.lines:
        assert line.decide_by is not None
        assert MORNING <= line.decide_by <= line.due


def test_where_an_immediate_decision_is_too_late_no_last_moment_is_given(forty: Situation) -> None:
    """Nobody before Monday: what is due on Friday evening has no time to decide, what is due on Tuesday has one."""
    alone = relieved(forty, on_call=None)
    found = what_if(alone, understood("srv-dui down", alone), FRIDAY)
    lines = {line.application: line for line in found.lines}
    for line in lines.values():
        assert line.decide is not None
        assert line.forecast is not None
        assert line.decide.at_once >= line.forecast.kept  # a decision takes time
        assert (line.decide.by is None) is (line.decide.at_once < 0.9)
    assert lines["medic"].decide_by is None
    assert lines["medic"].decide.at_once == 0.0
    assert found.decide_by == min(lines["compta"].decide_by, lines["fact"].decide_by)
    text = supposition_text(found, "Europe/Paris")
    assert "trop tard dès le début : décider tout de suite, « Prescription" in text
    assert "ne tiendrait pas une fois sur 100" in text
    assert "vendredi 27 novembre 2026 à 18 h 21 au plus tard" not in text
    assert "chacun des autres délais" in text


def test_who_must_travel_leaves_less_time_to_decide(forty: Situation) -> None:
    """On call within the hour: the same length of recovery, and an hour less to decide in."""
    near = relieved(forty, on_call=parse_span("1 min"))
    supposed = understood("srv-dui down", forty)
    far, close = (
        {line.application: line for line in what_if(base, supposed, FRIDAY).lines}["dui"]
        for base in (forty, near)
    )
    assert far.decide_by is not None
    assert close.decide_by is not None
    assert timedelta(minutes=56) < close.decide_by - far.decide_by < timedelta(minutes=62)


def test_legal_clocks_start_with_what_happened(forty: Situation) -> None:
    """A cut fibre opens no CNIL clock, a ransomware opens it and the complaint's, 72 hours of the clock."""
    quiet = {duty.code for duty, _due in what_if(forty, understood("fibre down", forty), MORNING).clocks}
    loud = {duty.code: due for duty, due in what_if(forty, understood("S10", forty), MORNING).clocks}
    assert "cnil" not in quiet
    assert loud["cnil"] == loud["plainte"] == MORNING + timedelta(hours=72)


def told_of_law(base: Situation, text: str) -> dict[str, datetime | None]:
    """The duties of a supposition, each with its last instant."""
    return {duty.code: due for duty, due in what_if(base, understood(text, base), MORNING).clocks}


def test_health_data_out_of_reach_are_a_breach_to_examine(forty: Situation) -> None:
    """The record stops: 72 hours, to examine; so do data of no data set; not the accounts, nor twice when data leaked."""
    code = "cnil-disponibilite"
    assert told_of_law(forty, "srv-dui down")[code] == MORNING + timedelta(hours=72)
    assert code in told_of_law(forty, "mss down")
    assert code not in told_of_law(forty, "compta down")
    leaked = told_of_law(forty, "S10")
    assert "cnil" in leaked
    assert code not in leaked
    text = supposition_text(what_if(forty, understood("mss down", forty), MORNING), "Europe/Paris")
    assert "À examiner : des données de santé hors d'atteinte" in text
    assert "CEPD, lignes directrices 9/2022" in text


def test_no_law_asks_anything_of_a_planned_stop_nor_of_a_link_that_is_taken_over(forty: Situation) -> None:
    """Maintenance is no breach, and where nothing stops nothing is to be told."""
    assert told_of_law(forty, "S20") == {}
    other, supposed = changed(forty, understood("fibre down", forty), Change(second_link=True))
    found = what_if(other, supposed, MORNING)
    assert found.clocks == ()
    assert "légaux" not in supposition_text(found, "Europe/Paris")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "what-if"),
        ("srv-dui", "what-if"),
        ("srv-dui explodes", "what-if"),
        ("srvdui down", "unknown-node"),
        ("S99", "what-if"),
        ("a; b", "what-if"),
    ],
)
def test_what_cannot_be_understood_is_said_with_what_can(forty: Situation, text: str, code: str) -> None:
    """No guess: an error with its hint."""
    with pytest.raises(BadInput) as caught:
        understood(text, forty)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("srv-dui en panne", "srv-dui down"),
        ("srv-dui est en panne", "srv-dui down"),
        ("  compta  arrêtée ", "compta down"),
        ("fibre coupée", "fibre down"),
        ("dui LENT", "dui slow"),
        ("principal brûlé", "principal lost"),
        ("principal perdu", "principal lost"),
        ("baie inondee", "baie lost"),
        ("poste volés", "poste stolen"),
        ("fich chiffré", "fich encrypted"),
        ("dossiers corrompues", "dossiers corrupted"),
    ],
)
def test_what_happens_is_said_in_french_or_in_english(forty: Situation, text: str, english: str) -> None:
    """Agreed or not, with accents or without: the same is supposed, and called the same."""
    said, meant = understood(text, forty), understood(english, forty)
    assert replace(said.scenario, code="") == replace(meant.scenario, code="")
    assert said.hit == meant.hit


@pytest.mark.parametrize("verb", ["explosée", "pan", "en", "downn", "panne en"])
def test_an_unknown_word_is_named_with_those_that_are_known(forty: Situation, verb: str) -> None:
    """In French, and in English."""
    with pytest.raises(BadInput) as caught:
        understood(f"compta {verb}", forty)
    assert f"« {verb} » n'est pas compris" in caught.value.sentence
    for word in ("en panne", "arrêté", "perdu", "brûlé", "volé", "chiffré", "corrompu", "down", "stolen"):
        assert word in str(caught.value.hint)


def test_what_a_person_reads_has_names_and_whole_dates_and_no_bare_id(forty: Situation) -> None:
    """Establishments and what fails go by their names, instants by the day and the hour of the wall."""
    text = supposition_text(what_if(forty, understood("srv-dui down", forty), MORNING), "Europe/Paris")
    first = text.splitlines()[0]
    assert first.startswith(
        "« Serveur du dossier de l'usager : en panne » le lundi 30 novembre 2026 à 10 h 00"
    )
    assert "lundi 30 novembre 2026 à 14 h 00 (EHPAD fictif Les Tilleuls)" in text
    assert "tous les établissements" in text
    for bare in ("ehpad", "siege", "srv-dui", "2026-11", "30/11/2026"):
        assert bare not in text


def test_the_figures_of_a_prediction_are_french(forty: Situation) -> None:
    """A decimal comma, the currency, thousands apart, and each scenario with its title."""
    rated = declared(forty, rates=(Rate("S03", 1.0),))
    found = list(predict_all(rated, [scenarios()["S03"]], year=2026, draws=1_000))
    assert found[0].timetable is not None
    found[0] = replace(found[0], timetable=replace(found[0].timetable, proven=False, gap=0.099))
    text = chances_text(chances(rated.plan, found), found)
    assert "ailleurs, à 9,9 % au plus du meilleur possible" in text
    assert "1\N{NARROW NO-BREAK SPACE}000 sinistres simulés" in text
    assert f"  S03 {scenarios()['S03'].name}" in text
    (row,) = (line for line in text.splitlines() if line.startswith("Dossier de l'usager"))
    assert row.endswith(" €")
    assert "CHF" in chances_text(chances(rated.plan, found), found, currency="CHF")
    assert "." not in row


def test_a_prediction_fits_a_screen_of_110_columns(forty: Situation) -> None:
    """No figure is pushed below its row: the table is no wider than the screen, all columns at their widest."""
    found = predict_all(forty, list(scenarios().values()), year=2026, draws=200)
    table = chances_text(chances(forty.plan, found), found, width=110).split("\n\n")[0]
    assert max(len(line) for line in table.splitlines()) <= 110


def test_a_critical_period_shortens_the_delay_at_that_instant(forty: Situation) -> None:
    """Payroll on the 30th runs out within a working day; on the 10th it has three."""
    busy = what_if(forty, understood("paie down", forty), MORNING)
    calm = what_if(forty, understood("paie down", forty), datetime(2026, 11, 10, 9, tzinfo=UTC))
    (due_busy,), (due_calm,) = ([line.due for line in found.lines] for found in (busy, calm))
    assert due_busy - MORNING < timedelta(days=2)
    assert due_calm - datetime(2026, 11, 10, 9, tzinfo=UTC) > timedelta(days=2)


def declared(base: Situation, **changes: object) -> Situation:
    """The same association that said other things."""
    said = replace(base.objectives, **changes)  # type: ignore[arg-type]
    found = needs(base.plan, said, proposed_scale(), year=2026)
    return replace(base, objectives=said, needs=found, stood=graph(base.plan, said))


def chance(base: Situation, name: str, *codes: str, draws: int = 400) -> Chance:
    """The line of one application over some scenarios."""
    found = predict_all(base, [scenarios()[code] for code in codes], year=2026, draws=draws)
    return next(row for row in chances(base.plan, found) if row.application == name)


def test_a_loss_a_year_is_the_loss_of_one_disaster_times_how_often(forty: Situation) -> None:
    """Twice as often costs twice; and one disaster costs the same."""
    rare = declared(forty, rates=(Rate("S03", 0.5),))
    often = declared(forty, rates=(Rate("S03", 1.0),))
    one, two = chance(rare, "dui", "S03"), chance(often, "dui", "S03")
    assert one.loss is not None
    assert two.loss == pytest.approx(2 * one.loss)
    value = prediction_value(predict_all(rare, [scenarios()["S03"]], year=2026, draws=400)[0])
    line = next(item for item in value["applications"] if item["application"] == "dui")  # type: ignore[attr-defined]
    assert line["loss_per_year"] == pytest.approx(one.loss)
    assert line["loss_each"] == pytest.approx(2 * one.loss)


def test_without_a_rate_no_loss_a_year_is_told(forty: Situation) -> None:
    """Nobody said how often: one disaster has its cost, a year has none."""
    silent = declared(forty, rates=())
    assert chance(silent, "dui", "S03").loss is None
    value = prediction_value(predict_all(silent, [scenarios()["S03"]], year=2026, draws=100)[0])
    line = next(item for item in value["applications"] if item["application"] == "dui")  # type: ignore[attr-defined]
    assert line["loss_per_year"] is None
    assert line["loss_each"] > 0


def test_what_nobody_uses_costs_what_it_costs_though_no_delay_is_asked(forty: Situation) -> None:
    """No establishment uses it: no chance to keep a delay, and an hour without it costs the same."""
    places = tuple(
        replace(place, applications=tuple(name for name in place.applications if name != "dui"))
        for place in forty.objectives.establishments
    )
    alone = declared(
        forty,
        establishments=places,
        statements=tuple(item for item in forty.objectives.statements if item.application != "dui"),
        rates=(Rate("S03", 1.0),),
    )
    row = chance(alone, "dui", "S03")
    assert row.kept is None
    assert row.loss is not None
    assert row.loss > 0


def test_a_scenario_that_the_relief_cannot_hold_is_said_of_each_application(forty: Situation) -> None:
    """It is in no figure: the line says so, and not that all is well."""
    row = chance(relieved(forty, memory=16 * 10**9), "dui", "S02", "S06")
    assert row.unknown == ("S02",)
    assert row.kept is None


def test_nobody_at_the_relief_is_a_relief_that_is_too_small(forty: Situation) -> None:
    """No person: what a person puts back does not come back by itself."""
    found = predict_all(relieved(forty, people=0), [scenarios()["S03"]], year=2026, draws=100)
    assert found[0].outlook is None
    assert "personnes" in found[0].refused
    with pytest.raises(BadInput) as caught:
        what_if(relieved(forty, people=0), understood("S03", forty), MORNING)
    assert caught.value.context == {}  # what is wrong is in the sentence, in French


def test_what_is_switched_on_something_unknown_has_no_figure(forty: Situation) -> None:
    """The record is switched, and needs accounts of which nothing is declared: unknown, no median."""
    said = tuple(item for item in forty.objectives.recoveries if item.application != "ad")
    bare = declared(forty, recoveries=said)
    found = what_if(bare, understood("principal lost", bare), MORNING)
    unknown = [line for line in found.lines if line.way is Way.UNKNOWN]
    assert {"ad", "dui"} <= {line.application for line in unknown}
    assert all(line.forecast is None and line.decide_by is None for line in unknown)
    item = predict(bare, found.supposed.scenario, found.supposed.hit, instants(2026, 50, "Europe/Paris", 1))
    told = {line["application"] for line in prediction_value(item)["applications"]}  # type: ignore[attr-defined]
    assert not told & set(item.work.unknown)


def test_the_loss_of_the_relief_stops_nothing(forty: Situation) -> None:
    """Applications have an end there, and work elsewhere: nothing is announced as stopped."""
    with pytest.raises(BadInput) as caught:
        understood("secours lost", forty)
    assert caught.value.code == "hits-nothing"


def test_one_thing_that_is_lost_does_not_take_its_site_with_it(forty: Situation) -> None:
    """The nurse call burns: its site is there, and people want it back."""
    lines = {
        line.application: line.way for line in what_if(forty, understood("appel lost", forty), MORNING).lines
    }
    assert lines["appel"] is Way.RESTORE


def test_whoever_shares_the_data_that_go_stops_too(forty: Situation) -> None:
    """One application corrupts the data that another uses: both are told, as `predict` counts them."""
    plan = replace(
        forty.plan,
        applications=tuple(
            replace(item, data=("dossiers",)) if item.id == "mail" else item
            for item in forty.plan.applications
        ),
    )
    shared = replace(forty, plan=plan, stood=graph(plan, forty.objectives))
    found = what_if(shared, understood("mail corrupted", shared), MORNING)
    assert {"mail", "dui"} <= {line.application for line in found.lines}


def test_what_comes_back_by_itself_has_no_last_moment_to_decide(forty: Situation) -> None:
    """The switch of the phone takes a minute, whoever decides what."""
    found = what_if(forty, understood("tel down", forty), MORNING)
    (line,) = (line for line in found.lines if line.application == "tel")
    assert line.way is Way.ITSELF
    assert line.decide_by is None


def test_paper_of_all_establishments_is_to_be_typed_again_and_each_copes_on_its_own_clock(
    forty: Situation,
) -> None:
    """Four hundred entries a day here, and a hundred there for the hour that the office is still open; its hours are its own."""
    day = DataAnswer("saisies", 400, 1.0, paper=True)
    said = {item.establishment: item for item in forty.objectives.statements if item.application == "dui"}
    home = replace(said["ehpad"], data=day, copes_for=None)
    office = replace(said["siege"], data=replace(day, entries=100), copes_for=parse_span("4 h ouvrées"))
    rest = tuple(item for item in forty.objectives.statements if item.application != "dui")
    both = declared(forty, statements=(*rest, home, office))
    found = what_if(both, understood("dui down", both), datetime(2026, 11, 30, 15, tzinfo=UTC))
    (line,) = (line for line in found.lines if line.application == "dui")
    assert line.forecast is not None
    assert line.forecast.p50 > 3600
    assert line.on_paper == pytest.approx(400 * line.forecast.p50 / 86_400 + 100 / 7)  # of seven hours, one
    # one hour is left of Monday, the office opens again on Tuesday at nine
    assert line.copes_until == datetime(2026, 12, 1, 11, tzinfo=UTC)


def test_nothing_is_written_on_paper_where_nobody_works(forty: Situation) -> None:
    """The payroll of an office, in the night of Saturday: nothing to type again; on a Monday, something."""
    night, day = (
        next(line for line in what_if(forty, understood("paie down", forty), at).lines)
        for at in (datetime(2026, 11, 28, 2, tzinfo=UTC), MORNING)
    )
    assert night.on_paper == 0.0
    assert day.on_paper is not None
    assert day.on_paper > 1
    found = what_if(forty, understood("paie down", forty), datetime(2026, 11, 28, 2, tzinfo=UTC))
    assert "à reprendre ensuite" not in supposition_text(found, "Europe/Paris")


@pytest.mark.parametrize(
    ("what", "year", "projected"),
    [("dui down", 2029, ("ime",)), ("dui down", 2026, ()), ("paie down", 2029, ())],
    ids=["not published", "published", "follows no school"],
)
def test_school_holidays_that_nobody_published_are_said_to_be_projected(
    forty: Situation, what: str, year: int, projected: tuple[str, ...]
) -> None:
    """Where the calendar of who uses it follows the school, and that far only."""
    school = {**forty.plan.calendars, "ime": replace(forty.plan.calendars["ime"], school="B")}
    follows = replace(forty, plan=replace(forty.plan, calendars=school))
    found = what_if(follows, understood(what, follows), datetime(year, 11, 27, 9, tzinfo=UTC))
    assert found.projected == projected
    text = supposition_text(found, "Europe/Paris")
    assert (
        "Vacances scolaires projetées (calendrier « ime ») : publiées jusqu'au 04/07/2028" in text
    ) is bool(projected)


@pytest.mark.parametrize(
    ("what", "year", "told"),
    [("teleg down", 2026, True), ("teleg down", 2028, False), ("paie down", 2026, False)],
    ids=["in force", "over", "of another"],
)
def test_what_somebody_accepted_is_said_and_changes_no_figure(
    forty: Situation, what: str, year: int, told: bool
) -> None:
    """The example's own gap, of the rounds at home: beside the same need and the same chance."""
    at = datetime(year, 11, 27, 9, tzinfo=UTC)
    bare = replace(forty, arbitrations=())
    with_it, without = (what_if(base, understood(what, base), at) for base in (forty, bare))
    text = supposition_text(with_it, "Europe/Paris")
    line = (
        "Écart accepté de « Télégestion et tournées à domicile (SSIAD/SAD) », le besoin et sa chance restent entiers : "
        "perte de données de 1 j acceptée au lieu de 4 h par directrice"
    )
    assert (line in text) is told
    assert with_it.lines == without.lines
    assert "Écart accepté" not in supposition_text(without, "Europe/Paris")
    rows = chances(forty.plan, (with_it.prediction,))
    found = forty.accepted((row.application for row in rows), at.date())
    assert (line in chances_text(rows, (with_it.prediction,), accepted=found)) is (year == 2026)


@pytest.mark.parametrize("year", [1, 1901, 2018, 2090, 2100])
def test_a_year_of_which_no_holiday_is_known_is_said(forty: Situation, year: int) -> None:
    """Said as a mistake with the years that can be asked, for a year and for an instant."""
    with pytest.raises(BadInput) as caught:
        predict_all(forty, [scenarios()["S03"]], year=year, draws=100)
    assert caught.value.code == "year-unknown"
    with pytest.raises(BadInput) as caught:
        what_if(forty, understood("srv-dui down", forty), datetime(year, 6, 1, tzinfo=UTC))
    assert caught.value.code == "year-unknown"


@pytest.mark.parametrize("year", [2019, 2089])
def test_the_first_and_the_last_year_are_known_to_their_end(forty: Situation, year: int) -> None:
    """The night of the last of December too: its delay runs in the next year."""
    assert predict_all(forty, [scenarios()["S03"]], year=year, draws=200)[0].outlook is not None
    late = datetime(year, 12, 31, 22, tzinfo=UTC)
    assert all(line.due > late for line in what_if(forty, understood("srv-dui down", forty), late).lines)
