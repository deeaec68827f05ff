"""`releve audit`: what is really there, and where it is weak."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.domain.audit import Topic
from releve.entrypoints.cli.audit_places import (
    AuditName,
    SiteHere,
    StateDir,
    audit_house,
    holders_known,
    page,
    site_here,
)
from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

By = Annotated[str, typer.Option("--by", help="Qui le dit : une fonction (« directrice »).")]
_TOPICS = ", ".join(topic.value for topic in Topic)
Topics = Annotated[list[str], typer.Option("--only", help=f"Ce sujet seulement (à répéter) : {_TOPICS}.")]


def register(app: typer.Typer) -> None:
    """Add the group `audit` to the root."""
    group = typer.Typer(
        help="L'audit : regarder ce qui est vraiment là, nommer les points faibles.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(group, name="audit")
    _looking(group)
    _reading(group)
    _saying(group)


def _looking(group: typer.Typer) -> None:
    @group.command()
    def run(
        only: Topics = [],  # noqa: B006 (Typer copies it)
        without: Annotated[list[str], typer.Option("--without", help="Tout sauf ce sujet (à répéter).")] = [],  # noqa: B006
        show: Annotated[
            bool, typer.Option("--show", help="Dire ce qui serait regardé, sans rien faire.")
        ] = False,
        new: Annotated[
            bool, typer.Option("--new", help="Commencer un nouvel audit, même si le dernier n'est pas fini.")
        ] = False,
        site: SiteHere = "",
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Regarde, sans rien changer : réseaux, câbles, machines, données, échanges, copies. S'interrompt et se reprend."""

        def body() -> Answer:
            from releve.entrypoints.cli import audit_run
            from releve.entrypoints.cli.session import plan_of

            if show:
                read = plan_of(plan)
                holding = holders_known(read, plan, state)
                return audit_run.foreseen(read, site_here(read, site), holding, only, without)
            return audit_run.run(audit_house(plan, state, site), only, without, anew=new)

        answer(as_json, body)

    @group.command("import")
    def import_command(
        audit: AuditName = "",
        only: Annotated[
            list[str],
            typer.Option("--only", help="Cette rubrique du plan seulement (equipment, flows… ; à répéter)."),
        ] = [],  # noqa: B006
        write: Annotated[
            bool, typer.Option("--write", help="Écrire dans le plan ; celui d'avant est gardé à côté.")
        ] = False,
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Propose d'ajouter au plan ce qui a été vu et n'y est pas, sans toucher au reste du texte."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_import import proposed

            return proposed(page(audit_house(plan, state, "", reads=True), audit), only, write=write)

        answer(as_json, body)


def _reading(group: typer.Typer) -> None:
    @group.command()
    def show(
        audit: AuditName = "",
        accepted: Annotated[
            bool, typer.Option("--accepted", help="Montrer aussi les points acceptés pour un temps.")
        ] = False,
        site: Annotated[str, typer.Option("--site", help="Les points de ce site seulement.")] = "",
        fail_on: Annotated[
            str,
            typer.Option(
                "--fail-on",
                help="Sortir avec 3 s'il reste un point de cette gravité ou plus, ou si rien n'a permis d'en"
                " juger : critical (critique), major (important), minor (à corriger).",
            ),
        ] = "",
        sarif: Annotated[str, typer.Option("--sarif", help="Écrire aussi un fichier SARIF 2.1.0.")] = "",
        drawing: Annotated[
            str, typer.Option("--map", help="Écrire aussi la carte (SVG), les points faibles dessus.")
        ] = "",
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Nomme les points faibles, les plus graves d'abord, et ce qui a changé depuis l'audit d'avant."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_show import show as shown

            return shown(
                page(audit_house(plan, state, "", reads=True), audit),
                accepted=accepted,
                site=site,
                fail_on=fail_on,
                sarif_file=sarif,
                map_file=drawing,
            )

        answer(as_json, body)

    @group.command()
    def facts(
        audit: AuditName = "",
        only: Topics = [],  # noqa: B006
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Montre ce qui a été vu : l'inventaire, et ce qui n'a pas pu l'être."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_facts import facts as seen

            return seen(page(audit_house(plan, state, "", reads=True), audit), only)

        answer(as_json, body)

    @group.command("list")
    def list_command(state: StateDir = "", plan: PlanFile = "plan.yaml", as_json: Json = False) -> None:
        """Montre les audits qui ont été faits."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_facts import audits

            return audits(audit_house(plan, state, "", reads=True))

        answer(as_json, body)

    @group.command()
    def rules(
        code: Annotated[str, typer.Argument(help="Une règle ; sans elle, toutes.", show_default=False)] = "",
        as_json: Json = False,
    ) -> None:
        """Montre les règles : ce qu'elles nomment, pourquoi, d'après quel texte, et le remède."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_rules import rules as listed

            return listed(code)

        answer(as_json, body)


def _saying(group: typer.Typer) -> None:
    @group.command()
    def accept(
        code: Annotated[str, typer.Argument(help="Le code de la règle (RES-03).")],
        subject: Annotated[
            str, typer.Argument(help="Ce dont il s'agit, comme entre crochets parmi les points faibles.")
        ],
        by: By = "",
        why: Annotated[str, typer.Option("--why", help="Pourquoi on vit avec.")] = "",
        until: Annotated[
            str, typer.Option("--until", help="Jusqu'à quel jour, un an au plus (2027-03-31).")
        ] = "",
        withdraw: Annotated[bool, typer.Option("--withdraw", help="Retirer l'acceptation.")] = False,
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Accepte un point faible pour un temps : il revient après."""

        def body() -> Answer:
            from releve.entrypoints.cli import audit_notes

            home = audit_house(plan, state, "", reads=True)
            if withdraw:
                return audit_notes.withdraw(home, code, subject, by)
            return audit_notes.accept(home, page(home, ""), code, subject, by, why, until)

        answer(as_json, body)

    @group.command()
    def checklist(state: StateDir = "", plan: PlanFile = "plan.yaml", as_json: Json = False) -> None:
        """Montre les questions qu'aucune machine ne peut résoudre, et ce qui y a été répondu."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_notes import checklist as asked

            return asked(audit_house(plan, state, "", reads=True))

        answer(as_json, body)

    @group.command()
    def ask(
        about: Annotated[
            str, typer.Option("--about", help="Un site, un fournisseur, une application seulement.")
        ] = "",
        by: By = "",
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Pose une à une les questions sans réponse ; chaque réponse est gardée aussitôt."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_notes import ask as asked

            return asked(audit_house(plan, state, ""), about, by)

        answer(as_json, body)

    @group.command()
    def restored(
        data: Annotated[str, typer.Argument(help="Les données (identifiant du plan).")],
        on: Annotated[str, typer.Option("--on", help="Le jour ; sinon aujourd'hui.")] = "",
        by: By = "",
        label: Annotated[
            str, typer.Option("--label", help="Ce qui a été relu, et en combien de temps.")
        ] = "",
        failed: Annotated[bool, typer.Option("--failed", help="L'essai a échoué.")] = False,
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Note une restauration faite à la main, réussie ou non : celles de Relève se notent seules."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_notes import restoration

            return restoration(audit_house(plan, state, ""), data, by, on, label, good=not failed)

        answer(as_json, body)

    @group.command("answer")
    def answer_command(
        question: Annotated[str, typer.Argument(help="La question (« releve audit checklist »).")],
        given: Annotated[str, typer.Argument(help="oui, non ou sans-objet.")],
        about: Annotated[str, typer.Option("--about", help="Le site ou le fournisseur dont il s'agit.")] = "",
        by: By = "",
        on: Annotated[str, typer.Option("--on", help="Le jour de la réponse ; sinon aujourd'hui.")] = "",
        label: Annotated[
            str, typer.Option("--label", help="L'étiquette ou le repère de ce qui a été vu.")
        ] = "",
        photo: Annotated[str, typer.Option("--photo", help="Une photo, gardée avec la réponse.")] = "",
        until: Annotated[
            str, typer.Option("--until", help="À redemander après ce jour ; sinon selon la question.")
        ] = "",
        state: StateDir = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Garde la réponse d'une personne, avec sa date."""

        def body() -> Answer:
            from releve.entrypoints.cli.audit_notes import answer_question

            home = audit_house(plan, state, "")
            return answer_question(
                home, question, about, given, by, label=label, photo=photo, until=until, on=on
            )

        answer(as_json, body)
