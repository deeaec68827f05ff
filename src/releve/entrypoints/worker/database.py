"""The resident archiver of a PostgreSQL server: its WAL goes into a vault as it is written.

A process of its own. What it knows is `archive.json` in its state folder, written whole. Beside it, `base.json` says up
to when the newest base goes, without which no WAL brings anything back, and `verified.json` when all of it was last
brought back and opened.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.engines.postgresql.archive.archiver import Archiver, Freshness, read_gaps
from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, bases
from releve.adapters.engines.postgresql.archive.keeping import Keeper
from releve.adapters.engines.postgresql.archive.source import Facts, Server, Source
from releve.adapters.engines.postgresql.parse import lsn, say_lsn
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.notes import put
from releve.adapters.vault.locks import hold
from releve.domain.errors import Refused, ReleveError, Unreachable
from releve.domain.os_errors import reason
from releve.entrypoints.worker.resident import Stop, View, boot, say

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

STATE = "archive.json"
BASE = "base.json"
TRIAL = "verified.json"
SPOOL = "spool"
SLOT = "releve_archive_"  # how the slots of all our archivers begin
_SLOT_NAME = 63  # characters at most
_RETRY = 2.0  # seconds between two attempts to reach the server for the first time


@dataclass(frozen=True, slots=True)
class DatabasePost:
    """Where an archiver stands: the name of the data in the vault, the server, its own folder.

    `every`: seconds between two looks. `state` must be on a local disk with room for an outage's WAL.
    """

    database: str
    server: Server
    state: Path
    every: float = 2.0

    @property
    def slot(self) -> str:
        """The replication slot that is ours on the server: it keeps what was not received."""
        return slot_of(self.database)


def slot_of(database: str) -> str:
    """A slot's name holds lower case letters, digits and underscores, 63 at most (PostgreSQL's rule)."""
    plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in database.lower())
    if plain == database and len(SLOT + plain) <= _SLOT_NAME:
        return SLOT + plain
    mark = hashlib.sha256(database.encode()).hexdigest()[:8]  # two names that differ have slots that differ
    return f"{SLOT}{plain[: _SLOT_NAME - len(SLOT) - 9]}_{mark}"


def archive_database(vault: Repository, post: DatabasePost) -> int:
    """Archive until SIGTERM or SIGINT; what the server has by then is kept before it returns 0."""
    stop = Stop()
    with ExitStack() as stack:
        stack.enter_context(only_one(post.state / "archive.lock", f"l'archivage de « {post.database} »"))
        source = Source(post.server)
        stack.callback(source.close)
        known = _known(vault, post)
        facts = _facts(source, stop, replace(known), lambda fresh: _tell(vault, post, fresh))
        if facts is None:
            return 0
        vault.load_index()
        noted = last_base(post.state)
        for one in bases(Catalogue(vault, post.database).look())[-1:]:
            if noted is None or one.mark.ready > noted.ready:  # taken from elsewhere, or our folder was lost
                note_base(post.state, one.mark.ready, one.snapshot.at)
        view = View()
        still_ours = stack.enter_context(hold(vault, exclusive=False, now=_now, view_age=view.age))
        keeper = Keeper(
            vault, post.database, facts.system, now=_now, still_ours=still_ours, viewed=view.taken
        )
        keeper.prove_ours()
        archiver = Archiver(
            source,
            facts,
            keeper,
            post.state / SPOOL,
            post.slot,
            every=post.every,
            now=_now,
            boot=boot(),
            known=known,
            tell=lambda fresh: _tell(vault, post, fresh),
        )
        stack.callback(archiver.close)
        say(
            f"archivage de « {post.database} » ({post.server.host}:{post.server.port}) dans {vault.store.where}"
        )
        troubled, gaps = "", len(archiver.freshness.gaps)
        while not stop.asked:
            rest = archiver.step()
            fresh = archiver.freshness
            if fresh.troubled != troubled:
                say(fresh.troubled or "de nouveau en ordre")
            troubled = fresh.troubled
            for _at, why in fresh.gaps[gaps:]:
                say(f"TROU dans les journaux : {why} ; prenez une nouvelle base (releve database base)")
            gaps = len(fresh.gaps)
            stop.wait(rest)
        archiver.finish()
    return 0


def read_archive(state: Path) -> Mapping[str, object]:
    """What the archiver of a state folder said last. Raises `Unreachable`."""
    try:
        found: Mapping[str, object] = json.loads((state / STATE).read_text(encoding="utf-8"))
        _require_shape(found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreachable(
            "archive-state",
            f"rien n'est dit dans {state} : {reason(error) if isinstance(error, OSError) else f'{STATE} est abîmé'}",
            hint="le dossier d'état est celui que « database archive » a reçu par --state ; au travail, elle le récrit",
        ) from error
    return found


def _require_shape(said: Mapping[str, Any]) -> None:
    """Raises ValueError, TypeError, KeyError or AttributeError where it is not what `_tell` writes."""
    datetime.fromisoformat(str(said["written_at"])).astimezone()
    for name in ("safe_until", "quiet_at"):
        if said.get(name):
            datetime.fromisoformat(str(said[name])).astimezone()
    int(str(said["spool_bytes"]))
    for gap in said.get("gaps") or ():
        datetime.fromisoformat(gap["at"]), gap["why"]
    said["database"], said["server"], said["lsn"]


@dataclass(frozen=True, slots=True)
class BaseNote:
    """A base. `ready`: any later time can be gone to from it, by the server's clock. `taken`: when it began, by ours."""

    ready: datetime
    taken: datetime


