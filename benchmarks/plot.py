"""Line charts as SVG, both axes logarithmic. No dependency, the same text for the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 200, 50, 60
_INK, _GRID = "#1f2933", "#d9dee4"


class Series(NamedTuple):
    """One line: points (x, y)."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


class Mark(NamedTuple):
    """A level drawn across the chart, with its meaning."""

    name: str
    y: float


def chart(
    *,
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    marks: Sequence[Mark] = (),
    y_text: Callable[[float], str] = "{:,g}".format,
) -> str:
    """Return the chart as the text of an SVG file."""
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points] + [mark.y for mark in marks]
    x_ticks, y_ticks = sorted(set(xs)), _decades(min(ys), max(ys))
    x_at = _scale(x_ticks[0], x_ticks[-1], _LEFT, _WIDTH - _RIGHT)
    y_at = _scale(y_ticks[0], y_ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    right = _WIDTH - _RIGHT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 26, title, size=15, anchor="start"),
    ]
    for x in x_ticks:
        out.append(_line(x_at(x), _TOP, x_at(x), _HEIGHT - _BOTTOM, _GRID))
        out.append(_text(x_at(x), _HEIGHT - _BOTTOM + 18, f"{x:,g}"))
    for y in y_ticks:
        out.append(_line(_LEFT, y_at(y), right, y_at(y), _GRID))
        out.append(_text(_LEFT - 8, y_at(y) + 4, y_text(y), anchor="end"))
    for mark in marks:
        out.append(_line(_LEFT, y_at(mark.y), right, y_at(mark.y), "#c0392b", "2 4"))
        out.append(_text(_LEFT + 6, y_at(mark.y) - 5, mark.name, anchor="start"))
    out.append(_text((_LEFT + right) / 2, _HEIGHT - 14, x_label))
    out.append(
        f'<text x="20" y="{(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 20 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f})">{escape(y_label)}</text>'
    )
    for number, line in enumerate(series):
        out += _drawn(line, x_at, y_at)
        y = _TOP + 10 + number * 22
        out.append(_line(right + 14, y, right + 38, y, line.colour, _dash(line), 2))
        out.append(_text(right + 44, y + 4, line.name, anchor="start"))
    return "\n".join([*out, "</svg>", ""])


def _drawn(
    line: Series, x_at: Callable[[float], float], y_at: Callable[[float], float]
) -> list[str]:
    places = [(x_at(x), y_at(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = f' stroke-dasharray="{_dash(line)}"' if line.dashed else ""
    out = [f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"{dash}/>']
    out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{line.colour}"/>' for x, y in places]
    return out


def _dash(line: Series) -> str:
    return "6 4" if line.dashed else ""


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = math.log(high / low)
    return lambda value: start + (end - start) * math.log(value / low) / span


def _text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "", width: int = 1
) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{dashes}/>'
    )
