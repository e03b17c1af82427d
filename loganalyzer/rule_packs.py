"""Rule packs: Sigma rules that other packages bring, as texts by path."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from types import ModuleType
from typing import Final

from msgspec import Struct

from loganalyzer.plugins import RULES, Plugin, installed, load

#: Bytes of one rule file.
_LARGEST: Final = 4 << 20


class RulePack(Struct, frozen=True):
    """The rule files of one plug-in: (path, text); the path begins with the plug-in's name."""

    plugin: Plugin
    texts: tuple[tuple[str, str], ...]


def rule_packs() -> tuple[RulePack, ...]:
    """The packs of the group ``loganalyzer.rules``, by name; a broken one is left out, and recorded as a fault."""
    found = ((plugin, load(plugin, _texts)) for plugin in installed(RULES))
    return tuple(
        RulePack(plugin, tuple((f"{plugin.name}/{path}", text) for path, text in texts))
        for plugin, texts in found
        if texts is not None
    )


def _texts(found: object) -> tuple[tuple[str, str], ...]:
    """Of a package every YAML file below its folder; of a callable what it gives: a mapping of paths to texts.

    Raises:
        TypeError: it is neither, or gives something else.
        ValueError: it brings no rule file, or one that is too large.
        OSError: a file cannot be read.
    """
    if isinstance(found, ModuleType):
        texts: Mapping[str, str] = dict(_rule_files(importlib.resources.files(found), ""))
    elif callable(found):
        texts = _given(found())
    else:
        raise TypeError("a rule pack is a package, or a callable that gives a mapping of paths to rule texts")
    if not texts:
        raise ValueError("it brings no rule file (.yml, .yaml)")
    return tuple(sorted(texts.items()))


def _given(found: object) -> Mapping[str, str]:
    if not isinstance(found, Mapping):
        raise TypeError(f"it gives a {type(found).__name__}, not a mapping of paths to rule texts")
    if not all(isinstance(one, str) for pair in found.items() for one in pair):
        raise TypeError("it gives paths or rule texts that are not str")
    return found


def _rule_files(folder: Traversable, path: str) -> Iterable[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _rule_files(entry, f"{path}{entry.name}/")
        elif entry.name.endswith((".yml", ".yaml")):
            data = entry.read_bytes()
            if len(data) > _LARGEST:
                raise ValueError(f"{path}{entry.name} is larger than {_LARGEST >> 20} MiB")
            yield f"{path}{entry.name}", data.decode("utf-8")
