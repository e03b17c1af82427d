"""Possessive groups mean the same on every Python."""

from __future__ import annotations

import re

import pytest

from loganalyzer.possessive import as_atomic, compile_possessive


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("a++b", "a++b"),
        ("(?:ab)*+c", "(?>(?:ab)*)c"),
        ("(?:a(?:b|c)?+)++", "(?>(?:a(?>(?:b|c)?))+)"),
        (r"(?:\)|[)]*+)*+", r"(?>(?:\)|[)]*+)*)"),
        ("(?:[]()]){2,}+", "(?>(?:[]()]){2,})"),
        ("(x)(y)+", "(x)(y)+"),
    ],
)
def test_only_repeats_of_groups_are_written_anew(pattern: str, written: str) -> None:
    assert as_atomic(pattern) == written
    re.compile(written)


def test_a_group_that_goes_back_is_read_to_its_end() -> None:
    found = compile_possessive("(?:[^%]|%(?!26))++").match("a%3D&")
    assert found is not None
    assert found[0] == "a%3D&"


def test_nothing_is_given_back() -> None:
    assert compile_possessive("(?:ab?)++b").match("abab") is None
