"""What every parser owes, whatever its format: held for all that the registry finds."""

from __future__ import annotations

import ast
import importlib
import inspect
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loganalyzer.parser import HEAD_SIZE, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.registry import BuiltinParser, claims, parsers, recognise
from loganalyzer.schema import REJECTED_COLUMNS, SHARED_COLUMNS

PROJECT = Path(__file__).parent.parent

#: Samples of binary formats are large; that is no fault of the test.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

#: A sample of up to so many bytes is cut at every one, a longer one at so many places; in fast tests at a few.
SMALL, CUTS, FEW_CUTS = 2048, 200, 12

ALL: Any = parsers()
SAMPLES = [(parser, sample) for parser in ALL for sample in parser.samples]

every_parser = pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.name)
every_sample = pytest.mark.parametrize(
    ("parser", "sample"), SAMPLES, ids=[f"{parser.name}-{sample.name}" for parser, sample in SAMPLES]
)


def test_there_are_parsers_and_samples_to_hold_to_their_word() -> None:
    assert len(ALL) >= 4
    assert len(SAMPLES) >= len(ALL)


def test_names_of_parsers_are_unique_and_snake_case() -> None:
    names = [parser.name for parser in ALL]
    assert sorted(set(names)) == names
    assert [name for name in names if not name.isidentifier() or name != name.lower()] == []


@every_parser
def test_a_parser_says_what_it_reads_and_brings_a_sample(parser: Parser) -> None:
    assert parser.title.strip()
    assert "\n" not in parser.title
    assert parser.paths
    assert all(path.strip() for path in parser.paths)
    assert parser.logsource.product
    assert parser.samples
    names = [sample.name for sample in parser.samples]
    assert sorted(set(names)) == sorted(names)


@every_parser
def test_a_parser_imports_nothing_of_the_engine_but_the_parser_kit(parser: BuiltinParser) -> None:
    tree = ast.parse(inspect.getsource(importlib.import_module(type(parser.inner).__module__)))
    imported = {name for name in _imported(tree) if name.split(".")[0] in ("loganalyzer", "parsers")}
    assert "loganalyzer.parser" in imported
    forbidden = ("parsers", "loganalyzer.parsers", *_engine_rooms())
    assert {name for name in imported if any(f"{name}.".startswith(f"{room}.") for room in forbidden)} == set()


