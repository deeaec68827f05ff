"""Amounts of money, exact: whole cents, and never a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import PlainValidator

from releve.cycle.plan.fields import quote, wrong

MAX_EUROS = 10**9  # a larger amount is a slip; it also keeps every sum far below 2^63 cents
_HINT = "écrivez un montant en euros, par exemple 1200 ou 49.90"


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise wrong("price", f"« {quote(value)} » n'est pas un montant", _HINT)
    text = "".join(str(value).replace(",", ".").replace("€", "").split())
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise wrong("price", f"« {quote(value)} » n'est pas un montant", _HINT) from error
    if not amount.is_finite():
        raise wrong("price", f"« {quote(value)} » n'est pas un montant", _HINT)
    if amount < 0:
        raise wrong(
            "price-negative", f"le montant « {quote(value)} » est négatif", "un prix est nul ou positif"
        )
    if amount > MAX_EUROS:
        raise wrong("price-large", f"le montant « {quote(value)} » dépasse un milliard", "vérifiez les zéros")
    return amount


def _cents(value: Any) -> int:
    amount = _decimal(value) * 100
    if amount != int(amount):
        raise wrong("price-cents", f"le montant « {quote(value)} » descend sous le centime", _HINT)
    return int(amount)


def _rate(value: Any) -> Decimal:
    amount = _decimal(value)
    if amount != round(amount, 6):
        raise wrong("price-cents", f"« {quote(value)} » : six décimales au plus", _HINT)
    return amount


Cents = Annotated[int, PlainValidator(_cents)]  # written in euros, kept in cents (≥ 0)
Rate = Annotated[Decimal, PlainValidator(_rate)]  # euros for one Go and one year (≥ 0)


def say_money(cents: int, currency: str = "EUR") -> str:
    """Cents as a French reader writes them: "1 234,50 €"; whole euros lose their decimals."""
    whole, rest = divmod(abs(cents), 100)
    text = f"{whole:,}".replace(",", " ") + (f",{rest:02d}" if rest else "")
    return ("-" if cents < 0 else "") + text + " " + ("€" if currency == "EUR" else currency)
