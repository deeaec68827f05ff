"""Vaults and the shares that live by them. Pure.

Real time for a share means one to two seconds (a snapshot a second at most): a promise of zero loss, or of
less than that, cannot be kept, and is refused rather than shown green.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from releve.cycle.plan.blocks import Placed
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.rules.places import host_of
from releve.cycle.plan.schema import ShareBlock, VaultBlock
from releve.cycle.plan.shape import Draft
from releve.domain.names import among, did_you_mean
from releve.domain.plan import ProtectionMode

SHARE_RPO = 2.0  # seconds: p99 from a file's closing to the vault, measured (docs/reference/bench-shares.md)


def vaults(draft: Draft) -> Iterator[Finding]:
    """Places of vaults, and what a share needs of its vault and of its two sites."""
    for vault in draft.vaults:
        yield from _places(draft, vault)
    for data in draft.data_sets:
        if data.item.vault:
            yield from _reached(
                draft, data.path, data.item.vault, (data.item.primary.host, data.item.relief.host)
            )
        if isinstance(data.item, ShareBlock):
            share = Placed(data.item, data.path)
            yield from _promise(share)
            yield from _workers(draft, share)
            yield from _inside(draft, share)


def _places(draft: Draft, vault: Placed[VaultBlock]) -> Iterator[Finding]:
    sites = {site.item.id for site in draft.sites}
    seen: set[str] = set()
    for index, place in enumerate(vault.item.places):
        path = (*vault.path, "places", index, "site")
        if draft.whole("sites") and place.site not in sites:
            near = did_you_mean(place.site, sites)
            hint = f"vouliez-vous dire « {near} » ?" if near else among(sites)
            yield Finding(path, "unknown-reference", f"site inconnu : « {place.site} »", hint)
        if place.site in seen:
            yield Finding(
                path,
                "vault-place-twice",
                f"le coffre « {vault.item.id} » a deux adresses pour le site « {place.site} »",
                "gardez celle que ce site doit employer",
            )
        seen.add(place.site)


def _reached(
    draft: Draft, path: tuple[str | int, ...], name: str, hosts: tuple[str, str]
) -> Iterator[Finding]:
    vault = next((one.item for one in draft.vaults if one.item.id == name), None)
    if vault is None:
        return  # an unknown name has its own fault
    known = {place.site for place in vault.places}
    sites = [host.site for host in (host_of(draft, one) for one in hosts) if host is not None]
    for site in sites:
        if site not in known:
            yield Finding(
                (*path, "vault"),
                "vault-out-of-reach",
                f"le coffre « {name} » n'a pas d'adresse pour le site « {site} »",
                f"ajoutez à ce coffre : places: [{{site: {site}, address: …, key: …}}]",
            )


def _promise(share: Placed[ShareBlock]) -> Iterator[Finding]:
    protection = share.item.protection
    if protection.mode is ProtectionMode.REALTIME and protection.rpo.seconds < SHARE_RPO:
        yield Finding(
            (*share.path, "protection", "rpo"),
            "share-rpo",
            "un partage est copié en une à deux secondes : moins ne peut pas être promis",
            "écrivez rpo: 2 s au moins",
        )


def _workers(draft: Draft, share: Placed[ShareBlock]) -> Iterator[Finding]:
    for name, end in (("primary", share.item.primary), ("relief", share.item.relief)):
        host = host_of(draft, end.host)
        site = next((one.item for one in draft.sites if host is not None and one.item.id == host.site), None)
        if site is not None and site.worker is None:
            yield Finding(
                (*share.path, name, "host"),
                "share-worker",
                f"le site « {site.id} » tient un bout du partage « {share.item.id} » et n'a pas de processus résident",
                "ajoutez « worker: {listen: …, state: …} » à ce site",
            )


def _inside(draft: Draft, share: Placed[ShareBlock]) -> Iterator[Finding]:
    """A vault that is a folder of the share, or the other way round, would save itself for ever."""
    vault = next((one.item for one in draft.vaults if one.item.id == share.item.vault), None)
    for name, end in (("primary", share.item.primary), ("relief", share.item.relief)):
        if not end.path.startswith("/"):
            yield Finding(
                (*share.path, name, "path"),
                "wrong-value",
                f"« path » : « {end.path} » n'est pas un chemin qui commence par « / »",
                "écrivez le chemin entier du dossier",
            )
            continue
        host = host_of(draft, end.host)
        for place in vault.places if vault is not None and host is not None else ():
            if place.site != (host.site if host else "") or not place.address.startswith("/"):
                continue
            folder, root = PurePosixPath(place.address), PurePosixPath(end.path)
            if folder.is_relative_to(root) or root.is_relative_to(folder):
                yield Finding(
                    (*share.path, name, "path"),
                    "vault-inside",
                    f"le coffre {folder} et le partage {root} sont l'un dans l'autre",
                    "placez le coffre ailleurs, sur un autre disque et un autre site",
                )
