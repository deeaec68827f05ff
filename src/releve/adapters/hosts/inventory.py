"""The machines of a plan, each made once."""

from __future__ import annotations

import threading

from releve.adapters.hosts.local import LocalHost
from releve.adapters.hosts.ssh import SshHost
from releve.domain.errors import BadInput
from releve.domain.plan import Plan, Reach


class Inventory:
    """Gives the `Host` of an id: `inventory("srv1")`. Nothing is reached before its first call."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: dict[str, LocalHost | SshHost] = {}
        self._lock = threading.Lock()

    def __call__(self, host_id: str) -> LocalHost | SshHost:
        """The machine of that id. Raises `BadInput` when the plan has none."""
        with self._lock:
            if host_id not in self._made:
                self._made[host_id] = self._make(host_id)
            return self._made[host_id]

    def close(self) -> None:
        """End the connections."""
        with self._lock:
            for host in self._made.values():
                if isinstance(host, SshHost):
                    host.close()
            self._made.clear()

    def _make(self, host_id: str) -> LocalHost | SshHost:
        try:
            spec = self._plan.host(host_id)
        except KeyError:
            raise BadInput("host-unknown", f"le plan n'a pas de machine « {host_id} »") from None
        return LocalHost(spec) if spec.reach is Reach.LOCAL else SshHost(spec)
