"""What lies in and beside a server's data folder, through its host."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from releve.adapters.engines.postgresql import commands, parse, timelines
from releve.domain.errors import Unreachable
from releve.domain.plan import ServerEnd
from releve.domain.ports import Completed, Host

GATE = "standby.signal"
# What the programs say of a thing that is not there (they are run with LC_ALL=C). Anything else they
# may say (no right, a stale mount, a bad disk) is not "absent": a server may well be running there.
_ABSENT = (b"No such file or directory", b"No such process")


@dataclass(frozen=True, slots=True)
class Disk:
    """The data folder of one end. Every call raises `Unreachable` when its host does not answer."""

    host: Host
    end: ServerEnd

    def run(
        self, argv: Sequence[str], *, timeout: float = 30.0, stdin: bytes = b"", passfile: str = ""
    ) -> Completed:
        """Run a program as the owner of the data folder. `passfile`: libpq password file, if any."""
        env = dict(commands.PLAIN)
        if passfile:
            env["PGPASSFILE"] = passfile
        return self.host.run(argv, user=self.end.os_user, timeout=timeout, stdin=stdin, env=env)

    def must(self, argv: Sequence[str], *, timeout: float = 30.0) -> Completed:
        """Run it; anything but 0 raises `Unreachable` with what the program said."""
        done = self.run(argv, timeout=timeout)
        if done.code != 0:
            raise Unreachable(
                "pg-program-failed",
                f"« {posixpath.basename(argv[0])} » a échoué sur la machine « {self.host.id} »",
                hint="le compte du serveur doit pouvoir écrire dans son dossier de données et à côté",
                context={"sortie": done.stderr.decode(errors="replace").strip()[-500:]},
            )
        return done

    def has_data(self) -> bool:
        """Whether a database cluster lies there. Raises `Unreachable` when that cannot be told."""
        return self.exists(commands.in_data(self.end, "PG_VERSION"))

    def exists(self, path: str) -> bool:
        """Whether something lies at `path`. Raises `Unreachable` when that cannot be told."""
        return self._look(["stat", "-L", "--", path], path) is not None

    def names(self, folder: str) -> list[str]:
        """What lies in a folder; nothing when there is no such folder. Raises `Unreachable` as above."""
        return (self._look(["ls", "-1A", "--", folder], folder) or "").splitlines()

    def text(self, path: str) -> str:
        """A text file of the server's owner; empty when there is none. Raises `Unreachable` as above."""
        return self._look(["cat", "--", path], path) or ""

    def _look(self, argv: Sequence[str], path: str) -> str | None:
        """What the program says of `path`; None when nothing lies there."""
        done = self.run(argv)
        if done.code == 0:
            return done.stdout.decode(errors="replace")
        if any(word in done.stderr for word in _ABSENT):
            return None
        raise Unreachable(
            "path-unseen",
            f"« {path} » ne peut pas être lu sur la machine « {self.host.id} » : on ne sait pas ce qui s'y trouve",
            hint=f"le compte « {self.end.os_user} » doit pouvoir le lire ; regardez le disque et les droits",
            context={"sortie": done.stderr.decode(errors="replace").strip()[-300:]},
        )

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole and durably, owned by the server's account, for its eyes only."""
        self.host.write(path, data, user=self.end.os_user, mode=0o600)

    def place_gate(self) -> None:
        """From now on, whoever starts this server gets a reader. Durable when this returns.

        PostgreSQL reads the file only as it starts: a running source is not disturbed.
        """
        self.write(commands.in_data(self.end, GATE), b"")

    def lift_gate(self) -> None:
        """Let the next start open for writing. Not synced: a gate that comes back errs on the safe side."""
        self.must(["rm", "-f", "--", commands.in_data(self.end, GATE)])

    def control(self) -> parse.Control | None:
        """What the control file says; None when there is nothing to read."""
        done = self.run(commands.pg_controldata(self.end))
        return parse.control(done.stdout.decode(errors="replace")) if done.code == 0 else None

    def wal_files(self, control: parse.Control) -> list[parse.Segment]:
        """The WAL files kept, in order."""
        return parse.segments(self.names(commands.in_data(self.end, "pg_wal")), control.segment_bytes)

    def history(self, control: parse.Control) -> timelines.History:
        """The timeline this stopped server is on, with its ancestors.

        The control file may lag behind by one promotion; the names of the WAL files do not.
        """
        named = [segment.timeline for segment in self.wal_files(control)]
        newest = max([control.timeline, control.min_recovery_timeline, *named])
        text = self.text(commands.in_data(self.end, "pg_wal", f"{newest:08X}.history")) if newest > 1 else ""
        return timelines.history(newest, text)

    def wal_end(
        self, control: parse.Control, line: timelines.History, *, timeout: float = 120.0
    ) -> int | None:
        """Where the WAL of this stopped server ends; None when that cannot be told.

        After a crash the control file names the last checkpoint, and everything acknowledged since
        lies beyond it: a position taken from there would let a loss pass for none.
        """
        if control.clean and line.timeline == control.timeline:
            return control.checkpoint
        start = control.redo if line.timeline == control.timeline else line.began
        stop = self.wal_stop(control, line.timeline, start)
        done = self.run(commands.pg_waldump(self.end, line.timeline, start, stop=stop), timeout=timeout)
        if done.code == 0:  # everything up to the end of the last file is good
            return stop
        return parse.wal_end(done.stderr.decode(errors="replace"))

    def wal_stop(self, control: parse.Control, timeline: int, start: int) -> int:
        """End of the last file that follows `start` without a gap.

        pg_waldump must not be let beyond it: for a file that is not there it tries again for 5 s.
        """
        return parse.unbroken(self.wal_files(control), timeline, start, control.segment_bytes)

    def postmaster(self) -> parse.Life:
        """What became of the process that holds the data folder."""
        pid = parse.postmaster_pid(self.text(self._lock))
        if pid is None:
            return parse.Life.GONE
        life = parse.life(self.text(f"/proc/{pid}/stat"))
        if life is parse.Life.LIVES:
            # The number may be another server's by now: a postmaster stands in its own folder.
            places = self.run(["stat", "-L", "-c", "%d:%i", "--", f"/proc/{pid}/cwd", self.end.data_dir])
            where, _, mine = places.stdout.strip().partition(b"\n")
            if places.code == 0 and where != mine:
                return parse.Life.GONE
        return life

    def forget_zombie(self) -> None:
        """Remove the lock files of a server seen dead, which the next start would take for alive."""
        held = self.text(self._lock)
        socket = parse.socket_lock(held)
        pid = parse.postmaster_pid(held)
        if socket and pid is not None and parse.postmaster_pid(self.text(socket)) == pid:
            self.must(["rm", "-f", "--", socket])
        self.must(["rm", "-f", "--", self._lock])

    @property
    def _lock(self) -> str:
        return commands.in_data(self.end, "postmaster.pid")

    def config_file(self) -> str:
        """The configuration when it is not in the data folder (Debian); empty when it is.

        Raises `Unreachable` when there is none at all: the server could not start either.
        """
        if self.exists(commands.in_data(self.end, "postgresql.conf")):
            return ""
        path = commands.config_file_outside(self.end)
        if path and self.exists(path):
            return path
        raise Unreachable(
            "pg-no-config",
            f"aucun postgresql.conf pour le serveur de « {self.host.id} »",
            hint="il est cherché dans le dossier de données, puis là où Debian le range pour l'unité du plan",
            context={"data_dir": self.end.data_dir},
        )

    def remove_tree(self, path: str) -> None:
        """Remove a folder of ours, beside the data folder; never the data folder itself."""
        if path == self.end.data_dir or not path.startswith(self.end.data_dir.rstrip("/") + "."):
            raise ValueError(f"not ours to remove: {path}")
        self.must(["rm", "-rf", "--", path], timeout=600)
