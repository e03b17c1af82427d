"""Files that are known and not read: by their path alone, from the table ``signatures/known_files.yml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from msgspec import Struct

from loganalyzer.errors import CatalogueError, Location
from loganalyzer.precompiled import restored

TABLE = "signatures/known_files.yml"
#: The name of its precompiled form.
PRECOMPILED = "known_files"


class KnownFile(Struct, frozen=True):
    """A kind of file that is not read. ``what`` and ``why`` are words for the report, ``regex`` fits a path's end, in
    any case.

    ``private``: no parser may see it.
    """

    id: str
    what: str
    why: str
    private: bool
    regex: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """The regex of its paths, compiled once."""
        return _compiled(self.regex)


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
    """The table, in its order, from its precompiled form where that is of this file.

    Raises:
        CatalogueError: the table is not as its head says.
    """
    known = restored(PRECOMPILED, own_files(), tuple[KnownFile, ...])
    return known if known is not None else read_known_files()


def own_files() -> list[Traversable]:
    """The file of the table."""
    return [files("loganalyzer.signatures") / "known_files.yml"]


def read_known_files() -> tuple[KnownFile, ...]:
    """The table from its file.

    Raises:
        CatalogueError: as `known_files` says.
    """
    import yaml  # a scan, which has the precompiled form, does not pay for it

    (file,) = own_files()
    try:
        table = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  a safe loader either way
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
        regex=f"(?:^|/)(?:{'|'.join(map(_regex, entry['paths']))})\\Z",
    )


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex, re.IGNORECASE)


def _regex(glob: str) -> str:
    """A glob as a regex: ``*`` stays within a folder, ``**`` does not; nothing else is special."""
    stars = {"**": ".*", "*": "[^/]*"}
    return "".join(stars.get(part) or re.escape(part) for part in re.split(r"(\*\*?)", glob))
