"""A base backup: copied beside by pg_basebackup, checked against its own manifest, then kept in the vault."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from releve import __version__
from releve.adapters.engines.postgresql.archive.manifest import check, wal_range
from releve.adapters.engines.postgresql.archive.marks import BaseMark
from releve.adapters.engines.postgresql.archive.source import Server, Source
from releve.adapters.engines.postgresql.connection import denied
from releve.adapters.vault.archive import Archiver
from releve.adapters.vault.locks import hold
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.repository import Repository, snapshot_value
from releve.adapters.vault.writer import Writer
from releve.domain.errors import PromiseBroken, Refused, Unreachable

FOLDER = "data"
_PROGRESS = re.compile(r"(\d+)/(\d+) kB")
Progress = Callable[[int, int], None]  # bytes done, bytes in all (0: not known)


@dataclass(frozen=True, slots=True)
class Taken:
    """A base that is durable. Sizes in bytes."""

    snapshot: str
    mark: BaseMark
    files: int
    size: int
    stored: int


def take_base(
    vault: Repository,
    source: Source,
    database: str,
    folder: Path,
    *,
    fast: bool,
    now: Callable[[], datetime],
    progress: Progress = lambda _done, _all: None,
) -> Taken:
    """Take one base through `folder` (on a disk with room for the whole database; what is there is removed).

    `fast`: a checkpoint at once, and not at the server's own pace. Raises `Unreachable`, `Refused`, `PromiseBroken`.
    """
    facts = source.facts()
    outside = source.tablespaces()
    if outside:
        raise Refused(
            "pg-tablespaces",
            f"cette base a des espaces de tables hors de son dossier : {', '.join(outside)}",
            hint="Relève ne sait pas encore les sauver ainsi : ramenez-les dans pg_default",
        )
    if source.position("").at is None:
        raise Refused(
            "base-no-instant",
            "ce serveur en suit un autre et n'a encore rejoué aucune transaction : on ne saurait pas dater la base",
            hint="prenez la base sur le serveur qui écrit, ou attendez une première écriture",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    data = folder / FOLDER
    label = f"releve-{now():%Y%m%dT%H%M%S.%fZ}"  # two within one second are two
    try:
        _copy(source.server, data, label, fast=fast, progress=progress)
        ready = source.position("").at
        check(source.server.program("pg_verifybackup"), data)
        timeline, start, stop = wal_range(data)
        if ready is None:
            raise Refused(
                "base-no-instant", "ce serveur a redémarré pendant la copie : prenez une autre base"
            )
        mark = BaseMark(
            database, facts.system, label, timeline, start, stop, ready, facts.version, facts.segment
        )
        return _save(vault, data, mark, now, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(server: Server, data: Path, label: str, *, fast: bool, progress: Progress) -> None:
    """The WAL of the copy comes with it (`-X stream`): the base can be opened with nothing else."""
    pace = "fast" if fast else "spread"
    argv = [server.program("pg_basebackup"), "-D", str(data), "-d", server.address(), "-X", "stream"]
    argv += ["-c", pace, "-l", label, "-P", "--no-password"]
    tie = shutil.which("setpriv")
    if tie is not None:
        argv = [tie, "--pdeathsig", "TERM", "--", *argv]
    said: list[str] = []
    try:
        running = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(server.environment()),
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise _missing(argv[0], error) from error
    with running:
        for line in running.stderr or ():  # a carriage return ends a line here, too
            found = _PROGRESS.search(line)
            if found:
                progress(int(found[1]) * 1024, int(found[2]) * 1024)
            elif line.strip():
                said.append(line.strip())
    if running.returncode:
        last = said[-1] if said else f"code {running.returncode}"
        if denied(" ".join(said)):
            raise server.denial(" / ".join(said[-3:]))
        full = any("No space left" in line for line in said)
        raise Unreachable(
            "base-failed",
            f"la base n'a pas pu être copiée : {'le disque est plein' if full else last}",
            hint="il faut la place de toute la base dans le dossier d'état, et une ligne replication dans pg_hba.conf",
            context={"pg_basebackup": " / ".join(said[-3:])},
            retryable=True,
        )


def _save(
    vault: Repository, data: Path, mark: BaseMark, now: Callable[[], datetime], progress: Progress
) -> Taken:
    """One snapshot, whose only folder is `data`, wherever the copy lay."""
    with hold(vault, exclusive=False, now=now) as still_ours:
        begun = now()
        vault.load_index()
        writer = Writer(vault, still_ours)
        try:
            archiver = Archiver(vault, writer, progress=lambda tally: progress(tally.size, 0))
            root = archiver.save([str(data)], None)
            writer.flush()
            node = replace(_at(vault, root, data), name=os.fsencode(FOLDER))
            top = writer.save(BlobKind.TREE, tree([encode(node)]))
            writer.flush()
        finally:
            writer.close()
        tally = archiver.tally
        if tally.unread or tally.unsettled:
            what = (tally.unread or [(tally.unsettled[0], "il changeait")])[0]
            raise PromiseBroken("base-unread", f"« {what[0]} » n'a pas pu être lu : {what[1]}")
        name = vault.save_snapshot(
            snapshot_value(
                at=begun,
                tree=top,
                paths=[f"/{FOLDER}"],
                hostname=socket.gethostname(),
                username=str(os.geteuid()),
                uid=os.geteuid(),
                gid=os.getegid(),
                tags=mark.tags(),
                program=f"releve {__version__}",
                summary={"total_files_processed": tally.files, "total_bytes_processed": tally.size},
            ),
            still_ours,
        )
    return Taken(name, mark, tally.files, tally.size, writer.stored_bytes)


def _at(vault: Repository, root: bytes, path: Path) -> Node:
    nodes = vault.tree(root)
    parts = path.absolute().parts[1:]
    for part in parts[:-1]:
        nodes = vault.tree(next(node.subtree for node in nodes if node.name == os.fsencode(part)))
    return next(node for node in nodes if node.name == os.fsencode(parts[-1]))


def _missing(program: str, error: OSError) -> Unreachable:
    return Unreachable(
        "pg-program-missing",
        f"« {program} » ne peut pas être lancé : {error.strerror}",
        hint="--bin-dir suivi du dossier des programmes de PostgreSQL",
    )
