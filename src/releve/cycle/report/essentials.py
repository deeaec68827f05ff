"""The first page: what happened, what was promised, what was measured."""

from __future__ import annotations

from datetime import timedelta

from releve.cycle.report import words
from releve.cycle.report.case import Case
from releve.domain.calendars import worst_wall
from releve.domain.document import (
    Block,
    Callout,
    Column,
    Figure,
    KeyFigures,
    Mark,
    Paragraph,
    Section,
    Table,
    Tone,
)
from releve.domain.measure import Measure, Verdict, worst
from releve.domain.plan import Application, Tolerance
from releve.domain.runbook import Direction, RunRecord, RunState, TaskKind, TaskState
from releve.domain.units import Clock, say_clock_hours, say_seconds, say_span

WITHOUT = "Durée d'arrêt (RTO)"
LOST = "Données perdues (RPO)"


def essentials(case: Case) -> Section:
    """The page for whoever reads only one."""
    return Section(
        "L'essentiel",
        (_headline(case), Paragraph(" ".join(_sentences(case))), _figures(case), _objectives(case)),
    )


def clocks(case: Case) -> Section:
    """The two clocks of the incident, and since when it is major."""
    rows = []
    for application, clock in zip(case.concerned, case.clocks(), strict=True):
        back, major = clock.restored_at, clock.major_at
        rows.append(
            (
                application.name,
                words.moment(clock.due, case.zone),
                _seconds(clock.wall),
                _seconds(clock.in_calendar),
                words.moment(back, case.zone) if back else Mark(Tone.UNKNOWN, "pas encore rendue"),
                Mark(Tone.BROKEN, f"depuis le {words.moment(major, case.zone)}")
                if major
                else Mark(Tone.NOTE, "non"),
            )
        )
    columns = (
        Column("Application", 1.5),
        Column("Échéance du besoin", 1.4),
        Column("Temps écoulé", 1, right=True),
        Column("Heures ouvertes", 1, right=True),
        Column("Rendue le", 1.4),
        Column("Incident majeur", 1.4),
    )
    told = Paragraph(
        "Deux horloges courent dans un incident. Le temps écoulé ne s'arrête jamais ; les heures ouvertes "
        "ne comptent que dans le calendrier donné par le plan (sans calendrier, les deux sont égales). "
        "Passé l'échéance du besoin, l'incident est majeur, à compter de cet instant exact."
    )
    if not rows:
        none = Callout(
            Tone.UNKNOWN, "Aucune horloge", "Le plan ne donne à ce site aucune application à reprendre."
        )
        return Section("Les deux horloges", (none,))
    return Section(
        "Les deux horloges", (told, Table("Chaque application face à son besoin", columns, tuple(rows)))
    )


def overall(case: Case) -> Verdict:
    """The verdict of the whole plan: green only when every application was measured and kept."""
    verdicts = [case.judgement(item).verdict for item in case.plan.applications]
    stopped = any(run.state is RunState.STOPPED for run in case.ways(Direction.SWITCH)[-1:])
    return worst((*verdicts, Verdict.BROKEN if stopped else None))


def _headline(case: Case) -> Callout:
    applications = case.plan.applications
    by_verdict = {
        verdict: [item.name for item in applications if case.judgement(item).verdict is verdict]
        for verdict in Verdict
    }
    kept, broken, unknown = (
        by_verdict[verdict] for verdict in (Verdict.KEPT, Verdict.BROKEN, Verdict.NOT_MEASURED)
    )
    said = [
        text
        for text, names in (
            (f"Non tenu : {words.listed(broken)}.", broken),
            (f"Non mesuré : {words.listed(unknown)}.", unknown),
            (f"Mesuré et tenu : {words.listed(kept)}.", kept),
        )
        if names
    ]
    match overall(case):
        case Verdict.KEPT:
            return Callout(Tone.KEPT, "Tous les objectifs ont été mesurés, et tenus", " ".join(said))
        case Verdict.BROKEN:
            return Callout(Tone.BROKEN, "Des objectifs n'ont pas été tenus", " ".join(said))
        case _:
            title = (
                "Tenu là où l'on a mesuré ; tout n'a pas été mesuré"
                if kept
                else "Rien de complet n'a été mesuré"
            )
            return Callout(Tone.UNKNOWN, title, " ".join(said))


