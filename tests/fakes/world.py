"""The world of a run in memory: engine, gates, instances, ledger, and a clock that a test moves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from releve.cycle.recover.act import World
from releve.cycle.watch.act import Lookout
from releve.domain.errors import Unreachable
from releve.domain.plan import Plan
from tests.fakes.engine import FakeEngine
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import plan as small_plan


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The instant; each reading moves it by a millisecond, as a real one would."""
        self.at += timedelta(milliseconds=1)
        return self.at

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


class FakeAccess:
    """Gates in memory. `gone`: sites that cannot be reached."""

    def __init__(self) -> None:
        self.opened: set[tuple[str, str]] = set()
        self.gone: set[str] = set()
        self.effects: Counter[str] = Counter()

    def _reach(self, site: str) -> None:
        if site in self.gone:
            raise Unreachable("host-gone", f"{site} est injoignable")

    def is_open(self, application: str, site: str) -> bool:
        """Whether the gate is open."""
        self._reach(site)
        return (application, site) in self.opened

    def open(self, application: str, site: str) -> None:
        """Open it."""
        self._reach(site)
        self.effects[f"open:{application}:{site}"] += 1
        self.opened.add((application, site))

    def shut(self, application: str, site: str) -> None:
        """Shut it."""
        self._reach(site)
        self.opened.discard((application, site))


class FakeInstances(FakeAccess):
    """Instances in memory. `sick`: instances that fail their health checks."""

    def __init__(self) -> None:
        super().__init__()
        self.sick: set[tuple[str, str]] = set()

    def start(self, application: str, site: str) -> None:
        """Start it."""
        self.open(application, site)

    def stop(self, application: str, site: str) -> None:
        """Stop it."""
        self.shut(application, site)

    def running(self, application: str, site: str) -> bool:
        """Whether it runs."""
        return self.is_open(application, site)

    def check(self, application: str, site: str) -> tuple[bool, str]:
        """Healthy unless sick."""
        self._reach(site)
        well = self.running(application, site) and (application, site) not in self.sick
        return well, "répond" if well else "ne répond pas"


class FakeWorld:
    """A small estate, protected, with one application open on the primary site."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or small_plan()
        self.clock = FakeClock()
        self.engine = FakeEngine(now=self.clock)
        self.engine.protect()
        self.access, self.instances, self.ledger = FakeAccess(), FakeInstances(), FakeLedger()
        self.instances.start("dui", "principal")
        self.access.open("dui", "principal")
        self.engines = {"dossiers": self.engine}
        self.world = World(self.plan, self.engines, self.access, self.instances, self.ledger, self.clock)

    def look(self) -> None:
        """The relief's look: keeps the proof of the promise."""
        Lookout("secours", self.plan.data_set("dossiers"), self.engine, self.ledger, self.clock).tick()

    def lose_primary(self) -> datetime:
        """The whole primary site dies; returns when."""
        self.engine.vanish("principal")
        self.access.gone.add("principal")
        self.instances.gone.add("principal")
        return self.clock()
