"""`releve vault`: the encrypted store, that stock restic can read without us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.units import say_count
from releve.entrypoints.cli import vault_key, vault_register, vault_upkeep, vault_work
from releve.entrypoints.cli.speech import Answer, Json, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import (
    DEFAULT_KEY,
    opened,
    secret_ref,
    shown_path,
    shown_time,
    store_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from releve.adapters.vault.repository import Snapshot
    from releve.adapters.vault.scratch import Scratch

_AT_ONCE = 1000  # entries of a listing that are written at a time

Which = Annotated[
    str, typer.Argument(metavar="INSTANTANÉ", help="Son identifiant (4 chiffres au moins) ou latest.")
]


def register(app: typer.Typer) -> None:
    """Add the group `vault` to the root."""
    group = typer.Typer(
        help="Le coffre chiffré : sauver, relire, vérifier, ramener.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(group, name="vault")
    vault_key.register(group)
    vault_upkeep.register(group)
    vault_register.register(group)

    @group.command()
    def init(where: Where, key: KeyRef = DEFAULT_KEY, as_json: Json = False) -> None:
        """Faire un coffre neuf. Avec --key file:/chemin absent, une clé y est tirée au hasard."""
        answer(as_json, lambda: _init(where, key))

    @group.command()
    def save(
        where: Where,
        paths: Annotated[list[str], typer.Argument(metavar="DOSSIER…", help="Ce qu'il faut sauver.")],
        tag: Annotated[list[str], typer.Option("--tag", help="Une étiquette ; répétable.")] = [],  # noqa: B006
        exclude: Annotated[
            list[str], typer.Option("--exclude", help="Ne pas sauver ce motif (*.tmp) ; répétable.")
        ] = [],  # noqa: B006
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Sauver des dossiers : un instantané ; seul ce qui a changé est lu."""
        answer(as_json, lambda: vault_work.save(where, key, paths, tag, exclude))

    @group.command()
    def snapshots(where: Where, key: KeyRef = DEFAULT_KEY, as_json: Json = False) -> None:
        """Lister les instantanés, du plus ancien au plus récent."""
        answer(as_json, lambda: _snapshots(where, key))

    @group.command()
    def ls(
        where: Where, snapshot: Which = "latest", key: KeyRef = DEFAULT_KEY, as_json: Json = False
    ) -> None:
        """Lister les fichiers d'un instantané."""
        answer(as_json, lambda: _ls(where, key, snapshot))

    @group.command()
    def restore(
        where: Where,
        snapshot: Annotated[
            str,
            typer.Argument(
                metavar="INSTANTANÉ",
                help="Son identifiant, ou latest ; vide : le plus récent, si le coffre ne garde qu'une chose.",
            ),
        ] = "",
        target: Annotated[
            str, typer.Option("--target", "-t", help="Le dossier, vide, qui recevra tout.")
        ] = "",
        path: Annotated[
            list[str], typer.Option("--path", help="Seulement ce chemin de l'instantané ; répétable.")
        ] = [],  # noqa: B006
        again: Annotated[
            bool, typer.Option("--continue", help="Reprendre une restauration interrompue.")
        ] = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Ramener un instantané dans un dossier."""
        answer(as_json, lambda: vault_work.restore(where, key, snapshot, target, path, again=again))

    @group.command()
    def stats(where: Where, key: KeyRef = DEFAULT_KEY, as_json: Json = False) -> None:
        """Dire ce que le coffre contient et ce qu'il pèse."""
        answer(as_json, lambda: _stats(where, key))


def _init(where: str, key: str) -> Answer:
    import secrets
    from pathlib import Path

    from releve.adapters.hosts.secrets import resolve
    from releve.adapters.vault.repository import create
    from releve.adapters.vault.shares import password_of
    from releve.adapters.vault.store import FolderStore
    from releve.domain.errors import BadInput
    from releve.domain.os_errors import unwritable
    from releve.entrypoints.cli.vault_session import utc_now

    ref = secret_ref(key)
    store = store_at(where)
    above = Path(where).absolute().parent
    if isinstance(store, FolderStore) and not above.is_dir():
        raise BadInput(
            "vault-parent",
            f"le dossier « {above} », où serait le coffre, n'existe pas",
            hint="branchez ou montez le disque du coffre ; si ce dossier est à faire, faites-le d'abord (mkdir)",
        )
    drawn = ""
    if ref.scheme == "file" and not Path(ref.target).exists():
        drawn = password_of(secrets.token_bytes(16))
        try:
            handle = Path(ref.target)
            handle.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle.touch(mode=0o600, exist_ok=False)
            handle.write_text(f"{drawn}\n", encoding="utf-8")
        except OSError as error:
            raise unwritable(Path(ref.target), error) from error
    vault = create(store, drawn or resolve(ref), utc_now())
    lines = [f"coffre fait : {where}", f"identifiant : {vault.id[:16]}"]
    lines += [f"ce serveur : {one} ; Relève fait avec" for one in vault.lacking]
    if drawn:
        lines.append(f"clé tirée au hasard, dans {ref.target}")
    lines += [
        "",
        "Sans clé, personne ne rouvre ce coffre, nous non plus. Faites-en maintenant une feuille :",
        f"  releve vault key print {where} --key {ref} --output cle-de-secours.pdf",
    ]
    return Answer(
        {"vault": vault.id, "where": where, "key_drawn": bool(drawn), "lacking": list(vault.lacking)},
        "\n".join(lines),
    )


def _snapshots(where: str, key: str) -> Answer:
    known = opened(where, key).snapshots()
    lines = [
        f"{one.id[:8]}  {shown_time(one.at)}  {one.hostname:<16}  {shown_path(' '.join(one.paths))}"
        + (f"  [{', '.join(one.tags)}]" if one.tags else "")
        for one in known
    ]
    lines.append(say_count(len(known), "instantané"))
    return Answer({"snapshots": [snapshot_value(one) for one in known]}, "\n".join(lines))


def snapshot_value(one: Snapshot) -> dict[str, object]:
    """A snapshot, JSON-ready. `claimed_at` is its writer's word, `seen_at` the store's."""
    return {
        "id": one.id,
        "claimed_at": one.at.isoformat(),
        "seen_at": one.seen.isoformat() if one.seen else None,
        "host": one.hostname,
        "paths": list(one.paths),
        "tags": list(one.tags),
        "parent": one.parent,
        "program": one.program,
    }


def _ls(where: str, key: str, name: str) -> Answer:
    import json
    import os

    from releve.adapters.vault.clock import from_ns
    from releve.adapters.vault.repository import walk
    from releve.adapters.vault.scratch import Scratch

    vault = opened(where, key)
    snapshot = vault.snapshot(name)
    vault.load_index()
    # Whole or not at all on stdout, and a million entries fit in no memory: they wait in a file of passage.
    found = Scratch()
    some: list[str] = []
    for path, node in walk(vault, snapshot.tree):
        shown = shown_path(os.fsdecode(path))
        some.append(json.dumps([shown, node.kind, node.mode, node.size, node.mtime]))
        if len(some) == _AT_ONCE:
            found.write("".join(f"{one}\n" for one in some).encode())
            some = []
    found.write("".join(f"{one}\n" for one in some).encode())
    lines = (
        f"{kind[0]}{mode:04o} {size:>12} {_shown_mtime(stamp)} {shown}"
        for shown, kind, mode, size, stamp in _rows(found)
    )
    entries = (
        {"path": shown, "type": kind, "size": size, "mtime": from_ns(stamp)}
        for shown, kind, _, size, stamp in _rows(found)
    )
    return Answer({"snapshot": snapshot.id, "entries": entries}, lines)


def _rows(found: Scratch) -> Iterator[tuple[str, str, int, int, int]]:
    import json

    left = b""
    for piece in found:
        *whole, left = (left + piece).split(b"\n")
        for row in whole:
            shown, kind, mode, size, stamp = json.loads(row)
            yield shown, kind, mode, size, stamp


def _shown_mtime(stamp: int) -> str:
    """Nanoseconds since 1970, as `shown_time`; a year that no calendar of ours has, as it was written."""
    from releve.adapters.vault.clock import from_ns, to_datetime

    text = from_ns(stamp)
    try:
        return shown_time(to_datetime(text))
    except (ValueError, OverflowError):
        return text[:19]


def _stats(where: str, key: str) -> Answer:
    from releve.adapters.vault.store import Kind
    from releve.domain.units import say_bytes

    vault = opened(where, key)
    sizes = {
        kind: [one.size for one in vault.store.entries(kind)] for kind in Kind if kind is not Kind.CONFIG
    }
    index = vault.load_index()
    plain = sum(item.blob.size for item in index)
    stored = sum(sizes[Kind.DATA])
    data = {
        "vault": vault.id,
        "stored_bytes": stored,
        "blob_bytes": plain,
        "blobs": len(index),
        "files": {str(kind): len(found) for kind, found in sizes.items()},
    }
    lines = [
        f"coffre {vault.id[:16]} : {say_bytes(stored)} sur le disque pour {say_bytes(plain)} de contenu différent",
        (
            f"  {say_count(len(sizes[Kind.SNAPSHOTS]), 'instantané')}, {say_count(len(sizes[Kind.DATA]), 'paquet')}, "
            f"{say_count(len(index), 'bloc')}"
        ),
        (
            f"  {len(sizes[Kind.INDEX])} index, {say_count(len(sizes[Kind.KEYS]), 'clé')}, "
            f"{say_count(len(sizes[Kind.LOCKS]), 'verrou')}"
        ),
    ]
    return Answer(data, "\n".join(lines))