def _sentences(case: Case) -> list[str]:
    incident, zone = case.incident, case.zone
    site = words.place(case.plan, incident.site)
    first = (
        f"Le {words.day(incident.began_at, zone)} à {incident.began_at.astimezone(zone):%H:%M:%S}, "
        f"le site « {site} » a été touché : {incident.summary.rstrip(' .') or 'sans précision'}."
    )
    sentences = [first, _switch_sentence(case), _data_sentence(case)]
    if case.ways(Direction.RETURN):
        sentences.append(_return_sentence(case, case.ways(Direction.RETURN)[-1]))
    return sentences


def _switch_sentence(case: Case) -> str:
    runs = case.ways(Direction.SWITCH)
    if not runs:
        return "Aucune bascule n'a été lancée."
    run = runs[-1]
    target = words.place(case.plan, run.runbook.target)
    if run.state is RunState.STOPPED:
        return f"La bascule vers « {target} » s'est arrêtée avant la fin : {run.reason.rstrip(' .') or 'sans motif'}."
    if run.state is not RunState.DONE:
        return f"La bascule vers « {target} » n'est pas finie."
    moved = [task.subject for task in run.runbook.tasks if task.kind is TaskKind.OPEN]
    names = words.listed(words.subject(case.plan, item) for item in moved)
    took = say_seconds(((run.ended_at or case.now) - run.started_at).total_seconds())
    if not moved:
        return f"Les données ont été reprises sur « {target} » en {took}."
    return f"Relève a repris {names} sur « {target} » ; la bascule elle-même a duré {took}."


def _return_sentence(case: Case, run: RunRecord) -> str:
    target = words.place(case.plan, run.runbook.target)
    if run.state is RunState.DONE:
        return f"Le retour sur « {target} » est fait."
    if run.state is RunState.STOPPED:
        return f"Le retour sur « {target} » s'est arrêté avant la fin."
    return f"Le retour sur « {target} » n'est pas fini."


def _data_sentence(case: Case) -> str:
    lost, acknowledged = _counts(case)
    if lost is None:
        return "Ce qui a pu être perdu n'a pas été mesuré."
    if not acknowledged:
        return "Aucune écriture n'était suivie : rien ne dit si des données ont été perdues."
    watched = f"Sur {words.plural(acknowledged, 'écriture confirmée', 'écritures confirmées')} aux utilisateurs et suivies"
    if not lost:
        return f"{watched}, aucune ne manque."
    missing = f"{watched}, {words.number(lost)} {'manque' if lost == 1 else 'manquent'}"
    if not _loss_admitted(case):
        return f"{missing}."
    return f"{missing} : {_oldest(case)}, ce que le plan admet."


def _loss_admitted(case: Case) -> bool:
    """Whether every application that lost something lost no more than what was asked and promised."""
    losing = [item for item in case.plan.applications if (case.measure(item).lost or 0) > 0]
    return all(case.judgement(item).rpo is Verdict.KEPT for item in losing)


def _oldest(case: Case) -> str:
    ages = [item.loss_seconds or 0.0 for item in case.witnesses.values() if item.lost]
    return (
        f"la plus ancienne avait {say_seconds(round(max(ages, default=0.0), 2))} quand le site s'est arrêté"
    )


def _counts(case: Case) -> tuple[int | None, int]:
    """Lost and acknowledged writes over all applications; lost is None when nobody counted."""
    counted = [item for item in case.witnesses.values() if item.lost is not None]
    if not counted:
        return None, 0
    return sum(item.lost or 0 for item in counted), sum(item.acknowledged or 0 for item in counted)


def _figures(case: Case) -> KeyFigures:
    lost, acknowledged = _counts(case)
    outages = [
        (measure.rto_seconds, item)
        for item in case.plan.applications
        if (measure := case.measure(item)).rto_seconds is not None
    ]
    if outages:
        longest, slowest = max(outages, key=lambda pair: pair[0] or 0.0)
        tone = words.VERDICTS[case.judgement(slowest).rto].tone
        note = slowest.name if len(outages) > 1 else ""
        without = Figure(say_seconds(longest or 0.0), "d'arrêt, au plus long", tone, note)
    else:
        without = Figure("non mesuré", "durée d'arrêt", Tone.UNKNOWN)
    return KeyFigures(
        (without, _lost_figure(case, lost, acknowledged), _major_figure(case), _steps_figure(case))
    )


