"""`releve init`: write a first commented plan for a kind of establishment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, answer


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def init(
        profile: Annotated[
            str, typer.Argument(metavar="PROFIL", help="ehpad, foyer, ime, esat, ssiad ou siège.")
        ],
        output: Annotated[str, typer.Option("--output", "-o", help="Le fichier à écrire.")] = "plan.yaml",
        name: Annotated[str, typer.Option("--name", help="Le nom de l'association.")] = "Notre association",
        force: Annotated[bool, typer.Option("--force", help="Remplace le fichier s'il existe.")] = False,
        as_json: Json = False,
    ) -> None:
        """Écrit un premier plan commenté, à compléter, pour un type d'établissement."""
        answer(as_json, lambda: _init(profile, Path(output), name, force=force))


def _init(profile: str, output: Path, name: str, *, force: bool) -> Answer:
    from releve.cycle.plan.init import first_plan
    from releve.cycle.plan.load import judge

    text = first_plan(profile, name)
    judgement = judge(text.encode(), str(output))
    if judgement.plan is None:
        raise AssertionError(f"the first plan of {profile} is wrong: {judgement.faults}")
    _write(output, text, force=force)
    count = len(judgement.plan.applications)
    lines = [
        f"premier plan écrit dans {output} : {count} applications, toutes les durées sont des valeurs proposées",
        "ensuite : ouvrez-le, remplacez ce qui est marqué, puis",
        f"  releve plan check --plan {output}",
        f"  releve plan show --plan {output}",
    ]
    data = {
        "written": str(output),
        "profile": profile,
        "applications": count,
        "remarks": len(judgement.remarks),
    }
    return Answer(data, "\n".join(lines))


def _write(output: Path, text: str, *, force: bool) -> None:
    """Write the file whole. Refuses (`BadInput`) to replace one unless forced: it is people's work."""
    from releve.cycle.plan.load import say_os_error
    from releve.domain.errors import BadInput

    try:
        if not force:
            with output.open("x", encoding="utf-8") as file:
                file.write(text)
            return
        beside = output.with_name(f".{output.name}.{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.replace(output)
    except FileExistsError as error:
        raise BadInput(
            "plan-exists",
            f"« {output} » existe déjà, il n'a pas été touché",
            hint="choisissez un autre nom avec --output, ou --force pour le remplacer",
        ) from error
    except (OSError, ValueError) as error:
        raise BadInput(
            "plan-unwritable",
            f"« {output} » ne peut pas être écrit ({say_os_error(error)})",
            hint="vérifiez le dossier et les droits",
        ) from error
