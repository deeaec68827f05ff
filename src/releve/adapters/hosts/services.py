"""The processes of a plan, driven through their host's own manager."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from releve.adapters.hosts.commands import Status, status_of, verbs
from releve.domain.errors import BadInput, Unreachable
from releve.domain.plan import ServiceSpec
from releve.domain.ports import Completed, Host, Service

_LIMIT = 120.0  # seconds: a unit has 90 s to stop before systemd kills it (systemd-system.conf(5))
_ASK = 10.0  # seconds for a status
_PAUSE = 0.05  # seconds between two looks


class HostServices:
    """`domain.ports.Services`. `hosts` gives the machine of an id; `clock` and `wait` are for tests."""

    def __init__(
        self,
        hosts: Callable[[str], Host],
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._hosts = hosts
        self._clock = clock
        self._wait = wait

    def service(self, host_id: str, spec: ServiceSpec) -> Service:
        """The service, ready to be driven. Raises `BadInput` when its entry lacks something."""
        return _Driven(self._hosts(host_id), spec, self._clock, self._wait)


class _Driven:
    def __init__(
        self, host: Host, spec: ServiceSpec, clock: Callable[[], float], wait: Callable[[float], None]
    ) -> None:
        self._host = host
        self._manager = spec.manager
        self._verbs = verbs(spec)
        self._clock = clock
        self._wait = wait

    def start(self) -> None:
        self._reach(Status.RUNNING, self._verbs.start)

    def stop(self) -> None:
        self._reach(Status.STOPPED, self._verbs.stop)

    def running(self) -> bool:
        return self._settled(self._clock() + _LIMIT) is Status.RUNNING

    def _reach(self, wanted: Status, argv: Sequence[str]) -> None:
        """Observe, act, verify. The exit code of the act is only a witness: the state decides."""
        until = self._clock() + _LIMIT
        if self._settled(until) is wanted:
            return
        done = self._host.run(argv, timeout=_LIMIT)
        # A refusal is seen at once; a success may take a moment to show.
        while (seen := self._settled(until)) is not wanted:
            if done.code != 0 or self._clock() >= until:
                raise self._failed(wanted, argv, done, seen)
            self._wait(_PAUSE)

    def _settled(self, until: float) -> Status:
        """The state, once it is one of the two. Raises `Unreachable` when nobody can tell."""
        while True:
            seen = self._host.run(self._verbs.status, timeout=_ASK)
            status = status_of(self._manager, seen)
            if status in (Status.RUNNING, Status.STOPPED):
                return status
            if status is Status.ABSENT:
                raise BadInput(
                    "service-absent",
                    f"le service {self._name} n'existe pas sur {self._host.id}",
                    hint="systemctl list-units --type=service montre ceux qui existent",
                    context={"host": self._host.id},
                )
            if status is Status.UNKNOWN or self._clock() >= until:
                raise Unreachable(
                    "service-unknown",
                    f"impossible de savoir si {self._name} tourne sur {self._host.id} : {_said(seen)}",
                    hint=f"lancez vous-même sur cette machine : {' '.join(self._verbs.status)}",
                    context={"host": self._host.id},
                    retryable=True,
                )
            self._wait(_PAUSE)

    @property
    def _name(self) -> str:
        return " ".join(self._verbs.status[-2:]) if len(self._verbs.status) > 1 else self._verbs.status[0]

    def _failed(self, wanted: Status, argv: Sequence[str], done: Completed, seen: Status) -> Unreachable:
        verb = "démarré" if wanted is Status.RUNNING else "arrêté"
        return Unreachable(
            "service-not-started" if wanted is Status.RUNNING else "service-not-stopped",
            f"{self._name} ne s'est pas {verb} sur {self._host.id} : {_said(done)}",
            hint=f"lancez vous-même sur cette machine : {' '.join(argv)}",
            context={"host": self._host.id, "state": str(seen)},
            retryable=True,
        )


def _said(seen: Completed) -> str:
    text = (seen.stderr or seen.stdout).decode("utf-8", "replace").strip()
    return text.splitlines()[-1][:300] if text else f"code {seen.code}"
