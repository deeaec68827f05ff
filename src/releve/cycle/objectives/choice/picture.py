"""The curve as a picture (SVG): a staircase read from right to left. Readable without colour, and offline.

The cost is always that of the whole association. Of one application it shows what each delay adds to the
cheapest purchase: beside the total its steps could not be seen.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from releve.cycle.objectives.choice.curve import Curve
from releve.cycle.objectives.choice.money import say_money
from releve.domain.units import say_promise, say_seconds

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # the first one comes with the renderer
_TICKS = (60, 300, 900, 3600, 4 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)
_FLOOR = 60  # seconds: a logarithm has no zero; shorter delays stand on the first tick
_INK, _PALE, _WIDTH, _HEIGHT = "#1a1a1a", "#767676", 640, 340
_LINE = 64  # characters of a title that fit above the picture


def svg(curve: Curve) -> str:
    """The picture as SVG text. Raises ValueError for a curve without a point."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec(curve)))


def spec(curve: Curve) -> dict[str, Any]:
    """The picture as a Vega-Lite description (JSON-ready)."""
    from importlib import import_module

    alt: Any = import_module("altair")

    if not curve.points:
        raise ValueError("a curve without a point has no picture")
    rows = [{"x": _x(p.seconds), "y": _y(curve, p.total)} for p in reversed(curve.points)]
    marks = [x for x in (curve.need, curve.today and curve.today[0]) if x is not None]
    low = min([*(row["x"] for row in rows), *map(_x, marks)]) * 0.8
    high = max([*(row["x"] for row in rows), *map(_x, marks)]) * 1.6
    top = max([*(row["y"] for row in rows), (_y(curve, curve.today[1]) if curve.today else 0), 1])
    rows.append({"x": high, "y": rows[-1]["y"]})
    axes = _axes(alt, curve, (low, high), top)
    line = alt.Chart(alt.Data(values=rows)).mark_line(interpolate="step-after", color=_INK, strokeWidth=2)
    dots = alt.Chart(alt.Data(values=rows[:-1])).mark_point(filled=True, color=_INK, size=36, opacity=1)
    layers = [line.encode(**axes), dots.encode(**axes), *_ends(alt, curve, axes)]
    if curve.need is not None:
        layers += _need(alt, curve.need, axes, top)
    if curve.today is not None:
        layers += _today(alt, curve, axes, rightmost=_x(curve.today[0]) > (low * high**3) ** 0.25)
    chart = alt.layer(*layers).properties(
        width=_WIDTH,
        height=_HEIGHT,
        title=alt.Title(
            _title(curve),
            subtitle=_about(curve),
        ),
    )
    chart = chart.configure(font=FONT, background="white", padding=16).configure_view(stroke=None)
    chart = chart.configure_title(
        anchor="start", fontSize=17, subtitleFontSize=13, subtitleColor="#444", offset=14
    )
    chart = chart.configure_axis(
        labelFontSize=13, titleFontSize=13, titleFontWeight="normal", titlePadding=10
    )
    return dict(chart.to_dict())


def _title(curve: Curve) -> list[str]:
    """In lines that fit above the picture: names of applications are long."""
    if curve.subject:
        return ["Ce que coûte à l'association chaque délai de reprise de", *wrap(f"« {curve.name} »", _LINE)]
    return [*wrap(curve.name, _LINE), "Ce que coûte chaque délai de reprise"]


def _about(curve: Curve) -> list[str]:
    """Whose cost it is, and why nothing slower is drawn."""
    proof = "" if curve.proven else " ; coûts à peu près, preuve incomplète"
    first = say_promise(curve.points[0].seconds)
    if not curve.subject:
        return [
            f"Coût de toutes les protections sur {curve.years} ans, tous les délais bougeant ensemble{proof}",
            f"Rien au-delà de {first} : ce qu'il faut acheter de toute façon (règles, données) le donne déjà",
        ]
    base = say_money(_whole(_base(curve)), curve.currency)
    return [
        f"En plus des {base} sur {curve.years} ans que coûte le choix le moins cher pour tout le reste{proof}",
        f"Rien au-delà de {first} : ce qui est acheté pour le reste le donne déjà",
    ]


def _y(curve: Curve, total: int) -> float:
    return (total - _base(curve)) / 100


