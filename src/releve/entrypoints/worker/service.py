"""The resident process of a site: guard on both sides, owner of runs on the relief.

Crash-only: an error that we did not foresee ends the process, loudly, and the host's service manager
starts it again; everything that matters is in the ledger. Errors that we know (a server that does not
answer) are told once and looked at again at the next tick.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta

from releve.app import House, Relief, house, relief, utc_now
from releve.cycle.protect.daily import due, last_copy
from releve.cycle.watch.act import Ask, Guard, Lookout, stated
from releve.cycle.watch.decide import Act, Statement
from releve.domain.errors import BadInput, ReleveError
from releve.domain.plan import DataSet, Plan, ProtectionMode, ServerEnd, ShareEnd, SiteRole
from releve.domain.protection import Tenure
from releve.entrypoints.worker.keepers import KeeperProcess, keeper_command
from releve.entrypoints.worker.link import READY, ask_site, serve_local, serve_site
from releve.entrypoints.worker.memory import few_arenas
from releve.entrypoints.worker.verbs import verbs

TICK = 0.25  # seconds between two looks; a look costs a few milliseconds
DUE = 5.0  # seconds between two looks at a copy of the day
SPREAD = timedelta(seconds=60)  # the schedule itself fires up to 10 s late
AGAIN = timedelta(minutes=15)  # between two attempts at a copy that failed
SETTLE = 1.0  # seconds between two looks at the claims of stopped runs
HEARING = 0.25  # seconds between two moments at which a signal is heard for sure


def run_worker(plan: Plan, site_id: str, on: Callable[[str, str, str], None] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. `on` hears the instants of each task."""
    few_arenas()
    home = house(plan, site_id)
    stop = threading.Event()
    failed = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        threads = _Threads(stop, failed)
        if home.site.role is SiteRole.RELIEF:
            _own_runs(home, stack, threads, on or _deaf)
        else:
            _guard_only(home, stack, threads)
        _keepers(home, stack, threads)
        say(f"{READY} {site_id}")
        attend(stop)
        threads.join()
    return 1 if failed.is_set() else 0


def _keepers(home: House, stack: ExitStack, threads: _Threads) -> None:
    """One process for each share end of this site; on the relief, one for the history of each database.

    They end after the ticks, which would start them again.
    """
    for data_set in home.plan.data_sets:
        end = data_set.ends.get(home.site.id)
        history = home.site.role is SiteRole.RELIEF and data_set.vault
        if isinstance(end, ShareEnd) or (isinstance(end, ServerEnd) and history):
            kind = "share" if isinstance(end, ShareEnd) else "database"
            keeper = KeeperProcess(keeper_command(home.plan.source, home.site.id, kind, data_set.id))
            stack.callback(keeper.close)
            threads.every(TICK, f"{kind} {data_set.id}", keeper.tick)


def attend(stop: threading.Event) -> None:
    """Wait for `stop`, which a signal may set.

    By short waits: Python runs its handlers in the main thread alone, but Linux may give the signal to
    a thread that is just starting another (each of our looks does), and that wakes nobody. With one
    endless wait, 6 orders to stop out of 60 were never heard (measured under such threads).
    """
    while not stop.wait(HEARING):
        pass


def say(line: str) -> None:
    """One line of the worker's log, on stderr (the service manager keeps it)."""
    sys.stderr.write(f"{utc_now():%Y-%m-%dT%H:%M:%S.%fZ} {line}\n")
    sys.stderr.flush()


def _deaf(_instant: str, _run: str, _task: str) -> None:
    """Nobody listens."""


def _own_runs(home: House, stack: ExitStack, threads: _Threads, on: Callable[[str, str, str], None]) -> None:
    owner = stack.enter_context(relief(home, on))
    server = serve_local(home.socket, verbs(owner))
    stack.callback(server.shutdown)
    stack.callback(home.socket.unlink, missing_ok=True)
    if home.site.worker is not None and home.site.worker.secret is not None:
        site_server = serve_site(home.site.worker.listen, _secret(home), lambda name: _statement(home, name))
        stack.callback(site_server.shutdown)
    for data_set in home.plan.data_sets:
        engine = home.engines[data_set.id]

        def ask(name: str) -> Statement | None:
            return stated(home.ledger, home.plan.data_set(name))

        guard = Guard(home.site.id, data_set, engine, home.ledger, ask, utc_now)
        lookout = Lookout(home.site.id, data_set, engine, home.ledger, utc_now)
        threads.every(TICK, f"garde {data_set.id}", _guarding(guard))
        threads.every(TICK, f"veille {data_set.id}", _looking(lookout))
    for data_set in home.plan.data_sets:
        if data_set.protection.mode is ProtectionMode.DAILY:
            threads.every(DUE, f"copie du jour {data_set.id}", _copying(owner, data_set))
    threads.every(SETTLE, "suites", lambda: " ; ".join(owner.conductor.settle()))


