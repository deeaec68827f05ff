"""Several people's answers -> one need, with what they disagree on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from releve.cycle.objectives.need import needs
from releve.cycle.objectives.show.needs import need_value, say_loss
from releve.domain.objectives import DataAnswer, Objectives, Settled
from releve.domain.periods import parse_period
from releve.domain.plan import Tolerance
from releve.domain.units import MAX_SPAN_SECONDS, Span, parse_span
from tests.fakes.objectives import HOME, OFFICE_PLACE, SCALE, at_night, impact, objectives, statement
from tests.fakes.plans import application, plan


def found(said: Objectives, **changes: object) -> dict[str, object]:
    """The needs by establishment."""
    del changes
    return {need.establishment: need for need in needs(plan(), said, SCALE, year=2026)}


def test_a_need_carries_who_said_it_when_and_why() -> None:
    """The whole trace of an answer stays with the need that comes from it."""
    (need,) = needs(plan(), objectives(statement()), SCALE, year=2026)
    assert need.rto == parse_span("4 h")
    assert need.answered
    assert not need.open
    (voice,) = need.voices
    assert (voice.answer.by, voice.answer.on, voice.answer.source) == (
        "infirmière coordinatrice",
        date(2026, 10, 5),
        "reponses.yaml:3",
    )


def test_without_an_answer_the_plan_s_value_stands_and_is_said_to() -> None:
    """Nobody answered: the need is the plan's, and it is not called answered."""
    (need,) = needs(plan((application("dui", rto="6 h"),)), objectives(), SCALE, year=2026)
    assert need.rto == parse_span("6 h")
    assert not need.answered
    assert need.voices == ()


def test_two_people_who_disagree_are_both_kept_and_the_strictest_counts() -> None:
    """Never an average: four hours count, one day is shown beside, and it is open until settled."""
    said = objectives(
        statement(step=5), statement(by="médecin", step=7, why="les plans imprimés tiennent un jour")
    )
    (need,) = needs(plan(), said, SCALE, year=2026)
    assert need.rto == parse_span("4 h")
    people = [item for item in need.disagreements if item.kind == "people"]
    assert [item.sentence for item in people] == ["infirmière coordinatrice dit 4 h, médecin dit 1 j"]
    assert "les plans imprimés tiennent un jour" in people[0].reasons[1]
    assert need.open


def test_people_who_agree_leave_nothing_open() -> None:
    """Two answers of one duration are no disagreement."""
    said = objectives(statement(), statement(by="médecin"))
    (need,) = needs(plan(), said, SCALE, year=2026)
    assert [item.kind for item in need.disagreements if not item.explained] == []
    assert not need.open


def test_rules_that_differ_need_an_explanation_and_a_reason_given_is_one() -> None:
    """The two rules differ by more than a step: open without a why, explained with one."""
    (silent,) = needs(plan(), objectives(statement(why="")), SCALE, year=2026)
    assert [item.kind for item in silent.disagreements] == ["rules"]
    assert silent.open
    (told,) = needs(plan(), objectives(statement()), SCALE, year=2026)
    assert [item.explained for item in told.disagreements] == [True]
    assert not told.open


def test_what_was_settled_replaces_the_strictest_and_keeps_the_voices() -> None:
    """A named person settles; what people said stays visible, their disagreement too."""
    said = replace(
        objectives(statement(step=5), statement(by="médecin", step=7)),
        settled=(
            Settled(
                "dui", "", parse_span("8 h"), "directrice", date(2026, 10, 20), "équipe de nuit renforcée"
            ),
        ),
    )
    (need,) = needs(plan(), said, SCALE, year=2026)
    assert need.rto == parse_span("8 h")
    assert len(need.voices) == 2
    assert need.disagreements
    assert not need.open


def test_one_establishment_s_decision_goes_before_that_of_the_association() -> None:
    """The nearest decision counts, whatever their dates."""
    said = replace(
        objectives(statement()),
        settled=(
            Settled("dui", "ehpad", parse_span("2 h"), "directrice", date(2026, 1, 1), "x"),
            Settled("dui", "", parse_span("8 h"), "directrice", date(2026, 10, 20), "x"),
        ),
    )
    assert found(said)["ehpad"].rto == parse_span("2 h")


def test_an_establishment_with_hours_counts_its_own() -> None:
    """The same step of the ladder is business hours there, with both lengths on the clock."""
    said = objectives(statement(), statement(establishment="siege"), places=(HOME, OFFICE_PLACE))
    by_place = found(said)
    assert by_place["ehpad"].rto == parse_span("4 h")
    office = by_place["siege"]
    assert office.rto == parse_span("4 h ouvrées")
    assert office.least == timedelta(hours=4)
    assert office.worst > timedelta(days=2)


