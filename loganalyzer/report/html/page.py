"""What every page of this program is made of: its templates, its policy, and how text of logs enters it.

Text enters as text only: every value of a template is made plain and escaped, data for scripts stands as JSON in which
nothing can end the element, and an address becomes a link only if it is one of ``https``. The policy names the scripts
and the style by their hashes, so that nothing else can run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import orjson
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from loganalyzer.report.json_report import iso, jsonable
from loganalyzer.report.plain_text import one_line, plain
from loganalyzer.report.wording import rough_span, size_text, span, time_text

_LINK: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:[/?#][^\s<>\"'`\\]*)?")
#: Code points that no HTML text may hold.
_NOT_A_CHARACTER: Final = re.compile(
    "[\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)) + "]"
)


def page(template: str, scripts: Sequence[str], styles: Sequence[str], values: Mapping[str, Any]) -> bytes:
    """The page of a template in UTF-8, with the scripts and styles of these names; the same values, the same bytes."""
    style = "".join(map(asset, styles))
    texts = list(map(asset, scripts))
    own = {
        "policy": _policy(texts, style),
        "style": Markup(style),  # noqa: S704  files of this package
        "scripts": [Markup(text) for text in texts],  # noqa: S704  files of this package
    }
    return _environment().get_template(template).render({**values, **own}).encode()


def script_data(value: object) -> Markup:
    """JSON inside a script element that nothing in it can end."""
    text = _whole(orjson.dumps(jsonable(value)).decode())
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  JSON without any character that is markup


@lru_cache(maxsize=16)
def asset(name: str) -> str:
    """A file of the page, with the line ends that a browser sees, and without the address of a source map."""
    text = files("loganalyzer.report.html").joinpath("assets", name).read_text(encoding="utf-8").replace("\r\n", "\n")
    return re.sub(r"\n?//# sourceMappingURL=\S*\s*\Z", "\n", text)


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


# ---- the templates and the words that all of them use ----


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment_of(_template)


def environment_of(template: Callable[[str], str]) -> Environment:
    """Templates by their names, with these words; every value that they show is made plain and escaped."""
    environment = Environment(
        loader=FunctionLoader(template),
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
        commas=_commas,
    )
    environment.globals.update(span=span, rough_span=rough_span)
    return environment


def _template(name: str) -> str:
    return files("loganalyzer.report.html").joinpath("templates", name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """What a template shows of a value: text is made plain, so that no control character or mark acts on a page."""
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
