"""The rules that judge a plan, once each block can be read. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from releve.cycle.plan.finding import Finding
from releve.cycle.plan.rules.inventory import inventory_rules
from releve.cycle.plan.rules.law import law, secrets
from releve.cycle.plan.rules.people import calendars, people
from releve.cycle.plan.rules.places import places
from releve.cycle.plan.rules.promises import promises
from releve.cycle.plan.rules.references import references
from releve.cycle.plan.rules.vaults import vaults
from releve.cycle.plan.shape import Draft


def rules(draft: Draft, *, today: date | None, engines: tuple[str, ...]) -> Iterator[Finding]:
    """Every finding that needs more than one block.

    `today` judges certificates; None leaves dates alone, so that a plan that was right stays
    readable in a crisis. `engines`: the names that can be protected.
    """
    yield from secrets(draft.root)
    yield from references(draft.root)
    yield from calendars(draft)
    yield from places(draft, engines)
    yield from promises(draft)
    yield from law(draft, today)
    yield from vaults(draft)
    yield from people(draft)
    yield from inventory_rules(draft)
