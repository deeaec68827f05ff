"""What `releve vault save|restore|verify` do. Typed often, on large and small things: nothing heavy above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from releve.domain.units import say_count
from releve.entrypoints.cli.telling import Answer
from releve.entrypoints.cli.vault_session import bar, opened, processes, shown_path

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository
    from releve.adapters.vault.verify import Verdict

_LATEST = "latest"
_SHOWN = 20  # lines of a list of troubles that a person is shown; --json has them all


def save(where: str, key: str, paths: list[str], tags: list[str], excludes: list[str]) -> Answer:
    """One snapshot of these folders; of those that are there, when some are not."""
    import os
    from pathlib import Path

    from releve.adapters.vault.saving import save as keep
    from releve.domain.errors import BadInput, Exit
    from releve.domain.units import say_bytes
    from releve.entrypoints.cli.vault_session import utc_now

    vault = opened(where, key)
    absent = _absent(paths)
    if len(absent) < len(paths):
        paths = [path for path in paths if path not in absent]
    whole = [os.path.realpath(path) for path in paths]
    inside = Path(where).resolve()  # an address of a server lies in no folder
    for path in paths:
        if Path(where).exists() and inside.is_relative_to(Path(path).resolve()):
            raise BadInput(
                "vault-inside",
                f"le coffre est dans « {path} » : il se sauverait lui-même",
                hint="placez le coffre ailleurs, sur un autre disque et un autre site",
            )
    with bar("sauvegarde") as tell:
        saved = keep(
            vault,
            whole,
            now=utc_now,
            tags=tags,
            excludes=excludes,
            processes=processes(vault),
            progress=lambda seen: tell(seen.size, 0),
        )
    tally = saved.tally
    emptied = _files(vault, saved.parent) if saved.parent and not tally.files else 0
    led = [  # a link, or below one: what a person means is what is there
        (path, real)
        for path, real in zip(paths, whole, strict=True)
        if real != os.path.abspath(path)  # noqa: PTH100 (the links are the question)
    ]
    data = {
        "snapshot": saved.id,
        "parent": saved.parent,
        "files": tally.files,
        "folders": tally.folders,
        "bytes": tally.size,
        "files_new": tally.files_new,
        "files_changed": tally.files_changed,
        "files_same": tally.files_same,
        "added_bytes": saved.added,
        "stored_bytes": saved.stored,
        "followed": [{"path": shown_path(path), "saved": shown_path(real)} for path, real in led],
        "unread": [{"path": shown_path(path), "why": why} for path, why in tally.unread],
        "unsettled": [shown_path(path) for path in tally.unsettled],
        "absent": [{"path": shown_path(path), "why": why} for path, why in absent.items()],
        "emptied": emptied,
    }
    counts = (
        say_count(tally.files_new, "nouveau", "nouveaux"),
        say_count(tally.files_changed, "changé"),
        say_count(tally.files_same, "inchangé"),
    )
    lines = [
        f"instantané {saved.id[:8]} : {say_count(tally.files, 'fichier')}, {say_bytes(tally.size)}",
        f"  {', '.join(counts)}",
        f"  {say_bytes(saved.stored)} ajoutés au coffre",
    ]
    lines += [f"  PAS SAUVÉ : {shown_path(path)} : {why}" for path, why in absent.items()]
    lines += _listed(
        "passe par un lien",
        [f"{shown_path(path)} ; sauvé sous son vrai nom : {shown_path(real)}" for path, real in led],
    )
    lines += _listed("non lu", [f"{shown_path(path)} : {why}" for path, why in tally.unread])
    lines += _listed("changeait pendant la lecture", [shown_path(path) for path in tally.unsettled])
    if emptied:
        lines.append(
            f"  PLUS RIEN : la fois d'avant il y avait {say_count(emptied, 'fichier')} ; un disque n'est peut-être pas monté"
        )
    complete = not tally.unread and not tally.unsettled and not emptied and not absent
    return Answer(data, "\n".join(lines), Exit.DONE if complete else Exit.PROMISE_NOT_KEPT)


def _absent(paths: list[str]) -> dict[str, str]:
    """Those that cannot be looked at, and why."""
    import os

    from releve.domain.os_errors import reason

    found = {}
    for path in paths:
        try:
            os.lstat(os.path.realpath(path))
        except OSError as error:
            found[path] = reason(error)
    return found


def _series(vault: Repository) -> int:
    """How many machines, folders, shares and databases it keeps."""
    from releve.entrypoints.worker.register import head_of

    return len({(one.hostname, *one.paths) for one in vault.snapshots() if not head_of(one)})


def _files(vault: Repository, snapshot: str) -> int:
    return int(vault.snapshot(snapshot).summary.get("total_files_processed", 0))


def _listed(what: str, items: list[str]) -> list[str]:
    more = (
        [f"  … et {say_count(len(items) - _SHOWN, 'autre')} (--json les donne tous)"]
        if len(items) > _SHOWN
        else []
    )
    return [f"  {what} : {item}" for item in items[:_SHOWN]] + more


def restore(where: str, key: str, name: str, target: str, paths: list[str], *, again: bool) -> Answer:
    """A snapshot, or some of its paths, into a folder."""
    from releve.adapters.vault.restore import restore as bring
    from releve.domain.errors import BadInput, Exit
    from releve.domain.units import say_bytes

    if not target:
        raise BadInput(
            "usage", "il manque --target : le dossier qui recevra tout", hint="--target /chemin/vide"
        )
    vault = opened(where, key)
    snapshot = vault.snapshot(name or _LATEST)
    several = 1 if name else _series(vault)
    if several > 1:
        raise BadInput(
            "which-snapshot",
            f"le coffre garde {several} choses différentes : la plus récente n'est pas tout",
            hint="« releve vault snapshots » les montre ; donnez l'identifiant de celle qu'il faut, ou « latest »",
        )
    vault.load_index()
    total = int(snapshot.summary.get("total_bytes_processed", 0))
    with bar("restauration") as tell:
        done = bring(
            vault,
            snapshot,
            target,
            only=paths,
            again=again,
            processes=processes(vault),
            progress=lambda so_far: tell(so_far.size, total),
        )
    data = {
        "snapshot": snapshot.id,
        "target": target,
        "files": done.files,
        "folders": done.folders,
        "bytes": done.size,
        "kept": done.kept,
        "lost": [{"path": shown_path(path), "why": why} for path, why in done.lost],
        "metadata_missed": [{"path": shown_path(path), "what": what} for path, what in done.missed],
    }
    kept = f", {done.kept} déjà là" if done.kept else ""
    what = ", ".join(shown_path(path) for path in snapshot.paths)
    lines = [
        f"instantané {snapshot.id[:8]} du {snapshot.at.astimezone():%d/%m/%Y %H:%M:%S} : {what}",
        f"ramené dans {target} : {say_count(done.files, 'fichier')}{kept}, {say_count(done.folders, 'dossier')}, {say_bytes(done.size)}",
    ]
    lines += _listed("perdu", [f"{shown_path(path)} : {why}" for path, why in done.lost])
    lines += _listed("non remis", [f"{shown_path(path)} : {what}" for path, what in done.missed])
    return Answer(data, "\n".join(lines), Exit.PROMISE_NOT_KEPT if done.lost else Exit.DONE)


def verify(where: str, key: str, *, quick: bool) -> Answer:
    """Every byte of the vault, read; `quick`: its lists and trees alone."""
    from releve.adapters.vault.verify import verify as looked

    vault = opened(where, key)
    with bar("vérification") as tell:
        verdict = looked(vault, content=not quick, progress=tell)
    return said(verdict)


def _advice(verdict: Verdict) -> str:
    """What to do about packs that no index names: when something is lost, they may be all that is left of it."""
    if verdict.sound:
        return "d'une sauvegarde interrompue : prune en rend la place"
    return "dans aucun index : ce qui est perdu y est peut-être ; heal y relit tout, ne rangez rien avant"


def said(verdict: Verdict) -> Answer:
    """What a look at the whole vault found."""
    from releve.domain.errors import Exit
    from releve.domain.units import say_bytes

    data = {
        "sound": verdict.sound,
        "content_read": verdict.content_read,
        "snapshots": verdict.snapshots,
        "packs": verdict.packs,
        "blobs": verdict.blobs,
        "bytes_read": verdict.size,
        "troubles": [{"file": f"{one.kind}/{one.name}", "why": one.why} for one in verdict.troubles],
        "lost": [{"snapshot": name, "path": shown_path(path)} for name, path in verdict.lost],
        "unused_packs": verdict.unused_packs,
    }
    looked = (
        f"{say_bytes(verdict.size)} relus"
        if verdict.content_read
        else "le contenu n'a pas été relu (--quick)"
    )
    state = "rien d'abîmé dans ce qui a été regardé" if verdict.sound else "le coffre est abîmé"
    lines = [
        f"{state} : {say_count(verdict.snapshots, 'instantané')}, {say_count(verdict.packs, 'paquet')}, {looked}"
    ]
    lines += [f"  {one.kind}/{one.name} : {one.why}" for one in verdict.troubles[:_SHOWN]]
    lines += [f"  perdu dans {name[:8]} : {shown_path(path)}" for name, path in verdict.lost[:_SHOWN]]
    hidden = max(0, len(verdict.troubles) - _SHOWN) + max(0, len(verdict.lost) - _SHOWN)
    if hidden:
        lines.append(f"  … et {say_count(hidden, 'autre')} (--json les donne tous)")
    if verdict.unused_packs:
        lines.append(f"  {say_count(len(verdict.unused_packs), 'paquet')} {_advice(verdict)}")
    return Answer(data, "\n".join(lines), Exit.DONE if verdict.sound else Exit.PROMISE_NOT_KEPT)
