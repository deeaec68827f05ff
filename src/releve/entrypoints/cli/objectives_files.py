"""Where the objectives are: the plan, the objectives file beside it, the folder of answers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.adapters.notes import put
from releve.domain.errors import BadInput, Unreachable
from releve.domain.names import did_you_mean
from releve.domain.os_errors import reason

if TYPE_CHECKING:
    from releve.cycle.objectives.read import Bargain, Judgement
    from releve.domain.objectives import Objectives, Statement
    from releve.domain.plan import Plan

LEDGER = "registre"  # instead of a folder: what `objectives record` kept
ObjectivesFile = Annotated[
    str,
    typer.Option(
        "--objectives",
        "-o",
        envvar="RELEVE_OBJECTIVES",
        help="Le fichier d'objectifs ; sinon « objectifs.yaml » à côté du plan.",
    ),
]
AnswersFolder = Annotated[
    str,
    typer.Option(
        "--answers",
        envvar="RELEVE_ANSWERS",
        help="Le dossier des réponses, ou « registre » ; sinon « reponses » à côté des objectifs.",
    ),
]


@dataclass(frozen=True, slots=True)
class Places:
    """The three places, whether they exist or not."""

    plan: str
    objectives: Path
    answers: Path
    recorded: bool = False  # the answers are the ledger's rows, not files
    named: bool = False  # somebody named the folder of answers: it must exist

    def answer_files(self) -> tuple[Path, ...]:
        """The files of answers, in name order.

        Raises `BadInput` when a folder that was named is not there, `Unreachable` when one cannot be read.
        """
        try:
            if self.recorded:
                return ()
            if not self.answers.exists():
                if self.named:
                    raise _no_folder(self.answers)
                return ()
            return tuple(sorted(path for path in self.answers.iterdir() if path.suffix in {".yaml", ".yml"}))
        except OSError as error:
            raise Unreachable(
                "answers-unreadable",
                f"le dossier des réponses {self.answers} ne peut pas être lu : {reason(error)}",
            ) from error


def _no_folder(folder: Path) -> BadInput:
    """A folder of answers that is not there, with the one beside it that was probably meant."""
    beside = (
        [item.name for item in folder.parent.iterdir() if item.is_dir()] if folder.parent.is_dir() else []
    )
    near = did_you_mean(folder.name, [name for name in beside if not name.startswith(".")])
    return BadInput(
        "answers-missing",
        f"le dossier de réponses {folder} n'existe pas",
        hint=f"vouliez-vous dire « {folder.parent / near} » ?"
        if near
        else "--answers (ou RELEVE_ANSWERS) : un dossier, ou « registre » ; sans lui, « reponses » à côté des objectifs",
    )


def places(plan: str, objectives: str, answers: str) -> Places:
    """The places as given, each beside the one before when it was not."""
    file = Path(objectives) if objectives else Path(plan).parent / "objectifs.yaml"
    named = bool(answers) and answers != LEDGER
    folder = Path(answers) if named else file.parent / "reponses"
    return Places(plan, file, folder, answers == LEDGER, named)


def load(where: Places) -> tuple[Plan, Objectives]:
    """The plan and the objectives with their answers. Raises `PlanError`."""
    plan, objectives, _bargain = load_all(where)
    return plan, objectives


def load_all(where: Places) -> tuple[Plan, Objectives, Bargain]:
    """The same, and what can be bought; the dates of arbitrations are judged. Raises `PlanError`."""
    from releve.domain.errors import PlanError

    plan, judgement = judged(where)
    if judgement.objectives is None:
        raise PlanError(judgement.faults, noun="les objectifs contiennent", code="objectives-invalid")
    return plan, judgement.objectives, judgement.bargain


def judged(where: Places) -> tuple[Plan, Judgement]:
    """The plan, and everything that is to be said of the objectives and answers. Raises `PlanError` for the plan."""
    from releve.cycle.objectives.read import judge_objectives
    from releve.cycle.plan.load import read_plan

    plan = read_plan(where.plan)
    rows = _rows(plan) if where.recorded else ()
    return plan, judge_objectives(where.objectives, where.answer_files(), plan, recorded=rows, today=today())


def _rows(plan: Plan) -> list[Statement]:
    """The answers of the ledger. Raises `Unreachable` where there is none."""
    from releve.entrypoints.cli.session import ledger_here

    ledger = ledger_here(plan)
    if ledger is None:
        raise Unreachable(
            "ledger-elsewhere",
            "les réponses du registre ne sont pas sur cette machine",
            hint="lancez la commande au site de secours, ou donnez le dossier des réponses",
        )
    return ledger.statements.all()


def today() -> date:
    """The date on the wall of this machine."""
    return datetime.now().astimezone().date()


def replace_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a power cut, meets the old one or the new one and nothing else.

    Raises `Unreachable` when the disk is full or the folder cannot be written; the old file stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, text.encode())
    except OSError as error:
        with suppress(OSError):  # the place itself may be what is wrong
            path.with_suffix(".new").unlink(missing_ok=True)
        raise Unreachable(
            "not-written",
            f"{path} ne peut pas être écrit : {reason(error)}",
            hint="faites de la place ou vérifiez les droits ; ce qui était écrit avant est intact",
        ) from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else of this machine adds to `path` meanwhile: two people may answer at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unreachable("not-written", f"{path} ne peut pas être écrit : {reason(error)}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
