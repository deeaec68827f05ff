"""Documents kept on a machine, in people's folders: counted by sort, never named."""

from __future__ import annotations

from collections.abc import Sequence

from releve.adapters.survey.asking import answered, unclear
from releve.adapters.survey.files import closed, question, tallies, troubles
from releve.adapters.survey.kinds import DOCUMENTS
from releve.domain.audit import Found, Gap
from releve.domain.ports import Host
from releve.domain.seen import Documents

PLACES = ("/home", "/root")


def documents(host: Host, *, places: Sequence[str] = PLACES, timeout: float) -> Found:
    """One fact a place: office documents, PDF, pictures, mailboxes. `timeout` seconds a place; never raises.

    Folders whose name begins with a dot are what programs keep for themselves: not entered, but for those of
    mail programs. A place that does not exist on this machine holds nothing: it was looked at. A folder
    that could not be entered bears a person's name more often than not: it is counted, and not named.
    """
    facts: list[Documents] = []
    gaps: list[Gap] = []
    for place in places:
        asked = question(place, timeout=timeout, largest=0, hidden=False)
        told = answered(host, "inventory", asked, what=place, timeout=timeout)
        if isinstance(told, Gap):
            gaps.append(told)
            continue
        if told.get("absent"):
            facts.append(Documents(host.id, place, ()))
            continue
        if gap := closed(told, place):
            gaps.append(gap)
            continue
        try:
            kinds = tuple(item for item in tallies(told["kinds"]) if item.name in DOCUMENTS)
            missing = troubles(told, place)
        except (KeyError, TypeError, ValueError, IndexError):
            gaps.append(unclear(host.id, place))
            continue
        gaps += missing
        facts.append(Documents(host.id, place, kinds))
    return Found(tuple(facts), tuple(gaps))
