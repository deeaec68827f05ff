"""Making the other side a standby of the open one: go on, rewind, or clone. Least work first.

Resumable at any instant. What a kill can leave, and what the next call makes of it:
  - a stopped server, with or without its gate            -> looked at afresh
  - `<data>.rewinding`: a rewind began and did not end     -> never started; cloned
  - `<data>.new.*`: a clone that was not swapped in        -> removed, made again
  - no data folder, but `<data>.avant-*`: between two renames -> cloned again
Nothing is thrown away: a data folder that a clone replaces is kept beside it, dated.
"""

from __future__ import annotations

import posixpath
import secrets
import time
from collections.abc import Callable

from releve.adapters.engines.postgresql import commands, gate, prepare, settings, standby, timelines
from releve.adapters.engines.postgresql.commands import beside
from releve.adapters.engines.postgresql.disk import GATE, Disk
from releve.adapters.engines.postgresql.facts import Look
from releve.adapters.engines.postgresql.pair import Pair
from releve.adapters.engines.postgresql.parse import Control
from releve.domain.errors import BadInput, Refused, Unreachable
from releve.domain.protection import ServerFacts, ServerState, SlotState, SyncState

LONGEST_CLONE = 24 * 3600.0  # seconds: at 10 MB/s over a line, a database of 860 GB
LONGEST_REWIND = 4 * 3600.0
ATTACH_PATIENCE = 20.0
SOURCE_PATIENCE = 5.0
_LOCK_HELD = 75

# Files that belong to a machine, not to the data: pg_rewind overwrites them with the source's, and
# a clone brings the source's. They are kept and put back, so that ports and access rules stay.
LOCAL_FILES = (
    "postgresql.conf",
    "postgresql.auto.conf",
    "pg_hba.conf",
    "pg_ident.conf",
    "server.crt",
    "server.key",
    "root.crt",
)

_CLONE_KEEPS = "SELECT spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')"
_ATTACHED = """
SELECT EXISTS (SELECT FROM pg_stat_replication
  WHERE application_name = %(site)s AND state IN ('streaming', 'catchup'))
"""


def rebuild(pair: Pair, look: Look, site: str, source: str) -> str:
    """Make `site` a standby of `source`; "already", "rewind" or "clone".

    "rewind" also names the fast path: a side that was stopped cleanly and has nothing of its own is
    simply started. Raises `Refused` when `site` is open or `source` is not.
    """
    ahead, here = _seen(look, source), look.at(site)
    if ahead.state is not ServerState.OPEN:
        raise Refused(
            "rebuild-no-source",
            f"le serveur du site « {source} » n'est pas ouvert : il n'y a rien à suivre",
            hint="attendez la fin de la bascule, ou regardez « releve status »",
        )
    if here.state is ServerState.OPEN:
        raise Refused(
            "rebuild-open",
            f"le serveur du site « {site} » accepte encore des écritures ; il n'est pas touché",
            hint="isolez-le d'abord : c'est l'étape « fence » de l'exécution",
        )
    slot, _ = standby.slot_state(pair, source)
    if _streams(ahead, here, source) and slot is not SlotState.LOST:
        return "already"
    # Seen stopped, and in order: nothing to halt, and the gap of a return counts. A killed server
    # leaves its lock file behind, which `halt` clears.
    disk = pair.disk(site)
    has_data = disk.has_data()
    if not has_data:
        gate.vacate(pair, site)
    elif here.state is not ServerState.STOPPED or disk.exists(commands.in_data(disk.end, "postmaster.pid")):
        gate.halt(pair, site)
    prepare.write_passfile(pair, site, source)
    control = disk.control() if has_data else None
    half_done = disk.exists(_marker(disk))
    if control is None or half_done or slot is SlotState.LOST or control.system_id != ahead.system_id:
        return _clone(pair, look, site, source)
    standby.ensure_slot(pair, source)
    if _may_go_on(pair, disk, control, source, ahead) and _follow(pair, look, site, source):
        return "rewind"
    gate.halt(pair, site)
    if _rewind(pair, site, source) and _follow(pair, look, site, source):
        return "rewind"
    gate.halt(pair, site)
    return _clone(pair, look, site, source)


def _seen(look: Look, source: str) -> ServerFacts:
    """A look at the source. One that goes unanswered is repeated: a return must not stop half-way on it."""
    limit = time.monotonic() + SOURCE_PATIENCE
    while (ahead := look.at(source)).state is ServerState.UNKNOWN and time.monotonic() < limit:
        time.sleep(gate.POLL)
    if ahead.state is ServerState.UNKNOWN:
        raise Unreachable(
            "rebuild-source-silent",
            f"le serveur du site « {source} », qu'il faut suivre, ne répond pas",
            hint="vérifiez sa machine et le réseau, puis relancez",
            retryable=True,
        )
    return ahead


def _streams(ahead: ServerFacts, here: ServerFacts, source: str) -> bool:
    return (
        here.state is ServerState.CLOSED
        and here.following == source
        and here.timeline == ahead.timeline
        and here.system_id == ahead.system_id
        and ahead.standby.sync is not SyncState.ABSENT
    )


