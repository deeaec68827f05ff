"""Looks at the servers of a site several times a second and does what `decide` says.

One `Guard` a data set and a thread. The relief's `Lookout` records, from the other side, the last
proof that the promise held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from releve.cycle.watch.decide import Act, Action, Statement, View, guard
from releve.domain.errors import BadInput, Refused
from releve.domain.plan import DataSet, ShareEnd
from releve.domain.ports import Ledger, Now, Watched
from releve.domain.protection import Contact, ServerFacts, ServerState, Suspension, SyncState, Tenure

LEAVE_ALONE = timedelta(
    seconds=3
)  # a planned return is over in one; a run that cannot reach us waits for people

Ask = Callable[[str], Statement | None]  # data set id -> what the holder of the epochs says


class Guard:
    """Keeps one data set of one site on the right side of its epoch."""

    def __init__(
        self, site: str, data_set: DataSet, engine: Watched, ledger: Ledger, ask: Ask, now: Now
    ) -> None:
        self._site, self._data_set, self._engine = site, data_set, engine
        self._ledger, self._ask, self._now = ledger, ask, now
        self._last_reply: datetime | None = None
        self._claim_seen: tuple[str, datetime] | None = None
        self._opening = ""
        self._told: Action | None = None

    def tick(self) -> Action:
        """One look, one action. Raises `ReleveError` when the action could not be done: look again."""
        statement = self._heard()
        if self._run_at_work(statement):
            return Action(Act.NOTHING, "une bascule est à l'œuvre ici")
        facts = self._engine.facts(self._site)
        self._remember_reply(facts)
        view = self._view(facts, statement)
        action = guard(view, self._now())
        if statement is not None and action.act in (Act.CLOSE, Act.OPEN, Act.ADOPT):
            # What was said before the look may be older than what was seen: a run that promoted this
            # server in between would find it closed behind its back.
            later = self._heard()
            if self._run_at_work(later):
                return Action(Act.NOTHING, "une bascule est à l'œuvre ici")
            if later is not None and later != statement:
                view = self._view(facts, later)
                action = guard(view, self._now())
        self._tell(action, view)
        self._do(action, view)
        return action

    def _heard(self) -> Statement | None:
        statement = self._ask(self._data_set.id)
        if statement is not None:
            self._opening = statement.claimed_by if statement.claimed_for == self._site else ""
        return statement

    def _run_at_work(self, statement: Statement | None) -> bool:
        """Whether a run that claims the data is left its first seconds undisturbed.

        It stops this server itself where it can; a second hand on it would only slow it down. The
        fence never counts on us. A claim that lasts finds the guard closing what is still open.
        """
        if statement is None or not statement.claimed_by:
            self._claim_seen = None
            return False
        now = self._now()
        if self._claim_seen is None or self._claim_seen[0] != statement.claimed_by:
            self._claim_seen = (statement.claimed_by, now)
        return now - self._claim_seen[1] < LEAVE_ALONE

    def _view(self, facts: ServerFacts, statement: Statement | None) -> View:
        name = self._data_set.id
        tenure = self._ledger.tenures.current(name)
        if statement is not None and (tenure is None or statement.tenure.epoch > tenure.epoch):
            self._ledger.tenures.take(statement.tenure)
            tenure = statement.tenure
        return View(
            self._site,
            self._data_set,
            facts,
            tenure,
            self._opened(),
            statement,
            self._suspension(),
            self._last_reply,
            self._opening,
        )

    def _remember_reply(self, facts: ServerFacts) -> None:
        if facts.state is not ServerState.OPEN:
            self._last_reply = None
        elif facts.standby.reply_age is not None and facts.standby.sync is not SyncState.ABSENT:
            self._last_reply = facts.at - timedelta(seconds=facts.standby.reply_age)
        elif self._last_reply is None:
            self._last_reply = facts.at  # silence is counted from the first look that found it

    def _opened(self) -> str:
        found = self._ledger.facts.fetch("opened", f"{self._site}:{self._data_set.id}")
        return str(found[1]["identity"]) if found else ""

    def _hold(self, identity: str) -> None:
        self._ledger.facts.put(
            "opened", f"{self._site}:{self._data_set.id}", self._now(), {"identity": identity}
        )

    def _suspension(self) -> Suspension | None:
        running = [
            item for item in self._ledger.facts.suspensions(self._data_set.id) if item.ended_at is None
        ]
        return running[-1] if running else None

    def _tell(self, action: Action, view: View) -> None:
        """Write a decision once, when it changes: the log is evidence, not noise."""
        if action == self._told or (action.act is Act.NOTHING and self._told is None):
            return
        if action.act is not Act.NOTHING and (self._told is None or action.act is not self._told.act):
            self._ledger.evidence.append(
                "guard",
                {
                    "site": self._site,
                    "data_set": self._data_set.id,
                    "act": action.act,
                    "reason": action.reason,
                    "state": view.facts.state,
                    "epoch": view.tenure.epoch if view.tenure else None,
                },
                self._now(),
            )
        self._told = action

    def _do(self, action: Action, view: View) -> None:
        if action.act is Act.OPEN:
            epoch = view.tenure.epoch if view.tenure else 0
            self._hold(self._engine.open(self._site, epoch))
        elif action.act is Act.CLOSE:
            self._hold("")
            self._engine.close(self._site)
        elif action.act is Act.ADOPT:
            self._hold(view.facts.identity)
        elif action.act is Act.RELAX:
            self._relax(action, view)
        elif action.act is Act.RESTORE:
            at = self._now()
            self._engine.restore(self._site, at)
            self._end_suspensions()

    def _relax(self, action: Action, view: View) -> None:
        suspension = view.suspension or Suspension(
            self._data_set.id, view.tenure.epoch if view.tenure else 0, self._now(), action.reason
        )
        self._ledger.facts.suspend(suspension)  # first in our ledger, then in the database, then relaxed
        self._engine.relax(self._site, suspension)

    def _end_suspensions(self) -> None:
        for item in self._ledger.facts.suspensions(self._data_set.id):
            if item.ended_at is None:
                self._ledger.facts.suspend(replace(item, ended_at=self._now()))


class Lookout:
    """The relief's look at the holder: the last proof of the promise, and what is shown of it.

    A database that the relief holds has nobody behind it: nothing is proved. A share goes on into its vault, whoever
    holds it.
    """

    def __init__(self, site: str, data_set: DataSet, engine: Watched, ledger: Ledger, now: Now) -> None:
        self._site, self._data_set, self._engine = site, data_set, engine
        self._ledger, self._now = ledger, now

    def tick(self) -> Contact | None:
        """Ask the holder's server once; keep the answer when there is one."""
        current = self._ledger.tenures.current(self._data_set.id) or self._recognised()
        holder = current.site if current else self._data_set.primary_site
        if holder == self._site and not isinstance(self._data_set.ends[holder], ShareEnd):
            return None
        asked_at = self._now()
        facts = self._engine.facts(holder)
        if facts.state is not ServerState.OPEN:
            return None
        standby = facts.standby
        age = standby.reply_age
        contact = Contact(
            self._data_set.id,
            asked_at,
            age if age is not None else 0.0,
            facts.sync_armed and standby.sync is SyncState.SYNC and age is not None,
            facts.suspended_since,
            facts.overriding_roles,
            standby.lag_bytes,
            facts.position if facts.safe_until is not None and age is not None else 0,
        )
        self._ledger.facts.contact(contact)
        self._ledger.facts.put("server", f"{holder}:{self._data_set.id}", asked_at, summary(facts))
        return contact

    def _recognised(self) -> Tenure | None:
        """Who may write, read again from the databases when our ledger knows nothing of it (a lost disk).

        Believed only when both sides were seen, or when this site's own server is open under its own
        epoch: a standby left behind would name a holder of the past.
        """
        looks = [self._engine.facts(self._site), self._engine.facts(self._data_set.other(self._site))]
        seen = [item for item in looks if item.state in (ServerState.OPEN, ServerState.CLOSED)]
        found = max(seen, key=lambda item: item.epoch, default=looks[0])
        at_home = found.state is ServerState.OPEN and found.site == found.epoch_site == self._site
        if not found.epoch_site or (len(seen) < len(looks) and not at_home):
            return None
        tenure = Tenure(self._data_set.id, found.epoch, found.epoch_site, at=found.at)
        self._ledger.evidence.append(
            "tenure-recognised",
            {"data_set": self._data_set.id, "epoch": tenure.epoch, "site": tenure.site},
            found.at,
        )
        self._ledger.tenures.take(tenure)
        return tenure


