"""The copies of a data set or of a holding: whether each is there, of when it is, and when one was last brought back.

A date stands only where something proves it: a follower whose source says how far it is, a snapshot, a file. A copy
that exists and that nobody can date has `at` None; one that nobody can look at has `found` None, and leaves a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from releve.adapters.survey.asking import answered, unclear
from releve.adapters.survey.telling import count, flag, instant, joined, maybe
from releve.domain.audit import Found, Gap
from releve.domain.errors import BadInput, ReleveError
from releve.domain.inventory import CopyPlace, Holding
from releve.domain.plan import DataSet, Plan, VaultPlace
from releve.domain.ports import Host, Ledger
from releve.domain.protection import ServerFacts, ServerState
from releve.domain.runbook import RunRecord, RunState, TaskKind, TaskState
from releve.domain.secret import SecretRef
from releve.domain.seen import Copy, Restored
from releve.domain.units import say_count

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

_DAILY = "daily"  # the kind of fact under which the copy of the day is noted
_LOOK = 20.0  # seconds spent below one folder that is said to be a copy
_SLACK = 15.0  # seconds beyond: start of python3, a disk that wakes up


def data_set_copies(
    data_set: DataSet,
    *,
    ledger: Ledger,
    end: Callable[[str], ServerFacts],
    here: str,
    vault: Callable[[VaultPlace], Repository],
    trial: datetime | None = None,
) -> Found:
    """`Copy` facts (hot, vault) and the last `Restored` ones of a data set. Never raises for what is not there.

    `end` looks at that of a site; it may raise `ReleveError`. `here`: the site that looks. `vault` opens a place (`vault_at`).
    `trial`: when its history was last brought back apart, and opened (what `releve database try` notes).
    """
    tenure = ledger.tenures.current(data_set.id)
    holder = tenure.site if tenure else data_set.primary_site
    return joined(
        _hot(data_set, holder, ledger, end),
        _kept(data_set, here, vault),
        Found(_restored(data_set.id, ledger.runs.all(), trial)),
    )


def vault_at(place: VaultPlace, secret: Callable[[SecretRef], str]) -> Repository:
    """The vault of a place, opened and not written to. Raises `ReleveError`."""
    from releve.adapters.vault.places import store_at
    from releve.adapters.vault.repository import open_vault

    return open_vault(store_at(place.address), secret(place.key))


def holding_copies(
    holding: Holding, plan: Plan, *, host: Callable[[str], Host], timeout: float = _LOOK
) -> Found:
    """`Copy` facts of what the plan says of a holding: each place is looked at where it lies, at most `timeout` s.

    The site is that of the machine, whatever the copy's own line says. A place that no machine holds (a disk in a
    cupboard, a supplier's) stays as declared.
    """
    return joined(*(_placed(holding, place, plan, host, timeout) for place in holding.copies))


def _hot(data_set: DataSet, holder: str, ledger: Ledger, end: Callable[[str], ServerFacts]) -> Found:
    """The copy that follows, as it says itself and as its source says."""
    relief = data_set.other(holder)
    place = f"{data_set.ends[relief].host}:{data_set.ends[relief].place}"
    contact = ledger.facts.last_contact(data_set.id)
    try:
        seen = end(relief)
    except ReleveError as error:
        return Found(
            (Copy(data_set.id, "hot", relief, place),), (Gap(error.code, error.sentence, "copie vivante"),)
        )
    at: datetime | None = None
    if data_set.shared:
        at = seen.safe_until
    elif seen.following == holder:
        at = _replayed(holder, end)
    if at is None and contact is not None and contact.synchronous:
        at = contact.asked_at - timedelta(seconds=contact.reply_age)
    if at is None and (daily := ledger.facts.fetch(_DAILY, data_set.id)) is not None:
        at = daily[0]
    if seen.state is ServerState.UNKNOWN:
        gap = Gap("copy-unseen", f"la copie du site {relief} n'a pas pu être regardée", "copie vivante")
        return Found((Copy(data_set.id, "hot", relief, place, None, at),), (gap,))
    found = bool(seen.following) or at is not None  # once dated, it exists, even if it follows no longer
    return Found((Copy(data_set.id, "hot", relief, place, found, at),))


def _replayed(holder: str, end: Callable[[str], ServerFacts]) -> datetime | None:
    """Up to when the follower of a database has everything, as its source knows; None when it does not say."""
    try:
        source = end(holder)
    except ReleveError:
        return None  # the copy was seen, and stays undated
    standby = source.standby
    if source.state is not ServerState.OPEN or standby.reply_age is None or standby.lag_seconds is None:
        return None
    return source.at - timedelta(seconds=standby.reply_age + standby.lag_seconds)


def _kept(data_set: DataSet, here: str, vault: Callable[[VaultPlace], Repository]) -> Found:
    """What its vault has of it: the newest state that can be brought back."""
    if not data_set.vault:
        return Found()
    place = data_set.vault.get(here)
    site = _vault_site(data_set)
    if place is None:
        said = f"le site {here} n'a pas d'accès au coffre de « {data_set.name} »"
        return Found((Copy(data_set.id, "vault", site),), (Gap("vault-elsewhere", said, "coffre"),))
    try:
        repository = vault(place)
        at, unreadable = (
            _newest_share(repository, data_set.id)
            if data_set.shared
            else _newest_base(repository, data_set.id)
        )
    except ReleveError as error:
        said = f"le coffre de « {data_set.name} » n'a pas pu être lu : {error.sentence}"
        return Found((Copy(data_set.id, "vault", site, place.address),), (Gap(error.code, said, "coffre"),))
    gaps: tuple[Gap, ...] = ()
    if unreadable:
        those = say_count(unreadable, "instantané du coffre illisible", "instantanés du coffre illisibles")
        gaps = (Gap("vault-unreadable", those, "coffre"),)
    return Found((Copy(data_set.id, "vault", site, place.address, at is not None, at),), gaps)


def _newest_share(repository: Repository, share: str) -> tuple[datetime | None, int]:
    from releve.adapters.engines.files.marks import Snapshots

    snapshots = Snapshots(repository, share)
    found = snapshots.look()
    at = max((mark.safe or snapshot.at for mark, snapshot in found), default=None)
    return at, len(snapshots.unreadable)


def _newest_base(repository: Repository, database: str) -> tuple[datetime | None, int]:
    from releve.adapters.engines.postgresql.archive.restore import known

    try:
        told = known(repository, database)
    except BadInput as error:
        if error.code != "unknown-database":
            raise
        return None, 0
    return max((window.until for window in told.windows), default=None), len(told.unreadable)


def _vault_site(data_set: DataSet) -> str:
    """The site where a vault stands: the only one that reaches it by a folder; empty when that does not tell."""
    folders = [site for site, place in data_set.vault.items() if place.address.startswith("/")]
    return folders[0] if len(folders) == 1 else ""


def _restored(subject: str, runs: list[RunRecord], trial: datetime | None) -> tuple[Restored, ...]:
    """The last run that opened its other side and ended well, and the last trial."""
    opened = [
        (record.ended_at, run.runbook.direction.value)
        for run in runs
        if run.state is RunState.DONE
        for task in run.runbook.tasks
        if task.kind is TaskKind.PROMOTE and task.subject == subject
        for record in (run.record(task.id),)
        if record.state is TaskState.DONE and record.ended_at is not None
    ]
    found = [Restored(subject, *last) for last in sorted(opened)[-1:]]
    return tuple(found) + ((Restored(subject, trial, "trial"),) if trial is not None else ())


def _placed(
    holding: Holding, place: CopyPlace, plan: Plan, host: Callable[[str], Host], timeout: float
) -> Found:
    if not place.host or not place.path:
        said = f"la copie de « {holding.name} » au site {place.site} n'est pas sur une machine du plan : personne ne l'a vue"
        return Found(
            (Copy(holding.id, "declared", place.site, place.host, offline=place.offline),),
            (Gap("copy-declared", said, place.site),),
        )
    shown = f"{place.host}:{place.path}"
    try:
        site = plan.host(place.host).site
        machine = host(place.host)
    except KeyError:
        said = (
            f"la machine {place.host}, qui porterait une copie de « {holding.name} », n'est pas dans le plan"
        )
        return Found(
            (Copy(holding.id, "folder", place.site, shown, offline=place.offline),),
            (Gap("copy-host-unknown", said, shown),),
        )
    except ReleveError as error:
        return Found(
            (Copy(holding.id, "folder", site, shown, offline=place.offline),),
            (Gap(error.code, error.sentence, shown),),
        )
    asked = {"place": place.path, "seconds": timeout}
    told = answered(machine, "newest", asked, what=shown, timeout=timeout + _SLACK)
    found, at, gaps = _freshness(told, place.host, shown)
    return Found((Copy(holding.id, "folder", site, shown, found, at, place.offline),), gaps)


def _freshness(
    told: dict[str, Any] | Gap, host: str, shown: str
) -> tuple[bool | None, datetime | None, tuple[Gap, ...]]:
    """(is it there, of when, what was not seen). A folder without a file is no copy."""
    if isinstance(told, Gap):
        return None, None, (told,)
    try:
        exists, files = maybe(flag, told["exists"]), count(told["files"])
        newest, unread, cut = maybe(instant, told["newest"]), count(told["unread"]), flag(told["cut"])
    except (ValueError, KeyError):
        return None, None, (unclear(host, shown),)
    if exists is None:
        return None, None, (Gap("copy-denied", "le compte de Relève n'a pas le droit d'y regarder", shown),)
    if cut or unread:
        why = "trop de fichiers pour le temps donné" if cut else say_count(unread, "dossier illisible")
        gap = Gap("copy-partly-seen", f"copie vue en partie ({why}) : sa date reste inconnue", shown)
        return (True if files else None), None, (gap,)
    if newest is not None and newest > datetime.now(UTC) + timedelta(days=1):
        return (
            True,
            None,
            (Gap("copy-future", "des fichiers y sont datés du futur : sa date reste inconnue", shown),),
        )
    return bool(exists and files), newest, ()
