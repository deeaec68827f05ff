"""The report of an incident: what it says, and above all what it never says without knowing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from releve.adapters.render import to_json
from releve.cycle.report import words
from releve.cycle.report.decide import run_report
from releve.domain.document import Callout, Document, KeyFigures, Mark, Section, Table, Timeline, Tone
from releve.domain.incident import Incident
from releve.domain.measure import Measure
from releve.domain.plan import Tolerance
from releve.domain.protection import Suspension
from releve.domain.runbook import Outcome, RunRecord, RunState, TaskRecord, TaskState
from releve.domain.units import parse_span
from tests.golden.report.scenario import (
    BEGAN,
    DECLARED,
    HEAD,
    INCIDENT,
    NOW,
    SUSPENSION,
    WITNESS,
    after,
    back,
    full,
    green,
    plan,
    switch,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "report"
PARIS = ZoneInfo("Europe/Paris")
OPEN = Incident("inc-1", "principal", "incendie", "directrice", BEGAN, DECLARED)


def section(document: Document, title: str) -> Section:
    """The section of that title."""
    return next(item for item in document.sections if item.title == title)


def everything(*parts: object) -> str:
    """All that these parts say, as one text."""
    return repr(parts).replace("\\xa0", " ").replace("\\u202f", " ")


def headline(document: Document) -> Callout:
    """The first thing that a director reads."""
    first = section(document, "L'essentiel").blocks[0]
    assert isinstance(first, Callout)
    return first


def report(
    incident: Incident = OPEN,
    runs: tuple[RunRecord, ...] = (),
    suspensions: tuple[Suspension, ...] = (),
    witnesses: tuple[Measure, ...] = (),
    head: tuple[int, str] | None = None,
    now: datetime = NOW,
    *,
    small: bool = True,
) -> Document:
    """A report of the small plan, of nothing unless told."""
    return run_report(plan(small=small), incident, runs, suspensions, witnesses, head, now)


def ended(record: RunRecord, task: str, state: TaskState, sentence: str = "", **facts: object) -> RunRecord:
    """`record` with another outcome for one of its tasks."""
    outcome = Outcome(state, sentence, facts)
    tasks = tuple(
        TaskRecord(item.task, state, item.started_at, item.ended_at, outcome) if item.task == task else item
        for item in record.tasks
    )
    return replace(record, tasks=tasks)


@pytest.mark.parametrize(("name", "make"), [("complet", full), ("tout-tenu", green)])
def test_golden(name: str, make: Callable[[], Document]) -> None:
    """The words of a report do not change without somebody reading the change."""
    text = json.dumps(to_json(make()), ensure_ascii=False, indent=1) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("RELEVE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_green_only_when_everything_was_measured_and_kept() -> None:
    """The headline is green when the whole plan was measured and kept, and not one fact earlier."""
    assert headline(green()).tone is Tone.KEPT
    assert headline(full()).tone is Tone.UNKNOWN
    assert "Planning des équipes" in headline(full()).text


@pytest.mark.parametrize(
    "witness",
    [
        (),
        (replace(WITNESS, lost=None),),
        (replace(WITNESS, acknowledged=0),),
        (replace(WITNESS, acknowledged=None),),
    ],
)
def test_an_unmeasured_loss_is_never_zero(witness: tuple[Measure, ...]) -> None:
    """Without a count by content, no figure, no verdict and no sentence says that nothing was lost."""
    document = report(INCIDENT, (switch(), back()), (), witness, HEAD)
    first = section(document, "L'essentiel")
    figures = next(item for item in first.blocks if isinstance(item, KeyFigures))
    table = next(item for item in first.blocks if isinstance(item, Table))
    assert headline(document).tone is Tone.UNKNOWN
    assert (figures.figures[1].value, figures.figures[1].tone) == ("non mesuré", Tone.UNKNOWN)
    assert table.rows[1][-1] == Mark(Tone.UNKNOWN, "non mesuré")
    assert "aucune ne manque" not in everything(first)


def test_a_loss_is_said_in_red_and_in_words() -> None:
    """Three lost writes are three, everywhere."""
    document = report(INCIDENT, (switch(), back()), (), (replace(WITNESS, lost=3),), HEAD)
    first = section(document, "L'essentiel")
    assert headline(document).tone is Tone.BROKEN
    assert "3 manquent" in everything(first)
    figures = next(item for item in first.blocks if isinstance(item, KeyFigures))
    assert figures.figures[1].tone is Tone.BROKEN


def test_a_loss_that_the_plan_admits_is_said_and_is_no_failure() -> None:
    """Three lost writes, none older than what was asked and promised: said with their age, and not in red."""
    lenient = Tolerance(parse_span("4 h"), parse_span("5 s"))
    made = plan(small=True)
    one = replace(made.applications[0], need=lenient, commitment=lenient)
    source = replace(made, applications=(one, *made.applications[1:]))
    lost = replace(WITNESS, lost=3, loss_seconds=0.63)
    document = run_report(source, INCIDENT, (switch(), back()), (), (lost,), HEAD, NOW)
    first = section(document, "L'essentiel")
    assert headline(document).tone is not Tone.BROKEN
    assert "630 ms quand le site s'est arrêté, ce que le plan admet" in everything(first)
    figures = next(item for item in first.blocks if isinstance(item, KeyFigures))
    assert (figures.figures[1].value, figures.figures[1].tone) == ("3", Tone.KEPT)


def test_a_switch_that_stopped_is_not_a_success() -> None:
    """A refused switch is told as such, with its reason, whatever was measured before."""
    refused = replace(switch(), state=RunState.STOPPED, reason="perte refusée par la Directrice")
    document = report(OPEN, (refused,), (), (WITNESS,), HEAD)
    assert headline(document).tone is Tone.BROKEN
    assert "perte refusée par la Directrice" in everything(section(document, "L'essentiel"))
    assert "Arrêt de la bascule avant la fin" in everything(section(document, "Minute par minute"))


def test_an_incident_past_its_time_is_major_at_the_true_instant() -> None:
    """The incident is major since the deadline itself, whenever the report is made."""
    document = report(now=BEGAN + timedelta(hours=30))
    due = words.moment(BEGAN + timedelta(hours=4), PARIS)
    assert f"depuis le {due}" in everything(section(document, "L'essentiel"))
    assert f"depuis le {due}" in everything(section(document, "Les deux horloges"))
    assert "Incident majeur" in everything(section(document, "Minute par minute"))


def test_both_clocks_are_shown() -> None:
    """A need in business hours shows the time elapsed and the open hours, which differ."""
    document = report(now=BEGAN + timedelta(days=3), small=False)
    table = next(item for item in section(document, "Les deux horloges").blocks if isinstance(item, Table))
    planning = next(row for row in table.rows if row[0] == "Planning des équipes")
    assert planning[1:4] == ("21/09/2026 à 17:00:00", "3 j", "8 h")


def test_the_chronology_is_in_order() -> None:
    """Facts of the incident, of its runs and of its people stand in the order of their instants."""
    table = section(full(), "Minute par minute").blocks[0]
    assert isinstance(table, Table)
    hours = [row[0] for row in table.rows]
    assert hours == sorted(hours, key=str)
    assert len(hours) == 24
    assert "Début de la panne" in everything(table.rows[0])
    assert "Incident clos" in everything(table.rows[-1])


def test_a_chronology_over_two_days_is_dated() -> None:
    """Past midnight, each line carries its day."""
    table = section(report(replace(OPEN, closed_at=after(86_400))), "Minute par minute").blocks[0]
    assert isinstance(table, Table)
    assert table.rows[0][0] == "18/09 17:00:02,1"
    assert table.rows[-1][0] == "19/09 17:00:02,1"


def test_each_run_has_its_picture_and_its_table() -> None:
    """Every step is in the table; the picture holds those that began, and is told in words."""
    late = replace(switch(), tasks=switch().tasks[:3], state=RunState.RUNNING, ended_at=None)
    document = report(runs=(late,))
    picture, table = section(document, "Les étapes et leurs durées").blocks
    assert isinstance(picture, Timeline)
    assert isinstance(table, Table)
    assert len(picture.bars) == 3
    assert all(bar.label in picture.alt for bar in picture.bars)
    assert len(table.rows) == 9
    assert table.rows[-1][-1] == Mark(Tone.UNKNOWN, "pas commencée")
    assert table.rows[2][2:4] == ("10 min (par défaut)", "28,7 s")


def test_who_decided_is_named_with_their_words() -> None:
    """A decision shows the person, the question, the answer, the words and the instant."""
    said = everything(section(full(), "Qui a décidé quoi"))
    for piece in ("Directrice", "Oui : il est arrêté", "débranché la baie", "18/09/2026 à 17:00:32"):
        assert piece in said


def test_what_was_put_aside_is_listed() -> None:
    """What only the old site had is shown with where it is kept."""
    said = everything(section(full(), "Les données"))
    assert "transmissions : 3" in said
    assert "/var/lib/releve/mis-de-cote/2026-09-18" in said


def test_a_survey_that_failed_to_read_is_never_nothing() -> None:
    """An old side that could not be read shows "inconnu", not zero."""
    unread = ended(
        back(),
        "survey:dossiers",
        TaskState.DONE,
        divergence={
            "site": "principal",
            "transactions": 0,
            "rows": [],
            "folder": "/x",
            "whole": False,
            "note": "illisible",
        },
    )
    document = report(runs=(unread,))
    assert "inconnu" in everything(section(document, "Les données"))
    assert "n'a pas pu être lu en entier" in everything(document.sections[-2])


@pytest.mark.parametrize(
    ("document", "words_expected"),
    [
        (full(), "« Paie (hébergée) » est dans le plan, mais Relève ne la bascule pas"),
        (full(), "« Comptabilité » est protégé une fois par jour"),
        (full(), "« Planning des équipes » n'a pas de contrôle de santé"),
        (full(), "il repose sur la parole d'une personne"),
        (full(), "Aucune sauvegarde n'a été restaurée"),
        (full(), "aucun partage de fichiers"),
        (full(), "Aucune redirection réseau"),
        (report(), "Le retour sur le site d'origine n'est pas fait"),
        (report(), "« Dossiers des usagers » n'a été déplacé par aucun déroulé"),
        (report(), "Aucune tête de chaîne"),
        (report(), "provisoire"),
        (report(), "n'a été ouverte aux utilisateurs par aucun déroulé"),
        (report(suspensions=(replace(SUSPENSION, ended_at=None),)), "« Zéro perte » est suspendu"),
        (
            report(runs=(ended(switch(), "open:dui", TaskState.FAILED),)),
            "Étape non menée au bout : Ouvrir « Dossier de l'usager informatisé » aux utilisateurs (échouée)",
        ),
        (
            report(
                runs=(
                    ended(
                        switch(), "assess:dossiers", TaskState.DONE, loss={"kind": "unknown", "reason": "x"}
                    ),
                )
            ),
            "la perte possible sur « Dossiers des usagers » était inconnue",
        ),
        (
            report(
                runs=(
                    ended(
                        switch(), "fence:dossiers", TaskState.DONE, fence={"kind": "blocked", "reason": "x"}
                    ),
                )
            ),
            "il était bloqué faute de copie",
        ),
    ],
)
def test_what_is_not_known_is_said(document: Document, words_expected: str) -> None:
    """Each thing that was not tried, or is not known, has its line."""
    assert words_expected in everything(section(document, "Ce qui n'a pas été essayé, ou qu'on ne sait pas"))


def test_what_was_done_is_not_in_the_list_of_gaps() -> None:
    """The list of gaps holds gaps only: what was tried and measured is not in it."""
    said = everything(section(green(), "Ce qui n'a pas été essayé, ou qu'on ne sait pas"))
    for absent in ("n'a pas été mesuré", "retour sur le site", "suspendu", "Étape non menée", "provisoire"):
        assert absent not in said


def test_the_evidence_page_carries_the_witness_of_the_chain() -> None:
    """The number of entries, their last hash and the plan's fingerprint stand whole on paper."""
    said = everything(section(full(), "La preuve"))
    for piece in (HEAD[1], "57", plan().fingerprint, "releve evidence verify"):
        assert piece in said


