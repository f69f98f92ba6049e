"""Charts: where the parts of a chart lie, for the templates that draw them as SVG.

Input: means with their intervals. Output: coordinates in the units of the drawing. Texts stay in the
templates, where they are escaped.

    curve = draw_curve([Mark("0", 0.50, 0.45, 0.55), Mark("1", 0.62, 0.57, 0.67)])
    bars = draw_bars([Mark("bank", 0.05, 0.01, 0.09)])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

CURVE_WIDTH, CURVE_HEIGHT = 640.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 16.0, 14.0, 30.0
BAR_WIDTH = 160.0
_NUM_TICKS = 4


class Mark(NamedTuple):
    """A mean with the ends of its interval; all NaN where nothing finite was measured."""

    name: str
    mean: float
    low: float
    high: float


class CurvePoint(NamedTuple):
    """A mark of a curve: its name, its place, and the ends of its interval."""

    name: str
    x: float
    y: float
    y_low: float
    y_high: float


class Tick(NamedTuple):
    """A line of the grid: its place and its number as text."""

    y: float
    text: str


class Curve(NamedTuple):
    """A curve.

    Attributes:
        points: The marks that are finite.
        ticks: The lines of the grid.
        path: The line through the points, as coordinates of an SVG ``polyline``.
        width: Width of the drawing.
        height: Its height.
        left: Where the area of the curve begins.
        right: Where it ends.
    """

    points: list[CurvePoint]
    ticks: list[Tick]
    path: str
    width: float = CURVE_WIDTH
    height: float = CURVE_HEIGHT
    left: float = _LEFT
    right: float = CURVE_WIDTH - _RIGHT


class Bar(NamedTuple):
    """An interval on a common axis: its ends and its mean, and where zero is."""

    x_low: float
    x: float
    x_high: float
    zero: float


def draw_curve(marks: Sequence[Mark]) -> Curve:
    """Place means with their intervals from left to right.

    Args:
        marks: The marks in their order; those that are not finite leave a gap.
    """
    ends = [end for mark in marks for end in (mark.mean, mark.low, mark.high) if math.isfinite(end)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    step = _step((high - low) or 0.1)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    high = max(high, low + step)
    across = (CURVE_WIDTH - _LEFT - _RIGHT) / max(len(marks), 1)

    def y_of(value: float) -> float:
        share = (value - low) / (high - low)
        return round(CURVE_HEIGHT - _BOTTOM - share * (CURVE_HEIGHT - _TOP - _BOTTOM), 1)

    points = [
        CurvePoint(
            mark.name,
            round(_LEFT + (place + 0.5) * across, 1),
            y_of(mark.mean),
            *(y_of(end if math.isfinite(end) else mark.mean) for end in (mark.low, mark.high)),
        )
        for place, mark in enumerate(marks)
        if math.isfinite(mark.mean)
    ]
    num_steps = round((high - low) / step)
    ticks = [Tick(y_of(low + i * step), f"{low + i * step:.2f}") for i in range(num_steps + 1)]
    return Curve(points, ticks, " ".join(f"{point.x},{point.y}" for point in points))


def draw_bars(marks: Sequence[Mark]) -> list[Bar | None]:
    """Place differences with their intervals on one axis that contains zero.

    Args:
        marks: The differences.

    Returns:
        A bar for each mark; ``None`` for one that is not finite.
    """
    ends = [end for mark in marks for end in (mark.mean, mark.low, mark.high) if math.isfinite(end)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    width = (high - low) or 1.0

    def x_of(value: float) -> float:
        return round(4 + (value - low) / width * (BAR_WIDTH - 8), 1)

    return [
        Bar(
            x_of(mark.low if math.isfinite(mark.low) else mark.mean),
            x_of(mark.mean),
            x_of(mark.high if math.isfinite(mark.high) else mark.mean),
            x_of(0.0),
        )
        if math.isfinite(mark.mean)
        else None
        for mark in marks
    ]


def _step(width: float) -> float:
    """The distance of about four lines over a width: 1, 2 or 5 times a power of ten."""
    rough = width / _NUM_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
