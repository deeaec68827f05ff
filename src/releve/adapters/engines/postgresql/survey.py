"""What a lost side committed and the kept side never received: found, listed, exported, kept.

The lost side is started alone, closed (its gate is on disk), on a private socket; the WAL since the
fork says which transactions it committed, and each table is asked for the rows that these left.
When a part cannot be read, the answer says so: it is never "nothing" for want of looking.

In the folder: `transactions.json` (every committed transaction: instant, tables, counts),
`rows/*.csv` (row versions, with the transaction that wrote each), `wal/` (the raw WAL), and last
`survey.json`, whose presence means that the rest is whole: a survey begun again returns it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from releve.adapters.engines.postgresql import commands, gate, parse, standby, timelines
from releve.adapters.engines.postgresql.commands import beside, in_data
from releve.adapters.engines.postgresql.disk import Disk
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import Divergence
from releve.domain.units import say_count

# About 200 bytes of text a record, held in memory: beyond, the survey says that it is not whole.
MOST_RECORDS = 1_000_000
LONGEST = 1800.0
START_PATIENCE = 300.0
# Written by ANALYZE and by autovacuum on their own account: nobody's work is in them.
_MAINTENANCE = ("pg_statistic", "pg_statistic_ext_data")
_NOT_PEOPLES = ("pg_catalog", "information_schema", "pg_toast", "releve")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the lost side, as its catalog names it; a TOAST table stands for its owner."""

    database: str
    schema: str
    name: str
    persistence: str

    @property
    def maintenance(self) -> bool:
        return self.schema == "releve" or (self.schema == "pg_catalog" and self.name in _MAINTENANCE)

    @property
    def peoples(self) -> bool:
        return self.schema not in _NOT_PEOPLES and self.persistence == "p"


@dataclass(slots=True)
class _Found:
    """What a survey has found so far."""

    transactions: list[parse.Transaction] = field(default_factory=list)
    tables: dict[parse.Relation, _Table] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    whole: bool = True

    def missed(self, note: str) -> None:
        self.whole = False
        self.notes.append(note)


def survey(pair: Pair, lost_side: str, kept_side: str, folder: str) -> Divergence:
    """Look at `lost_side` (stopped, or closed) and export what only it has. Safe to repeat."""
    disk = pair.disk(lost_side)
    before = disk.text(posixpath.join(folder, "survey.json"))
    if before:
        return _again(before)
    if not disk.has_data() or disk.exists(beside(disk.end, ".rewinding")):
        return Divergence(
            pair.data_set.id,
            lost_side,
            0,
            (),
            folder,
            whole=False,
            note=f"le disque du site « {lost_side} » n'a plus sa base : rien n'a pu être regardé, "
            "ce qui ne se trouvait que là est inconnu",
        )
    if gate.reading(pair, lost_side) is False:
        raise Refused(
            "survey-open",
            f"le serveur du site « {lost_side} » accepte encore des écritures ; il n'est pas touché",
            hint="isolez-le d'abord : c'est l'étape « fence » de l'exécution",
        )
    gate.halt(pair, lost_side)
    disk.place_gate()
    found = _Found()
    control = disk.control()
    pieces = _pieces(pair, disk, control, kept_side, found) if control is not None else []
    if control is None:
        found.missed("le fichier de contrôle de la base est illisible")
    if pieces and control is not None:
        for piece in pieces:
            _read_wal(disk, control, piece, found)
        _make_folder(disk, folder)
        _copy_wal(disk, control, pieces, folder, found)
        if found.transactions:
            _export(disk, folder, found)
        _write_list(disk, folder, found)
    return _conclude(pair, disk, lost_side, folder, found, keep=bool(pieces))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of WAL that only the lost side has."""

    timeline: int
    start: int
    stop: int | None


def _pieces(pair: Pair, disk: Disk, control: parse.Control, kept_side: str, found: _Found) -> list[_Piece]:
    """The WAL since the fork; nothing when the lost side wrote nothing of its own."""
    line, kept = disk.history(control), standby.history(pair, kept_side)
    end = disk.wal_end(control, line, timeout=LONGEST)
    try:
        parted = timelines.fork(line, kept)
    except ValueError:
        found.missed("les deux bases n'ont aucune histoire commune : l'origine des lignes est inconnue")
        return []
    if parted is None:
        sql = "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"
        parted = timelines.Fork(kept.timeline, int(pair.ask(kept_side, sql)[0][0]))
    if line.timeline == parted.timeline and end is not None and end < parted.position:
        return []
    after = [(tli, left) for tli, left in line.ancestors if left > parted.position]
    pieces, start = [], parted.position
    for timeline, left in after:
        pieces.append(_Piece(timeline, start, left))
        start = left
    return [*pieces, _Piece(line.timeline, start, None)]


def _read_wal(disk: Disk, control: parse.Control, piece: _Piece, found: _Found) -> None:
    stop = piece.stop or disk.wal_stop(control, piece.timeline, piece.start)
    argv = commands.pg_waldump(disk.end, piece.timeline, piece.start, limit=MOST_RECORDS, stop=stop)
    done = disk.run(argv, timeout=LONGEST)
    lines = done.stdout.decode(errors="replace").splitlines()
    found.transactions += parse.transactions(lines)
    if len(lines) >= MOST_RECORDS:
        found.missed(f"plus de {MOST_RECORDS} écritures depuis la séparation : la suite est dans wal/")
    said = done.stderr.decode(errors="replace").strip()
    if done.code != 0 and parse.wal_end(said) is None:
        found.missed(f"le journal de la base n'a pas été lu jusqu'au bout ({said[-200:]})")


def _make_folder(disk: Disk, folder: str) -> None:
    """A folder that the server's account may write to, below one that may not be its own."""
    owner = disk.end.os_user
    for path in (folder, posixpath.join(folder, "rows"), posixpath.join(folder, "wal")):
        made = disk.host.run(["install", "-d", "-m", "700", "-o", owner, "--", path])
        if made.code != 0:
            disk.must(["mkdir", "-p", "-m", "700", "--", path])


