"""Reads and checks the key ``loganalyzer`` of a rule: cause, role, strength, needs, examples, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol, TypeGuard, get_args

from msgspec import Struct

from loganalyzer.sigma.rule import Attribution, Example, Role, Strength

KEYS = ("cause", "role", "strength", "needs", "examples")
EXAMPLE_KEYS = ("name", "match", "raw", "parser", "path", "event", "events", "count")
ROLES: tuple[str, ...] = get_args(Role)
STRENGTHS: tuple[str, ...] = get_args(Strength)


class KeyFault(Struct, frozen=True):
    """A fault under the key ``loganalyzer``; ``keys`` lead to the place."""

    what: str
    help: str
    keys: tuple[str | int, ...] = ()


@dataclass(slots=True)
class _Faults:
    """Faults as they are found, so that a rule shows all of them at once."""

    found: list[KeyFault] = field(default_factory=list)

    def add(self, what: str, help: str, *keys: str | int) -> None:
        self.found.append(KeyFault(what, help, keys))


class _Report(Protocol):
    """How a part of an example reports a fault; ``keys`` are below the example."""

    def __call__(self, what: str, help: str, *keys: str) -> None: ...


def read_attribution(data: object) -> tuple[Attribution | None, tuple[KeyFault, ...]]:
    """The value of ``loganalyzer`` as an `Attribution`; with any fault there is none."""
    faults = _Faults()
    if not isinstance(data, dict):
        faults.add("'loganalyzer' must be a map", "write 'role:' below it")
        return None, tuple(faults.found)
    for key in data:
        if key not in KEYS:
            help = f"only {', '.join(KEYS)} are allowed; remedies, platforms and codes come from the catalogue"
            faults.add(f"unknown key {key!r} under 'loganalyzer'", help, str(key))
    role = data.get("role")
    cause = data.get("cause")
    strength = data.get("strength")
    if not _is_role(role):
        faults.add(f"role {role!r} is unknown" if "role" in data else "no role", f"use {' | '.join(ROLES)}", "role")
        return None, tuple(faults.found)
    if strength is None and role == "refutes":
        strength = "strong"
    if role == "fact":
        for key in ("cause", "strength"):
            if data.get(key) is not None:
                faults.add(f"a fact has no {key}", f"remove {key!r}, or use role: supports", key)
    else:
        if not isinstance(cause, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cause):
            what = "no cause" if cause is None else f"cause {cause!r} is no id"
            faults.add(what, "name the id of a cause of the catalogue (lower case, with hyphens)", "cause")
        if not _is_strength(strength):
            what = "no strength" if strength is None else f"strength {strength!r} is unknown"
            faults.add(what, f"use {' | '.join(STRENGTHS)}", "strength")
    needs = data.get("needs")
    if needs not in (None, "failure") or (needs is not None and role != "supports"):
        faults.add(
            f"needs {needs!r} makes no sense", "write 'needs: failure' at a role that supports, or nothing", "needs"
        )
    examples = _examples(data.get("examples"), faults)
    if faults.found or not (strength is None or _is_strength(strength)):
        return None, tuple(faults.found)
    return Attribution(cause if isinstance(cause, str) else None, role, strength, examples, needs is not None), ()


def _is_role(value: object) -> TypeGuard[Role]:
    return isinstance(value, str) and value in ROLES


def _is_strength(value: object) -> TypeGuard[Strength]:
    return isinstance(value, str) and value in STRENGTHS


def _examples(data: object, faults: _Faults) -> tuple[Example, ...]:
    if data is None:
        return ()
    if not isinstance(data, list):
        faults.add("'examples' must be a list", "start each example with '- name:'", "examples")
        return ()
    examples = [_example(item, faults, index) for index, item in enumerate(data)]
    seen: set[str] = set()
    for index, example in enumerate(examples):
        if example is not None and example.name in seen:
            faults.add(f"two examples are called {example.name!r}", "say how they differ", "examples", index, "name")
        seen |= {example.name} if example is not None else set()
    return tuple(example for example in examples if example is not None)


def _example(data: object, faults: _Faults, index: int) -> Example | None:
    before = len(faults.found)

    def fault(what: str, help: str, *keys: str) -> None:
        faults.add(f"example {index + 1}: {what}", help, "examples", index, *keys)

    if not isinstance(data, dict):
        fault("must be a map", "write '- name:' and 'match:'")
        return None
    for key in data:
        if key not in EXAMPLE_KEYS:
            fault(f"unknown key {key!r}", f"only {', '.join(EXAMPLE_KEYS)} are allowed", str(key))
    name, match, count = data.get("name"), data.get("match"), data.get("count")
    raw, parser, path = (data.get(key) for key in ("raw", "parser", "path"))
    if not isinstance(name, str) or not name:
        fault("no name", "say in a sentence what it shows", "name")
    if not isinstance(match, bool):
        fault(
            "'match' must be true or false", "match: true, or match: false for the nearest harmless neighbour", "match"
        )
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1 or match is False):
        fault(f"count {count!r} makes no sense", "a count of matching rows, at least 1, goes with match: true", "count")
    if sum(data.get(key) is not None for key in ("raw", "event", "events")) != 1:
        fault("needs exactly one of raw, event, events", "give the log's text, or a row of a frame, or several rows")
    for key, value in (("raw", raw), ("parser", parser), ("path", path)):
        if value is not None and not isinstance(value, str):
            fault(f"{key!r} must be text", "put it in quotes", key)
        if key != "raw" and value is not None and raw is None:
            fault(f"{key!r} goes with 'raw'", f"remove {key!r}", key)
    if raw is not None and parser is None:
        fault("'raw' needs a parser", "name the parser that reads this text (see: loganalyzer formats)", "raw")
    event = _event(data["event"], fault, "event") if data.get("event") is not None else None
    events = _events(data["events"], fault) if data.get("events") is not None else None
    if len(faults.found) > before:
        return None
    return Example(str(name), match is True, raw, parser, path, event, events, count)


def _events(data: object, fault: _Report) -> tuple[Mapping[str, object], ...]:
    if not isinstance(data, list) or not data:
        fault("'events' must be a list of maps", "write at least one event", "events")
        return ()
    return tuple(_event(item, fault, "events") for item in data)


def _event(data: object, fault: _Report, key: str) -> Mapping[str, object]:
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        fault(f"{key!r} must hold maps of fields", "write 'field: value' lines", key)
        return {}
    return {name: _field_value(value, fault, key) for name, value in data.items()}


def _field_value(value: object, fault: _Report, key: str) -> object:
    """A field as JSON can hold it; YAML's times become text in UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [_field_value(item, fault, key) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    fault(f"a field cannot be a {type(value).__name__}", "use text, a number, true, false, null or a list of them", key)
    return None
