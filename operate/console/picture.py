"""Draws lanes as SVG: bars, marks, an axis of UTC, and the cursor of the player. Pure.

No style is inline: the page's policy forbids it, so colours come from classes. Every text that
comes from outside is escaped by `Markup.format`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from agora_recording.clock import iso
from operate.console.lanes import Bar, Lane, Mark
from operate.console.words import clock_of, lasting

NARROWEST, WIDEST = 320, 2000
_NARROW = 640
_ROW, _HEAD, _BAR = 26, 26, 14
_LEFT, _LEFT_NARROW = 196, 84
_NEAR = 7  # marks that are closer (px) are one
_TOLD = 6  # texts of one mark
_A_PIXEL = 0.75  # bars of one kind that are closer are one
_MOST = 400  # shapes of a lane
_LEAST_SPAN_MS = 1000
_STEPS_MS = [
    *(1000 * each for each in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)),
    *(60_000 * each for each in (1, 2, 5, 10, 15, 30)),
    *(3_600_000 * each for each in (1, 2, 3, 6, 12)),
    *(86_400_000 * each for each in (1, 2, 5, 10, 30)),
]


class Window(NamedTuple):
    """The time that is shown (epoch ms), and how wide the picture is (px)."""

    from_ms: int
    to_ms: int
    width: int

    @property
    def left(self) -> int:
        """Where the time begins: left of it are the names of the lanes."""
        return _LEFT if self.width >= _NARROW else _LEFT_NARROW

    @property
    def span_ms(self) -> int:
        """How much time is shown."""
        return self.to_ms - self.from_ms

    def x(self, at_ms: float) -> float:
        """Return where an instant is, in px; outside of the window, its edge."""
        share = (at_ms - self.from_ms) / self.span_ms
        return self.left + min(max(share, 0.0), 1.0) * (self.width - self.left)


def window(whole: tuple[int, int], from_ms: int | None, to_ms: int | None, width: int) -> Window:
    """Return the window that is asked for, within the whole time and no shorter than a second."""
    first, last = whole
    begin = first if from_ms is None else from_ms
    end = last if to_ms is None else to_ms
    length = min(max(end - begin, _LEAST_SPAN_MS), max(last - first, _LEAST_SPAN_MS))
    begin = min(max(begin, first), max(last - length, first))
    return Window(begin, begin + length, min(max(width, NARROWEST), WIDEST))


def moves(whole: tuple[int, int], of: Window) -> dict[str, Window]:
    """Return the windows that the buttons lead to: in, out, earlier, later, whole."""
    middle, span = (of.from_ms + of.to_ms) // 2, of.span_ms

    def around(centre: int, length: int) -> Window:
        return window(whole, centre - length // 2, centre - length // 2 + length, of.width)

    return {
        "in": around(middle, span // 3),
        "out": around(middle, span * 3),
        "earlier": around(middle - span // 2, span),
        "later": around(middle + span // 2, span),
        "whole": window(whole, None, None, of.width),
    }


def draw(lanes: Sequence[Lane], of: Window, title: str) -> Markup:
    """Return the picture as an SVG element."""
    height = _HEAD + _ROW * len(lanes) + 8
    parts: list[Markup] = [
        Markup(
            '<svg class="picture" viewBox="0 0 {} {}" width="{}" height="{}" role="group" '
            'aria-label="{}" data-from="{}" data-to="{}" data-left="{}" data-width="{}">'
        ).format(of.width, height, of.width, height, title, of.from_ms, of.to_ms, of.left, of.width)
    ]
    parts += _axis(of, height)
    for number, lane in enumerate(lanes):
        parts += _lane(lane, of, _HEAD + number * _ROW)
    parts.append(
        Markup('<line class="cursor" id="cursor" x1="-9" x2="-9" y1="{}" y2="{}"/></svg>').format(
            _HEAD - 6, height
        )
    )
    return Markup("").join(parts)


# --- the axis -----------------------------------------------------------------------------------


def _axis(of: Window, height: int) -> Iterator[Markup]:
    step = step_ms(of.span_ms, (of.width - of.left) // 95)
    at = -(-of.from_ms // step) * step
    while at <= of.to_ms:
        x = round(of.x(at), 1)
        yield Markup('<line class="tick" x1="{0}" x2="{0}" y1="18" y2="{1}"/>').format(x, height)
        if x < of.width - 40:
            yield Markup('<text class="time" x="{}" y="12">{}</text>').format(
                x, _label(int(at), step)
            )
        at += step


def step_ms(span_ms: int, most: int) -> int:
    """Return the distance of two ticks, so that there are `most` of them at most."""
    wanted = span_ms / max(most, 1)
    return int(next((each for each in _STEPS_MS if each >= wanted), _STEPS_MS[-1]))


def _label(at_ms: int, step: int) -> str:
    text = iso(at_ms)
    if step >= 86_400_000 or (at_ms % 86_400_000 == 0 and step >= 3_600_000):
        return text[5:10]
    if step >= 60_000:
        return text[11:16]
    return text[11:19] if step >= 1000 else text[14:21]


# --- a lane -------------------------------------------------------------------------------------


def _lane(lane: Lane, of: Window, top: int) -> Iterator[Markup]:
    middle = top + _ROW // 2
    yield Markup('<g class="lane" role="list" aria-label="{}">').format(f"{lane.name} {lane.more}")
    yield Markup('<line class="rule" x1="0" x2="{0}" y1="{1}" y2="{1}"/>').format(of.width, top)
    if of.width >= _NARROW:
        yield Markup(
            '<text class="name" x="0" y="{}">{}<tspan class="more" dx="5">{}</tspan></text>'
        ).format(middle + 4, lane.name, _cut(lane.more, 27 - len(lane.name)))
    else:
        shown = lane.short or lane.more or lane.name
        yield Markup('<text class="name" x="0" y="{}">{}</text>').format(
            middle + 4, _cut(shown, 13)
        )
    for each in joined(lane.bars, of)[:_MOST]:
        left, right = of.x(each.from_ms), of.x(each.to_ms)
        yield Markup(
            '<rect class="bar {}" role="listitem" tabindex="-1" x="{}" y="{}" width="{}" '
            'height="{}"><title>{}</title></rect>'
        ).format(
            each.kind,
            round(left, 1),
            middle if each.kind == "audio" else middle - _BAR // 2,
            round(max(right - left, 1.0), 1),
            _BAR // 2 if each.kind in ("audio", "video") else _BAR,
            each.words,
        )
    for x, kind, words in clustered(lane.marks, of)[:_MOST]:
        yield Markup(
            '<circle class="mark {}" role="listitem" tabindex="-1" cx="{}" cy="{}" r="5">'
            "<title>{}</title></circle>"
        ).format(kind, round(x, 1), middle, words)
    yield Markup("</g>")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 1)] + "…"


def joined(bars: Iterable[Bar], of: Window) -> list[Bar]:
    """Return the bars within the window; those that are less than a pixel apart are one."""
    kinds: dict[str, list[tuple[Bar, int]]] = {}
    for bar in sorted(bars):
        if bar.to_ms < of.from_ms or bar.from_ms > of.to_ms:
            continue
        row = kinds.setdefault(bar.kind, [])
        last = row[-1] if row else None
        is_short = of.x(bar.to_ms) - of.x(bar.from_ms) < 4
        if last and is_short and of.x(bar.from_ms) - of.x(last[0].to_ms) < _A_PIXEL:
            end = max(last[0].to_ms, bar.to_ms)
            row[-1] = (last[0]._replace(to_ms=end), last[1] + 1)
        else:
            row.append((bar, 1))
    return [
        bar if count == 1 else bar._replace(words=_summed(bar, count))
        for row in kinds.values()
        for bar, count in row
    ]


def _summed(bar: Bar, count: int) -> str:
    return (
        f"{count} together, {lasting(bar.to_ms - bar.from_ms)} from {clock_of(bar.from_ms)}. "
        "Zoom in to see each."
    )


def clustered(marks: Iterable[Mark], of: Window) -> list[tuple[float, str, str]]:
    """Return (x, kind, words) of the marks within the window; those that would cover each other
    are one, of the worst kind among them.
    """
    groups: list[tuple[float, list[Mark]]] = []
    for mark in sorted(marks):
        if not of.from_ms <= mark.at_ms <= of.to_ms:
            continue
        x = of.x(mark.at_ms)
        if groups and x - groups[-1][0] < _NEAR:
            groups[-1][1].append(mark)
        else:
            groups.append((x, [mark]))
    return [(x, _worst(group), _told(group)) for x, group in groups]


def _worst(group: Sequence[Mark]) -> str:
    bad = next((each.kind for each in group if each.kind in ("bad", "missing")), None)
    return f"{bad or group[0].kind}{' many' if len(group) > 1 else ''}"


def _told(group: Sequence[Mark]) -> str:
    lines = [f"{clock_of(each.at_ms)[11:]} {each.words}" for each in group[:_TOLD]]
    if len(group) > _TOLD:
        lines.append(f"and {len(group) - _TOLD} more: zoom in to see each.")
    return "\n".join(lines)


def query(of: Window) -> dict[str, Any]:
    """Return a window as the parameters of the picture's address."""
    return {"from": of.from_ms, "to": of.to_ms, "width": of.width}
