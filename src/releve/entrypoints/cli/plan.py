"""`releve plan check` and `releve plan show`: judge the plan, draw it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

if TYPE_CHECKING:
    from releve.cycle.plan.load import Judgement
    from releve.domain.plan import Plan


def register(app: typer.Typer) -> None:
    """Add the group `plan` to the root."""
    group = typer.Typer(
        help="Le plan : le vérifier, le montrer.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(group, name="plan")

    @group.command()
    def check(plan: PlanFile = "plan.yaml", as_json: Json = False) -> None:
        """Dit tout ce qui ne va pas dans le plan, d'un coup, avec la ligne ; ne touche à rien."""
        answer(as_json, lambda: _check(plan))

    @group.command()
    def show(plan: PlanFile = "plan.yaml", as_json: Json = False) -> None:
        """Montre le plan : délais, dépendances, sites, protections, personnes."""
        answer(as_json, lambda: _show(plan))


def _today() -> date:
    return datetime.now().astimezone().date()


def _check(path: str) -> Answer:
    from releve.cycle.plan.load import judge_file
    from releve.domain.errors import PlanError

    judgement = judge_file(path, today=_today())
    if judgement.plan is None:
        raise PlanError(judgement.faults)
    return Answer(_check_value(judgement, judgement.plan), _check_text(judgement, judgement.plan))


def _check_value(judgement: Judgement, plan: Plan) -> dict[str, object]:
    return {
        "valid": True,
        "source": plan.source,
        "fingerprint": plan.fingerprint,
        "applications": len(plan.applications),
        "data_sets": len(plan.data_sets),
        "faults": [],
        "remarks": [remark.as_json() for remark in judgement.remarks],
    }


def _check_text(judgement: Judgement, plan: Plan) -> str:
    counts = (
        (len(plan.sites), "site"),
        (len(plan.applications), "application"),
        (len(plan.data_sets), "jeu de données"),
    )
    said = ", ".join(_counted(count, word) for count, word in counts)
    lines = [f"plan correct : {said}"]
    if judgement.remarks:
        lines += ["", f"À regarder ({_counted(len(judgement.remarks), 'remarque')}, rien d'interdit) :"]
    for remark in judgement.remarks:
        lines.append(f"{remark.file}:{remark.line}:{remark.column}: {remark.code}: {remark.sentence}")
        if remark.hint:
            lines.append(f"  conseil : {remark.hint}")
    return "\n".join(lines)


def _counted(count: int, word: str) -> str:
    if count < 2:
        return f"{count} {word}"
    first, space, rest = word.partition(" ")
    plural = f"{first}x" if first.endswith("u") else f"{first}s"
    return f"{count} {plural}{space}{rest}"


def _show(path: str) -> Answer:
    from releve.cycle.plan.load import read_plan
    from releve.cycle.plan.show import show
    from releve.cycle.plan.value import plan_value

    plan = read_plan(path)
    year = _today().year
    return Answer(plan_value(plan, year=year), show(plan, year=year))
