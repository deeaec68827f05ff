"""The guard and the lookout in action, over servers and a ledger in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releve.cycle.watch.act import LEAVE_ALONE, Guard, Lookout, stated
from releve.cycle.watch.decide import Act, Statement
from releve.domain.errors import Unreachable
from releve.domain.protection import ServerState, Suspension, Tenure
from tests.fakes.engine import FakeEngine
from tests.fakes.ledger import FakeFacts, FakeLedger
from tests.fakes.plans import data_set, share

OURS = Tenure("dossiers", 0, "principal")
THEIRS = Tenure("dossiers", 1, "secours", "bascule-1")


class Post:
    """A guard at its post: a protected pair, a clock that stands still, a relief that says `statement`."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
        self.engine, self.ledger = FakeEngine(now=self.now), FakeLedger()
        self.engine.protect()
        self.statement: Statement | None = Statement(OURS)
        self.relieve()

    def relieve(self) -> None:
        """A new guard takes over: only the ledger remembers."""
        self.guard = Guard(
            "principal", data_set(), self.engine, self.ledger, lambda _name: self.statement, self.now
        )

    def now(self) -> datetime:
        """The instant."""
        return self.at

    def tick(self, seconds: float = 0.0) -> Act:
        """Let time pass, then look once."""
        self.at += timedelta(seconds=seconds)
        return self.guard.tick().act

    def told(self) -> list[str]:
        """The acts in the evidence, in order."""
        return [str(item.body["act"]) for item in self.ledger.evidence.entries() if item.kind == "guard"]

    @property
    def state(self) -> ServerState:
        """The local server's."""
        return self.engine.servers["principal"].state


class Noting(FakeFacts):
    """Facts that note in `order` when a suspension is written."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self._order = order

    def suspend(self, suspension: Suspension) -> None:
        """Keep it, and note it."""
        self._order.append("ledger ends" if suspension.ended_at else "ledger")
        super().suspend(suspension)


class NotingEngine(FakeEngine):
    """An engine that notes in `order` when it is relaxed or restored; `fails` times it cannot be."""

    order: list[str]
    fails = 0

    def relax(self, site: str, suspension: Suspension) -> None:
        """Relax, and note it."""
        self.order.append("engine")
        if self.fails:
            self.fails -= 1
            raise Unreachable("pg-silent", "le serveur ne répond pas")
        super().relax(site, suspension)

    def restore(self, site: str, at: datetime) -> None:
        """Restore, and note it."""
        self.order.append("engine restored")
        super().restore(site, at)


def noting_post() -> tuple[Post, list[str]]:
    """A post whose relief is about to be lost; what happens is noted in order."""
    post, order = Post(), list[str]()
    post.engine = NotingEngine(now=post.now)
    post.engine.order = order
    post.engine.protect()
    post.ledger.facts = Noting(order)
    post.relieve()
    assert [post.tick(), post.tick()] == [Act.ADOPT, Act.NOTHING]
    return post, order


def test_suspension_is_written_before_the_engine_is_touched() -> None:
    """When the relief is lost for the plan's delay: first the ledger, then the engine; restore ends it."""
    post, order = noting_post()
    post.engine.cut()
    assert post.tick() is Act.NOTHING
    assert post.tick(29) is Act.NOTHING
    assert order == []
    assert post.tick(1) is Act.RELAX
    assert order == ["ledger", "engine"]
    post.engine.write("principal", "on its own")
    (suspension,) = post.ledger.facts.suspensions("dossiers")
    assert (suspension.started_at, suspension.ended_at) == (post.at, None)
    assert post.tick(5) is Act.NOTHING
    post.engine.join()
    assert post.tick(1) is Act.RESTORE
    assert order == ["ledger", "engine", "engine restored", "ledger ends"]
    (ended,) = post.ledger.facts.suspensions("dossiers")
    assert (ended.started_at, ended.ended_at) == (suspension.started_at, post.at)
    assert post.engine.facts("principal").sync_armed


def test_engine_that_cannot_be_relaxed_leaves_one_suspension() -> None:
    """The word in the ledger stands although the engine failed; the next look tries again, same suspension."""
    post, order = noting_post()
    post.engine.fails = 1  # type: ignore[attr-defined]
    post.engine.cut()
    post.tick()
    with pytest.raises(Unreachable):
        post.tick(30)
    (suspension,) = post.ledger.facts.suspensions("dossiers")
    assert post.tick(1) is Act.RELAX
    assert order == ["ledger", "engine", "ledger", "engine"]
    assert post.ledger.facts.suspensions("dossiers") == [suspension]
    assert post.engine.facts("principal").suspended_since == suspension.started_at


