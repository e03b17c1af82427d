"""Rule files that a user names: found, read within limits, and loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click
from msgspec import Struct

from loganalyzer.cli import tell
from loganalyzer.errors import Location, UsageError
from loganalyzer.sigma.rule import Loaded, SigmaRuleError
from loganalyzer.signatures_in_use import rules_with

#: Bytes of one rule file.
LARGEST = 4 << 20

#: A key of which every Sigma document has one. The folders of public rules hold other YAML beside the rules.
_RULE_KEY = re.compile(
    r"""(?m)^(?:-[ \t]+|[{ \t]*)["']?(?:logsource|detection|correlation|filter|action)["']?[ \t]*:"""
)


own_rules_option = click.option(
    "-r",
    "--rules",
    "rules",
    multiple=True,
    metavar="DIR_OR_FILE",
    help="Sigma rules of your own, which speak for or against causes beside the built-in ones. May repeat.",
)


class RuleFiles(Struct, frozen=True):
    """Texts of rule files by path; ``other``: YAML found in a folder that is no rule; ``faults``: files not read."""

    texts: Mapping[str, str]
    other: Mapping[str, str]
    faults: tuple[SigmaRuleError, ...]


def load_rule_files(paths: Sequence[str]) -> Loaded:
    """The rules of these files and folders, strictly: whatever stands in a folder has to be a rule.

    Raises:
        UsageError: a path does not exist, or a file cannot be read.
    """
    from loganalyzer.sigma.load import load_rules  # a scan without rules of one's own does not pay for it

    found = read_rule_files(paths)
    for fault in found.faults:
        raise UsageError(fault.what, fault.where, fault.help)
    return load_rules({**found.texts, **found.other})


def own_rules(paths: Sequence[str]) -> tuple[tuple[tuple[str, str], ...], int]:
    """The texts of these files and folders by path, for ``ScanOptions.rules``, and how many faults were told.

    Raises:
        UsageError: a path does not exist, or a file cannot be read.
    """
    if not paths:
        return (), 0

    found = read_rule_files(paths)
    for fault in found.faults:
        raise UsageError(fault.what, fault.where, fault.help)
    texts = tuple(found.texts.items())
    own = {path for path, _ in texts}
    faults = [one for one in rules_with(texts).faults if one.where is not None and one.where.path in own]
    for fault in faults:
        tell(str(fault))
    return texts, len(faults)


def read_rule_files(paths: Sequence[str]) -> RuleFiles:
    """Reads each file once, in the order given, folders by sorted path; a file that cannot be read is a fault.

    Raises:
        UsageError: a path does not exist.
    """
    texts: dict[str, str] = {}
    other: dict[str, str] = {}
    faults: list[SigmaRuleError] = []
    for given in map(Path, paths):
        for path in _files(given):
            text = _text(path)
            if isinstance(text, SigmaRuleError):
                faults.append(text)
            elif path == given or _RULE_KEY.search(text):
                texts[str(path)] = text
            else:
                other[str(path)] = text
    return RuleFiles(texts, other, tuple(faults))


def _files(path: Path) -> Iterable[Path]:
    if not os.path.exists(path):  # noqa: PTH110  (Path.exists raises for a long name)
        raise UsageError(f"{path} does not exist", None, "give a rule file or a folder of .yml files")
    if path.is_dir():
        return sorted([*path.rglob("*.yml"), *path.rglob("*.yaml")])
    return [path]


def _text(path: Path) -> str | SigmaRuleError:
    """The text of a rule file; a device or pipe may never end, and no rules are that long."""
    what, help = "", "give readable rule files in UTF-8"
    try:
        if not path.is_file():
            what, help = "it is no regular file", "give a rule file or a folder of .yml files"
        elif path.stat().st_size > LARGEST:
            what, help = f"it is larger than {LARGEST >> 20} MiB", "split it into files of a few rules"
        else:
            return path.read_text(encoding="utf-8")
    except OSError as error:
        what = error.strerror or str(error)
    except UnicodeDecodeError as error:
        what = f"it is not UTF-8: {error.reason} at byte {error.start}"
    return SigmaRuleError("unreadable", f"cannot read {path}: {what}", Location(str(path)), help)
