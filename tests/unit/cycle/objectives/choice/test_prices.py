"""The price list: what is written, what is refused, what it becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from releve.cycle.objectives.choice.money import say_money
from releve.cycle.objectives.choice.prices import (
    GO,
    OfferBlock,
    Per,
    PricesBlock,
    Serves,
    build,
    judge,
    judge_only,
)

COPY: dict[str, Any] = {
    "id": "nuit",
    "name": "Copie de nuit",
    "kind": "daily",
    "initial": 100,
    "yearly": 49.9,
    "rpo": "24 h",
    "rto": "1 h",
}
SERVER: dict[str, Any] = {
    "id": "srv",
    "name": "Serveur",
    "kind": "relief-server",
    "initial": 0,
    "yearly": 0,
    "shared": True,
}


def _block(*offers: dict[str, Any], **more: Any) -> PricesBlock:
    return PricesBlock.model_validate({"offers": list(offers), **more})


def _codes(*offers: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    return [(finding.path, finding.code) for finding in judge(_block(*offers))]


def _refused(**wrong: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        _block(COPY | wrong)
    return [(error["loc"], error["type"]) for error in caught.value.errors()]


def test_a_list_becomes_cents_and_seconds() -> None:
    """Euros become whole cents, durations whole seconds, Mo/s bytes a second; what is paid for each by default."""
    found = build(_block(COPY | {"throughput": 40, "per_gb_yearly": "0,12"}, reaction="30 min"))
    (offer,) = found.offers
    assert (offer.initial, offer.yearly, offer.rpo, offer.rto) == (10_000, 4_990, 86_400, 3600)
    assert (offer.throughput, offer.per_gb_yearly) == (40e6, Decimal("0.12"))
    assert (offer.serves, offer.per, found.reaction, found.years) == (Serves.DATA_SET, Per.DATA_SET, 1800, 5)


def test_no_price_has_a_default() -> None:
    """An offer without its price is refused: no price is published, none is invented."""
    with pytest.raises(ValidationError) as caught:
        _block({key: value for key, value in COPY.items() if key not in {"initial", "yearly"}})
    assert {error["loc"][-1] for error in caught.value.errors()} == {"initial", "yearly"}
    assert all(OfferBlock.model_fields[name].is_required() for name in ("initial", "yearly"))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (-1, "price-negative"),
        ("-0.01", "price-negative"),
        ("beaucoup", "price"),
        (True, "price"),
        (float("nan"), "price"),
        ("inf", "price"),
        (10**10, "price-large"),
        ("0.001", "price-cents"),
        (["1"], "price"),
    ],
)
def test_a_wrong_amount_is_named_at_its_place(wrong: Any, code: str) -> None:
    """Each wrong amount has its own code, at the key itself."""
    assert _refused(yearly=wrong) == [(("offers", 0, "yearly"), code)]


def test_a_negative_duration_is_named() -> None:
    """A delay below zero is refused as every duration of a plan is."""
    assert _refused(rto="-1 h") == [(("offers", 0, "rto"), "duration")]


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"rto": None}, (), "rto-missing"),
        ({"rpo": None}, (), "rpo-missing"),
        ({"kind": "warm"}, ("rpo",), "rpo-useless"),
        ({"kind": "synchronous"}, ("rpo",), "rpo-synchronous"),
        ({"kind": "realtime", "offline": True}, ("offline",), "replica-offline"),
        ({"kind": "offline-copy"}, ("kind",), "offline"),
        ({"serves": "application", "rpo": None}, ("serves",), "serves"),
        ({"kind": "warm", "rpo": None, "serves": "data-set"}, ("serves",), "serves"),
        ({"hds": True}, ("hds",), "hds-alone"),
        ({"kind": "hosted", "rpo": None}, (), "hosted-alone"),
        ({"shared": True, "per": "data-set"}, ("per",), "per"),
        ({"per": "application"}, ("per",), "per"),
        ({"capacity_gb": 10}, (), "capacity"),
        ({"shared": True, "capacity_applications": 10}, (), "capacity"),
        ({"shared": True, "capacity_applications": 1, "capacity_gb": 1}, (), "capacity"),
        ({"requires": ["srv", "srx"]}, ("requires", 1), "offer-unknown"),
        ({"requires": ["nuit"]}, ("requires",), "requires-circle"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, Any], place: tuple[str | int, ...], code: str) -> None:
    """Each contradiction of an offer has a code and a place; the offer without it has none."""
    offer = {key: value for key, value in (COPY | change).items() if value is not None}
    assert (("offers", 0, *place), code) in _codes(offer, SERVER)
    assert _codes(COPY, SERVER) == []


def test_what_requires_the_wrong_way_is_named() -> None:
    """A copy does not require a relief, a shared thing does not require a copy, two offers have two names."""
    relief = {key: value for key, value in COPY.items() if key != "rpo"} | {"id": "tiede", "kind": "warm"}
    assert _codes(COPY | {"requires": ["tiede"]}, relief) == [
        (("offers", 0, "requires", 0), "requires-application")
    ]
    assert _codes(COPY, SERVER | {"requires": ["nuit"]}) == [(("offers", 1, "requires", 0), "requires-copy")]
    assert _codes(COPY, COPY) == [(("offers", 1, "id"), "id-twice")]
    assert _codes() == [(("offers",), "offers-none")]


def test_a_reservation_for_nobody_is_named() -> None:
    """`only` names what the plan knows."""
    found = list(judge_only(_block(COPY | {"only": ["paie", "pay"]}), frozenset({"paie"})))
    assert [(finding.path, finding.code) for finding in found] == [
        (("offers", 0, "only", 1), "subject-unknown")
    ]
    assert "paie" in found[0].hint


@given(st.decimals(0, 1000, places=4), st.integers(0, 10**14))
def test_a_volume_is_paid_up_to_the_cent(rate: Decimal, volume: int) -> None:
    """Never less than rate x volume, never a whole cent more."""
    offer = build(_block(COPY | {"per_gb_yearly": str(rate)})).offers[0]
    exact = rate * volume * 100 / GO
    assert 0 <= offer.volume_cents(volume) - exact < 1


def test_money_is_said_in_french() -> None:
    """Thousands apart, a comma, and no decimals for whole euros."""
    assert [say_money(cents) for cents in (0, 5, 123_456, 100_000_000, -250)] == [
        "0 €",
        "0,05 €",
        "1 234,56 €",
        "1 000 000 €",
        "-2,50 €",
    ]
    assert say_money(100, "CHF") == "1 CHF"
