"""Searches that are kept for the next scan: the same answer, from a folder that nobody else can write to."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from loganalyzer import literal_search, search_cache
from loganalyzer.literal_search import line_search

pytest.importorskip("hyperscan", reason="hyperscan has no wheel here")

TEXTS = frozenset({"snapshot", "goal state"})
BLOCK = b"a Snapshot\nnothing\nthe GOAL STATE\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "cache" / "loganalyzer"
    monkeypatch.delenv("LOGANALYZER_CACHE")
    monkeypatch.setattr(search_cache, "_folder", lambda: found)
    return found


def lines(texts: frozenset[str] = TEXTS) -> list[bool]:
    """What a process that has searched for nothing yet finds."""
    literal_search._hyperscan.cache_clear()
    ends = np.flatnonzero(np.frombuffer(BLOCK, np.uint8) == ord("\n"))
    found: list[bool] = line_search(texts).lines(memoryview(BLOCK), ends).tolist()
    return found


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each search that is made."""
    made: list[int] = []
    own = search_cache.keep

    def keep(key: str, content: bytes) -> None:
        made.append(len(content))
        own(key, content)

    monkeypatch.setattr(search_cache, "keep", keep)
    return made


def test_a_search_is_made_once_and_finds_the_same_from_then_on(folder: Path, compiled: list[int]) -> None:
    assert lines() == lines() == lines() == [True, False, True]
    assert len(compiled) == 1
    assert lines(frozenset({"nothing"})) == [False, True, False]
    assert len(compiled) == 2
    assert len([*folder.iterdir()]) == 2


def test_a_kept_search_that_was_changed_or_cut_is_made_anew(folder: Path, compiled: list[int]) -> None:
    lines()
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    for damaged in (whole[:-1], whole[:40] + b"?" + whole[41:], b"", b"x" * 31):
        kept.write_bytes(damaged)
        compiled.clear()
        assert lines() == [True, False, True]
        assert len(compiled) == 1
        assert kept.read_bytes() == whole


@pytest.mark.skipif(os.name == "nt", reason="rights are told otherwise")
def test_what_others_could_have_written_is_not_used(folder: Path, compiled: list[int]) -> None:
    lines()
    (kept,) = folder.iterdir()
    for path, mode in ((kept, 0o620), (kept, 0o602), (folder, 0o770), (folder, 0o707)):
        before = path.stat().st_mode
        path.chmod(mode)
        compiled.clear()
        assert lines() == [True, False, True]
        assert len(compiled) == 1
        path.chmod(before)
    lines()
    elsewhere = folder.parent / "elsewhere"
    kept.replace(elsewhere)
    kept.symlink_to(elsewhere)
    compiled.clear()
    assert lines() == [True, False, True]
    assert len(compiled) == 1


def test_a_folder_that_cannot_be_made_is_no_error(folder: Path, compiled: list[int]) -> None:
    folder.parent.write_text("no folder", encoding="utf-8")
    assert lines() == lines() == [True, False, True]
    assert len(compiled) == 2


@pytest.mark.parametrize("word", ["off", "0", "No"])
def test_nothing_is_kept_where_the_environment_says_so(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOGANALYZER_CACHE", word)
    assert lines() == [True, False, True]
    assert not [*tmp_path.iterdir()]


def test_only_those_used_last_are_kept(folder: Path) -> None:
    for number in range(search_cache.MOST_FILES + 4):
        search_cache.keep(search_cache.key_of([b"%d" % number]), b"content")
    assert len([*folder.iterdir()]) == search_cache.MOST_FILES


def test_a_key_tells_parts_apart() -> None:
    keys = [search_cache.key_of(parts) for parts in ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"abc", b""])]
    assert len({*keys}) == 4
