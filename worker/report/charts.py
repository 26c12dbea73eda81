"""The report's pictures, Vega-Lite drawn to SVG that stands in the page: nothing is fetched when it is read."""

from __future__ import annotations

from collections.abc import Sequence

from worker.core.model import Level
from worker.core.report import MonthFigures

COLOURS = {Level.L1: "#0b6bcb", Level.L2: "#b26a00", Level.L3: "#b3261e"}
_MONTHS = {"field": "month", "type": "ordinal", "title": None, "axis": {"labelAngle": -45}}
_INK, _SOFT = "#3b4455", "#c9d0dc"
_CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "axis": {"labelColor": _INK, "titleColor": _INK, "gridColor": _SOFT, "domainColor": _SOFT, "tickColor": _SOFT},
    "legend": {"labelColor": _INK, "titleColor": _INK, "orient": "top"},
    "view": {"stroke": None},
}


def months(figures: Sequence[MonthFigures]) -> str:
    """Escalations opened each month, stacked by level."""
    values = [
        {"month": str(each.month), "level": str(level), "opened": each.by_level[level]}
        for each in figures
        for level in Level
    ]
    scale = {"domain": [str(level) for level in Level], "range": [COLOURS[level] for level in Level]}
    chart = {
        "mark": "bar",
        "width": 620,
        "height": 200,
        "data": {"values": values},
        "encoding": {
            "x": _MONTHS,
            "y": {"field": "opened", "type": "quantitative", "title": "opened", "axis": {"tickMinStep": 1}},
            "color": {"field": "level", "type": "nominal", "title": None, "scale": scale},
            "order": {"field": "level"},
        },
    }
    return _svg(chart)


def rates(figures: Sequence[MonthFigures]) -> str:
    """Escalations per 100 accounts each month, empty when no month has a rate."""
    values = [{"month": str(each.month), "rate": each.rate} for each in figures if each.rate is not None]
    if not values:
        return ""
    chart = {
        "mark": {"type": "line", "point": {"color": _INK}, "color": _INK},
        "width": 620,
        "height": 140,
        "data": {"values": values},
        "encoding": {"x": _MONTHS, "y": {"field": "rate", "type": "quantitative", "title": "per 100 accounts"}},
    }
    return _svg(chart)


def _svg(chart: dict[str, object]) -> str:
    import vl_convert  # noqa: PLC0415  a tenth of a second and 80 MB that only a report pays for

    svg: str = vl_convert.vegalite_to_svg({**chart, "config": _CONFIG})
    return svg
