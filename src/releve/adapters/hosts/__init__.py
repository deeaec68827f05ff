"""How we act on a machine: local, or through OpenSSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from releve.domain.plan import HostSpec
    from releve.domain.ports import Host


def open_host(spec: HostSpec, *, here: str = "") -> Host:
    """The machine of a plan. Nothing is reached before the first call. Raises `BadInput`.

    `here`: the site of this process. One plan serves both sites: a host of our own site whose SSH
    address is one of this machine's own is this machine, and needs no key to itself.
    """
    from releve.adapters.hosts.local import LocalHost
    from releve.adapters.hosts.ssh import SshHost
    from releve.domain.plan import Reach

    ours = spec.ssh is not None and spec.site == here and _is_ours(spec.ssh.address)
    return LocalHost(spec) if spec.reach is Reach.LOCAL or ours else SshHost(spec)


def _is_ours(address: str) -> bool:
    """Whether this machine answers to `address`. Loopback proves nothing: a tunnel may stand behind it."""
    import ipaddress
    import socket

    try:
        found = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM)[0]
        if ipaddress.ip_address(found[4][0]).is_loopback:
            return False
        with socket.socket(found[0], socket.SOCK_DGRAM) as probe:
            probe.bind(found[4])
    except OSError:  # not an address of this machine, or a name that nobody knows
        return False
    return True
