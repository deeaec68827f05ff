"""Opening the standby under a new tenure: the one act that must never happen twice.

Write order: promotion, then the tenure's row, then the gate. Killed between the first two, the
server is open under the old epoch: repeating the call finds it open and only writes the row.
Killed before the gate, the repeat puts it back.
"""

from __future__ import annotations

import time

from releve.adapters.engines.postgresql import bookkeeping, standby
from releve.adapters.engines.postgresql.gate import until
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import Tenure

PATIENCE = 60.0  # seconds; a standby far behind in its replay applies all it received first
POLL = 0.002


def promote(pair: Pair, site: str, tenure: Tenure) -> float:
    """Open the standby of `site`; milliseconds from the order to the first moment it accepts writes.

    Repeated, it returns what the first call measured (0.0 when that was never written). Raises
    `Refused` when the database already belongs to a higher epoch, or to another run with this one.
    """
    held = bookkeeping.held(pair, site)
    _must_be_next(held, tenure, site)
    took: float | None = None
    if pair.ask(site, "SELECT pg_is_in_recovery()")[0][0]:
        if held is not None and held.epoch == tenure.epoch:
            raise Refused(
                "promote-not-holder",
                f"l'époque {tenure.epoch} est déjà prise et le serveur du site « {site} » n'en est que le lecteur",
                hint="« releve status » dit quel site est ouvert",
            )
        took = _open(pair, site)
    if held is None or held.epoch != tenure.epoch:
        bookkeeping.create(pair, site)
        bookkeeping.take(pair, site, tenure, took)
        held = bookkeeping.held(pair, site)
        _must_be_next(held, tenure, site)
    _settle(pair, site)
    return (held.promotion_ms if held else None) or 0.0


def _must_be_next(held: bookkeeping.Held | None, tenure: Tenure, site: str) -> None:
    if held is None or held.epoch < tenure.epoch:
        return
    same = held.epoch == tenure.epoch and held.site == tenure.site and held.run == tenure.run
    if same and tenure.site == site:
        return
    raise Refused(
        "epoch-taken",
        f"la base du site « {site} » porte déjà l'époque {held.epoch}, prise par le site « {held.site} »",
        hint="une autre bascule a eu lieu : relisez « releve status » avant de continuer",
        context={"époque demandée": str(tenure.epoch), "exécution": held.run},
    )


def _open(pair: Pair, site: str) -> float:
    # Before, not after: once open, the first commit of an application must not wait for the side
    # that was just lost. ALTER SYSTEM is allowed on a standby.
    if standby.current(pair, site, "synchronous_standby_names"):
        pair.set_system(site, {"synchronous_standby_names": ""})
    began = time.perf_counter()
    # wait => false: the server's own wait looks every 100 ms (measured 102 ms for 25 ms of work)
    pair.ask(site, "SELECT pg_promote(false)")
    if not until(lambda: not pair.ask(site, "SELECT pg_is_in_recovery()")[0][0], PATIENCE, poll=POLL):
        raise Unreachable(
            "promote-slow",
            f"le serveur du site « {site} » n'est pas ouvert après {PATIENCE:g} s",
            hint="lisez son journal ; la bascule peut être relancée sans risque",
            retryable=True,
        )
    return (time.perf_counter() - began) * 1000


def _settle(pair: Pair, site: str) -> None:
    """What the new source needs next: closed on disk, following nobody, WAL kept for the other side.

    A leftover `primary_conninfo` would make it, started again by hand, a reader of the lost side.
    """
    pair.disk(site).place_gate()  # the promotion removed it
    follows = {
        name: "" for name in ("primary_conninfo", "primary_slot_name") if standby.current(pair, site, name)
    }
    if follows:
        pair.set_system(site, follows)
    standby.ensure_slot(pair, site, anew=True)
