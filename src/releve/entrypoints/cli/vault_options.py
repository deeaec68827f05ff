"""How the commands of the vault are told which one it is, and where its key is."""

from __future__ import annotations

from typing import Annotated

import typer

Where = Annotated[
    str,
    typer.Argument(
        metavar="COFFRE",
        envvar="RELEVE_VAULT",
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
