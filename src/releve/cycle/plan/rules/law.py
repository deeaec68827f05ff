"""What the law and prudence ask of data on the move and of secrets. Pure.

Health data hosted by a third party: certified host, code de la santé publique, art. L1111-8.
Security of processing, encryption in transit: RGPD, art. 32(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from releve.cycle.plan.blocks import Placed
from releve.cycle.plan.fields import SECRET_HINT
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.rules.places import host_of, same_machine
from releve.cycle.plan.schema import DataSetBlock, EndBlock, ShareBlock, ShareEndBlock
from releve.cycle.plan.shape import Draft
from releve.cycle.plan.source import Mapping, Path, scalars
from releve.domain.plan import DataKind, Sensitivity, Transport

HDS_NOTICE = timedelta(days=60)  # time to get a renewed certificate from a supplier (proposed)
# What article A6 of the trade rules calls critical: users' files and accounts.
_USUALLY_CRITICAL = {DataKind.HEALTH: "de santé", DataKind.ACCOUNTING: "comptables"}

_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_IN_TEXT = re.compile(
    r"(?:^|[\s;&?-])(?:password|passwd|pwd|passphrase|secret|token)\s*=\s*[^\s;&]+", re.IGNORECASE
)
_SECRET_KEY = re.compile(
    r"password|passwd|passphrase|mot_?de_?passe|^mdp$|^pwd$|token|^secret$|api_?key", re.IGNORECASE
)
_REFERENCE = re.compile(r"(?:env|file|command):\S")


def secrets(root: Mapping) -> Iterator[Finding]:
    """Secrets written in clear, wherever they stand. The sentence never repeats them."""
    for path, scalar in scalars(root):
        key = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
        reference = _REFERENCE.match(scalar.text.strip()) is not None
        named = _SECRET_KEY.search(key) is not None and not reference and scalar.value not in {None, ""}
        if named or (not reference and (_IN_URL.search(scalar.text) or _IN_TEXT.search(scalar.text))):
            yield Finding(path, "secret-clear", "un secret est écrit en clair dans le plan", SECRET_HINT)


def law(draft: Draft, today: date | None) -> Iterator[Finding]:
    """Transport of the copies and hosting of health data. Without `today`, dates are not judged."""
    for data in draft.data_sets:
        yield from _transport(draft, data)
        yield from _class(data)
    yield from _hosting(draft, today)


def _transport(draft: Draft, data: Placed[DataSetBlock | ShareBlock]) -> Iterator[Finding]:
    if isinstance(data.item, ShareBlock):
        return  # what leaves a site goes through the vault, encrypted before it leaves
    transport = data.item.protection.transport
    path = (*data.path, "protection", "transport")
    first, second = host_of(draft, data.item.primary.host), host_of(draft, data.item.relief.host)
    if first is None or second is None:
        return
    apart = not same_machine(first, second)
    health = data.item.kind is DataKind.HEALTH
    if transport is Transport.LOCAL and apart:
        yield Finding(
            path,
            "health-unencrypted" if health else "transport-local",
            ("des données de santé traverseraient le réseau en clair : " if health else "")
            + f"« local » suppose une seule machine, or « {first.id} » et « {second.id} » sont deux",
            "écrivez transport: tls, ou transport: ssh avec un tunnel",
        )
    if transport is Transport.CLEAR and apart:
        yield Finding(
            path,
            "health-unencrypted" if health else "transport-clear",
            "des données de santé traverseraient le réseau en clair"
            if health
            else "la copie traverse le réseau en clair : quiconque l'écoute peut la lire",
            "écrivez transport: tls, ou transport: ssh avec un tunnel",
            grave=health,
        )
    if transport is Transport.SSH and apart:
        yield from _tunnels(Placed(data.item, data.path))
    if transport is Transport.TLS and apart:
        for name, end in _servers(data.item):
            if not end.tls_root:
                yield Finding(
                    (*data.path, name),
                    "tls-root",
                    f"« {name} » n'a pas de « tls_root » : le certificat du serveur d'en face n'est pas vérifié",
                    "indiquez le certificat de votre autorité : tls_root: /etc/releve/ca.pem",
                    grave=False,
                )


def _tunnels(data: Placed[DataSetBlock]) -> Iterator[Finding]:
    for name, end in _servers(data.item):
        if (
            end.upstream is None
            and not end.address.startswith("127.")
            and end.address not in {"localhost", "::1"}
        ):
            yield Finding(
                (*data.path, name),
                "tunnel-missing",
                f"transport: ssh, mais « {name} » ne dit pas par quelle entrée de tunnel l'autre côté le joint",
                "ajoutez upstream: {address: 127.0.0.1, port: 15432}",
            )


def _servers(data: DataSetBlock) -> tuple[tuple[str, EndBlock], ...]:
    return ("primary", data.primary), ("relief", data.relief)


def _both(data: Placed[DataSetBlock | ShareBlock]) -> tuple[EndBlock | ShareEndBlock, ...]:
    return data.item.primary, data.item.relief


def _class(data: Placed[DataSetBlock | ShareBlock]) -> Iterator[Finding]:
    kind = _USUALLY_CRITICAL.get(data.item.kind)
    if kind is not None and data.item.sensitivity is not Sensitivity.CRITICAL:
        yield Finding(
            (*data.path, "sensitivity"),
            "usually-critical",
            f"des données {kind} sont d'ordinaire critiques",
            "valeur proposée : sensitivity: critical",
            grave=False,
        )


def _hosting(draft: Draft, today: date | None) -> Iterator[Finding]:
    holding: dict[str, str] = {}
    for data in draft.data_sets:
        if data.item.kind is DataKind.HEALTH:
            for end in _both(data):
                host = host_of(draft, end.host)
                if host is not None:
                    holding.setdefault(host.site, data.item.name)
    for site in draft.sites:
        if not site.item.hosted_by or site.item.id not in holding:
            continue
        said = f"« {site.item.hosted_by} » héberge des données de santé (« {holding[site.item.id]} »)"
        if site.item.hds is None:
            yield Finding(
                (*site.path, "hosted_by"),
                "hds-missing",
                f"{said} sans certificat d'hébergeur de données de santé",
                "demandez-lui son certificat HDS et notez-le : hds: {number: …, valid_until: …}",
            )
        else:
            yield from _certificate(site.path, said, site.item.hds.valid_until, today)


def _certificate(path: Path, said: str, until: date | None, today: date | None) -> Iterator[Finding]:
    if until is None:
        yield Finding(
            (*path, "hds"),
            "hds-undated",
            "ce certificat HDS n'a pas de date de fin",
            "ajoutez « valid_until: 2027-12-31 »",
            grave=False,
        )
    elif today is not None and until < today:
        yield Finding(
            (*path, "hds", "valid_until"),
            "hds-expired",
            f"{said} avec un certificat expiré le {until:%d/%m/%Y}",
            "demandez le certificat renouvelé",
        )
    elif today is not None and until - today <= HDS_NOTICE:
        yield Finding(
            (*path, "hds", "valid_until"),
            "hds-ending",
            f"ce certificat HDS finit le {until:%d/%m/%Y}",
            "demandez dès maintenant le certificat renouvelé",
            grave=False,
        )
