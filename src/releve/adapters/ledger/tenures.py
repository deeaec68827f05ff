"""Who may write each data set. Epochs only go up, and one live run at a time may reach for the next."""

from __future__ import annotations

from releve.adapters.ledger import models
from releve.adapters.ledger.codec import utc
from releve.adapters.ledger.database import Database, put
from releve.domain.errors import Refused
from releve.domain.protection import Tenure
from releve.domain.runbook import RunState

_ENDED = (RunState.DONE.value, RunState.STOPPED.value)


class DjangoTenures:
    """Implements `domain.ports.Tenures`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, data_set: str) -> Tenure | None:
        """The tenure in force."""
        with self._database.reading() as alias:
            return _current(alias, data_set)

    def claim(self, data_set: str, run: str, epoch: int) -> None:
        """Reach for `epoch`. Raises `Refused` when another live run does, or when it is already past."""
        with self._database.writing() as alias:
            _free_for(alias, data_set, run)
            held = _current(alias, data_set)
            if held is not None and held.epoch >= epoch and held.run != run:
                raise _past(held, epoch)
            put(alias, models.Claim(data_set=data_set, run=run, epoch=epoch), by=("data_set",))

    def claimed(self, data_set: str) -> str:
        """The run that claims it, or empty. A claim outlives a run that stopped, until it is released."""
        with self._database.reading() as alias:
            row = models.Claim.objects.using(alias).filter(data_set=data_set).first()
        return row.run if row is not None else ""

    def take(self, tenure: Tenure) -> None:
        """Put the tenure in force. Raises `Refused` when its epoch is not above the one in force."""
        with self._database.writing() as alias:
            held = _current(alias, tenure.data_set)
            same = held is not None and (held.epoch, held.run, held.site) == (
                tenure.epoch,
                tenure.run,
                tenure.site,
            )
            if held is not None and held.epoch >= tenure.epoch and not same:
                raise _past(held, tenure.epoch)
            _free_for(alias, tenure.data_set, tenure.run)
            if not same:
                models.Tenure.objects.using(alias).create(
                    data_set=tenure.data_set,
                    epoch=tenure.epoch,
                    site=tenure.site,
                    run=tenure.run,
                    at=utc(tenure.at) if tenure.at else None,
                )
            models.Claim.objects.using(alias).filter(data_set=tenure.data_set).delete()

    def release(self, run: str) -> None:
        """End the claims of that run."""
        with self._database.writing() as alias:
            models.Claim.objects.using(alias).filter(run=run).delete()


def _current(alias: str, data_set: str) -> Tenure | None:
    row = models.Tenure.objects.using(alias).filter(data_set=data_set).order_by("-epoch").first()
    return Tenure(row.data_set, row.epoch, row.site, row.run, row.at) if row else None


def _free_for(alias: str, data_set: str, run: str) -> None:
    """Raises `Refused` when another live run claims the data set. A run nobody knows counts as live."""
    row = models.Claim.objects.using(alias).filter(data_set=data_set).exclude(run=run).first()
    if row is not None and _lives(alias, row.run):
        raise Refused(
            "data-set-claimed",
            f"les données « {data_set} » sont déjà en cours de bascule",
            hint=f"attendez la fin du déroulé {row.run}, ou arrêtez-le : releve run abort {row.run}",
            context={"run": row.run, "epoch": str(row.epoch)},
        )


def _lives(alias: str, run: str) -> bool:
    return not models.Run.objects.using(alias).filter(id=run, state__in=_ENDED).exists()


def _past(held: Tenure, epoch: int) -> Refused:
    return Refused(
        "epoch-past",
        f"les données « {held.data_set} » sont déjà à l'époque {held.epoch} sur le site {held.site}",
        hint="ce déroulé est dépassé : demandez une nouvelle bascule",
        context={"wanted": str(epoch), "run": held.run},
    )