def test_claimed_server_is_left_to_the_run_then_closed() -> None:
    """A claim is given its first seconds; a server still open after them is closed."""
    post = Post()
    post.tick()
    post.statement = Statement(OURS, "bascule-1", "secours")
    assert post.tick() is Act.NOTHING
    assert post.tick(LEAVE_ALONE.total_seconds() - 0.1) is Act.NOTHING
    assert post.state is ServerState.OPEN
    assert post.tick(0.1) is Act.CLOSE
    assert post.state is ServerState.STOPPED
    assert post.tick(1) is Act.NOTHING
    assert post.engine.effects["close:principal"] == 1


def test_each_claim_has_its_own_seconds() -> None:
    """Another run's claim is counted from its own first look."""
    post = Post()
    post.tick()
    post.statement = Statement(OURS, "bascule-1", "secours")
    post.tick()
    post.statement = Statement(OURS, "bascule-2", "secours")
    assert post.tick(2.9) is Act.NOTHING
    assert post.tick(2.9) is Act.NOTHING
    assert post.tick(0.2) is Act.CLOSE


def test_adopted_start_is_held() -> None:
    """A confirmed start is adopted once and stays open without an answer, whoever stands guard."""
    post = Post()
    assert post.tick() is Act.ADOPT
    post.statement = None
    assert post.tick() is Act.NOTHING
    post.relieve()
    assert post.tick() is Act.NOTHING
    assert post.state is ServerState.OPEN


def test_opened_start_is_held() -> None:
    """A server that came back is opened on a confirmed epoch only, and this start is then held."""
    post = Post()
    post.tick()
    post.engine.kill("principal")
    post.statement = None
    assert post.tick() is Act.STAY_CLOSED
    assert post.state is ServerState.STOPPED
    post.statement = Statement(OURS)
    assert post.tick() is Act.OPEN
    assert post.state is ServerState.OPEN
    post.statement = None
    assert post.tick() is Act.NOTHING
    assert post.engine.effects["open:principal"] == 1


def test_older_epoch_is_never_opened() -> None:
    """Once the epoch went elsewhere the server is closed, and no later silence opens it."""
    post = Post()
    post.tick()
    post.statement = Statement(THEIRS)
    assert post.tick() is Act.CLOSE
    assert post.ledger.tenures.current("dossiers") == THEIRS
    for statement in (None, Statement(THEIRS), None):
        post.statement = statement
        post.engine.start_by_hand("principal")
        post.tick(1)
        assert post.state is not ServerState.OPEN
    assert post.engine.effects["open:principal"] == 0


def test_evidence_is_written_once_a_change() -> None:
    """A hundred looks at the same thing write nothing more; a change does."""
    post = Post()
    for _ in range(20):
        post.tick(0.25)
    assert post.told() == ["adopt"]
    post.engine.kill("principal")
    post.statement = None
    for _ in range(20):
        post.tick(0.25)
    assert post.told() == ["adopt", "stay-closed"]
    post.statement = Statement(OURS)
    for _ in range(20):
        post.tick(0.25)
    assert post.told() == ["adopt", "stay-closed", "open"]


def test_silence_in_the_middle_of_a_return_closes_nothing() -> None:
    """The relief dies just after it opened this site again: what it opened stays open, until it says otherwise."""
    post = Post()
    post.ledger.tenures.take(THEIRS)
    post.engine.kill("principal")
    post.engine.promote("secours", THEIRS)
    post.engine.rebuild("principal", "secours")
    post.statement = Statement(THEIRS, "retour-1", "principal")
    post.tick(10)
    post.engine.fence("secours")
    post.engine.promote("principal", Tenure("dossiers", 2, "principal", "retour-1"))
    post.statement = None
    for _ in range(20):
        assert post.tick(0.25) is Act.NOTHING
    assert post.state is ServerState.OPEN
    post.statement = Statement(Tenure("dossiers", 3, "secours", "bascule-2"))
    assert post.tick(5) is Act.CLOSE