def test_a_critical_period_keeps_its_own_delay() -> None:
    """The year's need is the strictest; both delays are kept by period."""
    said = replace(
        objectives(at_night(statement(step=7), "paie", 3)),
        periods=(parse_period("du 18 au 5", id="paie", name="Paie"),),
    )
    (need,) = needs(plan(), said, SCALE, year=2026)
    assert need.rto == parse_span("1 h")
    assert need.rto_in == {"": parse_span("24 h"), "paie": parse_span("1 h")}


def test_the_strictest_of_what_is_said_and_of_the_class_bounds_the_loss() -> None:
    """Two hours of typing would allow four hours; critical data allow fifteen minutes."""
    data = DataAnswer("transmissions", 400, 8.0, paper=True)
    (need,) = needs(plan(), objectives(statement(data=data)), SCALE, year=2026)
    assert need.rpo == Span(900.0)
    assert len(need.loss) == 2


def test_an_answer_without_data_never_weakens_the_loss_of_the_plan() -> None:
    """While nobody described the data the plan's own value counts, beside the class; a description replaces it."""
    silent = statement()
    (need,) = needs(plan(), objectives(silent), SCALE, year=2026)
    assert need.rpo == Span()
    assert need.loss == (
        "données critiques : au plus 15 min, hors du site",
        "valeur du plan : rien (aucune réponse ne décrit les données)",
    )
    data = DataAnswer("transmissions", 400, 8.0, paper=True)
    (told,) = needs(plan(), objectives(silent, replace(statement(by="médecin"), data=data)), SCALE, year=2026)
    assert told.rpo == Span(900.0)
    assert not [why for why in told.loss if "valeur du plan" in why]


def test_a_plan_that_admits_more_than_the_class_gives_way_to_it() -> None:
    """The strictest of the two counts, and stands last: it is the one that is quoted."""
    loose = replace(
        application("dui", data=("dossiers",)), need=Tolerance(parse_span("4 h"), parse_span("1 h"))
    )
    (need,) = needs(plan((loose,)), objectives(statement()), SCALE, year=2026)
    assert need.rpo == Span(900.0)
    assert need.loss[0].startswith("valeur du plan : 1 h")
    assert "critiques" in need.loss[-1]


def test_a_plan_without_data_has_nothing_to_lose_whatever_is_answered() -> None:
    """It is said in words, and JSON gives no figure for it."""
    bare = replace(application("mail"), need=Tolerance(parse_span("4 h"), Span(MAX_SPAN_SECONDS)))
    (need,) = needs(plan((bare,), ()), objectives(statement("mail")), SCALE, year=2026)
    assert say_loss(need.rpo) == "rien à perdre"
    assert need_value(need, {})["rpo"] is None


def test_unacceptable_at_once_asks_for_no_outage_at_all() -> None:
    """A need of zero is said as such: no recovery keeps it."""
    (need,) = needs(plan(), objectives(replace(statement(), impact=impact(SECU=0))), SCALE, year=2026)
    assert need.rto == Span()
    assert need.least == timedelta(0)


def test_the_weighted_rule_says_it_has_no_limit_only_where_nothing_exceeds_its_limit() -> None:
    """A sum that exceeds at the very last length is that length; one that never does is said to."""
    last = {code: (*curve[:-1], 4) for code, curve in impact(SECU=7).items()}
    (at_last,) = needs(plan(), objectives(replace(statement(), impact=last)), SCALE, year=2026)
    (never,) = needs(plan(), objectives(statement(step=7)), SCALE, year=2026)
    assert at_last.disagreements[0].sentence.endswith("la règle pondérée 30 j")
    assert never.disagreements[0].sentence.endswith("la règle pondérée aucune durée jusqu'à 30 j")


def test_one_person_s_two_answers_of_a_day_are_a_disagreement_with_herself() -> None:
    """Files do not tell which came last: the strictest counts, and it is open until it is settled."""
    said = objectives(statement(by="lingère", step=5), statement(by="lingère", step=4))
    (need,) = needs(plan(), said, SCALE, year=2026)
    (own,) = [item for item in need.disagreements if item.kind != "rules"]
    assert own.kind == "self"
    assert own.sentence == "lingère a donné deux réponses le même jour : 4 h et 2 h"
    assert need.rto == parse_span("2 h")
    assert need.open
    (same,) = needs(plan(), objectives(statement(why="a"), statement(why="b")), SCALE, year=2026)
    assert not [item for item in same.disagreements if item.kind != "rules"]


def test_a_disagreement_names_every_person_with_what_they_say() -> None:
    """Not only the two ends: those who say the same together, each with a reason, and a person once."""
    said = objectives(
        statement(by="médecin", step=7),
        statement(by="lingère", step=5),
        statement(by="lingère", step=4),
        statement(by="cadre", step=4),
        statement(by="directeur", step=6),
    )
    (need,) = needs(plan(), said, SCALE, year=2026)
    (people,) = [item for item in need.disagreements if item.kind == "people"]
    assert people.sentence == "cadre et lingère disent 2 h, directeur dit 8 h, médecin dit 1 j"
    assert len(people.reasons) == 4
