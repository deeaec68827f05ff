"""Need, commitment, measure: three different things, put side by side and judged.

A verdict is "kept" only when something was measured. What nobody looked at is "not measured",
which is neither good nor bad news.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releve.domain.calendars import due_at, elapsed, length
from releve.domain.incident import Incident
from releve.domain.plan import Application, Plan, Tolerance
from releve.domain.units import Clock, say_span

LEDGER_BASIS = "registre de l'incident : de la panne à l'ouverture aux utilisateurs"


class Verdict(StrEnum):
    """How a measure stands against an objective."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class Measure:
    """What was seen of one application in one incident. None: nobody measured it.

    `rto_seconds`: wall-clock seconds without the application. `lost`: acknowledged writes that are
    missing afterwards, out of `acknowledged`; proven by content, never by a lag. `loss_seconds`:
    age, at the outage, of the oldest lost write. `basis`: who measured, and how, in French.
    """

    application: str
    rto_seconds: float | None
    lost: int | None
    acknowledged: int | None
    basis: str
    loss_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The four verdicts on one application. Those on a commitment are None when nothing was promised."""

    application: str
    need_rto: Verdict
    need_rpo: Verdict
    commitment_rto: Verdict | None
    commitment_rpo: Verdict | None

    @property
    def rto(self) -> Verdict:
        """Need and commitment together, for the outage."""
        return worst((self.need_rto, self.commitment_rto))

    @property
    def rpo(self) -> Verdict:
        """Need and commitment together, for the data."""
        return worst((self.need_rpo, self.commitment_rpo))

    @property
    def verdict(self) -> Verdict:
        """All of it: broken as soon as one is, kept only when all are."""
        return worst((self.rto, self.rpo))


def worst(verdicts: Iterable[Verdict | None]) -> Verdict:
    """Broken if any is, else not measured if any is (or there is none at all), else kept."""
    given = {verdict for verdict in verdicts if verdict is not None}
    for verdict in (Verdict.BROKEN, Verdict.NOT_MEASURED, Verdict.KEPT):
        if verdict in given:
            return verdict
    return Verdict.NOT_MEASURED


def measured(application: Application, incident: Incident, witness: Measure | None) -> Measure:
    """The witness's measure, completed for the outage by what the incident's record shows.

    Without a witness the data stay unmeasured: the record cannot tell what was lost.
    """
    if witness is not None and witness.rto_seconds is not None:
        return witness
    restored = (incident.restored or {}).get(application.id)
    seconds = (restored - incident.began_at).total_seconds() if restored else None
    basis = LEDGER_BASIS if restored else ""
    if witness is None:
        return Measure(application.id, seconds, None, None, basis)
    both = " ; ".join(text for text in (witness.basis, basis) if text)
    return Measure(application.id, seconds, witness.lost, witness.acknowledged, both, witness.loss_seconds)


def judge(
    application: Application, incident: Incident, plan: Plan, witness: Measure | None, now: datetime
) -> Judgement:
    """The verdicts on one application at `now` (aware). Pure.

    An outage is compared on the need's own clock: it is kept when it ended by the instant at which
    the RTO, begun with the incident, runs out in the plan's calendar. Without a measure it is
    broken once that instant is past, if the application is one that Relève can bring back.
    """
    measure = measured(application, incident, witness)
    need, promised = application.need, application.commitment
    lasting = _still_out(application, incident, now)
    return Judgement(
        application.id,
        _outage(need, application, incident, plan, measure, lasting),
        _data(need, application, incident, plan, measure),
        _outage(promised, application, incident, plan, measure, lasting) if promised else None,
        _data(promised, application, incident, plan, measure) if promised else None,
    )


def _still_out(application: Application, incident: Incident, now: datetime) -> datetime | None:
    """Until when the application is known to be out; None when Relève knows nothing of it."""
    return (incident.closed_at or now) if incident.site in application.ends else None


def _outage(
    tolerance: Tolerance,
    application: Application,
    incident: Incident,
    plan: Plan,
    measure: Measure,
    lasting: datetime | None,
) -> Verdict:
    calendar = plan.calendars.get(tolerance.calendar or application.need.calendar)
    due = due_at(incident.began_at, tolerance.rto, calendar)
    if measure.rto_seconds is not None:
        back = incident.began_at + timedelta(seconds=measure.rto_seconds)
        return Verdict.KEPT if back <= due else Verdict.BROKEN
    return Verdict.BROKEN if lasting is not None and lasting > due else Verdict.NOT_MEASURED


def _data(
    tolerance: Tolerance, application: Application, incident: Incident, plan: Plan, measure: Measure
) -> Verdict:
    if measure.lost is None:
        return Verdict.NOT_MEASURED
    if measure.lost == 0:
        # no write was watched: nothing lost out of nothing proves nothing
        return Verdict.KEPT if measure.acknowledged else Verdict.NOT_MEASURED
    calendar = plan.calendars.get(tolerance.calendar or application.need.calendar)
    allowed = length(tolerance.rpo, calendar)
    if not allowed:
        return Verdict.BROKEN
    if measure.loss_seconds is None:
        return Verdict.NOT_MEASURED
    oldest = incident.began_at - timedelta(seconds=measure.loss_seconds)
    on_clock = calendar if tolerance.rpo.clock is Clock.BUSINESS else None
    aged = elapsed(oldest, incident.began_at, on_clock)
    return Verdict.KEPT if aged <= allowed else Verdict.BROKEN


def side_by_side(
    application: Application, incident: Incident, plan: Plan, witness: Measure | None, now: datetime
) -> dict[str, object]:
    """Need, commitment and measure of one application with their verdicts, JSON-ready."""
    measure = measured(application, incident, witness)
    verdicts = judge(application, incident, plan, witness, now)
    return {
        "id": application.id,
        "name": application.name,
        "need": _tolerance_json(application.need),
        "commitment": _tolerance_json(application.commitment) if application.commitment else None,
        "measure": {
            "rto_seconds": measure.rto_seconds,
            "lost": measure.lost,
            "acknowledged": measure.acknowledged,
            "loss_seconds": measure.loss_seconds,
            "basis": measure.basis,
        },
        "verdict": verdicts.verdict.value,
        "verdicts": {
            "need": {"rto": verdicts.need_rto.value, "rpo": verdicts.need_rpo.value},
            "commitment": {
                "rto": verdicts.commitment_rto.value if verdicts.commitment_rto else None,
                "rpo": verdicts.commitment_rpo.value if verdicts.commitment_rpo else None,
            },
        },
    }


def _tolerance_json(tolerance: Tolerance) -> dict[str, object]:
    return {
        "rto": say_span(tolerance.rto),
        "rpo": say_span(tolerance.rpo),
        "calendar": tolerance.calendar or None,
    }
