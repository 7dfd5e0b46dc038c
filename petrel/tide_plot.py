"""A record, the tide that was fitted to it and what is left over, drawn as SVG."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from petrel.tide import Fit
from telemetry.batch import F64, I64
from telemetry.span import HOUR_NS, SECOND_NS

_WIDTH, _HEIGHT, _MARGIN, _GAP = 1000, 220, 56, 46
_DAYS: Final = 30
_COLOURS: Final = {"observed": "#5b6770", "tide": "#0072b2", "residual": "#d55e00"}


def svg(fit: Fit) -> str:
    """Two pictures: the last month of the record with the tide, and all that was left over."""
    time_ns, height = fit.record
    month = time_ns >= time_ns[-1] - _DAYS * 24 * HOUR_NS
    tide = height - fit.residual
    name = f"{fit.constants.station}/{fit.constants.point}"
    parts = [
        *_panel(0, f"{name}: observed and tide, last {_DAYS} days, m over {fit.constants.datum}", time_ns[month],
                {"observed": height[month], "tide": tide[month]}),
        *_panel(1, f"left over, m; RMS {fit.constants.rms:.3f} m, greatest {np.abs(fit.residual).max():.2f} m",
                time_ns, {"residual": fit.residual}),
    ]  # fmt: skip
    total = 2 * (_HEIGHT + 2 * _GAP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {total}" font-family="sans-serif" '
        f'font-size="13"><rect width="{_WIDTH}" height="{total}" fill="white"/>'
    )
    return head + "".join(parts) + "</svg>\n"


def _panel(place: int, title: str, time_ns: I64, lines: dict[str, F64]) -> list[str]:
    top = place * (_HEIGHT + 2 * _GAP) + _GAP
    low, high = (float(pick([pick(values) for values in lines.values()])) for pick in (np.min, np.max))
    high = high if high > low else low + 1.0
    begin, end = int(time_ns[0]), int(time_ns[-1])
    x = _MARGIN + (time_ns - begin) / max(end - begin, 1) * (_WIDTH - 2 * _MARGIN)
    drawn = [f'<text x="{_MARGIN}" y="{top - 12}" font-weight="bold">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y, value = top + _HEIGHT * (1 - share), low + share * (high - low)
        drawn.append(f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        drawn.append(f'<text x="{_MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        moment = datetime.fromtimestamp((begin + share * (end - begin)) / SECOND_NS, UTC)
        place_x = _MARGIN + share * (_WIDTH - 2 * _MARGIN)
        drawn.append(f'<text x="{place_x:.0f}" y="{top + _HEIGHT + 18}" text-anchor="middle">{moment:%Y-%m-%d}</text>')
    for at, (name, values) in enumerate(lines.items()):
        drop = top + _HEIGHT * (1 - (values - low) / (high - low))
        drawn.append(
            f'<polyline fill="none" stroke="{_COLOURS[name]}" stroke-width="1" points="{_points(x, drop)}"/>'
            f'<text x="{_WIDTH - _MARGIN}" y="{top - 12 + 14 * at}" text-anchor="end" fill="{_COLOURS[name]}">'
            f"{name}</text>"
        )
    return drawn


def _points(x: F64, y: F64) -> str:
    """The least and the greatest of each column of the picture: more can't be seen."""
    column = np.rint(x).astype(np.int64)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    low, high = np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)
    pairs: Sequence[tuple[int, float, float]] = list(
        zip(column[first].tolist(), high.tolist(), low.tolist(), strict=True)
    )
    return " ".join(f"{at},{a:.1f} {at},{b:.1f}" if a != b else f"{at},{a:.1f}" for at, a, b in pairs)
