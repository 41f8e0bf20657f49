"""The probability of each slice along the body, as SVG: points, threshold, the band that stays undecided.

Knows results with positions and how to draw them. Knows nothing of pages or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from covidct.series.types import SeriesAnswer
from covidct.types import Decision, OperatingPoint

WIDTH, HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 96, 14, 44  # on the right there is room for what lines mean
APART = 13  # between two lines of text
RADIUS = 3.2
_FILL = {Decision.POSITIVE: "#b3202c", Decision.INDETERMINATE: "#e9a23b", Decision.NEGATIVE: "#ffffff"}
_EDGE = {Decision.POSITIVE: "#7a1019", Decision.INDETERMINATE: "#8a5a10", Decision.NEGATIVE: "#2b5d7d"}


@dataclass(frozen=True)
class Scale:
    """Millimetres along the body and probabilities -> places in the drawing."""

    low: float
    high: float

    def x(self, position: float) -> float:
        """The x of a slice; the feet are on the left."""
        share = (position - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return LEFT + 6 + share * (WIDTH - LEFT - RIGHT - 12)

    def y(self, probability: float) -> float:
        """The y of a probability; 1 is at the top."""
        return TOP + (1 - probability) * (HEIGHT - TOP - BOTTOM)


def draw_curve(answer: SeriesAnswer) -> str:
    """The curve of a series as one SVG element; refused slices are ticks below the axis."""
    positions = to_positions(answer)
    scale = Scale(min(positions), max(positions))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Probability of each slice">',
        *(_draw_point(point, scale) if (point := _find_point(answer)) else ()),
        *_name_lines(answer, scale),
        *_draw_axes(scale, positions),
        *_draw_line(answer, positions, scale),
        *_draw_slices(answer, positions, scale),
        "</svg>",
    ]
    return "".join(parts)


def to_positions(answer: SeriesAnswer) -> list[float]:
    """Millimetres above the lowest slice; places in the series where positions are not known."""
    known = [instance.position_mm for instance in answer.series.instances]
    numbers = [float(at) if value is None else value for at, value in enumerate(known)]
    return [value - numbers[0] for value in numbers]


def _draw_point(point: OperatingPoint, scale: Scale) -> list[str]:
    low, high = point.band
    width = WIDTH - LEFT - RIGHT
    top, height = scale.y(high), scale.y(low) - scale.y(high)
    threshold = scale.y(point.threshold)
    return [
        f'<rect x="{LEFT}" y="{top:.1f}" width="{width}" height="{height:.1f}" fill="#f6ecd9"/>',
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{threshold:.1f}" y2="{threshold:.1f}" stroke="#8a5a10" '
        'stroke-dasharray="2 3"/>',
        _text(LEFT + 4, top + 11, "undecided"),
    ]


def _find_point(answer: SeriesAnswer) -> OperatingPoint | None:
    """The operating point of slices; that of the series where it is the same."""
    answered = [made for item in answer.slices if (made := item.prediction) is not None]
    return answered[0].operating_point if answer.result.prediction and answered else None


def _is_on_scale(answer: SeriesAnswer) -> bool:
    """Whether the series' probability is one of a slice, as that of a calibrated series is not."""
    summary = answer.result.series
    return answer.result.prediction is not None and not (summary and summary.is_calibrated)


def _name_lines(answer: SeriesAnswer, scale: Scale) -> list[str]:
    """What the two lines across mean, beside their ends, moved apart where one would cover the other."""
    left, point, probability = WIDTH - RIGHT + 6, _find_point(answer), answer.result.probability
    if point is None or probability is None:
        return []
    if not _is_on_scale(answer):
        return [_text(left, scale.y(point.threshold) + 4, f"threshold {point.threshold:.2f}")]
    series, threshold = scale.y(probability) + 4, scale.y(point.threshold) + 4
    if (lacking := APART - abs(series - threshold)) > 0:
        up = -lacking / 2 if probability >= point.threshold else lacking / 2
        series, threshold = series + up, threshold - up
    return [
        _text(left, series, f"series {probability:.2f}", weight="bold"),
        _text(left, threshold, f"threshold {point.threshold:.2f}"),
    ]


def _draw_axes(scale: Scale, positions: Sequence[float]) -> list[str]:
    base = scale.y(0)
    parts = [f'<path d="M{LEFT} {TOP}V{base:.1f}H{WIDTH - RIGHT}" fill="none" stroke="#444"/>']
    ticks = (0, 0.25, 0.5, 0.75, 1)
    parts += [_text(LEFT - 5, scale.y(tick) + 4, f"{tick:g}", anchor="end") for tick in ticks]
    span = positions[-1] - positions[0]
    step = next((size for size in (1, 2, 5, 10, 20, 50, 100, 200) if span / size <= 8), 500)
    parts += [
        _text(scale.x(at), base + 24, f"{at:g}", anchor="middle") for at in range(0, int(span) + 1, step)
    ]
    parts.append(
        _text(
            (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 5,
            "mm above the lowest slice, towards the head",
            anchor="middle",
        )
    )
    return parts


def _draw_line(answer: SeriesAnswer, positions: Sequence[float], scale: Scale) -> list[str]:
    """The slices' probabilities, joined where neighbours have them, and the probability of the series."""
    parts, path, joined = [], "", False
    for position, item in zip(positions, answer.slices, strict=True):
        if item.probability is not None:
            path += f"{'L' if joined else 'M'}{scale.x(position):.1f} {scale.y(item.probability):.1f}"
        joined = item.probability is not None
    if path:
        parts.append(f'<path d="{path}" fill="none" stroke="#9aa5ad" stroke-width="1.2"/>')
    if answer.result.probability is not None and _is_on_scale(answer):
        y = scale.y(answer.result.probability)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#111" '
            'stroke-dasharray="6 3"/>'
        )
    return parts


def _draw_slices(answer: SeriesAnswer, positions: Sequence[float], scale: Scale) -> list[str]:
    parts = []
    for position, item in zip(positions, answer.slices, strict=True):
        x = scale.x(position)
        if item.probability is None or item.decision is None:
            base = scale.y(0)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base + 3:.1f}" y2="{base + 10:.1f}" stroke="#888"/>'
            )
        else:
            parts.append(
                f'<circle cx="{x:.1f}" cy="{scale.y(item.probability):.1f}" r="{RADIUS}" '
                f'fill="{_FILL[item.decision]}" stroke="{_EDGE[item.decision]}"/>'
            )
    summary = answer.result.series
    for rank, at in enumerate(summary.telling if summary else (), start=1):
        y = scale.y(answer.slices[at].probability or 0.0)
        above = y - 7 if y > TOP + 14 else y + 16
        halo = ' paint-order="stroke" stroke="#fff" stroke-width="3"'  # lines may pass behind
        parts.append(
            _text(scale.x(positions[at]), above, str(rank), anchor="middle", weight="bold", more=halo)
        )
    return parts


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", more: str = ""
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" font-weight="{weight}"{more}>'
        f"{escape(text)}</text>"
    )
