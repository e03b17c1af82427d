"""The files and variables that hold settings: where they lie, what they say, and in which line."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from loganalyzer.errors import Location, UsageError

#: Where a value can come from, the strongest first; before all of them comes the command line, after them the default.
Origin: TypeAlias = Literal["environment", "--config", "project", "user", "system"]

#: The file of the folder in which a command is run. It may be anybody's, so that it may not say everything.
PROJECT_FILE: Final = "loganalyzer.toml"
PREFIX: Final = "LOGANALYZER_"
#: Variables that are no option of a command.
RESERVED: Final = ("LOGANALYZER_CONFIG", "LOGANALYZER_NO_CONFIG", "LOGANALYZER_PLUGINS", "LOGANALYZER_CACHE")
#: The table of what holds for every command that has such an option.
DEFAULTS: Final = "defaults"

#: Bytes of a file of settings.
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file says, or all variables together: tables as TOML has them, and the place of each key.

    ``trusted``: it is the user's own, and may say everything.
    """

    origin: Origin
    tables: Mapping[str, Any]
    trusted: bool
    places: Mapping[tuple[str, ...], Location] = field(default_factory=dict)

    def where(self, *keys: str) -> Location | None:
        """The place of a key, or of the table around it."""
        return next((self.places[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in self.places), None)


class Candidate(Struct, frozen=True):
    """A file that is looked for."""

    origin: Origin
    path: Path
    trusted: bool


def candidates(given: Path | None, files: bool = True) -> tuple[Candidate, ...]:
    """The files that are looked for, the strongest first.

    ``given``: that of ``--config``, and the only one if ``files`` is false.
    """
    named = () if given is None else (Candidate("--config", given, True),)
    if not files:
        return named
    project = Path(PROJECT_FILE)
    same = given is not None and os.path.abspath(given) == os.path.abspath(project)  # noqa: PTH100  never fails
    local = () if same else (Candidate("project", project, False),)
    user, system = _own_folders()
    # On Windows any user may create the folder of the system's file, so that it is no more trusted than a stranger's.
    shared = Candidate("system", system / "config.toml", sys.platform != "win32")
    return (*named, *local, Candidate("user", user / "config.toml", True), shared)


def _own_folders() -> tuple[Path, Path]:
    import platformdirs  # a command that needs no settings does not pay for it

    user = platformdirs.user_config_path("loganalyzer", appauthor=False)
    if sys.platform in ("win32", "darwin"):
        return user, platformdirs.site_config_path("loganalyzer", appauthor=False)
    return user, Path("/etc/loganalyzer")


def read_file(file: Candidate) -> Layer | None:
    """What a file says; None: there is none, unless it was named.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    name = shown(file)
    try:
        if not file.path.is_file():
            if file.origin != "--config" and not file.path.exists():
                return None
            what = "is no regular file" if file.path.exists() else "does not exist"
            raise UsageError(f"the settings file {name} {what}", None, "give --config a TOML file")
        if file.path.stat().st_size > _LARGEST:
            raise UsageError("a settings file is larger than 1 MiB", Location(name), _MEND)
        text = file.path.read_text(encoding="utf-8")
        return Layer(file.origin, tomllib.loads(text), file.trusted, _places(name, text))
    except UnicodeDecodeError as error:
        raise UsageError("a settings file is not UTF-8", Location(name), _MEND) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = Location(name, int(place[1]), int(place[2])) if place else Location(name)
        what = str(error)[: place.start()].strip() if place else str(error)
        raise UsageError(f"a settings file is no TOML: {what}", where, _MEND) from error
    except (OSError, RecursionError) as error:
        told = error.strerror if isinstance(error, OSError) else "too deep"
        raise UsageError(f"a settings file cannot be read: {told}", Location(name), _MEND) from error


_MEND: Final = "mend it, or read no settings files with --no-config"


def shown(file: Candidate) -> str:
    """The path of a file as people know it."""
    return f"./{PROJECT_FILE}" if file.origin == "project" else str(file.path)


def environment(variables: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The variables that may be settings, by name; empty ones say nothing."""
    found = os.environ if variables is None else variables
    return {
        name: value
        for name, value in sorted(found.items())
        if name.startswith(PREFIX) and name not in RESERVED and value
    }


_TABLE: Final = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_STEP: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def _places(name: str, text: str) -> dict[tuple[str, ...], Location]:
    """Where the keys of a file stand, which no TOML reader tells; the first line that looks like a key is its place."""
    found: dict[tuple[str, ...], Location] = {(): Location(name)}
    for keys, line in _headings_and_keys(text):
        found.setdefault(keys, Location(name, line))
    return found


def _headings_and_keys(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if (heading := _TABLE.match(line)) is not None:
            table = _steps(heading[1])
            yield table, number
        elif (key := _KEY.match(line)) is not None:
            yield (*table, *_steps(key[1])), number


def _steps(dotted: str) -> tuple[str, ...]:
    return tuple(step.strip("\"'") for step in _STEP.findall(dotted))
