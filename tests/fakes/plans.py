"""Small plans as values, for tests of pure stages. Everything in them is fictional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import time

from releve.domain.calendars import Calendar
from releve.domain.plan import (
    AppEnd,
    Application,
    Approval,
    Association,
    Contact,
    DataKind,
    DataSet,
    HostSpec,
    Manager,
    Plan,
    Protection,
    ProtectionMode,
    Reach,
    ReliefLost,
    SecretRef,
    Sensitivity,
    ServerEnd,
    ServiceSpec,
    ShareEnd,
    Site,
    SiteRole,
    Tolerance,
    Transport,
    VaultPlace,
    WorkerSpec,
)
from releve.domain.units import parse_span

SERVICE = ServiceSpec(Manager.COMMAND, start=("start",), stop=("stop",), status=("status",))
OFFICE = Calendar("bureau", "Europe/Paris", {day: ((time(9), time(17)),) for day in range(5)}, "FR")


def data_set(
    name: str = "dossiers", *, rpo: str = "0", wait: bool = False, degrade_after: float = 30.0
) -> DataSet:
    """A PostgreSQL data set on both sites."""
    ends = {
        site: ServerEnd(f"srv-{site}", "127.0.0.1", port, f"/{site}/data", "/bin", SERVICE)
        for site, port in (("principal", 5432), ("secours", 5433))
    }
    protection = Protection(
        ProtectionMode.REALTIME, parse_span(rpo), ReliefLost(wait, degrade_after), transport=Transport.LOCAL
    )
    return DataSet(
        name,
        name.capitalize(),
        "postgresql",
        DataKind.HEALTH,
        Sensitivity.CRITICAL,
        protection,
        "principal",
        "secours",
        ends,
    )


def share(
    name: str = "documents", *, rpo: str = "5 s", mode: ProtectionMode = ProtectionMode.REALTIME
) -> DataSet:
    """A share of files on both sites."""
    place = VaultPlace("/nowhere/vault", SecretRef("env", "KEY"))
    return DataSet(
        name,
        name.capitalize(),
        "files",
        DataKind.OFFICE,
        Sensitivity.CRITICAL,
        Protection(mode, parse_span(rpo)),
        "principal",
        "secours",
        {
            site: ShareEnd(f"srv-{site}", f"/{site}/docs", f"/{site}/state")
            for site in ("principal", "secours")
        },
        dict.fromkeys(("principal", "secours"), place),
    )


def application(
    name: str,
    *,
    needs: tuple[str, ...] = (),
    data: tuple[str, ...] = (),
    warm: bool = False,
    rto: str = "4 h",
    calendar: str = "",
    moved: bool = True,
) -> Application:
    """An application with an instance on both sites (unless not `moved`)."""
    ends = {
        site: AppEnd(f"srv-{site}", f"http://127.0.0.1/{site}", SERVICE, None, warm)
        for site in ("principal", "secours")
    }
    return Application(
        name,
        name.upper(),
        "directrice",
        Tolerance(parse_span(rto), parse_span("0"), calendar),
        needs=needs,
        data=data,
        ends=ends if moved else {},
    )


def plan(
    applications: tuple[Application, ...] = (application("dui", data=("dossiers",)),),
    data_sets: tuple[DataSet, ...] | None = None,
    approvals: Mapping[str, Approval] | None = None,
) -> Plan:
    """Two sites, one host each, two contacts."""
    return Plan(
        Association("Association fictive Les Tilleuls"),
        (
            Site(
                "principal",
                "Site principal",
                SiteRole.PRIMARY,
                worker=WorkerSpec("127.0.0.1:1", "/nowhere/p"),
            ),
            Site(
                "secours", "Site de secours", SiteRole.RELIEF, worker=WorkerSpec("127.0.0.1:2", "/nowhere/s")
            ),
        ),
        (
            HostSpec("srv-principal", "principal", Reach.LOCAL),
            HostSpec("srv-secours", "secours", Reach.LOCAL),
        ),
        (Contact("directrice", "Directrice"), Contact("technicien", "Technicien")),
        applications,
        data_sets if data_sets is not None else (data_set(),),
        {"bureau": OFFICE},
        dict(approvals or {}),
    )


def with_approval(source: Plan, question: str, approval: Approval) -> Plan:
    """The same plan with one more approval rule."""
    return replace(source, approvals={**source.approvals, question: approval})