def _copy_wal(disk: Disk, control: parse.Control, pieces: list[_Piece], folder: str, found: _Found) -> None:
    lines = {piece.timeline for piece in pieces}
    first = pieces[0].start
    for segment in disk.wal_files(control):
        if segment.timeline in lines and segment.start + control.segment_bytes > first:
            source = in_data(disk.end, "pg_wal", segment.name)
            copied = disk.run(["cp", "-p", "--", source, posixpath.join(folder, "wal")], timeout=LONGEST)
            if copied.code != 0:
                found.missed(f"le segment {segment.name} n'a pas été copié")


def _export(disk: Disk, folder: str, found: _Found) -> None:
    try:
        with _isolated(disk) as socket_dir:
            for oid, database in _query(disk, socket_dir, "postgres", commands.DATABASES):
                _read_catalog(disk, socket_dir, int(oid), database, found)
            _export_rows(disk, socket_dir, folder, found)
    except Unreachable as error:
        said = error.context.get("sortie", "")
        found.missed(f"la base n'a pas pu être lue, seul le journal l'a été ({error.sentence} {said})")


@contextmanager
def _isolated(disk: Disk) -> Iterator[str]:
    """The lost side, running alone and closed; the folder of its socket. Always stopped again."""
    # /tmp, for the 107 bytes of a socket path; mktemp gives it to the server's account alone
    socket_dir = disk.must(["mktemp", "-d", "/tmp/releve-XXXXXXXX"]).stdout.decode().strip()  # noqa: S108
    try:
        hba = posixpath.join(socket_dir, "hba.conf")
        disk.write(hba, b"local all all trust\n")
        settings = commands.isolated_settings(socket_dir, hba)
        log = posixpath.join(socket_dir, "log")
        argv = commands.start_isolated(disk.end, settings, disk.config_file(), log, START_PATIENCE)
        started = disk.run(argv, timeout=START_PATIENCE + 10)
        if started.code != 0:
            said = disk.text(log)[-400:]
            raise Unreachable("survey-start", "la base perdue ne démarre pas seule", context={"sortie": said})
        yield socket_dir
    finally:
        if disk.postmaster() is parse.Life.LIVES:
            disk.must(commands.stop_postmaster(disk.end, "fast", 120), timeout=130)
        disk.must(["rm", "-rf", "--", socket_dir])


