"""Files that are known and not read: by their path alone, from the table ``signatures/known_files.yml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml
from msgspec import Struct

from loganalyzer.errors import CatalogueError, Location

TABLE = "signatures/known_files.yml"


class KnownFile(Struct, frozen=True):
    """A kind of file that is not read. ``what`` and ``why`` are words for the report, ``pattern`` fits a path's end.

    ``private``: no parser may see it.
    """

    id: str
    what: str
    why: str
    private: bool
    pattern: re.Pattern[str]


def known_file(path: str) -> KnownFile | None:
    """The first entry of the table that a path fits, in any case and under any folder or archive; None: none does.

    Raises:
        CatalogueError: the table is not as its head says.
    """
    plain = path.replace("\\", "/").replace("!", "/")
    return next((known for known in known_files() if known.pattern.search(plain)), None)


def is_private(path: str) -> bool:
    """Whether a path is that of a file that nothing may read: a key, say."""
    known = known_file(path)
    return known is not None and known.private


@lru_cache(maxsize=1)
def known_files() -> tuple[KnownFile, ...]:
    """The table, in its order.

    Raises:
        CatalogueError: the table is not as its head says.
    """
    text = files("loganalyzer.signatures").joinpath("known_files.yml").read_text(encoding="utf-8")
    try:
        table = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  a safe loader either way
        return tuple(_entry(entry, table["reasons"]) for entry in table["files"])
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise CatalogueError(
            f"the table of known files is broken: {error}", Location(TABLE), "see the head of the file for its form"
        ) from None


def _entry(entry: Mapping[str, Any], reasons: Mapping[str, Any]) -> KnownFile:
    reason = reasons[entry["why"]]
    return KnownFile(
        id=entry["id"],
        what=entry["what"],
        why=reason["text"],
        private=reason.get("private", False),
        pattern=re.compile(f"(?:^|/)(?:{'|'.join(map(_regex, entry['paths']))})\\Z", re.IGNORECASE),
    )


def _regex(glob: str) -> str:
    """A glob as a regex: ``*`` stays within a folder, ``**`` does not; nothing else is special."""
    stars = {"**": ".*", "*": "[^/]*"}
    return "".join(stars.get(part) or re.escape(part) for part in re.split(r"(\*\*?)", glob))
