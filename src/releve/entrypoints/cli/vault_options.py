"""How the commands of the vault are told which one it is, and where its key is."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.entrypoints.cli.vault_session import NAMED

Where = Annotated[
    str,
    typer.Argument(
        metavar="COFFRE",
        envvar=NAMED,
        help="Le coffre : un dossier (disque, NAS monté), s3:https://… ou rest:http://…",
    ),
]
KeyRef = Annotated[
    str,
    typer.Option(
        "--key",
        "-k",
        envvar="RELEVE_VAULT_KEY_AT",
        help="Où est la clé : env:NOM, file:/chemin ou command:programme.",
    ),
]
