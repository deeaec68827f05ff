"""`releve init`: write a first commented plan for a kind of establishment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from releve.domain.units import say_count
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
        f"premier plan écrit dans {output} : {say_count(count, 'application')}, toutes les durées sont des valeurs proposées",
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
    from releve.domain.errors import BadInput
    from releve.domain.os_errors import unwritable

    if force and (
        output.is_char_device() or output.is_block_device() or output.is_fifo() or output.is_socket()
    ):
        raise BadInput(  # root would replace /dev/null by a plan
            "plan-unwritable",
            f"« {output} » n'est pas un fichier ordinaire, il n'a pas été touché",
            hint="choisissez un autre nom avec --output",
        )
    try:
        if force:
            _written(output.with_name(f".{output.name}.{os.getpid()}"), text).replace(output)
        else:
            _written(output, text)
    except FileExistsError as error:
        raise BadInput(
            "plan-exists",
            f"« {output} » existe déjà, il n'a pas été touché",
            hint="choisissez un autre nom avec --output"
            + ("" if force else ", ou --force pour le remplacer"),
        ) from error
    except (OSError, ValueError) as error:
        raise unwritable(output, error, "plan-unwritable") from error


def _written(path: Path, text: str) -> Path:
    """A new file with that text, whole or not at all. Raises OSError."""
    file = path.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
    except OSError:
        path.unlink()  # half a plan, or an empty one, would be in the way of the next try
        raise
    return path
