"""The precompiled form of the built-in rules: JSON with one rule a line, so that its differences can be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec
from msgspec import structs

from loganalyzer.sigma.ir import FORM_VERSION, json_object
from loganalyzer.sigma.rule import Correlation, Loaded, Rule

_Signature = TypeVar("_Signature", Rule, Correlation)


def digest(texts: Mapping[str, str]) -> str:
    """What a form was made from: the lower-case hex SHA-256 of rule texts and their paths, in any order."""
    digested = hashlib.sha256()
    for path, text in sorted(texts.items()):
        for part in (path.encode(), text.encode()):
            digested.update(f"{len(part)}\n".encode() + part)
    return digested.hexdigest()


def dump(loaded: Loaded, source: str) -> str:
    """The rules as `restore` reads them, in their order; ``source``: the `digest` of their texts.

    Examples are left out: they are run from the rule files.

    Raises:
        ValueError: there are faults; what is broken is mended, not stored.
    """
    if loaded.faults:
        raise ValueError(f"{len(loaded.faults)} faults in the rules, the first: {loaded.faults[0]}")
    rules = _lines(_without_examples(rule).to_json() for rule in loaded.rules)
    correlations = _lines(_without_examples(one).to_json() for one in loaded.correlations)
    head = f'"form": {FORM_VERSION},\n"source": "sha256:{source}"'
    return f'{{\n{head},\n"rules": [\n{rules}],\n"correlations": [\n{correlations}]\n}}\n'


def restore(text: str, source: str) -> Loaded:
    """Reads what `dump` wrote; no pySigma is needed.

    Raises:
        ValueError: the text is no such form or of another version, or was made from other rule texts than ``source``.
    """
    stored = json_object(msgspec.json.decode(text))
    if stored.get("form") != FORM_VERSION:
        raise ValueError(f"the stored rules are of form {stored.get('form')!r}, not {FORM_VERSION}")
    if stored.get("source") != f"sha256:{source}":
        raise ValueError("the stored rules were made from other rule texts")
    rules, correlations = stored.get("rules"), stored.get("correlations")
    if not isinstance(rules, list) or not isinstance(correlations, list):
        raise ValueError("not stored rules: a list is missing")
    return Loaded(tuple(map(Rule.from_json, rules)), (), tuple(map(Correlation.from_json, correlations)))


def without_examples(loaded: Loaded) -> Loaded:
    """The rules as `restore` gives them back."""
    rules, correlations = loaded.rules, loaded.correlations
    return structs.replace(
        loaded,
        rules=tuple(map(_without_examples, rules)),
        correlations=tuple(map(_without_examples, correlations)),
    )


def _without_examples(signature: _Signature) -> _Signature:
    attribution = signature.attribution
    return (
        signature if attribution is None else replace(signature, attribution=structs.replace(attribution, examples=()))
    )


def _lines(items: Iterable[Mapping[str, object]]) -> str:
    lines = [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items]
    return "".join(f"{line}{',' * (number < len(lines))}\n" for number, line in enumerate(lines, 1))
