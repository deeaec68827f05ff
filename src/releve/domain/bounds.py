"""Which addresses an audit may touch: those of the networks that the plan declares, less what it forbids. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from releve.domain.errors import Refused
from releve.domain.inventory import Network
from releve.domain.plan import HostSpec, Plan, ServerEnd

WIDEST = 16  # bits: 65,536 addresses, as for a plan


def guard(wanted: str, networks: Iterable[Network]) -> IPv4Network | IPv6Network:
    """The addresses of `wanted` (an address or a range), which one of `networks` must hold whole.

    Raises `Refused`: "address-not-declared" when no network of the plan holds them all,
    "network-not-audited" when one that does says `audit: false`, "range-too-wide" above 65,536.
    """
    try:
        range_ = ip_network(wanted)
    except ValueError:
        raise _refused("address-not-declared", f"« {wanted} » n'est pas une plage d'adresses") from None
    holding = [one for one in networks if _within(range_, one.addresses)]
    if not holding:
        raise _refused(
            "address-not-declared", f"{wanted} n'appartient à aucun réseau que le plan déclare pour l'audit"
        )
    if not all(one.audit for one in holding):
        raise _refused(
            "network-not-audited", f"{wanted} est d'un réseau que le plan interdit de regarder (audit: false)"
        )
    if range_.max_prefixlen - range_.prefixlen > WIDEST:
        raise _refused("range-too-wide", f"{wanted} compte plus de {2**WIDEST} adresses")
    return range_


def guard_device(address: str, networks: Iterable[Network]) -> None:
    """The same for one device. This machine itself (loopback) is on no network, and needs none to hold it.

    Raises `Refused` as `guard` does.
    """
    known, where = tuple(networks), _numbers(address)
    if not _loopback(where) or any(one.holds(where) for one in known):
        guard(where, known)


def guard_server(url: str, networks: Iterable[Network]) -> None:
    """A server that is on no network of the plan may be asked, wherever it is; one on a network that is closed may not.

    Raises `Refused`: "network-not-audited". A name tells no network.
    """
    where = _numbers(urlsplit(url).hostname or "")
    if any(not one.audit and one.holds(where) for one in networks if _numeric(where)):
        raise _refused(
            "network-not-audited", f"{where} est d'un réseau que le plan interdit de regarder (audit: false)"
        )


def unseeable(plan: Plan, networks: Iterable[Network] | None = None) -> frozenset[str]:
    """Machines and equipment with an address on a network that says `audit: false`: nobody looks at them.

    The addresses of a machine are those of its line, of its SSH, and of the servers of the plan that it holds. A
    name tells no network: where a site has such a network, a machine that is reached by a name is on it, unless
    its `addresses` say where it is. `networks`: those that count; all of the plan when None.
    """
    closed = [one for one in (plan.inventory.networks if networks is None else networks) if not one.audit]
    things: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]
    things = [(item.id, item.site, (), (item.address,)) for item in plan.inventory.equipment]
    things += [(host.id, host.site, host.addresses, (*_ways(plan, host),)) for host in plan.hosts]
    return frozenset(
        name for name, site, said, ways in things if any(_on(one, site, said, ways) for one in closed)
    )


def _ways(plan: Plan, host: HostSpec) -> Iterator[str]:
    """Where that machine and its servers are reached."""
    if host.ssh is not None:
        yield host.ssh.address
    for item in plan.data_sets:
        for end in item.ends.values():
            if isinstance(end, ServerEnd) and end.host == host.id:
                yield end.address
                yield end.upstream_address


def _on(network: Network, site: str, said: tuple[str, ...], ways: tuple[str, ...]) -> bool:
    if any(network.holds(_numbers(one)) for one in (*said, *ways)):
        return True
    named = any(one and not _numeric(_numbers(one)) for one in (*said, *ways))
    return named and network.site == site and not any(_numeric(one) for one in said)


def _numbers(address: str) -> str:
    """The address behind the one name that says it: this machine's (RFC 6761, section 6.3)."""
    return "127.0.0.1" if address.lower() == "localhost" else address


def _numeric(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True


def _loopback(address: str) -> bool:
    return _numeric(address) and ip_address(address).is_loopback


def _refused(code: str, sentence: str) -> Refused:
    return Refused(
        code, sentence, hint="seules les adresses des réseaux déclarés dans le plan sont regardées"
    )


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)
