"""The JSON of a fleet against the schema that ships."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loganalyzer.fleet.overview.json_form import schema, to_json
from loganalyzer.fleet.overview.machines import read_fleet
from loganalyzer.fleet.overview.overview import FailedBundle, Overview, overview
from tests.synthetic_fleet import Machine, earlier_fleet, varied_fleet, write_dataset


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Overview:
    """An overview in which every part has something to say."""
    folder = tmp_path_factory.mktemp("fleets")
    older = read_fleet(write_dataset(folder / "older", earlier_fleet(varied_fleet())))
    found = overview(read_fleet(write_dataset(folder / "ds", varied_fleet())), 0.05, None, older)
    return replace(found, failed=(("time", 1),), failed_bundles=(FailedBundle("vm.zip", "time", "it took too long"),))


def told(found: Overview) -> Any:
    return json.loads(to_json(found))


def parts_of(value: Any) -> Iterator[Any]:
    """All dataclasses in a value."""
    if is_dataclass(value):
        yield value
        for each in fields(value):
            yield from parts_of(getattr(value, each.name))
    elif isinstance(value, tuple):
        for inner in value:
            yield from parts_of(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from parts_of(inner)


def test_the_json_of_a_fleet_is_valid_by_the_schema_that_ships(full: Overview) -> None:
    Draft202012Validator.check_schema(schema())
    assert list(Draft202012Validator(schema()).iter_errors(told(full))) == []


def test_that_of_a_fleet_without_anything_is_valid_too(tmp_path: Path) -> None:
    found = overview(read_fleet(write_dataset(tmp_path / "ds", [Machine("vm1")])), 0.05)
    assert list(Draft202012Validator(schema()).iter_errors(told(found))) == []


@pytest.mark.parametrize("name", [each.name for each in fields(Overview)])
def test_the_schema_wants_every_part_of_it(full: Overview, name: str) -> None:
    parts = told(full)
    del parts[name]
    assert list(Draft202012Validator(schema()).iter_errors(parts))


def test_the_schema_names_the_fields_of_every_part_in_order(full: Overview) -> None:
    described = schema()
    seen = {type(value) for value in parts_of(full)}
    assert {one.__name__ for one in seen} - {"Overview"} == described["$defs"].keys() - {"Counts", "Time", "Week"}
    for part in seen:
        definition = described if part is Overview else described["$defs"][part.__name__]
        names = [each.name for each in fields(part)]
        assert definition["required"] == names
        assert list(definition["properties"]) == names
        assert definition.get("additionalProperties", True) is True


def test_the_schema_refuses_unknown_words_and_allows_additions(full: Overview) -> None:
    validator = Draft202012Validator(schema())
    parts = told(full)
    assert validator.is_valid({**parts, "later": 1})
    assert not validator.is_valid({**parts, "schema": "loganalyzer/fleet/2"})
    assert not validator.is_valid({**parts, "machines": "60"})
    changed = {**parts["against"]["causes"][0], "change": "perhaps"}
    assert not validator.is_valid({**parts, "against": {**parts["against"], "causes": [changed]}})


def test_the_same_overview_gives_the_same_bytes_with_one_line_end_at_the_end(full: Overview) -> None:
    assert to_json(full) == to_json(full)
    assert to_json(full).endswith(b"}\n")
    assert not to_json(full).endswith(b"\n\n")