def test_an_answer_older_than_the_look_closes_nothing() -> None:
    """The epoch came here between the answer and the look: the answer is asked again, and the start held."""
    post = Post()
    post.statement = Statement(THEIRS)
    post.tick()
    back = Tenure("dossiers", 2, "principal", "retour-1")
    post.engine.open("principal", 0)

    def ask(_name: str) -> Statement | None:
        said, post.statement = post.statement, Statement(back)
        return said

    post.guard = Guard("principal", data_set(), post.engine, post.ledger, ask, post.now)
    assert post.guard.tick().act is Act.ADOPT
    assert post.state is ServerState.OPEN


def test_an_answer_followed_by_silence_still_closes() -> None:
    """A server of an older epoch is closed on the one answer there was."""
    post = Post()
    answers: list[Statement | None] = [Statement(THEIRS), None]
    post.guard = Guard(
        "principal", data_set(), post.engine, post.ledger, lambda _name: answers.pop(0), post.now
    )
    assert post.guard.tick().act is Act.CLOSE
    assert post.state is not ServerState.OPEN


def test_lookout_keeps_a_proof_only_of_an_open_holder() -> None:
    """The relief writes what it saw of an open primary; a lost one leaves the last proof as it was."""
    post = Post()
    lookout = Lookout("secours", data_set(), post.engine, post.ledger, post.now)
    contact = lookout.tick()
    assert contact is not None and contact.synchronous and contact.asked_at == post.at
    assert post.ledger.facts.last_contact("dossiers") == contact
    assert post.ledger.facts.fetch("server", "principal:dossiers") is not None
    for spoil in (post.engine.kill, post.engine.vanish):
        spoil("principal")
        post.at += timedelta(seconds=10)
        assert lookout.tick() is None
        assert post.ledger.facts.last_contact("dossiers") == contact


def test_lookout_is_idle_where_we_hold() -> None:
    """The holder has nobody to look at."""
    post = Post()
    post.ledger.tenures.take(THEIRS)
    assert Lookout("secours", data_set(), post.engine, post.ledger, post.now).tick() is None
    assert post.ledger.facts.last_contact("dossiers") is None


def test_lookout_goes_on_where_we_hold_a_share() -> None:
    """A share goes into its vault whoever holds it: up to when it is safe stays known."""
    post = Post()
    post.engine.promote("secours", THEIRS)
    post.ledger.tenures.take(replace(THEIRS, data_set="documents"))
    contact = Lookout("secours", share(), post.engine, post.ledger, post.now).tick()
    assert contact is not None and contact.asked_at == post.at
    assert post.ledger.facts.fetch("server", "secours:documents") is not None


def test_lost_standby_is_no_proof() -> None:
    """A primary that answers without its standby is a contact that proves nothing."""
    post = Post()
    post.engine.cut()
    contact = Lookout("secours", data_set(), post.engine, post.ledger, post.now).tick()
    assert contact is not None and not contact.synchronous


def test_what_the_holder_of_epochs_says() -> None:
    """A ledger that knows nothing says nothing: "epoch 0" would send an old side back to work."""
    ledger = FakeLedger()
    assert stated(ledger, data_set()) is None
    ledger.tenures.take(THEIRS)
    assert stated(ledger, data_set()) == Statement(THEIRS)


def test_lost_ledger_is_read_again_from_the_databases() -> None:
    """Both sides seen, or our own server open under its own epoch: the tenure is taken up, with its evidence."""
    post = Post()
    Lookout("secours", data_set(), post.engine, post.ledger, post.now).tick()
    held = post.ledger.tenures.current("dossiers")
    assert held is not None and (held.epoch, held.site) == (0, "principal")
    post.engine.kill("principal")
    post.engine.promote("secours", THEIRS)
    lost = FakeLedger()
    Lookout("secours", data_set(), post.engine, lost, post.now).tick()
    held = lost.tenures.current("dossiers")
    assert held is not None and (held.epoch, held.site) == (1, "secours")
    assert [item.kind for item in lost.evidence.entries()] == ["tenure-recognised"]


def test_a_standby_alone_names_no_holder() -> None:
    """A ledger lost while the other side is out of sight: nothing is known, and nothing is said."""
    post = Post()
    post.engine.vanish("principal")
    Lookout("secours", data_set(), post.engine, post.ledger, post.now).tick()
    assert post.ledger.tenures.current("dossiers") is None
    assert stated(post.ledger, data_set()) is None