def _may_go_on(pair: Pair, disk: Disk, control: Control, source: str, ahead: ServerFacts) -> bool:
    """Whether everything on this disk is also part of the source's history."""
    line = disk.history(control)
    end = disk.wal_end(control, line)
    if end is None:
        return False
    # The shutdown record of a clean stop begins at `end`: the source must have gone beyond it.
    beyond = end + 1 if control.clean else end
    return timelines.follows(line, beyond, standby.history(pair, source), ahead.position)


def _follow(pair: Pair, look: Look, site: str, source: str) -> bool:
    """Start it as a standby and see it stream the source's own timeline."""
    disk = pair.disk(site)
    _write_settings(pair, disk, disk.end.data_dir, site, source)
    disk.place_gate()
    gate.start(pair, site, want_reader=True)
    if not gate.until(_attached(pair, look, site, source), ATTACH_PATIENCE, poll=0.02):
        return False
    # a slot of the time when this side was the source would keep WAL for nobody
    standby.drop_slot(pair, site, settings.slot_name(source))
    return True


def _attached(pair: Pair, look: Look, site: str, source: str) -> Callable[[], bool]:
    def seen() -> bool:
        if not pair.ask(source, _ATTACHED, {"site": site})[0][0]:
            return False
        here = look.at(site)
        return here.following == source and here.timeline == standby.history(pair, source).timeline

    return seen


def _write_settings(pair: Pair, disk: Disk, folder: str, site: str, source: str) -> None:
    path = posixpath.join(folder, "postgresql.auto.conf")
    values = pair.follow_settings(site, source)
    for name in settings.NOT_LOWER_THAN_SOURCE:
        values[name] = standby.current(pair, source, name)
    disk.write(path, settings.auto_conf(disk.text(path), values).encode())


def _marker(disk: Disk) -> str:
    return beside(disk.end, ".rewinding")


def _kept(disk: Disk) -> str:
    return beside(disk.end, ".local")


def _rewind(pair: Pair, site: str, source: str) -> bool:
    """Take `site` back to the fork; False when only a clone can help.

    The source makes a checkpoint first, so that its control file names its timeline. The return
    code alone is not believed: "no rewind required" also returns 0, and we only come here when the
    two have parted. What is believed is the control file afterwards.
    """
    disk = pair.disk(site)
    pair.links.slow(source, "CHECKPOINT", timeout=gate.LONGEST_CHECKPOINT)
    _keep_local_files(disk)
    disk.lift_gate()  # pg_rewind's own crash recovery refuses to run with it
    disk.write(_marker(disk), b"")
    prepare.write_passfile(pair, site, source, admin=True)
    try:
        upstream = settings.conninfo(pair.upstream(site, source, admin=True))
        argv = commands.pg_rewind(disk.end, upstream, beside(disk.end, ".lock"), disk.config_file())
        done = disk.run(argv, timeout=LONGEST_REWIND, passfile=pair.passfile(site))
    finally:
        prepare.write_passfile(pair, site, source)
    if done.code == _LOCK_HELD:
        raise Unreachable(
            "rewind-still-runs",
            f"un pg_rewind commencé plus tôt tourne encore sur le site « {site} »",
            hint="attendez qu'il finisse, puis relancez",
            retryable=True,
        )
    after = disk.control()
    timeline = standby.history(pair, source).timeline
    nothing = b"no rewind required" in done.stdout + done.stderr
    if done.code != 0 or nothing or after is None or after.timeline != timeline:
        return False  # the marker stays: this folder is never started again
    _put_back(disk, disk.end.data_dir)
    disk.must(["rm", "-f", "--", _marker(disk)])
    return True


def _keep_local_files(disk: Disk) -> None:
    folder = _kept(disk)
    disk.must(["mkdir", "-p", "-m", "700", "--", folder])
    _copy_local_files(disk, disk.end.data_dir, folder)


def _put_back(disk: Disk, folder: str) -> None:
    _copy_local_files(disk, _kept(disk), folder)


def _copy_local_files(disk: Disk, source: str, target: str) -> None:
    there = disk.names(source)
    files = [posixpath.join(source, name) for name in LOCAL_FILES if name in there]
    if files:
        disk.must(["cp", "-p", "-t", target, "--", *files])


