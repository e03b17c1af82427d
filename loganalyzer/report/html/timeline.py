"""The timeline as plain data and a Vega-Lite specification: attempts as spans, sources as lanes, entries as points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from loganalyzer.report.html.bars import read_stretches
from loganalyzer.report.model import AttemptEntry, Citation, Evidence, Report
from loganalyzer.report.plain_text import one_line
from loganalyzer.report.wording import place

#: Points drawn, lanes of sources, spans of attempts, stretches of one lane.
MOST_POINTS: Final = 5_000
MOST_LANES: Final = 14
MOST_SPANS: Final = 500
_MOST_STRETCHES: Final = 100
#: Characters of an entry that a point tells.
_TEXT: Final = 90
_LANE_HEIGHT: Final = 46

#: What a point is: evidence for the first cause, for another one, against one, an entry that a finding was derived
#: from, or an error that no signature explains.
Kind: TypeAlias = Literal["first", "other", "against", "cited", "unexplained"]
KINDS: Final[Mapping[Kind, str]] = {
    "first": "speaks for the first cause",
    "other": "for another cause",
    "against": "against a cause",
    "cited": "read to conclude it",
    "unexplained": "error that no signature explains",
}
_COLOURS: Final[Mapping[Kind, str]] = {kind: f"var(--k-{kind})" for kind in KINDS}
_SHAPES: Final[Mapping[Kind, str]] = {
    "first": "circle",
    "other": "square",
    "against": "cross",
    "cited": "M-1,-0.25L1,-0.25L1,0.25L-1,0.25Z",
    "unexplained": "diamond",
}
_OUTCOMES: Final = {"success": "var(--ok)", "failure": "var(--bad)", "unfinished": "var(--warn)"}
_ALL_COLOURS: Final = {**_OUTCOMES, **{str(kind): colour for kind, colour in _COLOURS.items()}}
_OTHER_LANE: Final = "further sources"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The chart: its specification with its data, how many points it has by kind, and what it leaves out, in words.

    ``about`` tells in a sentence what it shows, for those who do not see it.
    """

    spec: Mapping[str, Any]
    counts: Mapping[Kind, int]
    cuts: tuple[str, ...]
    about: str


@dataclass(frozen=True, slots=True)
class _Point:
    kind: Kind
    source: str
    time: datetime
    place: str
    text: str
    anchor: str | None


def timeline(report: Report, anchors: Mapping[int, str]) -> Timeline | None:
    """The chart of a report; ``anchors``: by ``id`` of an evidence value where it stands. None: no time is known."""
    points = list(_distinct(_points(report, anchors)))
    shown = _thinned(points)
    spans = [one for one in report.attempts if one.start is not None or one.end is not None]
    if not shown and not spans:
        return None
    lanes = _lanes(shown)
    start, end = _shown_first(shown, spans[-MOST_SPANS:])
    data = {
        "lanes": [{"l": 0, "n": "Backup attempts"}, *_lane_rows(lanes)],
        "attempts": [_attempt(one) for one in spans[-MOST_SPANS:]],
        "read": list(_read(report, lanes)),
        "points": [_point(number, one, lanes) for number, one in enumerate(sorted(shown, key=_drawn))],
    }
    data["picked"] = [{**one, "l": -1} for one in data["points"][:1]]  # above the chart, as yet
    cuts = [
        f"{shown_of:,} of {there:,} {what}"
        for shown_of, there, what in (
            (len(shown), len(points), "points in time"),
            (min(len(spans), MOST_SPANS), len(spans), "attempts"),
        )
        if shown_of < there
    ]
    counts = Counter(one.kind for one in shown)
    about = f"{len(spans[-MOST_SPANS:]):,} backup attempts and {len(shown):,} entries of {len(lanes)} sources in time"
    told: dict[Kind, int] = {kind: counts[kind] for kind in KINDS if counts[kind]}
    return Timeline(_spec(data, len(data["lanes"]), start, end), told, tuple(cuts), about)


# ---- what is drawn ----


def _points(report: Report, anchors: Mapping[int, str]) -> Iterator[_Point]:
    """Evidence before what it was derived from, so that of two points at one place the stronger stays."""
    rows: list[tuple[Kind, Evidence]] = []
    for diagnosis in report.diagnoses:
        own: Kind = "first" if diagnosis.rank == 1 else "other"
        rows += [("against" if one.role == "refutes" else own, one) for one in diagnosis.evidence]
    rows += [("against", one) for ruled_out in report.ruled_out for one in ruled_out.evidence]
    for kind, one in rows:
        if one.timestamp is not None:
            anchor = anchors.get(id(one))
            yield _Point(kind, one.source, one.timestamp, place(one), one.message or one.original, anchor)
    for _, one in rows:
        cited: Citation
        for cited in (*one.bounds, *one.derived_from):
            if cited.timestamp is not None:
                anchor = anchors.get(id(one))
                yield _Point("cited", cited.source, cited.timestamp, place(cited), cited.original, anchor)
    for error in report.unattributed:
        for time in dict.fromkeys((error.first, error.last)):
            if time is not None and error.source is not None:
                yield _Point("unexplained", error.source, time, error.source, error.example, "unexplained")


