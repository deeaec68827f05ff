"""ECH: who talks to whom, and what the plan does not say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.exchanges import UNKNOWN_COUNTRY, Exchange, Party, declared, exchanges, written
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import holder
from releve.domain.audit import Topic
from releve.domain.inventory import INTERNET
from releve.domain.plan import Transport
from releve.domain.units import say_count

# European Economic Area: the Union's 27 and Iceland, Liechtenstein, Norway (ISO 3166). France's overseas
# departments have codes of their own in ISO 3166 and are of the Union.
EEA = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
        "GF",
        "GP",
        "MF",
        "MQ",
        "RE",
        "YT",
    ]
)
# Mail, directory and remote access whose password crosses in clear (IANA): FTP, telnet, POP3, IMAP, LDAP, r-commands.
CLEAR = {
    21: "FTP",
    23: "telnet",
    110: "POP3",
    143: "IMAP",
    389: "LDAP",
    512: "rexec",
    513: "rlogin",
    514: "rsh",
}
SHOWN = 4  # addresses in one sentence


def _told(estate: Estate) -> Iterator[Exchange]:
    """Every exchange of ours with somebody else; what a machine says to itself is none."""
    for item in exchanges(estate):
        if item.source.name != item.to.name and not any(_inner(end) for end in (item.source, item.to)):
            yield item


def _inner(end: Party) -> bool:
    try:
        address = ip_address(end.address)
    except ValueError:
        return False
    return end.outside and (address.is_loopback or address.is_link_local or address.is_unspecified)


def _name(estate: Estate, end: Party) -> str:
    return estate.name_of(end.name)


def _said(item: Exchange) -> str:
    return f"port {item.port}" + (f", {item.program}" if item.program else "")


def _untold(estate: Estate, item: Exchange) -> str:
    return f"le plan {'ne dit pas à quoi il sert' if written(estate, item) else 'ne le dit pas'}"


def _between_sites(estate: Estate) -> Iterator[Weakness]:
    for item in _told(estate):
        if item.crosses and not item.source.outside and not item.to.outside and not declared(estate, item):
            yield Weakness(
                item.key,
                f"{_name(estate, item.source)} parle à {_name(estate, item.to)}, d'un site à l'autre"
                f" ({_said(item)}), et {_untold(estate, item)}",
                item.source.site,
                seen=estate.seen_at(item.fact),
            )


def _strangers(estate: Estate) -> Iterator[Weakness]:
    """By machine, port and program, not by address: a browser meets a hundred addresses in an hour."""
    found: dict[tuple[str, str, int, str], list[Exchange]] = {}
    for item in _told(estate):
        stranger = next((end for end in (item.source, item.to) if end.outside and not end.known), None)
        if stranger is None or declared(estate, item):
            continue
        ends = (item.source.name, INTERNET) if stranger is item.to else (INTERNET, item.to.name)
        for program in item.programs or ("",):
            found.setdefault((*ends, item.port, program), []).append(replace(item, program=program))
    for (source, to, port, program), items in found.items():
        ours = items[0].source if to == INTERNET else items[0].to
        addresses = [item.to.address if to == INTERNET else item.source.address for item in items]
        shown = ", ".join(addresses[:SHOWN]) + ("…" if len(addresses) > SHOWN else "")
        way = "parle à" if to == INTERNET else "est joint par"
        yield Weakness(
            f"{source}→{to}:{port}" + (f"/{program}" if program else ""),
            f"{_name(estate, ours)} {way} {say_count(len(addresses), 'adresse inconnue', 'adresses inconnues')}"
            f" ({_said(items[0])}) : {shown}, {UNKNOWN_COUNTRY}",
            ours.site,
            seen=estate.seen_at(items[0].fact),
        )


def _undeclared_supplier(estate: Estate) -> Iterator[Weakness]:
    for item in _told(estate):
        outside = next((end for end in (item.source, item.to) if end.outside), None)
        if outside is not None and outside.known and not declared(estate, item):
            yield Weakness(
                item.key,
                f"{_name(estate, item.source)} parle à {_name(estate, item.to)} ({_said(item)},"
                f" {outside.country or UNKNOWN_COUNTRY}) et {_untold(estate, item)}",
                item.source.site or item.to.site,
                seen=estate.seen_at(item.fact),
            )


def _far(estate: Estate) -> Iterator[Weakness]:
    health = {item.id for item in estate.plan.inventory.suppliers if item.hosts_health}
    told: set[str] = set()
    for item in _told(estate):
        for end, ours in ((item.source, item.to), (item.to, item.source)):
            # One that hosts health data is named by its contract (FOU-08).
            if end.outside and end.country and end.country not in EEA and end.name not in told | health:
                told.add(end.name)
                yield Weakness(
                    end.name,
                    f"{_name(estate, ours)} échange avec {_name(estate, end)}, dont les machines sont hors de"
                    f" l'Espace économique européen ({end.country})",
                    ours.site,
                    seen=estate.seen_at(item.fact),
                )


def _clear_outside(estate: Estate) -> Iterator[Weakness]:
    for item in _told(estate):
        if item.to.outside and item.port in CLEAR:
            yield Weakness(
                item.key,
                f"{_name(estate, item.source)} envoie des mots de passe en clair à {_name(estate, item.to)}"
                f" ({CLEAR[item.port]}, port {item.port})",
                item.source.site,
                seen=estate.seen_at(item.fact),
            )


def _copy_in_clear(estate: Estate) -> Iterator[Weakness]:
    for item in estate.plan.data_sets:
        apart = len({end.host for end in item.ends.values()}) > 1
        if item.protection.transport is Transport.CLEAR and apart and not item.shared:
            yield Weakness(
                item.id, f"la copie de {item.name} traverse le réseau en clair", holder(estate, item)
            )


_SEEN = (Topic.CONNECTIONS,)
RULES = (
    Rule(
        "ECH-01",
        Severity.MAJOR,
        "un échange entre deux sites n'est pas déclaré",
        "à la bascule personne ne pensera à lui, et ce qui en dépend ne marchera pas",
        (src.HYGIENE_4, src.CERT_SANTE, src.MSS_CONTINU),
        "dites à quoi il sert dans le plan (« flows »), ou coupez-le",
        _between_sites,
        _SEEN,
        passing=True,
    ),
    Rule(
        "ECH-02",
        Severity.MAJOR,
        "un échange avec une adresse inconnue, hors de nos sites",
        "personne ne sait à qui vont ces données ni dans quel pays ; ce peut être un logiciel malveillant",
        (src.HYGIENE_4, src.RGPD_32_B, src.RGPD_28),
        "trouvez le programme et le destinataire ; déclarez le fournisseur et le flux, ou coupez-les",
        _strangers,
        _SEEN,
        passing=True,
    ),
    Rule(
        "ECH-03",
        Severity.MINOR,
        "un échange avec un fournisseur n'est pas déclaré",
        "le jour de la bascule il faudra l'ouvrir depuis l'autre site, et prévenir le fournisseur",
        (src.HYGIENE_4, src.MSS_CONTINU),
        "notez ce flux dans le plan (« flows ») avec son but",
        _undeclared_supplier,
        _SEEN,
        passing=True,
    ),
    Rule(
        "ECH-04",
        Severity.MAJOR,
        "des données partent hors de l'Espace économique européen",
        "un autre droit s'applique à elles, et leur retour n'est pas garanti",
        (src.RGPD_28, src.HDS_EEA, src.HDS_THIRD),
        "demandez un hébergement européen, ou faites valider ce transfert par le délégué à la protection des données",
        _far,
        _SEEN,
        passing=True,
    ),
    Rule(
        "ECH-05",
        Severity.MAJOR,
        "des mots de passe sortent en clair sur l'internet",
        "tout ce qui est sur le chemin peut les lire",
        (src.RGPD_32_B,),
        "passez au même service chiffré (IMAPS, LDAPS, SFTP) ; changez les mots de passe",
        _clear_outside,
        _SEEN,
        passing=True,
    ),
    Rule(
        "ECH-06",
        Severity.MAJOR,
        "une copie traverse le réseau en clair",
        "quiconque écoute le lien lit la base entière",
        (src.RGPD_32_B,),
        "écrivez « transport: tls », ou « ssh » avec un tunnel",
        _copy_in_clear,
    ),
)
