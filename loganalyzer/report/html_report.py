"""The report as one HTML page to attach to a case: it needs no network, and a strict content policy holds it to that.

Text of logs enters as text only: every value of the template is made plain and escaped, data for scripts stands as JSON
in which nothing can end the element, and an address becomes a link only if it is one of ``https``. The policy names the
scripts and the style by their hashes, so that nothing else can run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import orjson
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from loganalyzer.report.html.bars import WIDTH, Axis, axis_of, by_status, failed_ticks, stretches
from loganalyzer.report.html.chosen import MOST_ATTEMPTS, MOST_SOURCES, choose
from loganalyzer.report.html.commands import pieces
from loganalyzer.report.html.timeline import KINDS, timeline
from loganalyzer.report.json_report import iso, jsonable
from loganalyzer.report.model import Coverage, Report, RuledOut, Undecided
from loganalyzer.report.plain_text import one_line, plain
from loganalyzer.report.wording import duration, headline, place, rough_span, size_text, span, time_text

#: In the order in which they run.
_CHART_SCRIPTS: Final = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.min.js")
_LICENCES: Final = ("vega.LICENSE.txt", "vega-lite.LICENSE.txt", "d3.LICENSE.txt")
_VERDICTS: Final = {"cause-found": "Cause found", "no-fault-found": "No fault found", "cannot-tell": "Cannot tell"}
_GAPS_TOLD: Final = 3
_LINK: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:[/?#][^\s<>\"'`\\]*)?")
#: Code points that no HTML text may hold.
_NOT_A_CHARACTER: Final = re.compile(
    "[\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)) + "]"
)


def to_html(report: Report) -> bytes:
    """The page in UTF-8; the same report gives the same bytes. Times are in UTC."""
    chosen = choose(report)
    chart = timeline(report, chosen.anchors)
    axis = axis_of(report)
    style = _asset("report.css")
    scripts = [_asset(name) for name in ((*_CHART_SCRIPTS, "report.js") if chart is not None else ("report.js",))]
    page = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            chosen=chosen,
            chart=chart,
            chart_data=_script_data(chart.spec) if chart is not None else None,
            kinds=KINDS,
            axis=axis,
            ticks=failed_ticks(report, axis) if axis is not None else [],
            sources=by_status(report.coverage)[:MOST_SOURCES],
            attempts=report.attempts[-MOST_ATTEMPTS:],
            undecided=_grouped(report.undecided),
            unseen=_grouped([one for one in report.ruled_out if not one.evidence]),
            titles={one.cause: one.title for one in report.diagnoses},
            cuts=(*chosen.cuts, *(chart.cuts if chart is not None else ())),
            verdict=_VERDICTS[report.verdict],
            headline=headline(report),
            policy=_policy(scripts, style),
            style=Markup(style),  # noqa: S704  a file of this package
            scripts=[Markup(script) for script in scripts],  # noqa: S704  files of this package
            licences=[_asset(name) for name in _LICENCES] if chart is not None else [],
        )
    )
    return page.encode()


def _policy(scripts: Iterable[str], style: str) -> str:
    """Nothing is loaded from anywhere; of what stands in the page only these scripts and this style count."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash_source, scripts))}",
            f"style-src {_hash_source(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash_source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@lru_cache(maxsize=16)
def _asset(name: str) -> str:
    """A file of the page, with the line ends that a browser sees, and without the address of a source map."""
    text = files("loganalyzer.report.html").joinpath("assets", name).read_text(encoding="utf-8").replace("\r\n", "\n")
    return re.sub(r"\n?//# sourceMappingURL=\S*\s*\Z", "\n", text)


def _script_data(value: object) -> Markup:
    """JSON inside a script element that nothing in it can end."""
    text = _whole(orjson.dumps(jsonable(value)).decode())
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  JSON without any character that is markup


# ---- the template and the words that it uses ----


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        one_line=one_line,
        time=time_text,
        iso=iso,
        size=size_text,
        words=_words,
        link=_link,
        pieces=pieces,
        commas=_commas,
    )
    environment.globals.update(
        span=span,
        rough_span=rough_span,
        duration=duration,
        place=place,
        stretches=stretches,
        about_source=_about_source,
        bar_width=WIDTH,
        axis_text=_axis_text,
    )
    return environment


def _template(name: str) -> str:
    return files("loganalyzer.report.html").joinpath("templates", name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """What the template shows of a value: text is made plain, so that no control character or mark acts on a page."""
    return _whole(plain(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _whole(text: str) -> str:
    return _NOT_A_CHARACTER.sub("\ufffd", text)


def _words(name: str) -> str:
    """An id of ours as words; a code keeps its form."""
    return name.replace("-", " ") if name.islower() or "-" in name else name


def _link(url: str | None) -> str | None:
    """The address if a page may link to it."""
    return url if url is not None and _LINK.fullmatch(url) else None


def _commas(number: int) -> str:
    return f"{number:,}"


def _axis_text(axis: Axis) -> str:
    return rough_span(axis.start, axis.end)


def _about_source(one: Coverage) -> list[str]:
    """What there is to say of a source beside its numbers."""
    about = [one_line(one.why)] if one.status not in ("read", "archive") else []
    if one.rejected:
        about.append(f"{one.rejected:,} entries rejected ({size_text(one.rejected_bytes)})")
    about += [one_line(note) for note in one.notes]
    about += [f"silent {one_line(start)} → {one_line(end)}" for start, end in one.gaps[:_GAPS_TOLD]]
    if len(one.gaps) > _GAPS_TOLD:
        about.append(f"and {len(one.gaps) - _GAPS_TOLD} more times")
    return [_short(line) for line in about if line]


def _short(line: str, most: int = 300) -> str:
    return line if len(line) <= most else f"{line[:most]}…"


def _grouped(rows: Sequence[Undecided | RuledOut]) -> Mapping[str, list[Undecided | RuledOut]]:
    """By the reason, in the order of the report."""
    groups: dict[str, list[Undecided | RuledOut]] = {}
    for one in rows:
        groups.setdefault(one.why, []).append(one)
    return groups