def _lost_figure(case: Case, lost: int | None, acknowledged: int) -> Figure:
    if lost is None or (lost == 0 and not acknowledged):
        return Figure("non mesuré", "écritures perdues", Tone.UNKNOWN)
    note = f"sur {words.number(acknowledged)} confirmées"
    label = "écriture perdue" if lost < 2 else "écritures perdues"
    if lost and _loss_admitted(case):
        return Figure(words.number(lost), f"{label}, dans le délai admis", Tone.KEPT, note)
    return Figure(words.number(lost), label, Tone.BROKEN if lost else Tone.KEPT, note)


def _major_figure(case: Case) -> Figure:
    majors = [clock.major_at for clock in case.clocks() if clock.major_at]
    if not majors:
        return Figure(
            "non", "incident majeur", Tone.NOTE, "aucune échéance dépassée" if case.concerned else ""
        )
    return Figure("oui", "incident majeur", Tone.BROKEN, f"depuis le {words.moment(min(majors), case.zone)}")


def _steps_figure(case: Case) -> Figure:
    records = [run.record(task.id) for run in case.runs for task in run.runbook.tasks]
    done = sum(record.state in (TaskState.DONE, TaskState.SKIPPED) for record in records)
    skipped = sum(record.state is TaskState.SKIPPED for record in records)
    note = f"dont {words.plural(skipped, 'sautée', 'sautées')}" if skipped else ""
    tone = Tone.OK if records and done == len(records) else Tone.UNKNOWN
    return Figure(f"{done} / {len(records)}", "étapes menées au bout", tone, note)


def _objectives(case: Case) -> Block:
    rows = [row for item in case.plan.applications for row in _rows(case, item)]
    if not rows:
        return Callout(Tone.UNKNOWN, "Aucun objectif", "Le plan ne déclare aucune application.")
    columns = (
        Column("Application", 1.4),
        Column("Objectif", 1.2),
        Column("Besoin des usagers", 1.2),
        Column("Engagement", 1),
        Column("Mesuré", 1.1),
        Column("Verdict", 1.3),
    )
    return Table("Demandé, promis, mesuré : trois choses différentes", columns, tuple(rows))


def _rows(case: Case, application: Application) -> list[tuple[str | Mark, ...]]:
    need, promised = application.need, application.commitment
    measure, judged = case.measure(application), case.judgement(application)
    return [
        (
            application.name,
            WITHOUT,
            _tolerated(case, need),
            say_span(promised.rto) if promised else words.NOTHING,
            say_seconds(measure.rto_seconds) if measure.rto_seconds is not None else "non mesuré",
            _verdict(judged.need_rto, judged.commitment_rto),
        ),
        (
            application.name,
            LOST,
            _tolerated_loss(need),
            _tolerated_loss(promised) if promised else words.NOTHING,
            _loss(measure),
            _verdict(judged.need_rpo, judged.commitment_rpo),
        ),
    ]


def _tolerated(case: Case, tolerance: Tolerance) -> str:
    said = say_span(tolerance.rto)
    if tolerance.rto.clock is Clock.WALL:
        return said
    calendar = case.plan.calendars.get(tolerance.calendar)
    year = case.incident.began_at.astimezone(case.zone).year
    return f"{said} (au pire {say_clock_hours(worst_wall(tolerance.rto, calendar, year=year))})"


def _tolerated_loss(tolerance: Tolerance) -> str:
    nothing = not tolerance.rpo.seconds and not tolerance.rpo.business_days
    return "aucune" if nothing else f"{say_span(tolerance.rpo)} au plus"


def _loss(measure: Measure) -> str:
    if measure.lost is None or (measure.lost == 0 and not measure.acknowledged):
        return "non mesuré"
    total = f" sur {words.number(measure.acknowledged)}" if measure.acknowledged else ""
    age = (
        f", de {say_seconds(round(measure.loss_seconds, 2))} au plus"
        if measure.lost and measure.loss_seconds
        else ""
    )
    return f"{words.number(measure.lost)}{total}{age}"


def _verdict(need: Verdict, commitment: Verdict | None) -> Mark:
    if commitment is None or commitment is need:
        return words.VERDICTS[need]
    both = words.VERDICTS[worst((need, commitment))]
    said = f"besoin {words.VERDICTS[need].text}, engagement {words.VERDICTS[commitment].text}"
    return Mark(both.tone, said)


def _seconds(length: timedelta) -> str:
    return say_seconds(max(0.0, length.total_seconds()))
