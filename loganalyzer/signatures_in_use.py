"""The rules that judge a bundle: those of this package, those of plug-ins, and one's own."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import TypeVar

from loganalyzer import known_files, registry
from loganalyzer.catalogue import load as catalogue_files
from loganalyzer.catalogue import load_catalogue
from loganalyzer.facts import tables
from loganalyzer.plugins import blame
from loganalyzer.precompiled import stored
from loganalyzer.rule_packs import RulePack
from loganalyzer.sigma.rule import Correlation, Loaded, Rule, SigmaRuleError
from loganalyzer.sigma.store import digest, restore, without_examples


@lru_cache(maxsize=1)
def builtin_rules() -> Loaded:
    """The signatures of this package, read once in a process, without their examples.

    They are read from their precompiled form, which spares pySigma. Where that is missing, of another version or older
    than the rule files, the rule files are compiled: slower, never different.
    """
    texts = builtin_rule_texts()
    try:
        return restore(compiled_rules().read_text(encoding="utf-8"), digest(texts))
    except (OSError, ValueError):
        return without_examples(_load_rules(texts))


def rules_with(own: tuple[tuple[str, str], ...], packs: tuple[RulePack, ...] = ()) -> Loaded:
    """The built-in signatures, those of plug-ins, and rules of one's own (paths and texts).

    Of several with an id a pack's stands for a built-in one, and one's own for both. A rule that speaks of a cause
    which the catalogue does not hold is a fault, and is left out.
    """
    rules = builtin_rules()
    for pack in packs:
        added = _own(pack.texts)
        if added.faults:
            first = added.faults[0]
            blame(pack.plugin, f"faults of rules: {len(added.faults)}, the first: {first.what} ({first.where})")
        rules = _together(rules, added)
    return _together(rules, _own(own)) if own else rules


@lru_cache(maxsize=16)
def _own(texts: tuple[tuple[str, str], ...]) -> Loaded:
    """Rules that are not of this package, compiled once in a process."""
    loaded = _load_rules(dict(texts))
    causes = load_catalogue().causes
    mine: tuple[Rule | Correlation, ...] = (*loaded.rules, *loaded.correlations)
    faults = {one.id: fault for one in mine if (fault := _stray(one, causes))}
    return Loaded(
        tuple(_without(loaded.rules, faults)),
        (*loaded.faults, *faults.values()),
        tuple(_without(loaded.correlations, faults)),
    )


def _together(base: Loaded, added: Loaded) -> Loaded:
    taken = {one.id for one in (*added.rules, *added.correlations)}
    return Loaded(
        (*_without(base.rules, taken), *added.rules),
        (*base.faults, *added.faults),
        (*_without(base.correlations, taken), *added.correlations),
    )


_Signature = TypeVar("_Signature", Rule, Correlation)


def _without(signatures: Iterable[_Signature], ids: Container[str]) -> list[_Signature]:
    return [one for one in signatures if one.id not in ids]


def _stray(one: Rule | Correlation, causes: Container[str]) -> SigmaRuleError | None:
    cause = one.attribution.cause if one.attribution is not None else None
    if cause is None or cause in causes:
        return None
    help = "use the id of a cause of the catalogue, as reports and 'loganalyzer signatures list' name them"
    return SigmaRuleError("invalid", f"the catalogue has no cause {cause!r}", one.location, help)


@lru_cache(maxsize=1)
def builtin_rules_with_examples() -> Loaded:
    """The signatures of this package as their files have them, compiled once in a process."""
    return _load_rules(builtin_rule_texts())


def compiled_rules() -> Traversable:
    """Where the precompiled form of the signatures lies; `loganalyzer.sigma.store` writes and reads it."""
    return files("loganalyzer.signatures").joinpath("compiled.json")


def precompiled_tables() -> Mapping[str, str]:
    """The precompiled forms of the catalogue, of tables and of the index of parsers, by name."""
    made = (
        (
            catalogue_files.PRECOMPILED,
            catalogue_files.load_catalogue(catalogue_files.own_folder()),
            catalogue_files.own_files(),
        ),
        (tables.PRECOMPILED, tables.read_tables(), tables.own_files()),
        (known_files.PRECOMPILED, known_files.read_known_files(), known_files.own_files()),
        (registry.PRECOMPILED, registry.read_index(), ()),
    )
    return {name: stored(value, made_from).decode() for name, value, made_from in made}


def builtin_rule_texts() -> Mapping[str, str]:
    """The rule files of this package, by path."""
    root = files("loganalyzer.signatures").joinpath("rules")
    return dict(sorted(_rule_files(root, PurePosixPath("signatures/rules"))))


def _rule_files(folder: Traversable, path: PurePosixPath) -> Iterable[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _rule_files(entry, path / entry.name)
        elif entry.name.endswith(".yml"):
            yield str(path / entry.name), entry.read_text(encoding="utf-8")


def _load_rules(texts: Mapping[str, str]) -> Loaded:
    from loganalyzer.sigma.load import load_rules  # a scan, which has the precompiled form, does not pay for it

    return load_rules(texts)
