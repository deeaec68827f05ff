"""A data set in memory, lawful in unit tests because it passes the engine's contract suite.

    engine = FakeEngine()                     # sites "principal" and "secours"; the first one open
    engine.protect()                          # prepare, rebuild, arm
    engine.write("principal", "a")            # acknowledged, or raises Unreachable
    engine.cut(); engine.kill("principal"); engine.vanish("principal"); engine.destroy("principal")
    engine.effects["promote:secours"]         # how many times the effect really happened

A log is a list of (writer's timeline, value); a position is its length.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import (
    Divergence,
    ServerFacts,
    ServerState,
    SlotState,
    StandbyFacts,
    Suspension,
    SyncState,
    Tenure,
)


@dataclass
class FakeServer:
    """One server: what lies on its disk, and whether it runs."""

    state: ServerState = ServerState.STOPPED
    log: list[tuple[int, str]] = field(default_factory=list)
    tenures: list[Tenure] = field(default_factory=list)
    promotion_ms: dict[int, float] = field(default_factory=dict)
    suspensions: list[Suspension] = field(default_factory=list)
    timeline: int = 1
    starts: int = 0
    has_data: bool = False
    reachable: bool = True
    following: str = ""
    armed: bool = False
    slot: SlotState = SlotState.NONE


class FakeEngine:
    """Implements `Engine` in memory. Thread-safe. `promotion_ms`: what a promotion claims to take."""

    def __init__(
        self,
        data_set: str = "dossiers",
        sites: tuple[str, str] = ("principal", "secours"),
        *,
        synchronous: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        promotion_ms: float = 25.0,
    ) -> None:
        self.data_set = data_set
        self.sites = sites
        self.synchronous = synchronous
        self.servers = {site: FakeServer() for site in sites}
        self.effects: Counter[str] = Counter()
        self.acknowledged: list[str] = []
        self.linked = True
        self._now = now
        self._promotion_ms = promotion_ms
        self._lock = threading.RLock()
        first = self.servers[sites[0]]
        first.has_data, first.state, first.starts = True, ServerState.OPEN, 1

    # --- knobs of tests -----------------------------------------------------------------------

    def protect(self) -> None:
        """From a lone server to a protected one."""
        first, second = self.sites
        self.prepare(first)
        self.rebuild(second, first)
        self.arm(first)

    def write(self, site: str, value: str) -> None:
        """Write and be acknowledged; raises `Unreachable` when nobody acknowledges.

        A write that waits for an absent standby stands in the log all the same, as it does in
        PostgreSQL: blocked hides, it does not prevent.
        """
        with self._lock:
            self.write_unheard(site, value)
            if self.servers[site].armed and not self._streams(site):
                raise Unreachable("blocked", "l'écriture attend son relais")
            self.acknowledged.append(value)

    def write_unheard(self, site: str, value: str) -> None:
        """Write without waiting for the standby (`synchronous_commit = local`)."""
        with self._lock:
            server = self._reached(site)
            if server.state is not ServerState.OPEN:
                raise Unreachable("closed", f"le site {site} n'est pas ouvert")
            server.log.append((server.timeline, value))
            self._replicate(site)

    def values(self, site: str) -> set[str]:
        """What its database holds."""
        with self._lock:
            return {value for _, value in self.servers[site].log}

    def cut(self) -> None:
        """The link between the two servers is cut."""
        self.linked = False

    def join(self) -> None:
        """The link is back; what a follower missed reaches it."""
        with self._lock:
            self.linked = True
            for site in self.sites:
                self._replicate(site)

    def kill(self, site: str) -> None:
        """Its processes are gone; its disk stays."""
        with self._lock:
            server = self.servers[site]
            server.state, server.following = ServerState.STOPPED, ""

    def destroy(self, site: str) -> None:
        """Its processes and its disk are gone."""
        with self._lock:
            reachable = self.servers[site].reachable
            self.servers[site] = FakeServer(reachable=reachable)

    def vanish(self, site: str) -> None:
        """Its machine does not answer us any more (the server itself may well go on)."""
        self.servers[site].reachable = False

    def come_back(self, site: str) -> None:
        """Its machine answers again."""
        self.servers[site].reachable = True

    def start_by_hand(self, site: str) -> None:
        """Somebody starts the server: the gate makes a reader of it."""
        with self._lock:
            server = self.servers[site]
            if server.state is ServerState.STOPPED and server.has_data:
                server.state = ServerState.CLOSED
                server.starts += 1

    def outrun_slot(self, site: str) -> None:
        """More was written than is kept for the other side: its slot is given up."""
        with self._lock:
            self.servers[site].slot = SlotState.LOST
            self.servers[self._other(site)].following = ""

    # --- Savable ------------------------------------------------------------------------------

    def save(self, site: str) -> ServerFacts:
        """A copy of the day: refused on a server that is not reached."""
        with self._lock:
            self._reached(site)
            self.effects[f"save:{site}"] += 1
        return self.facts(site)

    # --- Watched ------------------------------------------------------------------------------

    def facts(self, site: str) -> ServerFacts:
        """As in `Engine`."""
        with self._lock:
            server = self.servers[site]
            if not server.reachable:
                return ServerFacts(site, self._now(), ServerState.UNKNOWN)
            runs = server.state in (ServerState.OPEN, ServerState.CLOSED)
            held = self._held(server)
            position = len(server.log)
            return ServerFacts(
                site=site,
                at=self._now(),
                state=server.state,
                identity=f"{site}:{server.starts}" if runs else "",
                version=160000 if runs else 0,
                timeline=server.timeline,
                position=position,
                size_bytes=8192 * (1 + position),
                system_id="1" if server.has_data else "",
                collation="c:C" if runs else "",
                epoch=held.epoch if held and runs else 0,
                epoch_site=held.site if held and runs else "",
                sync_armed=server.armed and server.state is ServerState.OPEN,
                suspended_since=self._suspended(server) if runs else None,
                standby=self._standby(site) if server.state is ServerState.OPEN else StandbyFacts(),
                following=server.following if server.state is ServerState.CLOSED and self.linked else "",
                written_bytes=position,
            )

    def relax(self, site: str, suspension: Suspension) -> None:
        """As in `Engine`."""
        with self._lock:
            server = self._open(site)
            if all(known.started_at != suspension.started_at for known in server.suspensions):
                server.suspensions.append(suspension)
            if server.armed:
                server.armed = False
                self.effects[f"relax:{site}"] += 1

    def restore(self, site: str, at: datetime) -> None:
        """As in `Engine`."""
        with self._lock:
            self._demand(site)
            self._resume(site, at)

    def open(self, site: str, epoch: int) -> str:
        """As in `Engine`."""
        with self._lock:
            server = self._reached(site)
            held = self._held(server)
            if held is None or held.epoch != epoch or held.site != site:
                raise Refused("open-not-holder", f"la base du site « {site} » n'est pas à lui")
            if server.state is not ServerState.OPEN:
                server.state, server.following = ServerState.OPEN, ""
                server.starts += 1
                self.effects[f"open:{site}"] += 1
            return f"{site}:{server.starts}"

    def close(self, site: str) -> None:
        """As in `Engine`."""
        with self._lock:
            self._stop(site, "close")

    # --- Switchable ---------------------------------------------------------------------------

    def fence(self, site: str) -> ServerFacts:
        """As in `Engine`. Its manager, like `pg_ctl`, can tell nothing of a folder that is gone."""
        with self._lock:
            if not self._reached(site).has_data:
                raise Unreachable("service-unknown", "impossible de savoir si le serveur tourne")
            self._stop(site, "fence")
            return self.facts(site)

    def promote(self, site: str, tenure: Tenure) -> float:
        """As in `Engine`."""
        with self._lock:
            server = self._reached(site)
            held = self._held(server)
            if held is not None and held.epoch >= tenure.epoch:
                same = (held.epoch, held.site, held.run) == (tenure.epoch, tenure.site, tenure.run)
                if not same or held.site != site or server.state is not ServerState.OPEN:
                    raise Refused("epoch-taken", f"l'époque {held.epoch} est déjà prise")
                return server.promotion_ms.get(tenure.epoch, 0.0)
            if server.state is ServerState.STOPPED:
                raise Unreachable("pg-silent", f"le serveur du site « {site} » ne répond pas")
            if server.state is ServerState.CLOSED:
                server.state, server.following, server.armed = ServerState.OPEN, "", False
                server.timeline += 1
                server.promotion_ms[tenure.epoch] = self._promotion_ms
                self.effects[f"promote:{site}"] += 1
            server.tenures.append(tenure)
            server.slot = SlotState.RESERVED
            return server.promotion_ms.get(tenure.epoch, 0.0)

    def survey(self, lost_side: str, kept_side: str, folder: str) -> Divergence:
        """As in `Engine`; nothing is written to `folder`."""
        with self._lock:
            lost, kept = self._reached(lost_side), self._reached(kept_side)
            if lost.state is ServerState.OPEN:
                raise Refused("survey-open", f"le site « {lost_side} » accepte encore des écritures")
            if not lost.has_data:
                note = f"le disque du site « {lost_side} » n'a plus sa base : inconnu"
                return Divergence(self.data_set, lost_side, 0, (), folder, whole=False, note=note)
            self._stop(lost_side, "survey")
            own = len(lost.log) - self._common(lost, kept)
            rows = (("public.ecrits", own),) if own else ()
            return Divergence(self.data_set, lost_side, own, rows, folder, whole=True)

    def rebuild(self, site: str, source: str) -> str:
        """As in `Engine`."""
        with self._lock:
            server, ahead = self._reached(site), self._reached(source)
            if ahead.state is not ServerState.OPEN:
                raise Refused("rebuild-no-source", f"le site « {source} » n'est pas ouvert")
            if server.state is ServerState.OPEN:
                raise Refused("rebuild-open", f"le site « {site} » accepte encore des écritures")
            if not self.linked:
                raise Unreachable("link", "le lien entre les deux sites est coupé")
            if server.following == source and ahead.slot is not SlotState.LOST:
                return "already"
            how = "clone" if not server.has_data or ahead.slot is SlotState.LOST else "rewind"
            self.effects[f"rebuild:{site}"] += 1
            self.effects[f"{how}:{site}"] += 1
            server.has_data, server.state, server.following = True, ServerState.CLOSED, source
            server.armed, server.slot = False, SlotState.NONE
            server.starts += 1
            ahead.slot = SlotState.RESERVED
            server.log = []
            self._replicate(source)
            return how

    def arm(self, site: str) -> ServerFacts:
        """As in `Engine`."""
        with self._lock:
            if self.synchronous:
                self._demand(site)
            elif not self._streams(site):
                raise Unreachable("standby-behind", "le relais ne suit pas", retryable=True)
            self._resume(site, self._now())
            return self.facts(site)

    def ease_stop(self, site: str) -> None:
        """As in `Engine`: nothing to write here; `Unreachable` when it is not open."""
        with self._lock:
            self._open(site)

    def drained(self, site: str, position: int, timeout: float) -> bool:
        """As in `Engine`; never waits."""
        with self._lock:
            return self._reached(site).has_data and len(self.servers[site].log) >= position

    # --- Protectable --------------------------------------------------------------------------

    def prepare(self, site: str) -> None:
        """As in `Engine`."""
        with self._lock:
            server = self._open(site)
            if not server.tenures:
                server.tenures.append(Tenure(self.data_set, 0, site, at=self._now()))
                self.effects[f"prepare:{site}"] += 1
            if server.slot is SlotState.NONE:
                server.slot = SlotState.RESERVED

    # --- inside -------------------------------------------------------------------------------

    def _other(self, site: str) -> str:
        return self.sites[1] if site == self.sites[0] else self.sites[0]

    def _reached(self, site: str) -> FakeServer:
        server = self.servers[site]
        if not server.reachable:
            raise Unreachable("host-gone", f"la machine du site « {site} » ne répond pas", retryable=True)
        return server

    def _open(self, site: str) -> FakeServer:
        server = self._reached(site)
        if server.state is ServerState.CLOSED:
            raise Refused("not-open", f"le site « {site} » est en lecture seule")
        if server.state is not ServerState.OPEN:
            raise Unreachable("pg-silent", f"le serveur du site « {site} » ne répond pas")
        return server

    def _held(self, server: FakeServer) -> Tenure | None:
        return max(server.tenures, key=lambda tenure: tenure.epoch, default=None)

    def _suspended(self, server: FakeServer) -> datetime | None:
        running = [known.started_at for known in server.suspensions if known.ended_at is None]
        return min(running, default=None)

    def _streams(self, site: str) -> bool:
        follower = self.servers[self._other(site)]
        return self.linked and follower.state is ServerState.CLOSED and follower.following == site

    def _standby(self, site: str) -> StandbyFacts:
        server = self.servers[site]
        if not self._streams(site):
            return StandbyFacts(slot=server.slot)
        sync = SyncState.SYNC if server.armed else SyncState.ASYNC
        return StandbyFacts(sync, 0, 0.0, 0.0, server.slot)

    def _replicate(self, site: str) -> None:
        source, follower = self.servers[site], self.servers[self._other(site)]
        if source.state is ServerState.OPEN and self._streams(site):
            follower.log = list(source.log)
            follower.tenures, follower.timeline = list(source.tenures), source.timeline
            follower.suspensions = list(source.suspensions)
            follower.promotion_ms = dict(source.promotion_ms)

    def _common(self, one: FakeServer, other: FakeServer) -> int:
        count = 0
        for mine, theirs in zip(one.log, other.log, strict=False):
            if mine != theirs:
                break
            count += 1
        return count

    def _stop(self, site: str, why: str) -> None:
        server = self._reached(site)
        if server.state is not ServerState.STOPPED:
            self._replicate(site)
            server.state, server.following = ServerState.STOPPED, ""
            self.effects[f"{why}:{site}"] += 1

    def _demand(self, site: str) -> None:
        server = self._open(site)
        if not self._streams(site):
            raise Unreachable("standby-behind", "le relais ne suit pas", retryable=True)
        if not server.armed:
            server.armed = True
            self.effects[f"arm:{site}"] += 1

    def _resume(self, site: str, at: datetime) -> None:
        server = self.servers[site]
        server.suspensions = [
            Suspension(known.data_set, known.epoch, known.started_at, known.reason, known.ended_at or at)
            for known in server.suspensions
        ]
        self._replicate(site)
