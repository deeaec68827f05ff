"""Sites, machines, addresses and folders: the two ends must be two, and nothing may be shared. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from releve.cycle.plan.blocks import Placed
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.schema import (
    AppEndBlock,
    DataSetBlock,
    EndBlock,
    HostBlock,
    ServiceBlock,
    ShareBlock,
    ShareEndBlock,
)
from releve.cycle.plan.shape import Draft
from releve.cycle.plan.source import Path
from releve.domain.names import among, did_you_mean
from releve.domain.plan import Reach, SiteRole

_ROLE_OF = {"primary": SiteRole.PRIMARY, "relief": SiteRole.RELIEF}
_ROLE_FR = {SiteRole.PRIMARY: "principal", SiteRole.RELIEF: "de secours"}


def places(draft: Draft, engines: tuple[str, ...]) -> Iterator[Finding]:
    """Where things are, and what must not be in the same place."""
    yield from _roles(draft)
    yield from _workers(draft)
    # A pair of machines is judged once: a machine noted on the wrong site is one mistake.
    pairs: dict[tuple[str, str], Path] = {}
    for data in draft.data_sets:
        if data.item.engine not in engines:
            near = did_you_mean(data.item.engine, engines)
            hint = f"vouliez-vous dire « {near} » ?" if near else among(engines)
            yield Finding(
                (*data.path, "engine"), "unknown-engine", f"moteur inconnu : « {data.item.engine} »", hint
            )
        pairs.setdefault((data.item.primary.host, data.item.relief.host), data.path)
        yield from _same_server(data)
    for application in draft.applications:
        primary, relief = application.item.primary, application.item.relief
        if primary is not None and relief is not None:
            pairs.setdefault((primary.host, relief.host), application.path)
            if not application.item.health and not relief.url.startswith("tcp:"):
                yield Finding(
                    application.path,
                    "no-health-check",
                    f"« {application.item.name} » serait rouverte aux utilisateurs sans aucun contrôle",
                    "ajoutez « health: [{path: /, expect: 200}] »",
                    grave=False,
                )
        elif primary is not None or relief is not None:
            missing = "relief" if relief is None else "primary"
            yield Finding(
                application.path,
                "end-missing",
                f"« {application.item.name} » n'a qu'une instance : il manque « {missing} »",
                "déclarez les deux instances, ou aucune si Relève ne la bascule pas",
            )
    for (first, second), path in pairs.items():
        yield from _ends(draft, path, first, second)
    yield from _shared(draft)


def _roles(draft: Draft) -> Iterator[Finding]:
    if not draft.whole("sites") or not draft.sites or not draft.data_sets:
        return
    for role, code in ((SiteRole.PRIMARY, "no-primary"), (SiteRole.RELIEF, "no-relief")):
        if all(site.item.role is not role for site in draft.sites):
            yield Finding(
                ("sites",),
                code,
                f"aucun site {_ROLE_FR[role]} : rien ne peut être basculé",
                f"déclarez un site avec « role: {role} »",
                key=True,
            )


def _workers(draft: Draft) -> Iterator[Finding]:
    listening: dict[str, str] = {}
    for site in draft.sites:
        worker = site.item.worker
        if worker is None:
            continue
        path = (*site.path, "worker", "listen")
        host, _, port = worker.listen.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port[:6]) <= 65_535:
            yield Finding(
                path,
                "listen",
                f"« {worker.listen} » n'est pas une adresse « hôte:port »",
                "écrivez 10.0.0.1:7401",
            )
            continue
        if worker.listen in listening:
            yield Finding(
                path,
                "listen-shared",
                f"les sites « {listening[worker.listen]} » et « {site.item.id} » répondent à la même adresse",
                "chaque site joint l'autre par cette adresse : il en faut deux",
            )
        listening.setdefault(worker.listen, site.item.id)
        if not _loopback(host) and worker.secret is None:
            yield Finding(
                path,
                "worker-secret",
                "ce processus résident répond sur le réseau sans secret",
                "ajoutez « secret: file:/etc/releve/link.key », le même fichier sur les deux sites",
            )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def same_machine(first: HostBlock, second: HostBlock) -> bool:
    """Whether two hosts of the plan are surely one machine."""
    if first.reach is Reach.LOCAL and second.reach is Reach.LOCAL:
        return True
    return first.ssh is not None and second.ssh is not None and first.ssh.address == second.ssh.address


def host_of(draft: Draft, host_id: str) -> HostBlock | None:
    """The machine of that id, when it could be read."""
    return next((host.item for host in draft.hosts if host.item.id == host_id), None)


def _ends(draft: Draft, path: Path, primary: str, relief: str) -> Iterator[Finding]:
    place = (*path, "relief", "host")
    if primary == relief:
        yield Finding(
            place,
            "relief-same-host",
            f"le secours est sur la même machine que le principal (« {primary} »)",
            "une seule panne emporterait les deux : choisissez une machine du site de secours",
        )
        return
    hosts = {"primary": host_of(draft, primary), "relief": host_of(draft, relief)}
    first, second = hosts["primary"], hosts["relief"]
    if first is not None and second is not None and first.site == second.site:
        yield Finding(
            place,
            "relief-same-site",
            f"le secours est sur le même site que le principal (« {first.site} »)",
            "un incendie ou une coupure emporterait les deux : choisissez un autre site",
        )
        return
    for end, host in hosts.items():
        site = next((s.item for s in draft.sites if host is not None and s.item.id == host.site), None)
        roles = {other.item.role for other in draft.sites}
        if site is not None and site.role is not _ROLE_OF[end] and _ROLE_OF[end] in roles:
            yield Finding(
                (*path, end, "host"),
                "end-role",
                f"« {end} » est sur le site « {site.id} », qui est un site {_ROLE_FR[site.role]}",
                "échangez les deux extrémités, ou corrigez le rôle du site",
            )


def _same_server(data: Placed[DataSetBlock | ShareBlock]) -> Iterator[Finding]:
    if isinstance(data.item, ShareBlock):
        return
    primary, relief = data.item.primary, data.item.relief
    if (primary.address, primary.port) == (relief.address, relief.port):
        yield Finding(
            (*data.path, "relief", "port"),
            "same-address",
            f"le principal et le secours ont la même adresse ({primary.address}, port {primary.port})",
            "ce sont deux serveurs : l'un des deux est mal noté",
        )


def _shared(draft: Draft) -> Iterator[Finding]:
    """A folder, a port or a service of one machine claimed twice."""
    seen: dict[tuple[str, str, str], str] = {}
    for owner, path, end in _all_ends(draft):
        for what, key, value in _claims(end):
            claim = (end.host, what, value)
            if claim in seen and seen[claim] != owner:
                yield Finding(
                    (*path, *key),
                    "shared",
                    f"{what} « {value} » de la machine « {end.host} » sert déjà à « {seen[claim]} »",
                    "chaque serveur a le sien : basculer l'un arrêterait l'autre",
                )
            seen.setdefault(claim, owner)


def _all_ends(draft: Draft) -> Iterator[tuple[str, Path, EndBlock | ShareEndBlock | AppEndBlock]]:
    for data in draft.data_sets:
        yield data.item.id, (*data.path, "primary"), data.item.primary
        yield data.item.id, (*data.path, "relief"), data.item.relief
    for application in draft.applications:
        for name in ("primary", "relief"):
            end: AppEndBlock | None = getattr(application.item, name)
            if end is not None:
                yield application.item.id, (*application.path, name), end


def _claims(end: EndBlock | ShareEndBlock | AppEndBlock) -> Iterator[tuple[str, Path, str]]:
    if isinstance(end, ShareEndBlock):
        yield "le dossier", ("path",), end.path.rstrip("/") or "/"
        return
    if isinstance(end, EndBlock):
        yield "le dossier", ("data_dir",), end.data_dir.rstrip("/") or "/"
        yield "le port", ("port",), str(end.port)
    service = _service_name(end.service)
    if service:
        yield "le service", ("service",), service


def _service_name(service: ServiceBlock) -> str:
    """What names the service on its machine; empty for a command, that two may share by design."""
    return service.unit or (f"{service.version}-{service.cluster}" if service.cluster else "")
