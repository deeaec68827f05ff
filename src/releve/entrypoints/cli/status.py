"""`releve status`: who holds what, and whether the promises hold, now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

if TYPE_CHECKING:
    from releve.app import House
    from releve.domain.plan import DataSet

PROMISE_FR = {
    "held": "tenu",
    "suspended": "SUSPENDU",
    "unknown": "INCONNU",
    "not-promised": "pas promis",
}


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def status(plan: PlanFile = "plan.yaml", as_json: Json = False) -> None:
        """Où en est-on : qui tient quelles données, les engagements tiennent-ils, incidents et déroulés."""

        def body() -> Answer:
            from releve.app import utc_now
            from releve.entrypoints.cli.present import STATE_FR, incident_json, incident_text
            from releve.entrypoints.cli.session import relief_house

            home, now = relief_house(plan), utc_now()
            data = [_data_set(home, item, now) for item in home.plan.data_sets]
            incidents = [item for item in home.ledger.incidents.all() if item.closed_at is None]
            runs = home.ledger.runs.live()
            worker = _worker(home)
            lines = [
                f"{home.plan.association.name} — vu du site {home.site.id}",
                "worker : " + ("répond" if worker else "ne tourne pas : rien n'est surveillé"),
                "",
            ]
            for item in data:
                lines.append(
                    f"{item['name']} : tenu par le site {item['holder']}, époque {item['epoch']}"
                    + (f", bascule en cours ({item['claimed_by']})" if item["claimed_by"] else "")
                )
                lines.append(
                    f"  {item['promised']} : {PROMISE_FR[str(item['promise'])]} — {item['reason']}"
                    + (f" ({_since(item)})" if item["since"] else "")
                )
                if isinstance(history := item["history"], dict):
                    lines += [f"  histoire : {said}" for said in history["lines"]]
                    lines += [f"  histoire : ATTENTION, {said}" for said in history["troubles"]]
                for site, warnings in _mapping(item["warnings"]).items():
                    lines += [f"  {site} : {said}" for said in warnings]
            lines += [""] + [incident_text(item, home.plan, now) for item in incidents]
            lines += [f"Déroulé {item.runbook.run} : {STATE_FR[item.state]}" for item in runs]
            return Answer(
                {
                    "site": home.site.id,
                    "worker": worker,
                    "data_sets": data,
                    "incidents": [incident_json(item, home.plan, now) for item in incidents],
                    "runs": [{"run": item.runbook.run, "state": item.state} for item in runs],
                },
                "\n".join(lines),
            )

        answer(as_json, body)


def _since(item: dict[str, object]) -> str:
    """A share tells up to when it is safe; a database since when its promise does not hold."""
    at = datetime.fromisoformat(str(item["since"])).astimezone()
    return f"{at:%d/%m/%Y %H:%M:%S}"


def _warnings(home: House, item: DataSet) -> dict[str, list[str]]:
    """What a person must know of each end of a share, by site; a database says it in its own figures."""
    from releve.domain.plan import ShareEnd

    tenure = home.ledger.tenures.current(item.id)
    found: dict[str, list[str]] = {}
    for site, end in item.ends.items():
        if isinstance(end, ShareEnd):
            facts = home.engines[item.id].facts(site)
            found[site] = list(facts.warnings)
            if tenure is not None and tenure.site not in {site, facts.following}:
                found[site].append("ne suit pas : le partage n'a d'autre copie que le coffre")
    return {site: said for site, said in found.items() if said}


def _history(home: House, item: DataSet, now: datetime) -> dict[str, object] | None:
    """What the worker of this site keeps of a database in a vault; None where it keeps nothing."""
    from releve.domain.errors import Unreachable
    from releve.domain.plan import ServerEnd

    worker = home.site.worker
    if worker is None or home.site.id not in item.vault or not isinstance(item.ends[home.site.id], ServerEnd):
        return None
    from releve.entrypoints.worker.history import folder_of
    from releve.entrypoints.worker.history_status import history_status

    try:
        said = history_status(folder_of(worker.state, item.id), now)
    except Unreachable as error:
        return {"lines": [], "troubles": [error.sentence]}
    return {**said.data, "lines": list(said.lines), "troubles": list(said.troubles)}


def _mapping(value: object) -> dict[str, list[str]]:
    return value if isinstance(value, dict) else {}


def _worker(home: House) -> bool:
    from releve.domain.errors import Unreachable
    from releve.entrypoints.worker.link import ask_local

    try:
        ask_local(home.socket, "ping", {}, timeout=2.0)
    except Unreachable:
        return False
    return True


def _data_set(home: House, item: DataSet, now: datetime) -> dict[str, object]:
    from releve.cycle.watch.decide import standing
    from releve.domain.units import say_span

    facts = home.ledger.facts
    tenure = home.ledger.tenures.current(item.id)
    running = [one for one in facts.suspensions(item.id) if one.ended_at is None]
    found = standing(item, facts.last_contact(item.id), running[-1] if running else None, now)
    holder = tenure.site if tenure else item.primary_site
    seen = facts.fetch("server", f"{holder}:{item.id}")
    return {
        "id": item.id,
        "name": item.name,
        "holder": holder,
        "epoch": tenure.epoch if tenure else 0,
        "protected": tenure is not None,
        "claimed_by": home.ledger.tenures.claimed(item.id),
        "promised": "zéro perte"
        if item.protection.synchronous
        else f"au plus {say_span(item.protection.rpo)} de perte",
        "promise": found.promise,
        "reason": found.reason,
        "since": found.since.isoformat() if found.since else None,
        "warnings": _warnings(home, item),
        "history": _history(home, item, now),
        "server_seen_at": seen[0].isoformat() if seen else None,
        "server": dict(seen[1]) if seen else None,
    }