def _copying(owner: Relief, data_set: DataSet) -> Callable[[], str]:
    """Asks again, now and then, for a copy of the day that the schedule did not bring."""
    home = owner.house
    asked: list[datetime] = []

    def tick() -> str:
        now = utc_now()
        planned = due(
            last_copy(data_set.id, home.ledger), data_set.protection.daily_at, home.plan.timezone, now
        )
        if planned is None or home.ledger.tenures.current(data_set.id) is None:
            return ""  # made already, or nobody has protected this data set yet
        waited = now - (asked[-1] if asked else planned)
        if waited > (AGAIN if asked else SPREAD):
            asked[:] = [now]
            owner.copy_again(data_set.id)
        return f"due depuis le {planned:%d/%m/%Y à %H:%M} UTC"

    return tick


def _guard_only(home: House, stack: ExitStack, threads: _Threads) -> None:
    from releve.adapters.hosts.lock import hold

    stack.enter_context(hold(home.lock_file, "releve"))
    ask = ask_relief(home)
    for data_set in home.plan.data_sets:
        guard = Guard(home.site.id, data_set, home.engines[data_set.id], home.ledger, ask, utc_now)
        threads.every(TICK, f"garde {data_set.id}", _guarding(guard))


def ask_relief(home: House) -> Ask:
    """The question to the holder of the epochs, from another site. Raises `BadInput` on a plan without one."""
    holders = [site for site in home.plan.sites if site.role is SiteRole.RELIEF and site.worker is not None]
    if len(holders) != 1 or holders[0].worker is None:
        raise BadInput(
            "no-relief-worker",
            "le plan ne dit pas où répond le worker du site de secours",
            hint="ajoutez « worker: {listen: …, state: …, secret: …} » au site de secours",
        )
    address = holders[0].worker.listen
    secret = _secret(home)

    def ask(data_set: str) -> Statement | None:
        try:
            found = ask_site(address, secret, data_set)
        except ReleveError:
            return None  # no answer is an answer that `decide` knows: nothing is opened on it
        if not found["known"]:
            return None
        return Statement(
            Tenure(data_set, int(str(found["epoch"])), str(found["site"]), str(found["run"])),
            str(found["claimed_by"]),
            str(found["claimed_for"]),
        )

    return ask


def _secret(home: House) -> str:
    from releve.adapters.hosts.secrets import resolve

    spec = home.site.worker
    if spec is None or spec.secret is None:
        raise BadInput(
            "no-link-secret",
            f"le site « {home.site.id} » n'a pas de secret de liaison",
            hint="ajoutez « secret: file:… » sous « worker: » aux deux sites",
        )
    return resolve(spec.secret)


def _statement(home: House, data_set: str) -> Mapping[str, object]:
    found = stated(home.ledger, home.plan.data_set(data_set))
    if found is None:
        return {"known": False}
    return {
        "known": True,
        "epoch": found.tenure.epoch,
        "site": found.tenure.site,
        "run": found.tenure.run,
        "claimed_by": found.claimed_by,
        "claimed_for": found.claimed_for,
    }


def _guarding(guard: Guard) -> Callable[[], str]:
    def tick() -> str:
        action = guard.tick()
        return "" if action.act is Act.NOTHING else f"{action.act} : {action.reason}"

    return tick


def _looking(lookout: Lookout) -> Callable[[], str]:
    def tick() -> str:
        lookout.tick()
        return ""

    return tick


class _Threads:
    """Ticks that go on until `stop`. What they say is logged when it changes."""

    def __init__(self, stop: threading.Event, failed: threading.Event) -> None:
        self._stop, self._failed = stop, failed
        self._threads: list[threading.Thread] = []

    def every(self, seconds: float, name: str, tick: Callable[[], str]) -> None:
        """Call `tick` every `seconds` in a thread of its own."""
        thread = threading.Thread(target=self._loop, args=(seconds, name, tick), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for the ticks under way; a look that hangs on a dead server is given 5 s."""
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _loop(self, seconds: float, name: str, tick: Callable[[], str]) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                now = tick()
            except ReleveError as error:
                now = f"{error.sentence} [{error.code}]"
            except Exception:  # noqa: BLE001 — crash-only: told whole, then the process ends with 1
                traceback.print_exc()
                self._failed.set()
                self._stop.set()
                return
            if now and now != said:
                say(f"{name}: {now}")
            said = now
            self._stop.wait(seconds)