def _distinct(points: Iterable[_Point]) -> Iterator[_Point]:
    """One point an entry; those that have a row in the page are drawn rather than others."""
    seen: dict[tuple[str, datetime, bool], _Point] = {}
    for one in points:
        seen.setdefault((one.place, one.time, one.kind == "unexplained"), one)
    yield from seen.values()


def _thinned(points: Sequence[_Point]) -> list[_Point]:
    """At most ``MOST_POINTS``: those with a row in the page, and of the others every so many-th."""
    with_row = [one for one in points if one.anchor is not None][:MOST_POINTS]
    others = [one for one in points if one.anchor is None]
    room = min(MOST_POINTS - len(with_row), len(others))
    return [*with_row, *(others[number * len(others) // room] for number in range(room))]


def _lanes(points: Sequence[_Point]) -> Mapping[str, int]:
    """The lane of each source, from 1: those with evidence for the first cause on top; the last lane holds the rest."""
    order = list(KINDS)
    first: dict[str, tuple[int, str]] = {}
    for one in points:
        key = (order.index(one.kind), one.source)
        first[one.source] = min(first.get(one.source, key), key)
    ranked = sorted(first, key=lambda source: first[source])
    return {source: min(number, MOST_LANES) for number, source in enumerate(ranked, start=1)}


def _lane_rows(lanes: Mapping[str, int]) -> Iterator[Mapping[str, Any]]:
    for lane in sorted(set(lanes.values())):
        own = [source for source, number in lanes.items() if number == lane]
        yield {"l": lane, "n": _short(own[0]) if len(own) == 1 else f"{len(own)} {_OTHER_LANE}"}


def _short(source: str) -> str:
    """The last two parts of a path."""
    return one_line("/".join(source.replace("\\", "/").split("/")[-2:])) or "–"


def _read(report: Report, lanes: Mapping[str, int]) -> Iterator[Mapping[str, Any]]:
    """When the sources of the lanes speak."""
    for one in report.coverage:
        lane = lanes.get(one.source)
        if lane is not None and lane < MOST_LANES:
            for start, end in list(read_stretches(one))[:_MOST_STRETCHES]:
                yield {"l": lane, "a": _ms(start), "b": _ms(end)}


def _attempt(one: AttemptEntry) -> Mapping[str, Any]:
    start, end = one.start or one.end, one.end or one.start
    assert start is not None  # only attempts with a time are drawn
    assert end is not None
    outcome = one.outcome if one.outcome in _OUTCOMES else "unfinished"
    return {"l": 0, "a": _ms(start), "b": _ms(end), "o": outcome, "n": one_line(f"{one.id}: {one.outcome}")[:_TEXT]}


def _point(number: int, one: _Point, lanes: Mapping[str, int]) -> Mapping[str, Any]:
    text = one_line(one.text)
    return {
        "i": number,
        "l": lanes[one.source],
        "t": _ms(one.time),
        "k": one.kind,
        "p": one_line(one.place)[-_TEXT * 2 :],
        "x": text if len(text) <= _TEXT else f"{text[:_TEXT]}…",
        "r": one.anchor,
    }


def _drawn(one: _Point) -> tuple[int, datetime, str]:
    """What says most is drawn last, over the others."""
    return -list(KINDS).index(one.kind), one.time, one.place


def _shown_first(points: Sequence[_Point], spans: Sequence[AttemptEntry]) -> tuple[datetime, datetime]:
    """The time that the chart opens with: all points and attempts, with some air at both ends."""
    times = [one.time for one in points]
    times += [time for one in spans for time in (one.start, one.end) if time is not None]
    start, end = min(times), max(times)
    air = max((end - start) / 25, timedelta(seconds=5))
    try:
        return start - air, end + air
    except OverflowError:
        return start, end


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


# ---- how it is drawn ----


def _spec(data: Mapping[str, Any], lanes: int, start: datetime, end: datetime) -> Mapping[str, Any]:
    """A Vega-Lite specification. Colours are variables of the page's style, so that they follow its colour scheme."""
    return {
        "width": "container",
        "height": lanes * _LANE_HEIGHT,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 2, "right": 2, "top": 2, "bottom": 2},
        "background": None,
        "datasets": data,
        "layer": _layers(data, start, end),
        "config": _CONFIG,
    }


def _layers(data: Mapping[str, Any], start: datetime, end: datetime) -> Sequence[Mapping[str, Any]]:
    """The layers that have anything to draw; the uppermost with a time is the one to zoom and move."""
    layers = [_lane_lines(), _attempt_shades(), _read_bars(), _attempt_bars(), _picked_mark(), _point_marks()]
    drawn = [one for one in layers if data[one["data"]["name"]]]
    return [*drawn[:-1], {**drawn[-1], "params": [_view(start, end)]}, _lane_names()]


def _view(start: datetime, end: datetime) -> Mapping[str, Any]:
    return {
        "name": "view",
        "select": {
            "type": "interval",
            "encodings": ["x"],
            "clear": False,
            "zoom": "wheel![event.ctrlKey || event.metaKey || event.shiftKey]",
        },
        "bind": "scales",
        "value": {"x": [_ms(start), _ms(end)]},
    }


_CONFIG: Final[Mapping[str, Any]] = {
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
    "aria": False,
    "axisX": {
        "grid": True,
        "gridColor": "var(--line)",
        "gridDash": [2, 3],
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelColor": "var(--muted)",
        "labelFontSize": 12,
        "labelPadding": 6,
        "labelOverlap": "greedy",
        "labelFlush": True,
    },
}
#: Times of day to 24 hours, as logs write them.
_TIMES: Final = {
    "year": "%Y",
    "month": "%Y-%m",
    "week": "%m-%d",
    "date": "%m-%d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": ".%L s",
}
_X_AXIS: Final = {"title": None, "tickCount": {"expr": "max(2, width / 130)"}, "format": _TIMES}


def _time(field: str) -> Mapping[str, Any]:
    return {"field": field, "type": "temporal", "scale": {"type": "utc", "nice": False}, "axis": _X_AXIS}


#: The number of a lane, whose upper edge it is; marks stand some way below it (``_below``).
_LANE: Final[Mapping[str, Any]] = {
    "field": "l",
    "type": "quantitative",
    "scale": {"domainMin": 0, "domainMax": {"expr": f"height / {_LANE_HEIGHT}"}, "reverse": True, "nice": False},
    "axis": None,
}


def _below(share: float) -> float:
    """Pixels for a share of a lane's height."""
    return round(share * _LANE_HEIGHT, 1)


def _bars(dataset: str, mark: Mapping[str, Any], colour: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "data": {"name": dataset},
        "mark": {"type": "rect", "clip": True, "yOffset": _below(0.52), "y2Offset": _below(0.84), **mark},
        "encoding": {"x": _time("a"), "x2": {"field": "b"}, "y": _LANE, "y2": {"field": "l"}, "color": colour},
    }


def _coloured_by(field: str) -> Mapping[str, Any]:
    """One scale of colours for the outcomes of attempts and the kinds of points, as Vega-Lite has one for a chart."""
    scale = {"domain": list(_ALL_COLOURS), "range": list(_ALL_COLOURS.values())}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _read_bars() -> Mapping[str, Any]:
    return _bars("read", {"cornerRadius": 2, "stroke": "var(--bar)"}, {"value": "var(--bar)"})


def _attempt_bars() -> Mapping[str, Any]:
    own = _bars("attempts", {"cornerRadius": 2, "strokeWidth": 3}, _coloured_by("o"))
    return {**own, "encoding": {**own["encoding"], "stroke": _coloured_by("o")}}


def _attempt_shades() -> Mapping[str, Any]:
    """Attempts over the whole height, faintly."""
    return {
        "data": {"name": "attempts"},
        "mark": {"type": "rect", "clip": True, "opacity": 0.1, "y": 0, "y2": {"expr": "height"}},
        "encoding": {"x": _time("a"), "x2": {"field": "b"}, "color": _coloured_by("o")},
    }


def _lane_lines() -> Mapping[str, Any]:
    return {
        "data": {"name": "lanes"},
        "mark": {
            "type": "rule",
            "color": "var(--line)",
            "x": 0,
            "x2": {"expr": "width"},
            "yOffset": _below(1),
        },
        "encoding": {"y": _LANE},
    }


def _lane_names() -> Mapping[str, Any]:
    return {
        "data": {"name": "lanes"},
        "mark": {
            "type": "text",
            "align": "left",
            "baseline": "middle",
            "fontSize": 12,
            "fontWeight": 600,
            "color": "var(--muted)",
            "limit": {"expr": "width"},
            "x": 2,
            "yOffset": _below(0.3),
        },
        "encoding": {"y": _LANE, "text": {"field": "n"}},
    }


def _point_marks() -> Mapping[str, Any]:
    return {
        "data": {"name": "points"},
        "mark": {
            "type": "point",
            "filled": True,
            "opacity": 0.92,
            "size": 90,
            "stroke": "var(--surface)",
            "strokeWidth": 1.25,
            "clip": True,
            "cursor": "pointer",
            "yOffset": _below(0.68),
        },
        "encoding": {
            "x": _time("t"),
            "y": _LANE,
            "shape": {
                "field": "k",
                "type": "nominal",
                "scale": {"domain": list(_ALL_COLOURS), "range": ["square"] * len(_OUTCOMES) + list(_SHAPES.values())},
                "legend": None,
            },
            "color": _coloured_by("k"),
        },
    }


def _picked_mark() -> Mapping[str, Any]:
    """A ring around the entry that is told about: data of its own, so that picking one draws one."""
    return {
        "data": {"name": "picked"},
        "mark": {
            "type": "point",
            "filled": False,
            "shape": "circle",
            "size": 360,
            "stroke": "var(--ink)",
            "strokeWidth": 2,
            "opacity": 1,
            "clip": True,
            "yOffset": _below(0.68),
        },
        "encoding": {"x": _time("t"), "y": _LANE},
    }
