"""`releve demo`: the main job on an embedded estate, and what it proves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.units import say_count
from releve.entrypoints.cli.speech import Answer, Json, answer

if TYPE_CHECKING:
    from releve.app import House
    from releve.demo.journal import Outage
    from releve.demo.judge import Verdict as Content
    from releve.demo.witness import Witness
    from releve.domain.measure import Measure
    from releve.entrypoints.story import Disaster, Return

SAVES = 40.0  # documents saved a second, by four people
VERDICT_FR = {"kept": "tenu", "broken": "NON TENU", "not-measured": "non mesuré"}


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def demo(
        output: Annotated[
            str, typer.Option("--output", help="Dossier du compte rendu et des traces.")
        ] = "releve-demo",
        seconds: Annotated[
            float, typer.Option("--seconds", min=0.5, max=600, help="Durée d'écriture entre deux événements.")
        ] = 2.0,
        as_json: Json = False,
    ) -> None:
        """Perdre un site entier, basculer, revenir, prouver que rien n'est perdu (données fictives)."""
        answer(as_json, lambda: _play(Path(output).absolute(), seconds))


def _play(folder: Path, seconds: float) -> Answer:
    from releve.demo.judge import judge, judge_documents, oldest_loss
    from releve.demo.witness import Witness
    from releve.domain.errors import Exit
    from releve.domain.units import say_seconds
    from releve.entrypoints.cli.folders import writable_folder
    from releve.entrypoints.reporting import write_report
    from releve.entrypoints.story import PERSON, PRIMARY, come_back, on_stage, strike

    writable_folder(folder)
    began = time.monotonic()
    with _progress(began) as show, on_stage(folder / "estate", show.say, share=True) as scene:
        urls = scene.estate.documents_urls
        with (
            Witness.start(scene.estate.urls, folder / "temoin") as witness,
            Witness.start(urls, folder / "temoin-documents", rate=SAVES) as documents,
        ):
            show.witness = witness
            show.say("Des professionnels écrivent sans arrêt, dans l'application et dans leurs documents")
            time.sleep(seconds)
            disaster = strike(scene, witness, show.say, documents)
            show.say("Les professionnels écrivent de nouveau, sur le site de secours")
            time.sleep(seconds)
            back = come_back(scene, witness, disaster.incident, show.say, documents)
            show.say("Les professionnels écrivent de nouveau, sur le site principal")
            time.sleep(seconds)
            show.witness = None
        show.say("Vérification : chaque écriture confirmée est relue, une à une")
        content = judge(witness.journal, scene.estate.dsn(PRIMARY))
        saved = judge_documents(documents.journal, scene.estate.layout.site(PRIMARY).documents)
        home = scene.home
        scene.order("close", incident=disaster.incident, by=PERSON)
        age = oldest_loss(documents.journal, saved, disaster.struck)
        measures = [_measure("dui", disaster.outage, content, 0.0)]
        if disaster.documents is not None:
            measures.append(_measure("partage", disaster.documents, saved, age))
        show.say("Le compte rendu est mis en page")
        pdf = write_report(home, disaster.incident, folder / "compte-rendu.pdf", measures)
        data, lines, kept = _result(home, disaster, back, _Contents(content, saved, age), measures)
    data["documents"] = [str(pdf)]
    data["seconds"] = round(time.monotonic() - began, 1)
    lines += ["", f"Compte rendu : {pdf}", f"Durée totale : {say_seconds(round(time.monotonic() - began))}"]
    return Answer(data, "\n".join(lines), Exit.DONE if kept else Exit.PROMISE_NOT_KEPT)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What was read again of the database and of the documents; `age`: of the oldest document lost, seconds."""

    database: Content
    documents: Content
    age: float

    @property
    def clean(self) -> bool:
        """Whether the database holds what was confirmed, and no document is there twice."""
        return self.database.clean and not self.documents.duplicated


def _measure(application: str, outage: Outage, content: Content, oldest: float) -> Measure:
    from releve.domain.measure import Measure

    return Measure(
        application,
        outage.seconds,
        content.lost,
        content.acknowledged,
        "témoin extérieur : de la dernière écriture confirmée à la première qui suit ; contenu relu après le retour",
        oldest,
    )


def _result(
    home: House, disaster: Disaster, back: Return, contents: _Contents, measures: list[Measure]
) -> tuple[dict[str, object], list[str], bool]:
    from releve.app import utc_now
    from releve.domain.incident import clock_of
    from releve.domain.measure import Verdict, judge
    from releve.domain.units import say_seconds, say_span

    now = utc_now()
    incident = home.ledger.incidents.get(disaster.incident)
    seen = {item.application: item for item in measures}
    major = any(
        clock_of(incident, app, home.plan, now).major_at for app in home.plan.applications if app.ends
    )
    applications: list[dict[str, object]] = []
    content, saved = contents.database, contents.documents
    lines = [
        f"Écritures confirmées dans la base : {content.acknowledged}",
        f"  perdues : {content.lost}    en double : {content.duplicated}",
        f"Enregistrements confirmés dans les documents : {saved.acknowledged}",
        f"  perdus : {saved.lost}    en double : {saved.duplicated}" + _how_old(contents),
        f"Sans application pendant le sinistre : {say_seconds(round(disaster.outage.seconds, 2))}",
        f"  dont promotion de la base : {disaster.promotion_ms:.0f} ms",
        *_about_documents("Sans documents pendant le sinistre", disaster.documents),
        f"Sans application pendant le retour prévu : {say_seconds(round(back.outage.seconds, 2))}",
        *_about_documents("Sans documents pendant le retour prévu", back.documents),
        "Incident majeur : " + ("oui" if major else "non"),
        "",
        f"{'':34}{'besoin':>14}{'engagement':>14}{'mesure':>14}   verdict",
    ]
    kept = contents.clean
    for app in home.plan.applications:
        measure, promised = seen.get(app.id), app.commitment
        verdicts = judge(app, incident, home.plan, measure, now)
        kept = kept and (not app.ends or verdicts.verdict is Verdict.KEPT)
        applications.append(
            {
                "id": app.id,
                "need": {
                    "rto": say_span(app.need.rto),
                    "rpo": say_span(app.need.rpo),
                    "calendar": app.need.calendar,
                },
                "commitment": {"rto": say_span(promised.rto), "rpo": say_span(promised.rpo)}
                if promised
                else None,
                "measure": {
                    "rto_seconds": measure.rto_seconds,
                    "lost": measure.lost,
                    "acknowledged": measure.acknowledged,
                    "loss_seconds": measure.loss_seconds,
                    "basis": measure.basis,
                }
                if measure
                else None,
                "verdict": {"rto": verdicts.rto, "rpo": verdicts.rpo, "all": verdicts.verdict},
            }
        )
        lines.append(f"{app.name}")
        wait = (
            say_seconds(round(measure.rto_seconds, 2)) if measure and measure.rto_seconds is not None else "—"
        )
        lost = _lost(measure)
        lines.append(
            f"{'  on peut s’en passer (RTO)':34}{say_span(app.need.rto):>14}"
            f"{say_span(promised.rto) if promised else '—':>14}{wait:>14}   {VERDICT_FR[verdicts.rto]}"
        )
        lines.append(
            f"{'  on peut perdre (RPO)':34}{say_span(app.need.rpo):>14}"
            f"{say_span(promised.rpo) if promised else '—':>14}{lost:>14}   {VERDICT_FR[verdicts.rpo]}"
        )
    lines[:0] = ["", _conclusion(contents, kept=kept), ""]
    if seen.keys() < {app.id for app in home.plan.applications}:
        lines += ["", "non mesuré : la démonstration n'éprouve pas cette application"]
    return (
        {
            "acknowledged": content.acknowledged,
            "lost": content.lost,
            "duplicated": content.duplicated,
            "rto_seconds": disaster.outage.seconds,
            "return_gap_seconds": back.outage.seconds,
            "declared_to_ack_seconds": disaster.declared_to_ack_seconds,
            "promotion_ms": disaster.promotion_ms,
            "share": {
                "acknowledged": saved.acknowledged,
                "lost": saved.lost,
                "duplicated": saved.duplicated,
                "oldest_lost_seconds": contents.age,
                "rto_seconds": disaster.documents.seconds if disaster.documents else None,
                "return_gap_seconds": back.documents.seconds if back.documents else None,
            },
            "incident_major": major,
            "incident": disaster.incident,
            "applications": applications,
        },
        lines,
        kept,
    )


def _writes(count: int) -> str:
    return say_count(count, "écriture confirmée")


def _lost(measure: Measure | None) -> str:
    """What was lost: writes, and how old the oldest one was."""
    from releve.domain.units import say_seconds

    if measure is None or measure.lost is None:
        return "—"
    if measure.lost and measure.loss_seconds:
        return say_seconds(round(measure.loss_seconds, 2))
    return f"{measure.lost} écriture"


def _how_old(contents: _Contents) -> str:
    from releve.domain.units import say_seconds

    if not contents.documents.lost:
        return ""
    return f" (le plus ancien datait de {say_seconds(round(contents.age, 2))} avant le sinistre)"


def _about_documents(what: str, outage: Outage | None) -> list[str]:
    from releve.domain.units import say_seconds

    return [f"{what} : {say_seconds(round(outage.seconds, 2))}"] if outage is not None else []


def _conclusion(contents: _Contents, *, kept: bool) -> str:
    """What a tired reader must know, in one line."""
    if not contents.clean:
        return "ATTENTION : ce qui a été relu n'est pas exactement ce qui avait été confirmé"
    if not kept:
        return "ATTENTION : un engagement n'est pas tenu, voir le tableau"
    lost = contents.documents.lost
    what = (
        f"base : rien de perdu ; documents : {say_count(lost, 'perdu')}, dans le délai admis"
        if lost
        else "rien de perdu"
    )
    return f"Un site a été perdu puis remis en service : {what} ; engagements tenus là où l'on a mesuré"


class _Progress:
    """What the terminal shows while the story is played, on stderr."""

    def __init__(self, began: float, update: Callable[[str], None], line: Callable[[str], None]) -> None:
        self._began, self._update, self._line = began, update, line
        self.witness: Witness | None = None
        self._said = ""

    def say(self, text: str) -> None:
        """One more step."""
        self._said = text
        self._line(f"{time.monotonic() - self._began:6.1f} s  {text}".replace(".", ",", 1))
        self.refresh()

    def refresh(self) -> None:
        """The live line: what is going on, and the witness's counters."""
        from releve.domain.units import say_seconds

        now = self._said
        if self.witness is not None:
            live = self.witness.live()
            silence = live.silence or 0.0
            now = _writes(live.acknowledged)
            now += f", plus aucune depuis {say_seconds(round(silence, 1))}" if silence > 0.5 else ""
        self._update(now)


@contextmanager
def _progress(began: float) -> Iterator[_Progress]:
    import threading

    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    stop = threading.Event()
    with console.status("") as status:
        show = _Progress(began, status.update, lambda text: console.print(text, markup=False, soft_wrap=True))

        def live() -> None:
            while not stop.wait(0.2):
                show.refresh()

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        try:
            yield show
        finally:
            stop.set()
            thread.join()