def _engine_rooms() -> list[str]:
    """What import-linter forbids a parser to see; a plug-in's source lies where import-linter does not look."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [rooms] = [contract["forbidden_modules"] for contract in contracts if contract.get("source_modules") == ["parsers"]]
    assert len(rooms) >= 5
    return list(rooms)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@every_sample
def test_a_sample_is_claimed_by_its_own_parser(parser: Parser, sample: Sample) -> None:
    recognised = recognise(Source(sample.path, sample.raw))
    assert recognised is not None
    assert recognised.parser.name == parser.name
    assert 0 < recognised.claim.strength <= 100
    assert recognised.claim.why.strip()


@every_sample
def test_who_is_asked_about_a_sample_is_the_first_of_all_claims_and_no_claim_is_stronger_than_its_parser_says(
    parser: Parser, sample: Sample
) -> None:
    source = Source(sample.path, sample.raw)
    assert recognise(source) == claims(source)[0]
    for found in claims(source):
        assert found.claim.strength <= getattr(found.parser, "strongest", 99), found


@every_sample
def test_a_parser_that_is_not_asked_could_not_have_won(parser: Parser, sample: Sample) -> None:
    head = sample.raw[:HEAD_SIZE]
    for path in ("pasted.txt", *(other.samples[0].path for other in ALL[len(sample.name) % 9 :: 9])):
        source = Source(path, sample.raw)
        found = claims(source)
        assert recognise(source) == (found[0] if found else None)
        assert all(one.claim.strength <= one.parser.bound(path, head) for one in found)  # type: ignore[attr-defined]


@every_sample
def test_a_claim_survives_any_folder_in_front_and_windows_separators(parser: Parser, sample: Sample) -> None:
    for path in (f"outer.zip!some folder/{sample.path}", sample.path.replace("/", "\\")):
        claim = parser.claim(path, sample.raw[:HEAD_SIZE])
        assert claim is not None
        assert claim.strength > 0


@every_sample
def test_a_sample_gives_the_events_it_promises_in_order(parser: Parser, sample: Sample) -> None:
    parsed = parser.parse(Source(sample.path, sample.raw), ParseContext())
    rows = [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)]
    assert [_subset(row, wanted) for row, wanted in zip(rows, sample.events, strict=False)] == list(sample.events)
    assert len(rows) == len(sample.events)
    assert parsed.rejected.height == sample.rejected
    assert all(row["log.file.path"] in (None, sample.path) for row in rows)


def _subset(row: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    return {name: row.get(name, "<no such column>") for name in wanted}


@every_sample
def test_a_sample_and_some_cuts_of_it_are_accounted_for(parser: Parser, sample: Sample) -> None:
    _hold_cuts(parser, sample, _some(sample, FEW_CUTS))


@pytest.mark.slow
@every_sample
def test_a_sample_and_every_cut_of_it_are_accounted_for(parser: Parser, sample: Sample) -> None:
    size = len(sample.raw)
    _hold_cuts(parser, sample, range(size + 1) if size <= SMALL else _some(sample, CUTS))


def _some(sample: Sample, count: int) -> Sequence[int]:
    """Places in a sample, the same every time; its beginning and its end are among them."""
    size = len(sample.raw)
    inside = random.Random(sample.name).sample(range(size), min(count, size))
    return sorted({0, *inside, size})


def _hold_cuts(parser: Parser, sample: Sample, places: Sequence[int]) -> None:
    assert len(places) >= 2
    for place in places:
        _hold(parser, Source(sample.path, sample.raw[:place]))


@every_parser
def test_the_same_bytes_give_the_same_result(parser: Parser) -> None:
    for sample in parser.samples:
        first, second = (parser.parse(Source(sample.path, sample.raw), ParseContext()) for _ in range(2))
        assert len(first.frames) == len(second.frames)
        for one, other in zip(first.frames, second.frames, strict=True):
            assert one.logsource == other.logsource
            assert one.rows.equals(other.rows)


@every_parser
def test_a_given_time_zone_moves_times_and_loses_no_event(parser: Parser) -> None:
    for sample in parser.samples:
        source = Source(sample.path, sample.raw)
        parsed = _hold(parser, source, ParseContext("Asia/Kolkata"))
        assert sum(frame.rows.height for frame in parsed.frames) == len(sample.events)


@every_parser
@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
def test_any_bytes_are_accounted_for(parser: Parser, data: st.DataObject) -> None:
    raw = data.draw(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
    _hold(parser, Source(parser.samples[0].path, raw))


@pytest.mark.slow
@every_parser
@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
def test_any_damage_to_a_sample_is_accounted_for(parser: Parser, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(parser.samples))
    _hold(parser, Source(sample.path, data.draw(_damaged(sample.raw))))


@st.composite
def _damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """Overwritten, cut out, doubled or moved bytes, and another encoding."""
    damaged = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(damaged)))
        end = draw(st.integers(start, min(len(damaged), start + 200)))
        twice = bytes(damaged[start:end]) * 2
        damaged[start:end] = draw(st.one_of(st.binary(max_size=20), st.just(b"\0" * 16), st.just(twice)))
    if draw(st.integers(0, 3)) == 0:
        return bytes(damaged).decode("latin-1").encode(draw(st.sampled_from(["utf-16", "utf-16-le", "utf-16-be"])))
    return bytes(damaged)


def _hold(parser: Parser, source: Source, context: ParseContext | None = None) -> Parsed:
    """Parses, and holds the result to all that is promised of any result."""
    claim = parser.claim(source.path, source.data[:HEAD_SIZE])
    assert claim is None or 0 < claim.strength <= 100
    parsed = parser.parse(source, context or ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size
    assert min(parsed.parsed_bytes, parsed.rejected_bytes, parsed.skipped_bytes, parsed.lines) >= 0
    assert all(note.strip() for note in (*parsed.damage, *parsed.cut))
    _hold_rejected(parsed.rejected, source)
    for frame in parsed.frames:
        _hold_frame(frame.rows, source)
    return parsed


def _hold_frame(rows: pl.DataFrame, source: Source) -> None:
    assert {name: rows.schema.get(name) for name in SHARED_COLUMNS} == dict(SHARED_COLUMNS)
    folded = [name.casefold() for name in rows.columns]
    assert len(set(folded)) == len(folded), "no two columns may differ only in case"
    placed = rows.filter(pl.col("log.offset").is_not_null() & pl.col("log.length").is_not_null())
    outside = (pl.col("log.offset") < 0) | (pl.col("log.length") < 0)
    outside |= pl.col("log.offset") + pl.col("log.length") > source.size
    assert placed.filter(outside).is_empty()
    assert rows["log.line"].drop_nulls().is_sorted()
    sequence = rows["event.sequence"].drop_nulls()
    assert (sequence.diff().drop_nulls() > 0).all()
    assert rows.filter(pl.col("time.assumed").str.strip_chars() == "").is_empty()


def _hold_rejected(rejected: pl.DataFrame, source: Source) -> None:
    assert dict(rejected.schema) == dict(REJECTED_COLUMNS)
    assert rejected["error.message"].null_count() == 0
    ends = rejected["log.offset"] + rejected["log.length"]
    assert (ends.drop_nulls() <= source.size).all()


def test_every_module_of_the_parsers_folder_is_found() -> None:
    modules = {path.stem for path in (PROJECT / "parsers").glob("*.py") if not path.stem.startswith("_")}
    found = {parser.module for parser in ALL}
    assert modules
    assert modules - found == set()