def _clone(pair: Pair, look: Look, site: str, source: str) -> str:
    spaces = [str(name) for (name,) in pair.ask(source, _CLONE_KEEPS)]
    if spaces:
        raise Refused(
            "clone-tablespaces",
            f"la base du site « {source} » a des espaces de tables à part : {', '.join(spaces)}",
            hint="clonez-la à la main (pg_basebackup --tablespace-mapping), puis relancez",
        )
    _slot_from_here(pair, source)
    disk = pair.disk(site)
    if disk.has_data() and not disk.exists(_marker(disk)):
        _keep_local_files(disk)
    _sweep(disk)
    folder = _copy(pair, disk, site, source)
    brought_own = not disk.exists(posixpath.join(_kept(disk), "postgresql.conf"))
    _put_back(disk, folder)
    _write_settings(pair, disk, folder, site, source)
    if brought_own and disk.exists(posixpath.join(folder, "postgresql.conf")):
        _own_place(disk, folder)
    disk.write(posixpath.join(folder, GATE), b"")
    _swap(pair, disk, folder)
    if not _follow(pair, look, site, source):
        if standby.slot_state(pair, source)[0] is SlotState.LOST:
            raise Unreachable(
                "clone-outrun",
                f"pendant le clone, le site « {source} » a écrit plus qu'il ne garde pour son relais",
                hint="augmentez « slot_limit » dans le plan, ou clonez à une heure calme, puis relancez",
                retryable=True,
            )
        raise Unreachable(
            "clone-not-following",
            f"le clone du site « {site} » a démarré mais ne suit pas le site « {source} »",
            hint="lisez le journal du serveur cloné",
            retryable=True,
        )
    return "clone"


def _slot_from_here(pair: Pair, source: str) -> None:
    """A slot that keeps WAL from now on: a clone needs nothing older, and the limit counts from there.

    A slot begins at the last checkpoint, so there is one just before. One that is still read by a
    clone whose starter was killed is waited for: the source drops it within its time limit.
    """
    name = settings.slot_name(pair.other(source))
    free = gate.until(lambda: not standby.slot_state(pair, source)[1], 3 * settings.SENDER_TIMEOUT_SECONDS)
    if not free:
        raise Unreachable(
            "slot-busy",
            f"le slot « {name} » du site « {source} » est lu par quelqu'un d'autre",
            hint="un clone commencé plus tôt tourne encore : attendez qu'il finisse, puis relancez",
            retryable=True,
        )
    pair.links.slow(source, "CHECKPOINT", timeout=gate.LONGEST_CHECKPOINT)
    standby.drop_slot(pair, source, name)
    standby.ensure_slot(pair, source)


def _sweep(disk: Disk) -> None:
    """Remove clones that were never swapped in. Each has a name of its own: a pg_basebackup whose
    starter was killed may still be writing, and must not write into the new one.
    """  # noqa: D205
    parent, base = posixpath.split(disk.end.data_dir.rstrip("/"))
    for name in disk.names(parent):
        if name.startswith(f"{base}.new."):
            disk.remove_tree(posixpath.join(parent, name))


def _copy(pair: Pair, disk: Disk, site: str, source: str) -> str:
    folder = beside(disk.end, f".new.{secrets.token_hex(4)}")
    # Not under the standby's name: a clone's WAL receiver would pass for the standby, the guard would
    # make commits wait for it, and production would hang for as long as the clone takes (seen).
    upstream = settings.conninfo({**pair.upstream(site, source), "application_name": f"{site}-clone"})
    argv = commands.pg_basebackup(disk.end, folder, upstream, settings.slot_name(site))
    done = disk.run(argv, timeout=LONGEST_CLONE, passfile=pair.passfile(site))
    if done.code == 0:
        return folder
    said = done.stderr.decode(errors="replace")
    disk.remove_tree(folder)
    if "pg_hba.conf" in said or "authentication failed" in said:
        raise prepare.refused_entry(pair, source, said)
    raise Unreachable(
        "clone-failed",
        f"le clone du site « {source} » vers le site « {site} » n'a pas abouti",
        hint="vérifiez le lien et la place libre, puis relancez",
        context={"pg_basebackup": said.strip()[-500:]},
        retryable=True,
    )


def _own_place(disk: Disk, folder: str) -> None:
    """A clone on a machine that had none brought its source's configuration: give it its own port."""
    path = posixpath.join(folder, "postgresql.auto.conf")
    values = {"port": str(disk.end.port)}
    if disk.end.socket_dir:
        values["unix_socket_directories"] = disk.end.socket_dir
    disk.write(path, settings.auto_conf(disk.text(path), values).encode())


def _swap(pair: Pair, disk: Disk, folder: str) -> None:
    """Put the clone in its place; what was there is kept beside it, dated."""
    data = disk.end.data_dir.rstrip("/")
    if disk.exists(data):
        if not disk.names(data):
            disk.must(["rmdir", "--", data])
        else:
            aside = f"{data}.avant-{pair.now():%Y%m%dT%H%M%S}Z"
            disk.must(["mv", "-T", "-n", "--", data, aside])
    if disk.exists(data):
        raise BadInput(
            "clone-in-the-way",
            f"le dossier de données de « {disk.host.id} » ne peut pas être mis de côté",
            hint="ce n'est peut-être pas un simple dossier (point de montage) : donnez-en un dans le plan",
            context={"data_dir": data},
        )
    disk.must(["mv", "-T", "--", folder, data])
    disk.must(["sync", "--", posixpath.dirname(data)])
    disk.must(["rm", "-f", "--", _marker(disk)])
