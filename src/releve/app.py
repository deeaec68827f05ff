"""Who is chosen: the only place that picks real adapters and joins them to the cycle.

`House` is one site's view of a plan: hosts, engines, ledger. `Relief` adds what only the owner of
runs has: the performer, the durable driver, the conductor, under the site's lock.
"""

from __future__ import annotations

import os
import secrets as randomness
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from releve.cycle.audit.errands import scan_opens
from releve.cycle.protect.daily import save_daily
from releve.cycle.recover.act import Performer, World
from releve.cycle.recover.conduct import Conductor
from releve.domain.audit import Errand, Found
from releve.domain.errors import BadInput, Unreachable
from releve.domain.os_errors import reason
from releve.domain.plan import Plan, ProtectionMode, Site
from releve.domain.ports import Engine, Host, Ledger, Now
from releve.domain.runbook import Direction, Runbook


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class House:
    """A plan as seen from one site. Adapters are made when first asked for."""

    plan: Plan
    site: Site
    state: Path
    database_url: str = ""

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """Every host of the plan; the machine that we run on is reached directly."""
        from releve.adapters.hosts import open_host

        return {spec.id: open_host(spec, here=self.site.id) for spec in self.plan.hosts}

    @cached_property
    def engines(self) -> Mapping[str, Engine]:
        """One engine a data set protected in real time."""
        from releve.adapters.engines import engine_for
        from releve.adapters.hosts.secrets import resolve
        from releve.adapters.hosts.services import HostServices

        services = HostServices(self.host)
        return {
            item.id: engine_for(
                item.seen_from(self.site.id), host=self.host, services=services, secret=resolve, now=utc_now
            )
            for item in self.plan.data_sets
        }

    @cached_property
    def ledger(self) -> Ledger:
        """What this site remembers."""
        from releve.adapters.ledger import open_ledger

        return open_ledger(self.state, self.database_url)

    @cached_property
    def world(self) -> World:
        """What a run acts on."""
        from releve.adapters.hosts.gates import Gates
        from releve.adapters.hosts.instances import PlanInstances
        from releve.adapters.hosts.services import HostServices

        return World(
            self.plan,
            self.engines,
            Gates(self.plan, self.host),
            PlanInstances(self.plan, HostServices(self.host)),
            self.ledger,
            utc_now,
        )

    def host(self, host_id: str) -> Host:
        """The host of that id."""
        return self.hosts[host_id]

    @property
    def lock_file(self) -> Path:
        """Held by whoever conducts runs or guards at this site."""
        return self.state / "worker.lock"

    @property
    def socket(self) -> Path:
        """Where the resident worker of this site answers the command."""
        return self.state / "worker.sock"


def house(plan: Plan, site_id: str) -> House:
    """The house of `site_id`. Raises `BadInput` when the plan gives that site no worker."""
    try:
        site = plan.site(site_id)
    except KeyError as error:
        known = ", ".join(item.id for item in plan.sites)
        raise BadInput("unknown-site", f"site inconnu : « {site_id} »", hint=f"connus : {known}") from error
    if site.worker is None:
        raise BadInput(
            "no-worker",
            f"le plan ne donne pas de dossier d'état au site « {site_id} »",
            hint="ajoutez « worker: {listen: …, state: …} » à ce site",
        )
    state = Path(site.worker.state)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unreachable(
            "state-folder",
            f"le dossier d'état {state} ne peut pas être fait : {reason(error)}",
            hint="donnez ce dossier au compte de Relève, ou changez « worker: state » dans le plan",
        ) from error
    return House(plan, site, state, os.environ.get("DATABASE_URL", ""))


@dataclass(frozen=True)
class Relief:
    """The owner of runs: only one process at a time, under the lock."""

    house: House
    conductor: Conductor
    wait: Callable[[str, float], bool]  # run, seconds -> ended
    copy_again: Callable[[str], None]  # data set whose copy of the day is still due


def surveyor(home: House, tried: Callable[[str], datetime | None], now: Now) -> Callable[[Errand], Found]:
    """What an audit sees with, from the site of `home`. Nothing is reached before it is called.

    `tried`: when the history of a data set was last brought back apart and opened, as this machine knows it.
    """
    from releve.adapters.hosts.secrets import resolve
    from releve.adapters.survey.around import Survey

    def engine(name: str) -> Engine:
        return home.engines[name]

    def may_scan() -> bool:
        at = now()
        return scan_opens(home.plan, at) == at

    return Survey(home.plan, home.site.id, home.host, resolve, engine, home.ledger, tried, may_scan).see


def holders(plan: Plan, ledger: Ledger) -> dict[str, str]:
    """The site that holds each data set, of those that something was ever recorded of."""
    held = ((item.id, ledger.tenures.current(item.id)) for item in plan.data_sets)
    return {name: tenure.site for name, tenure in held if tenure is not None}


def recovery_runbook(plan: Plan, ledger: Ledger | None) -> Runbook | None:
    """What Relève would do if the primary site were lost now; None when it would switch nothing.

    The join of two stages that never see each other: `recover` derives the tasks, `objectives` schedules
    them. `ledger` None: as if nothing had ever moved.
    """
    from releve.cycle.recover.conduct import prepare_runbook, primary_of, relief_of
    from releve.cycle.recover.derive import Durations, Request, derive

    try:
        if ledger is not None:
            return prepare_runbook(plan, ledger, Direction.SWITCH, relief_of(plan), "", "prediction")
        request = Request(
            "prediction", Direction.SWITCH, "", primary_of(plan), relief_of(plan), {}, Durations({})
        )
        return derive(plan, request)
    except BadInput as error:
        if error.code in {"nothing-to-move", "several-sources", "which-site"}:
            return None
        raise


def _silent(_instant: str, _run: str, _task: str) -> None:
    """Nobody listens."""


@contextmanager
def relief(home: House, on: Callable[[str, str, str], None] = _silent) -> Iterator[Relief]:
    """Take the lock, start the durable driver, take up what was interrupted; release all at the end.

    Raises `Refused` (already-running) when another process owns the runs of this site.
    """
    from releve.adapters.durable import DbosDriver
    from releve.adapters.durable.schedules import Daily, Schedules
    from releve.adapters.hosts.lock import hold

    with hold(home.lock_file, "releve"):
        performer = Performer(home.world, on)
        plan = home.plan
        daily = {
            item.id: Daily(item.id, item.protection.daily_at, plan.timezone)
            for item in plan.data_sets
            if item.protection.mode is ProtectionMode.DAILY
        }

        def save(name: str) -> str:
            return save_daily(plan.data_set(name), plan.timezone, home.engines[name], home.ledger, utc_now)

        schedules = Schedules(daily, save)
        driver = DbosDriver(
            home.state,
            performer.perform,
            home.ledger,
            database_url=os.environ.get("RELEVE_RUNS_URL", ""),
            executor_id=f"{home.site.id}-{os.getpid()}-{randomness.token_hex(4)}",
            schedules=schedules,
        )
        driver.launch()
        try:
            conductor = Conductor(home.world, home.engines, driver)
            yield Relief(home, conductor, driver.wait, schedules.trigger)
        finally:
            driver.close()
