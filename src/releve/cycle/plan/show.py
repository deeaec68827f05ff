"""The plan drawn for a person: plain words first, RTO and RPO in small. Pure: text in, text out.

Readable without colour, on paper and through a screen reader: every line stands by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from releve.cycle.plan.build import NOTHING_TO_LOSE
from releve.cycle.plan.hours import hours
from releve.domain.calendars import worst_wall
from releve.domain.plan import (
    Application,
    DataKind,
    DataSet,
    End,
    HostSpec,
    Plan,
    ProtectionMode,
    Reach,
    Sensitivity,
    ShareEnd,
    Site,
    SiteRole,
    Tolerance,
    Transport,
)
from releve.domain.units import Clock, Span, say_bytes, say_clock_hours, say_seconds, say_span

ROLE_FR: Mapping[SiteRole, str] = {SiteRole.PRIMARY: "site principal", SiteRole.RELIEF: "site de secours"}
KIND_FR: Mapping[DataKind, str] = {
    DataKind.HEALTH: "données de santé",
    DataKind.ACCOUNTING: "comptabilité",
    DataKind.HR: "ressources humaines",
    DataKind.BANK: "données bancaires",
    DataKind.ACCOUNTS: "comptes informatiques",
    DataKind.MAIL: "courriels",
    DataKind.OFFICE: "bureautique",
    DataKind.CONFIGURATION: "configuration",
    DataKind.OTHER: "autres données",
}
SENSITIVITY_FR: Mapping[Sensitivity, str] = {
    Sensitivity.CRITICAL: "critiques",
    Sensitivity.SENSITIVE: "sensibles",
    Sensitivity.STANDARD: "ordinaires",
}
TRANSPORT_FR: Mapping[Transport, str] = {
    Transport.TLS: "chiffrée (TLS)",
    Transport.SSH: "chiffrée (tunnel SSH)",
    Transport.LOCAL: "sur une seule machine",
    Transport.CLEAR: "EN CLAIR",
}
QUESTION_FR: Mapping[str, str] = {
    "fence": "dire que l'ancien serveur est bien arrêté (fence)",
    "accept-loss": "accepter une perte de données (accept-loss)",
}


def worst_case(tolerance: Tolerance, plan: Plan, year: int) -> timedelta | None:
    """The longest that a need in business hours can last on the wall clock in `year`; None by day and night.

    An establishment cares around the clock: "8 h ouvrées" can be four days.
    """
    if tolerance.rto.clock is not Clock.BUSINESS:
        return None
    return worst_wall(tolerance.rto, plan.calendars.get(tolerance.calendar), year=year)


def say_without(tolerance: Tolerance, plan: Plan, year: int) -> str:
    """How long one can do without, its worst case on the wall clock when it counts business hours."""
    worst = worst_case(tolerance, plan, year)
    said = say_span(tolerance.rto)
    return said if worst is None else f"{said} (au pire {say_clock_hours(worst)})"


def say_loss(rpo: Span) -> str:
    """How much may be lost, in words."""
    if rpo == NOTHING_TO_LOSE:
        return "sans donnée"
    return "rien" if rpo.seconds == 0 else say_span(rpo)


def show(plan: Plan, *, year: int) -> str:
    """The whole plan as text. `year` is the one whose holidays make the worst cases."""
    blocks = [
        _title(plan),
        _heading("Combien de temps peut-on s'en passer ? Combien peut-on perdre ?"),
        _needs(plan, year),
        *([_heading("Les heures qui comptent"), _hours(plan)] if plan.calendars else []),
        _heading("Ce dont chaque application a besoin"),
        tree(plan),
        _heading("Où sont les choses"),
        "\n".join(line for site in plan.sites for line in _site(site, plan)),
        _heading("Comment les données sont protégées"),
        "\n".join(line for data in plan.data_sets for line in _data_set(data, plan))
        or "aucun jeu de données : rien n'est copié sur le site de secours",
        _heading("Qui"),
        _contacts(plan),
    ]
    return "\n".join(blocks) + "\n"


def _title(plan: Plan) -> str:
    finess = f", FINESS {plan.association.finess}" if plan.association.finess else ""
    return f"{plan.association.name}{finess}\nPlan « {plan.source} », empreinte {plan.fingerprint[:12]}"


def _heading(text: str) -> str:
    return f"\n{text}\n{'-' * len(text)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _needs(plan: Plan, year: int) -> str:
    if not plan.applications:
        return "aucune application"
    rows = []
    for application in plan.applications:
        promise = application.commitment
        rows.append(
            (
                application.name,
                say_without(application.need, plan, year),
                say_loss(application.need.rpo),
                f"{say_without(promise, plan, year)} ; {say_loss(promise.rpo)}" if promise else "—",
                _name(plan, application.owner),
            )
        )
    head = (
        "Application",
        "On peut s'en passer (RTO)",
        "On peut perdre (RPO)",
        "Promis (RTO ; RPO)",
        "En répond",
    )
    return table(head, rows)


def _hours(plan: Plan) -> str:
    return "\n".join(line for calendar in plan.calendars.values() for line in hours(calendar))


def _name(plan: Plan, contact_id: str) -> str:
    return next((contact.name for contact in plan.contacts if contact.id == contact_id), contact_id)


def tree(plan: Plan) -> str:
    """Who needs whom, from what nobody needs down to the foundations. What was drawn is not redrawn."""
    needed = {name for application in plan.applications for name in application.needs}
    tops = [application for application in plan.applications if application.id not in needed]
    lines: list[str] = []
    drawn: set[str] = set()
    # (prefix of the line, prefix of what is below, application): a stack, whatever the depth
    pending = [("", "", application) for application in reversed(tops)]
    while pending:
        prefix, below, application = pending.pop()
        again = application.id in drawn and bool(application.needs)
        lines.append(f"{prefix}{application.name}{_switched(application)}" + (" (déjà vu)" if again else ""))
        if again:
            continue
        drawn.add(application.id)
        needs = [plan.application(name) for name in application.needs]
        for index, need in reversed(list(enumerate(needs))):
            last = index == len(needs) - 1
            pending.append((below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), need))
    return "\n".join(lines)


def _switched(application: Application) -> str:
    return " [basculée par Relève]" if application.ends else ""


def _site(site: Site, plan: Plan) -> Iterable[str]:
    address = f", {site.address}" if site.address else ""
    yield f"{site.name} — {ROLE_FR[site.role]} « {site.id} »{address}"
    if site.third_party:
        until = f" jusqu'au {site.hds.valid_until:%d/%m/%Y}" if site.hds and site.hds.valid_until else ""
        hds = f", certificat HDS {site.hds.number}{until}" if site.hds else ", sans certificat HDS"
        yield f"  hébergé par {site.third_party}{hds}"
    for host in plan.hosts:
        if host.site == site.id:
            yield f"  machine « {host.id} » : {_reach(host)}"


def _reach(host: HostSpec) -> str:
    if host.reach is Reach.LOCAL or host.ssh is None:
        return "celle où la commande tourne"
    return f"ssh {host.ssh.user}@{host.ssh.address}, port {host.ssh.port}"


def _data_set(data: DataSet, plan: Plan) -> Iterable[str]:
    protection = data.protection
    yield f"{data.name} — {KIND_FR[data.kind]}, {SENSITIVITY_FR[data.sensitivity]} ({data.engine})"
    primary, relief = data.ends[data.primary_site], data.ends[data.relief_site]
    yield (
        f"  de {plan.site(data.primary_site).name} ({primary.host}, {_place(primary)})"
        f" vers {plan.site(data.relief_site).name} ({relief.host}, {_place(relief)})"
    )
    mode = "en temps réel" if protection.mode is ProtectionMode.REALTIME else "une fois par jour"
    if protection.mode is ProtectionMode.DAILY:
        mode += f" à {protection.daily_at:%H:%M}"
    vault = next((one.name for one in plan.vaults if one.places == data.vault), "") if data.vault else ""
    how = (
        f"par « {vault} », chiffrée" if isinstance(primary, ShareEnd) else TRANSPORT_FR[protection.transport]
    )
    yield f"  copie {mode}, {how} ; on peut perdre : {say_loss(protection.rpo)} (RPO)"
    if isinstance(primary, ShareEnd):
        return
    if vault:
        yield f"  histoire gardée dans « {vault} »"
    lost = protection.on_relief_lost
    if protection.synchronous:
        yield "  si le secours tombe : " + (
            "les écritures attendent son retour"
            if lost.wait
            else f"la production continue seule après {say_seconds(lost.degrade_after)}, sans promesse de zéro perte"
        )
    yield f"  au plus {say_bytes(protection.slot_limit)} gardés pour un secours absent"


def _place(end: End) -> str:
    return end.path if isinstance(end, ShareEnd) else f"{end.address}:{end.port}"


def _contacts(plan: Plan) -> str:
    rows = [
        (contact.name, contact.role or "—", contact.phone or "—", contact.email or "—")
        for contact in plan.contacts
    ]
    lines = [table(("Qui", "Rôle", "Téléphone", "Courriel"), rows)] if rows else ["aucun contact"]
    for question, rule in plan.approvals.items():
        who = ", ".join(_name(plan, name) for name in rule.who) or "toute personne du plan"
        people = "une personne" if rule.people == 1 else f"{rule.people} personnes différentes"
        what = QUESTION_FR.get(question, question)
        lines.append(f"Pour {what} : {people} parmi {who}, en {say_seconds(rule.deadline)} au plus")
    return "\n".join(lines)
