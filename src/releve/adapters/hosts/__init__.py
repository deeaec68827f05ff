"""How we act on a machine: local, or through OpenSSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from releve.domain.plan import HostSpec
    from releve.domain.ports import Host


def open_host(spec: HostSpec) -> Host:
    """The machine of a plan. Nothing is reached before the first call. Raises `BadInput`."""
    from releve.adapters.hosts.local import LocalHost
    from releve.adapters.hosts.ssh import SshHost
    from releve.domain.plan import Reach

    return LocalHost(spec) if spec.reach is Reach.LOCAL else SshHost(spec)
