"""The engine of a plan, found by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releve.adapters.engines import engine_for, engine_names
from releve.adapters.engines.postgresql import Postgresql
from releve.domain.errors import BadInput
from tests.fakes.plans import data_set
from tests.integration.pg import now


def make(engine: str) -> object:
    """The engine of a plan that names it so."""
    unused = {}.__getitem__
    return engine_for(replace(data_set(), engine=engine), host=unused, services=None, secret=unused, now=now)


def test_postgresql_is_found_and_touches_nothing_yet() -> None:
    """Making an engine looks up neither host nor secret."""
    assert "postgresql" in engine_names()
    assert isinstance(make("postgresql"), Postgresql)


def test_an_unknown_engine_says_which_are_known() -> None:
    """The plan's author reads what may be written there."""
    with pytest.raises(BadInput, match="oracle") as caught:
        make("oracle")
    assert caught.value.code == "engine-unknown"
    assert "postgresql" in caught.value.hint