def note_base(state: Path, ready: datetime, taken: datetime) -> None:
    """Remember a base, unless a newer one is known. Raises OSError, `Unreachable`."""
    known = last_base(state)
    if known is None or (ready, taken) > (known.ready, known.taken):
        said = {"ready_at": ready.isoformat(), "taken_at": taken.isoformat()}
        put(state / BASE, json.dumps(said).encode())


def last_base(state: Path) -> BaseNote | None:
    """The newest base that this folder knows of; None: it knows of none. Raises `Unreachable`."""
    hint = "supprimez-le : l'archivage le refait en repartant"
    ready, taken = (_instant_in(state / BASE, name, hint) for name in ("ready_at", "taken_at"))
    return BaseNote(ready, taken) if ready is not None and taken is not None else None


def _instant_in(path: Path, name: str, hint: str) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(path.read_bytes())[name])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreachable("archive-state", f"{path} ne se lit pas : {error}", hint=hint) from error


def note_trial(state: Path, at: datetime, facts: Mapping[str, object]) -> None:
    """Remember that the database was brought back and opened then, and how far it went. Raises OSError."""
    put(state / TRIAL, json.dumps({"verified_at": at.isoformat(), **facts}, ensure_ascii=False).encode())


def last_trial(state: Path) -> datetime | None:
    """When the database was last brought back and opened; None: never, that this folder knows. Raises `Unreachable`."""
    return _instant_in(state / TRIAL, "verified_at", "supprimez-le : le prochain essai le refait")


def open_gaps(state: Path) -> Sequence[Mapping[str, str]]:
    """The holes that no base taken since heals, as `archive.json` has them (`at`, `why`). Raises `Unreachable`.

    Both by this machine's clock: that of the server may be ahead, and a standby's stands still while nobody writes.
    """
    base, told = last_base(state), read_archive(state).get("gaps")
    return [
        {"at": str(one["at"]), "why": str(one["why"])}
        for one in (told if isinstance(told, list) else [])
        if base is None or datetime.fromisoformat(str(one["at"])) > base.taken
    ]


def _known(vault: Repository, post: DatabasePost) -> Freshness:
    """What is known before anything is asked: what was safe in this vault stays so, and a hole stays one."""
    fresh = Freshness(gaps=read_gaps(post.state))
    try:
        said = read_archive(post.state)
        if (said["vault"], said["database"]) != (vault.id, post.database) or not said["safe_until"]:
            return fresh
        return replace(
            fresh,
            safe_until=datetime.fromisoformat(str(said["safe_until"])),
            lsn=lsn(str(said["lsn"])),
            timeline=int(str(said["timeline"])),
            snapshot=str(said["snapshot"]),
        )
    except (
        Unreachable,
        KeyError,
        ValueError,
    ):  # nobody was here before, or what is left of it cannot be read
        return fresh


def _facts(source: Source, stop: Stop, fresh: Freshness, tell: Callable[[Freshness], None]) -> Facts | None:
    """Who the server is, once it answers; None when we are told to stop before that. `fresh`: what is known meanwhile."""
    while not stop.asked:
        try:
            return source.facts()
        except Unreachable as error:
            if not fresh.troubled:
                say(f"{error.sentence} ; on attend")
            fresh.troubled, fresh.troubled_since = _said(error), fresh.troubled_since or _now()
            tell(fresh)
            stop.wait(_RETRY)
        except Refused as error:  # waiting would not help; the status says it to whoever did not start us
            tell(replace(fresh, troubled=_said(error), troubled_since=_now()))
            raise
    return None


def _said(error: ReleveError) -> str:
    return f"{error.sentence} [{error.code}]"


def _now() -> datetime:
    return datetime.now(UTC)


def _tell(vault: Repository, post: DatabasePost, fresh: Freshness) -> None:
    path = post.state / STATE
    whole = {
        "database": post.database,
        "vault": vault.id,
        "server": f"{post.server.host}:{post.server.port}",
        "slot": post.slot,
        "pid": os.getpid(),
        "written_at": _now().isoformat(),
        "safe_until": fresh.safe_until.isoformat() if fresh.safe_until else None,
        "quiet_at": fresh.quiet.isoformat() if fresh.quiet else None,
        "lsn": say_lsn(fresh.lsn) if fresh.lsn else None,
        "timeline": fresh.timeline or None,
        "snapshot": fresh.snapshot,
        "taken": fresh.taken,
        "stored_bytes": fresh.stored,
        "spool_bytes": fresh.spool,
        "gaps": [{"at": at.isoformat(), "why": why} for at, why in fresh.gaps],
        "slot_without_limit": fresh.unlimited,
        "troubled": fresh.troubled,
        "troubled_since": fresh.troubled_since.isoformat() if fresh.troubled_since else None,
    }
    draft = path.with_suffix(".new")
    try:
        draft.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
        draft.replace(path)
    except OSError as error:  # the archiving goes on; its state is then old, and is shown as such
        say(f"l'état {path} ne peut pas être écrit : {reason(error)}")
