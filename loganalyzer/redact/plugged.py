"""Redactors of plug-ins: what they find in a text beside the secrets that are known here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from loganalyzer.plugins import REDACTORS, Plugin, blame, installed, load
from loganalyzer.redact.find import find_secrets
from loganalyzer.redact.kinds import KINDS, TOKEN, Secret

#: Spans of a text that hold a secret: (start, end, kind), in characters, in any order; one of ``KINDS``.
Finder: TypeAlias = Callable[[str], Iterable[tuple[int, int, str]]]


def finders() -> tuple[tuple[Plugin, Finder], ...]:
    """The redactors of the group ``loganalyzer.redactors``; a broken one is left out, and recorded as a fault."""
    found = ((plugin, load(plugin, _checked)) for plugin in installed(REDACTORS))
    return tuple((plugin, finder) for plugin, finder in found if finder is not None)


def _checked(found: object) -> Finder:
    if not callable(found):
        raise TypeError("a redactor is a callable that takes a text and gives spans (start, end, kind)")
    return found


def find_all(text: str) -> Iterable[Secret]:
    """All secrets of a text from left to right, those of plug-ins too; they do not overlap.

    A redactor that raises, or gives what is no span, is recorded as a fault; what it gave before still counts.
    """
    plugged = finders()
    if not plugged or not text:
        return find_secrets(text)
    added = [secret for plugin, finder in plugged for secret in _found(plugin, finder, text)]
    return _joined(text, [*find_secrets(text), *_beside_tokens(text, added)]) if added else find_secrets(text)


def _found(plugin: Plugin, finder: Finder, text: str) -> Iterator[Secret]:
    try:
        for span in finder(text):
            secret = _secret(text, span)
            if secret is None:
                blame(plugin, f"gives what is no span (start, end, kind) of the text; kinds are {', '.join(KINDS)}")
            else:
                yield secret
    except Exception as error:  # noqa: BLE001  code of others, which any text may upset
        blame(plugin, type(error).__name__)  # its words may quote what it should hide


def _secret(text: str, span: Any) -> Secret | None:
    if not isinstance(span, tuple) or len(span) != 3:
        return None
    start, end, kind = span
    whole = isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)
    return Secret(start, end, kind, text[start:end]) if whole and kind in KINDS else None


def _beside_tokens(text: str, secrets: Iterable[Secret]) -> Iterator[Secret]:
    """A token stays as it is, or goes as a whole: what lies inside of one is hidden already."""
    tokens = [match.span() for match in TOKEN.finditer(text)]
    for one in secrets:
        if any(start <= one.start and one.end <= end for start, end in tokens):
            continue
        first = min((start for start, end in tokens if start < one.start < end), default=one.start)
        last = max((end for start, end in tokens if start < one.end < end), default=one.end)
        yield Secret(first, last, one.kind, text[first:last])


def _joined(text: str, secrets: Iterable[Secret]) -> Iterator[Secret]:
    """By place; those that overlap are one, of the kind of the first."""
    last: Secret | None = None
    for one in sorted(secrets, key=lambda secret: (secret.start, -secret.end)):
        if last is None or one.start >= last.end:
            if last is not None:
                yield last
            last = one
        elif one.end > last.end:
            last = Secret(last.start, one.end, last.kind, text[last.start : one.end])
    if last is not None:
        yield last