def _query(disk: Disk, socket_dir: str, database: str, sql: str) -> list[list[str]]:
    argv = commands.psql_isolated(disk.end, socket_dir, database)
    done = disk.run(argv, stdin=sql.encode(), timeout=LONGEST)
    if done.code != 0:
        said = done.stderr.decode(errors="replace").strip()[-400:]
        raise Unreachable("survey-query", "une question à la base perdue a échoué", context={"sortie": said})
    text = done.stdout.decode(errors="replace").rstrip("\n" + commands.RECORD)
    return [record.split(commands.FIELD) for record in text.split(commands.RECORD)] if text else []


def _read_catalog(disk: Disk, socket_dir: str, oid: int, database: str, found: _Found) -> None:
    for record in _query(disk, socket_dir, database, commands.TABLES):
        filenode, schema, name, persistence, kind, owner_schema, owner = record
        if kind == "t" and owner:
            schema, name = owner_schema, owner
        table = _Table(database, schema, name, persistence)
        found.tables[parse.Relation(oid, int(filenode))] = table
        found.tables.setdefault(parse.Relation(0, int(filenode)), table)


def _export_rows(disk: Disk, socket_dir: str, folder: str, found: _Found) -> None:
    xids: dict[_Table, set[int]] = {}
    for done in found.transactions:
        for relation, _, _ in done.writes:
            table = found.tables.get(relation)
            if table is not None and table.peoples:
                xids.setdefault(table, set()).update(done.xids)
    for number, table in enumerate(sorted(xids, key=lambda t: (t.database, t.schema, t.name)), 1):
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in table.name)
        path = posixpath.join(folder, "rows", f"{number:03}-{plain[:80]}.csv")
        sql = commands.copy_rows(table.schema, table.name, sorted(xids[table]), path)
        name = _say(disk, table)
        try:
            answer = _query(disk, socket_dir, table.database, sql)
        except Unreachable as error:
            found.missed(f"la table {name} n'a pas été exportée ({error.context.get('sortie', '')})")
            continue
        found.rows[name] = int(answer[0][0].removeprefix("COPY "))


def _say(disk: Disk, table: _Table) -> str:
    name = f"{table.schema}.{table.name}"
    return name if table.database == disk.end.database else f"{table.database}.{name}"


def _counts(found: _Found, done: parse.Transaction) -> bool:
    """Whether somebody's work is in this transaction, as far as can be told."""
    tables = [found.tables.get(relation) for relation, _, _ in done.writes]
    return any(table is None or not table.maintenance for table in tables)


def _write_list(disk: Disk, folder: str, found: _Found) -> None:
    listed = [
        {
            "xids": list(done.xids),
            "at": done.at.isoformat() if done.at else None,
            "counts": _counts(found, done),
            "writes": [
                {
                    "table": _say(disk, found.tables[relation])
                    if relation in found.tables
                    else f"?{relation.database}/{relation.filenode}",
                    "kind": kind,
                    "count": count,
                }
                for relation, kind, count in done.writes
            ],
        }
        for done in found.transactions
    ]
    text = json.dumps(listed, ensure_ascii=False, indent=1)
    disk.write(posixpath.join(folder, "transactions.json"), text.encode())


def _conclude(
    pair: Pair, disk: Disk, lost_side: str, folder: str, found: _Found, *, keep: bool
) -> Divergence:
    theirs = [done for done in found.transactions if _counts(found, done)]
    writes = [write for done in theirs for write in done.writes]
    if found.tables and any(relation not in found.tables for relation, _, _ in writes):
        found.missed("des tables ont été supprimées ou réécrites depuis : leurs lignes ne sont que dans wal/")
    peoples = [(found.tables.get(relation), kind, count) for relation, kind, count in writes]
    deleted = sum(count for table, kind, count in peoples if kind == "delete" and table and table.peoples)
    if deleted:
        found.notes.append(
            f"{say_count(deleted, 'ligne y a été supprimée', 'lignes y ont été supprimées')} (transactions.json)"
        )
    divergence = Divergence(
        pair.data_set.id,
        lost_side,
        len(theirs),
        tuple(sorted((name, count) for name, count in found.rows.items() if count)),
        folder,
        found.whole,
        " ; ".join(found.notes),
    )
    if keep and found.whole:  # one that is not whole is worth another try
        disk.write(posixpath.join(folder, "survey.json"), json.dumps(asdict(divergence)).encode())
    return divergence


def _again(text: str) -> Divergence:
    values = json.loads(text)
    rows = tuple((str(name), int(count)) for name, count in values.pop("rows"))
    return Divergence(**values, rows=rows)
