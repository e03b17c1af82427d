"""What a first rule over a kind of rows can ask for, with rows that fit and rows that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from loganalyzer.schema import LogSource
from loganalyzer.sigma.taxonomy import OWN_CATEGORIES, is_text_log, scopes

_Fields: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Shape:
    """A detection, a row that fits it and its harmless neighbour.

    ``distinct``: a column with three values, and ``number``: one with a high and a low value. Put into the row, all of
    them leave the detection true.
    """

    detection: _Fields
    row: _Fields
    neighbour: _Fields
    distinct: tuple[str, tuple[object, object, object]] = ("log.file.path", ("one.log", "two.log", "three.log"))
    number: tuple[str, int, int] = ("log.length", 400, 40)


def shape_of(source: LogSource, number: int = 1) -> Shape:
    """The shape of the rows of a log source. ``number``, 1 or 2, tells two rules over it apart."""
    own = _DERIVED.get(source.category or "")
    if own is not None:
        return own(number)
    if source.category not in (None, *OWN_CATEGORIES):
        return _category(source, number)
    if source.product == "windows" and not is_text_log(source):
        return _windows_event(number)
    return _text(number)


def _text(number: int) -> Shape:
    words = f"words that only {('this fault', 'its second step')[number - 1]} writes"
    messages = (f"{words}: first", f"{words}: second", f"{words}: third")
    neighbour = {"message": "words that a step which went well writes too"}
    return Shape({"message|contains": words}, {"message": f"{words}: timed out"}, neighbour, ("message", messages))


def _windows_event(number: int) -> Shape:
    event: _Fields = {"Provider_Name": "Example-Provider", "EventID": 1000 + number}
    return Shape(event, event, {**event, "EventID": 2000}, ("Data", ("first", "second", "third")))


#: A field of the events of a category, where they do not name a program as ``Image`` (SigmaHQ's taxonomy appendix).
_FIELD_OF_CATEGORY: Mapping[str, str] = {
    "antivirus": "Signature",
    "driver_load": "ImageLoaded",
    "ps_classic_provider_start": "Data",
    "ps_classic_script": "Data",
    "ps_classic_start": "Data",
    "ps_module": "Payload",
    "ps_script": "ScriptBlockText",
    "sysmon_error": "Description",
    "sysmon_status": "State",
    "wmi_event": "Destination",
}


def _category(source: LogSource, number: int) -> Shape:
    """A category of SigmaHQ's, which stands for event ids; the rows of examples carry one."""
    name = _FIELD_OF_CATEGORY.get(source.category or "", "Image")
    ids = next((scope.event_ids for scope in scopes(source) if scope.event_ids is not None), frozenset())
    event: _Fields = {"EventID": min(ids)} if ids else {}
    one, two, three = (rf"C:\{folder}\example{number}.exe" for folder in ("one", "two", "three"))
    neighbour = {**event, name: r"C:\one\harmless.exe"}
    return Shape(
        {f"{name}|endswith": rf"\example{number}.exe"}, {**event, name: one}, neighbour, (name, (one, two, three))
    )


def _config(number: int) -> Shape:
    option: _Fields = {"key": f"Example.Option{number}", "value": "n"}
    return Shape(option, option, {**option, "value": "y"})


def _fact(number: int) -> Shape:
    fact = f"example_version_{number}"
    row: _Fields = {"fact": fact, "value": "2.0.1"}
    asked = {"fact": fact, "value|startswith": "2.0."}
    return Shape(asked, row, {**row, "value": "2.1.0"}, ("value", ("2.0.1", "2.0.2", "2.0.3")))


def _gap(number: int) -> Shape:
    series = f"example_{number}"
    row: _Fields = {"series": series, "seconds": 1900, "closed_by": "bundle_end"}
    asked = {"series": series, "seconds|gte": 1800, "closed_by": "bundle_end"}
    shape = Shape(asked, row, {**row, "closed_by": "next"}, ("seconds", (1900, 2000, 2100)))
    return replace(shape, number=("seconds", 4000, 1900))


def _extension_operation(number: int) -> Shape:
    operation = ("Enable", "Install")[number - 1]
    row: _Fields = {"handler": "Example.One", "operation": operation, "recovered": "false"}
    asked = {"handler|startswith": "Example.", "operation": operation, "recovered": "false"}
    return Shape(asked, row, {**row, "recovered": "true"}, ("handler", ("Example.One", "Example.Two", "Example.Three")))


def _attempt(number: int) -> Shape:
    code = str(100 + number)
    row: _Fields = {"outcome": "failure", "codes": [code], "task_id": "task-1"}
    asked = {"outcome": "failure", "codes": code}
    return Shape(asked, row, {**row, "codes": ["0"]}, ("task_id", ("task-1", "task-2", "task-3")))


_DERIVED: Mapping[str, Callable[[int], Shape]] = {
    "attempt": _attempt,
    "config": _config,
    "extension_operation": _extension_operation,
    "fact": _fact,
    "gap": _gap,
}
