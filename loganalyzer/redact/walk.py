"""Redaction of a whole report, by its structure: a string is redacted unless its field says that it is ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol, TypeVar

from loganalyzer.redact.field_names import value_of
from loganalyzer.redact.names import is_secret_file
from loganalyzer.redact.redactor import Redactor

#: Key of a field's metadata: the field never holds text of a bundle, a ticket or a command line.
NOT_BUNDLE_TEXT: Final = "not bundle text"


class DataclassValue(Protocol):
    """Any dataclass instance."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


R = TypeVar("R", bound=DataclassValue)


def redact_report(report: R, redactor: Redactor) -> R:
    """The report without secrets; N of the tokens follows the cited entries by source and offset, then the rest.

    A cited entry (any dataclass with ``original``, ``sha256`` and ``redacted``) that changed is marked, and its hash is
    of the redacted text in UTF-8. A value that stands beside its name (any dataclass with ``name`` and ``value``) is
    redacted as that name tells.

    Raises:
        TypeError: a field holds a kind of value that cannot be searched for strings.
    """
    if redactor.mode == "off":
        return report
    bundle = getattr(report, "bundle", None)
    redactor.know_hosts(getattr(bundle, "hosts", ()))
    cited = sorted(_cited(report), key=_place)
    texts: dict[str, None] = dict.fromkeys(value.original for value in cited)
    texts.update(dict.fromkeys(_strings(report)))
    redacted = dict(zip(texts, redactor.texts(texts), strict=True))
    redacted |= {host: redactor.host(host) for host in getattr(bundle, "hosts", ())}
    named = {pair: value_of(*pair, redactor) for pair in dict.fromkeys(_named_values(report))}
    if named:  # a name may have told a secret that stands elsewhere without one
        hide = redactor.hiding_elsewhere()
        redacted = {text: hide(told) for text, told in redacted.items()}
        named = {pair: hide(told) for pair, told in named.items()}
    result = _rebuild(report, redacted, named, redactor)
    assert isinstance(result, type(report))
    return result


def _is_cited(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("source", "offset", "line", "original", "sha256", "redacted"))


def _is_named(value: Any) -> bool:
    return all(isinstance(getattr(value, name, None), str) for name in ("name", "value"))


def _place(cited: Any) -> tuple[str, int, int, int]:
    return cited.source, cited.offset or 0, cited.line or 0, getattr(cited, "record_id", 0) or 0


def _open_fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields that may hold strings of a bundle."""
    for each in fields(value):
        if not each.metadata.get(NOT_BUNDLE_TEXT, False):
            yield each.name, getattr(value, each.name)


def _named_values(report: Any) -> Iterator[tuple[str, str]]:
    return ((value.name, value.value) for value in _dataclasses(report) if _is_named(value))


def _cited(report: Any) -> Iterator[Any]:
    return (value for value in _dataclasses(report) if _is_cited(value))


def _dataclasses(value: Any) -> Iterator[Any]:
    """The value and all below it that are dataclasses, in the order of their fields."""
    if is_dataclass(value):
        yield value
        for _, inner in _open_fields(value):
            yield from _dataclasses(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _dataclasses(inner)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for _, inner in _open_fields(value):
            yield from _strings(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif not (value is None or isinstance(value, bool | int | float | datetime)):
        raise TypeError(f"cannot redact a {type(value).__name__}")


def _rebuild(value: Any, redacted: Mapping[str, str], named: Mapping[tuple[str, str], str], redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redacted[value]
    if is_dataclass(value) and not isinstance(value, type):
        changes = {name: _rebuild(inner, redacted, named, redactor) for name, inner in _open_fields(value)}
        if _is_cited(value):
            changes.update(_mark(value, changes["original"], redactor))
        if _is_named(value):
            changes["value"] = named[value.name, value.value]  # type: ignore[attr-defined]
        return replace(value, **changes)
    if isinstance(value, tuple | list):
        return type(value)(_rebuild(inner, redacted, named, redactor) for inner in value)
    if isinstance(value, Mapping):
        return {redacted[key]: _rebuild(inner, redacted, named, redactor) for key, inner in value.items()}
    return value


def _mark(cited: Any, text: str, redactor: Redactor) -> dict[str, Any]:
    """What changes in a cited entry whose redacted text is ``text``. Of a key file nothing is shown."""
    if is_secret_file(cited.source):
        text = redactor.whole(cited.original, "file")
    if text == cited.original:
        return {}
    digest = hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()
    hidden = {"message": text} if is_secret_file(cited.source) and hasattr(cited, "message") else {}
    return {"original": text, "redacted": True, "sha256": digest, **hidden}
