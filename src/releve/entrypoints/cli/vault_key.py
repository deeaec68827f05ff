"""`releve vault key`: who can open the vault, and the page for the day when nothing else works."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from releve.domain.document import Document
from releve.entrypoints.cli.speech import Answer, Json, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import DEFAULT_KEY, opened, password, shown_path, shown_time

Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Remplace la page si elle existe ; la clé qu'elle portait ouvre toujours le coffre."
    ),
]
_PRINTED, _SPLIT = "feuille imprimée", "partagée en mots"  # labels of the keys that are drawn here


def register(group: typer.Typer) -> None:
    """Add the group `key` to the group `vault`."""
    keys = typer.Typer(
        help="Les clés du coffre : lister, ajouter, retirer, imprimer, partager.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.add_typer(keys, name="key")

    @keys.command("list")
    def list_keys(where: Where, key: KeyRef = DEFAULT_KEY, as_json: Json = False) -> None:
        """Lister les clés qui ouvrent le coffre."""
        answer(as_json, lambda: _list(where, key))

    @keys.command()
    def add(
        where: Where,
        new: Annotated[str, typer.Option("--new", help="Où est la nouvelle clé : env:, file: ou command:.")],
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Ajouter une clé."""
        answer(as_json, lambda: _add(where, key, new))

    @keys.command()
    def remove(
        where: Where,
        name: Annotated[str, typer.Argument(metavar="CLÉ", help="Le début de son identifiant.")],
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Retirer une clé (jamais la dernière). Qui l'a connue a pu copier le coffre : voir SECURITY.md."""
        answer(as_json, lambda: _remove(where, key, name))

    @keys.command("print")
    def print_key(
        where: Where,
        output: Annotated[str, typer.Option("--output", "-o", help="La page à écrire (PDF).")],
        force: Force = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Tirer une clé de secours et écrire la page qui permet de tout ramener avec restic seul."""
        answer(as_json, lambda: _print(where, key, output, force=force))

    @keys.command()
    def split(
        where: Where,
        output: Annotated[
            str, typer.Option("--output", "-o", help="Le dossier des pages, une par personne.")
        ],
        threshold: Annotated[int, typer.Option("--threshold", help="Combien de personnes réunies.")] = 2,
        people: Annotated[int, typer.Option("--people", help="Sur combien.")] = 3,
        force: Force = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Tirer une clé de secours partagée en mots entre plusieurs personnes (SLIP-39)."""
        answer(as_json, lambda: _split(where, key, output, threshold, people, force=force))

    @keys.command()
    def recover(
        words: Annotated[
            list[str] | None,
            typer.Option("--words", help="Un fichier de mots par personne ; sinon ils sont demandés."),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Retrouver la clé à partir des mots de plusieurs personnes ; n'a besoin ni du coffre ni du réseau."""
        answer(as_json, lambda: _recover(words or []))


def _list(where: str, key: str) -> Answer:
    found = opened(where, key).keys()
    lines = [
        f"{one.id[:8]}  {_when(one.created)}  {one.username}@{one.hostname}"
        + (f"  {shown_path(one.label)}" if one.label else "")
        for one in found
    ]
    data = [
        {
            "id": one.id,
            "created": one.created,
            "user": one.username,
            "host": one.hostname,
            "label": one.label,
        }
        for one in found
    ]
    return Answer({"keys": data}, "\n".join(lines))


def _when(text: str) -> str:
    """When a key was made, as `shown_time`; restic writes it with nanoseconds and any zone."""
    from releve.adapters.vault.clock import to_datetime

    try:
        return shown_time(to_datetime(text))
    except (ValueError, OverflowError):
        return text[:19]


def _add(where: str, key: str, new: str) -> Answer:
    from releve.entrypoints.cli.vault_session import utc_now

    name = opened(where, key).add_key(password(new), utc_now())
    return Answer({"key": name}, f"clé ajoutée : {name[:8]}")


def _remove(where: str, key: str, name: str) -> Answer:
    gone = opened(where, key).remove_key(name)
    return Answer({"key": gone}, f"clé retirée : {gone[:8]}")


def _print(where: str, key: str, output: str, *, force: bool) -> Answer:
    from releve.adapters.vault.shares import draw
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.vault_page import key_page

    _free(Path(output), force=force)
    vault = opened(where, key)
    _, secret = draw()
    at = utc_now()
    name = vault.add_key(secret, at, label=_PRINTED)
    page = key_page(where=vault.store.where, vault=vault.id, key=secret, name=name, at=at)
    _write_or_take_back(vault.remove_key, name, [(page, Path(output))])
    text = f"clé de secours ajoutée : {name[:8]}\npage : {output}\nimprimez-la, rangez-la hors du site, effacez le fichier"
    return Answer({"key": name, "document": output}, text)


def _split(where: str, key: str, output: str, threshold: int, people: int, *, force: bool) -> Answer:
    from releve.adapters.vault.shares import draw, split
    from releve.entrypoints.cli.folders import writable_folder
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.vault_page import words_page

    folder = Path(output)
    writable_folder(folder)
    paths = [folder / f"part-{number}-sur-{people}.pdf" for number in range(1, people + 1)]
    for path in paths:
        _free(path, force=force)
    secret, shared = draw()
    lines = split(secret, threshold=threshold, people=people)
    vault = opened(where, key)
    at = utc_now()
    name = vault.add_key(shared, at, label=_SPLIT)
    pages = [
        (
            words_page(
                where=vault.store.where,
                vault=vault.id,
                words=words,
                number=number,
                people=people,
                threshold=threshold,
                name=name,
                at=at,
            ),
            path,
        )
        for number, (words, path) in enumerate(zip(lines, paths, strict=True), 1)
    ]
    _write_or_take_back(vault.remove_key, name, pages)
    files = [str(path) for _, path in pages]
    text = f"clé partagée ajoutée : {name[:8]} ; il faut {threshold} personnes sur {people}\n" + "\n".join(
        files
    )
    return Answer({"key": name, "documents": files, "threshold": threshold, "people": people}, text)


def _write_or_take_back(
    take_back: Callable[[str], object], name: str, pages: Sequence[tuple[Document, Path]]
) -> None:
    """Write the pages, for their owner alone; a key of which a page could not be written must not stay, nor its pages."""
    from releve.adapters.render import to_pdf
    from releve.domain.errors import ReleveError

    for at, (document, path) in enumerate(pages):
        try:
            to_pdf(document, path)
        except ReleveError:
            take_back(name)
            for _, written in pages[:at]:
                written.unlink()
            raise


def _free(path: Path, *, force: bool) -> None:
    """Raises `BadInput` when a page is there already: it may be the only one that says a key."""
    from releve.domain.errors import BadInput

    if path.exists() and not (force and path.is_file()):  # root would replace a device, too
        raise BadInput(
            "page-exists",
            f"« {path} » existe déjà, il n'a pas été touché",
            hint="choisissez un autre nom avec --output, ou --force pour le remplacer (la clé qu'il porte ouvre toujours le "
            "coffre : releve vault key list, puis releve vault key remove)",
        )


def _recover(files: list[str]) -> Answer:
    from releve.adapters.vault.shares import join

    lines = [_words(path) for path in files] if files else list(_asked())
    found = join(lines)
    return Answer({"key": found}, found)


def _words(path: str) -> str:
    from releve.domain.errors import BadInput
    from releve.domain.os_errors import reason

    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput("words-unreadable", f"« {path} » ne peut pas être lu : {reason(error)}") from error


def _asked() -> list[str]:
    sys.stderr.write("Les mots de chaque personne, une ligne par personne ; une ligne vide pour finir.\n")
    lines: list[str] = []
    while True:
        sys.stderr.write(f"personne {len(lines) + 1} : ")
        sys.stderr.flush()
        line = sys.stdin.readline().strip()
        if not line:
            return lines
        lines.append(line)