def reopen_on_word(
    site: str, data_set: DataSet, engine: Watched, ledger: Ledger, ask: Ask, by: str, words: str
) -> str:
    """Open a server on a person's word, when nobody can confirm its epoch; returns its identity.

    Refused while the holder of the epochs answers (it then decides), and when this site itself
    knows of a newer epoch elsewhere. The word is written before the server is touched.
    """
    if not words.strip():
        raise BadInput("no-words", "dites comment vous le savez (--words)")
    if ask(data_set.id) is not None:
        raise Refused(
            "relief-answers",
            "le site de secours répond : c'est lui qui dit si l'époque est la bonne",
            hint="« releve status » sur le site de secours",
        )
    tenure = ledger.tenures.current(data_set.id)
    if tenure is not None and tenure.site != site:
        raise Refused(
            "not-holder",
            f"ce site sait que « {data_set.id} » est passé au site « {tenure.site} »",
            hint="faites-le revenir par « releve return » depuis le site de secours",
        )
    facts = engine.facts(site)
    ledger.evidence.append(
        "reopened-on-word",
        {"site": site, "data_set": data_set.id, "by": by, "words": words, "state": facts.state},
        facts.at,
    )
    identity = engine.open(site, tenure.epoch if tenure else 0)
    ledger.facts.put("opened", f"{site}:{data_set.id}", facts.at, {"identity": identity})
    return identity


def summary(facts: ServerFacts) -> dict[str, object]:
    """What `releve status` shows of a server, JSON-ready."""
    standby = facts.standby
    return {
        "state": facts.state,
        "version": facts.version,
        "timeline": facts.timeline,
        "epoch": facts.epoch,
        "size_bytes": facts.size_bytes,
        "written_bytes": facts.written_bytes,
        "collation": facts.collation,
        "sync_armed": facts.sync_armed,
        "sync": standby.sync,
        "lag_bytes": standby.lag_bytes,
        "lag_seconds": standby.lag_seconds,
        "slot": standby.slot,
        "overriding_roles": list(facts.overriding_roles),
        "following": facts.following,
        "safe_until": facts.safe_until.isoformat() if facts.safe_until else None,
    }


def stated(ledger: Ledger, data_set: DataSet) -> Statement | None:
    """What the holder of the epochs says of `data_set`, from its own ledger; None when it knows nothing.

    Nothing is not "epoch 0": a ledger that was lost would send the old side back to work.
    """
    tenure = ledger.tenures.current(data_set.id)
    if tenure is None:
        return None
    claimed_by = ledger.tenures.claimed(data_set.id)
    claimed_for = ledger.runs.get(claimed_by).runbook.target if claimed_by else ""
    return Statement(tenure, claimed_by, claimed_for)
