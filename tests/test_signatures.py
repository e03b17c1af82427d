"""The built-in signatures: each loads, is linted, proves itself by its examples, and knows its cause."""

from __future__ import annotations

import pytest

from loganalyzer.catalogue import load_catalogue
from loganalyzer.pipeline import example_frames
from loganalyzer.sigma.examples import run_correlation_examples, run_examples
from loganalyzer.sigma.lint import lint
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.signatures_in_use import builtin_rules_with_examples

LOADED = builtin_rules_with_examples()


def test_every_file_is_a_rule() -> None:
    assert len(LOADED.rules) > 300
    assert LOADED.faults == ()


def test_no_rule_falls_short_of_what_a_built_in_rule_must_be() -> None:
    linted = lint((*LOADED.rules, *LOADED.correlations), frozenset(load_catalogue().causes))
    assert [str(fault) for fault in linted.errors] == []
    assert linted.advice == ()


@pytest.mark.parametrize(
    "rule", [*LOADED.rules, *LOADED.correlations], ids=lambda rule: f"{rule.location.path}::{rule.title}"
)
def test_a_rule_matches_its_examples_as_they_say(rule: Rule | Correlation) -> None:
    results = (
        run_examples(rule, example_frames)
        if isinstance(rule, Rule)
        else run_correlation_examples(rule, LOADED, example_frames)
    )
    assert {result.example.match for result in results} == {True, False}
    assert [f"{result.example.name}: {result.why}" for result in results if not result.passed] == []


def _supported() -> set[str]:
    signatures = (*LOADED.rules, *LOADED.correlations)
    attributions = [rule.attribution for rule in signatures if rule.attribution is not None]
    return {one.cause for one in attributions if one.cause is not None and one.role == "supports"}


def test_every_cause_of_the_first_article_that_a_guest_shows_has_a_supporting_rule() -> None:
    wanted = {cause.id for cause in load_catalogue().causes.values() if cause.seed and cause.guest_visible == "yes"}
    assert len(wanted) > 10
    assert wanted - _supported() == set()
