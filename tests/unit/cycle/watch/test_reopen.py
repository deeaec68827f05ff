"""Opening on a person's word: only when nobody else can say, and never against what this site knows."""

from __future__ import annotations

import pytest

from releve.cycle.watch.act import Guard, reopen_on_word
from releve.cycle.watch.decide import Act, Statement
from releve.domain.errors import BadInput, Refused
from releve.domain.protection import ServerState, Tenure
from tests.fakes.world import FakeWorld


def alone() -> FakeWorld:
    """A primary that came back by itself while its relief is gone for good."""
    fake = FakeWorld()
    fake.ledger.tenures.take(Tenure("dossiers", 0, "principal"))
    fake.engine.kill("principal")
    fake.engine.vanish("secours")
    return fake


def reopen(fake: FakeWorld, words: str = "le secours a brûlé", answer: Statement | None = None) -> str:
    """The order, with what the relief would answer."""
    return reopen_on_word(
        "principal",
        fake.plan.data_set("dossiers"),
        fake.engine,
        fake.ledger,
        lambda _: answer,
        "directrice",
        words,
    )


def test_opens_and_the_guard_keeps_it_open() -> None:
    """The word is evidence, the server opens, and the guard does not close it again."""
    fake = alone()
    reopen(fake)
    assert fake.engine.facts("principal").state is ServerState.OPEN
    assert fake.ledger.evidence.entries()[-1].kind == "reopened-on-word"
    guard = Guard(
        "principal", fake.plan.data_set("dossiers"), fake.engine, fake.ledger, lambda _: None, fake.clock
    )
    assert guard.tick().act is not Act.CLOSE
    assert fake.engine.facts("principal").state is ServerState.OPEN


def test_refused_while_the_relief_answers() -> None:
    """When the holder of the epochs answers, nobody's word is needed."""
    fake = alone()
    with pytest.raises(Refused, match="répond"):
        reopen(fake, answer=Statement(Tenure("dossiers", 0, "principal")))


def test_refused_when_a_newer_epoch_is_known_here() -> None:
    """A site that once learnt that its data went elsewhere does not open them on a word."""
    fake = alone()
    fake.ledger.tenures.take(Tenure("dossiers", 1, "secours", "bascule-1"))
    with pytest.raises(Refused, match="secours"):
        reopen(fake)
    assert fake.engine.facts("principal").state is ServerState.STOPPED


def test_a_word_has_words() -> None:
    """An empty word opens nothing."""
    with pytest.raises(BadInput):
        reopen(alone(), words=" ")