def test_a_report_is_made_of_its_facts_alone() -> None:
    """The same facts in another order give the same document."""
    arguments = (INCIDENT, (back(), switch()), (SUSPENSION,), (WITNESS,), HEAD)
    assert report(*arguments) == report(INCIDENT, (switch(), back()), (SUSPENSION,), (WITNESS,), HEAD)


def test_an_unknown_name_shows_its_identifier() -> None:
    """A plan that changed since the incident still gives a report: ids stand for lost names."""
    incident = replace(OPEN, site="ancien", declared_by="partie")
    assert "ancien" in everything(report(incident))
    assert "partie" in everything(report(incident))


def test_a_first_day_and_an_instant_are_said_in_french() -> None:
    """Dates are French, in the zone of the plan; an instant is cut, never rounded up."""
    at = datetime(2026, 7, 31, 22, 0, 59, 999_999, tzinfo=UTC)
    assert words.day(at, PARIS) == "samedi 1er août 2026"
    assert words.clock(at, PARIS) == "00:00:59,9"
    assert words.moment(at, PARIS) == "01/08/2026 à 00:00:59"


def test_lists_and_counts_are_said_in_french() -> None:
    """One, two or three names; zero and one are singular."""
    assert words.listed(()) == ""
    assert words.listed(("A",)) == "« A »"
    assert words.listed(("A", "B", "C")) == "« A », « B » et « C »"
    assert words.plural(0, "étape", "étapes") == "0 étape"
    assert words.plural(1204, "étape", "étapes") == "1\u202f204 étapes"