def _base(curve: Curve) -> int:
    return curve.points[0].total if curve.subject else 0


def _amount(curve: Curve, total: int) -> str:
    if curve.subject and total == _base(curve):
        return "sans rien de plus"
    sign = "+ " if curve.subject and total > _base(curve) else ""
    return sign + say_money(_whole(total - _base(curve)), curve.currency)


def _x(seconds: float) -> float:
    return float(max(seconds, _FLOOR))


def _axes(alt: Any, curve: Curve, span: tuple[float, float], top: float) -> dict[str, Any]:
    ticks = [tick for tick in _TICKS if span[0] <= tick <= span[1]]
    names = {tick: say_seconds(tick) for tick in ticks}
    spelled = "".join(f"datum.value == {tick} ? '{name}' : " for tick, name in names.items()) + "''"
    time = "Délai de reprise obtenu" if curve.subject else "Délai de reprise de l'application la plus pressée"
    sign = "€" if curve.currency == "EUR" else curve.currency
    return {
        "x": alt.X(
            "x:Q",
            title=f"{time} (échelle resserrée vers la droite)",
            scale=alt.Scale(type="log", domain=list(span), nice=False),
            axis=alt.Axis(values=ticks, labelExpr=spelled, grid=True, gridColor="#e4e4e4", labelFlush=False),
        ),
        "y": alt.Y(
            "y:Q",
            title=f"Coût{' en plus' if curve.subject else ''} pour l'association, sur {curve.years} ans",
            scale=alt.Scale(domain=[0, top * 1.15], nice=False),
            axis=alt.Axis(
                tickCount=5,
                gridColor="#e4e4e4",
                labelExpr=f"replace(format(datum.value, ',.0f'), /,/g, '\u00a0') + '\u00a0{sign}'",
            ),
        ),
    }


def _note(alt: Any, x: float, y: float, text: str, axes: dict[str, Any], **how: Any) -> Any:
    data = alt.Data(values=[{"x": _x(x), "y": y, "text": text}])
    return (
        alt.Chart(data)
        .mark_text(fontSize=13, color=_INK, lineBreak="\n", **how)
        .encode(text="text:N", **axes)
    )


def _ends(alt: Any, curve: Curve, axes: dict[str, Any]) -> list[Any]:
    """The shortest delay and the cheapest purchase, in words, unless the choice in hand stands there."""
    notes = []
    for point, how in (
        (curve.legible[-1], {"align": "left", "dx": 8, "dy": -12}),
        (curve.points[0], {"align": "right", "dx": 40, "dy": -14}),
    ):
        if curve.today is None or abs(curve.today[0] - point.seconds) > point.seconds / 2:
            text = f"{say_promise(point.seconds)} : {_amount(curve, point.total)}"
            notes.append(_note(alt, point.seconds, _y(curve, point.total), text, axes, **how))
        if len(curve.legible) == 1:
            break
    return notes


def _whole(cents: int) -> int:
    return -(-cents // 100) * 100


def _need(alt: Any, need: int, axes: dict[str, Any], top: float) -> list[Any]:
    data = alt.Data(values=[{"x": _x(need)}])
    rule = alt.Chart(data).mark_rule(strokeDash=[6, 4], color=_PALE, strokeWidth=2).encode(x=axes["x"])
    return [rule, _note(alt, need, top * 1.11, f"besoin : {say_seconds(need)}", axes, align="left", dx=6)]


def _today(alt: Any, curve: Curve, axes: dict[str, Any], *, rightmost: bool) -> list[Any]:
    """The choice in hand; `rightmost`: in the last quarter of the picture, where words only fit to its left."""
    seconds, total = curve.today or (0, 0)
    data = alt.Data(values=[{"x": _x(seconds), "y": _y(curve, total)}])
    mark = alt.Chart(data).mark_point(
        shape="diamond", size=220, color=_INK, fill="white", strokeWidth=2, opacity=1
    )
    text = f"choix : {say_promise(seconds)}\n{_amount(curve, total)}"
    side = {"align": "right", "dx": -14} if rightmost else {"align": "left", "dx": 14}
    return [
        mark.encode(**axes),
        _note(alt, seconds, _y(curve, total), text, axes, **side, dy=-26, fontWeight="bold"),
    ]
