"""The package's catalogue, from its precompiled form; or that of a folder, which `loganalyzer.catalogue.read` reads."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from loganalyzer.catalogue.lookup import Catalogue
from loganalyzer.precompiled import restored

FILES = (
    "sources",
    "artefacts",
    "errors",
    "causes",
    "states",
    "leads_to",
    "facts",
    "messages",
    "guide",
    "traps",
    "vmsnapshot_codes",
    "failure_modes",
)


#: The name of the catalogue's precompiled form.
PRECOMPILED = "catalogue"


def load_catalogue(folder: Traversable | None = None, thorough: bool = False) -> Catalogue:
    """The catalogue of the package, or of a ``folder`` with the same files.

    That of the package is read once in a process, from its precompiled form where that is of these files. ``thorough``
    also compiles every regular expression, tries it on its own text and looks for cycles; the tests read the package's
    catalogue so.

    Raises:
        CatalogueError: a file is missing or no YAML, a key, word or reference is unknown, an id stands twice, an entry
            lacks what every one of its kind has; thorough: a regular expression does not compile or does not find
            its own text, or the chain of consequences has a cycle. All faults are named, each with file, line, entry.
    """
    return _of_package() if folder is None and not thorough else _read(folder or own_folder(), thorough)


@lru_cache(maxsize=1)
def _of_package() -> Catalogue:
    known = restored(PRECOMPILED, own_files(), Catalogue)
    return known if known is not None else _read(own_folder(), thorough=False)


def own_files() -> list[Traversable]:
    """The files of the package's catalogue."""
    return [own_folder() / f"{name}.yml" for name in FILES]


def own_folder() -> Traversable:
    """Where the package's catalogue lies."""
    return files("loganalyzer.signatures") / "catalogue"


def _read(folder: Traversable, thorough: bool) -> Catalogue:
    from loganalyzer.catalogue.read import read_catalogue  # a scan, which has the precompiled form, does not pay for it

    return read_catalogue(folder, thorough)
