"""Plug-ins: what other installed packages add by entry points, used so that a broken one costs only itself.

The groups are ``loganalyzer.parsers``, ``loganalyzer.rules``, ``loganalyzer.outputs`` and ``loganalyzer.redactors``.
Whoever uses a group loads it with `load` and says here what goes wrong (`blame`); whoever runs a scan or a command
collects that (`watch`). Without a collector a fault is a `PluginWarning`, so that none stays silent.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from loganalyzer.errors import LogAnalyzerError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PARSERS: Final = "loganalyzer.parsers"
RULES: Final = "loganalyzer.rules"
OUTPUTS: Final = "loganalyzer.outputs"
REDACTORS: Final = "loganalyzer.redactors"
GROUPS: Final = (PARSERS, RULES, OUTPUTS, REDACTORS)

#: The environment variable that switches plug-ins off, in this process and in those that it starts.
SWITCH: Final = "LOGANALYZER_PLUGINS"
_WORDS: Final = {"": True, "on": True, "1": True, "true": True, "off": False, "0": False, "false": False}

#: How the groups begin in a package's ``entry_points.txt``.
_HEADING: Final = b"[loganalyzer."

#: Characters of a fault; an exception may quote a whole log.
_LONGEST: Final = 300

T = TypeVar("T")


class PluginWarning(UserWarning):
    """A plug-in did not do what it should, and nobody collects faults."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of another package. ``value`` is what it names: ``module:attribute``.

    ``distribution`` and ``version`` are null where its metadata lack them.
    """

    group: str
    name: str
    value: str
    distribution: str | None
    version: str | None

    def __str__(self) -> str:
        owner = " ".join(part for part in (self.distribution, self.version) if part)
        return f"plug-in {self.name!r} of {owner or 'an unnamed package'} ({self.group})"

    @property
    def origin(self) -> str | None:
        """The file of its module, or of the package around it; None: there is none, or finding it fails."""
        module = self.value.partition(":")[0].strip()
        for name in (module, module.partition(".")[0]):
            spec = _spec(name)
            if spec is not None and spec.origin is not None:
                return str(Path(spec.origin))
        return None


@dataclass(frozen=True, slots=True)
class PluginFault:
    """What a plug-in did wrong, in a line."""

    plugin: Plugin
    what: str

    def __str__(self) -> str:
        return f"{self.plugin}: {self.what}"


class Faults:
    """The first fault of each plug-in, in the order of their appearance."""

    def __init__(self) -> None:
        self._first: dict[Plugin, PluginFault] = {}

    def __iter__(self) -> Iterator[PluginFault]:
        return iter(tuple(self._first.values()))

    def add(self, fault: PluginFault) -> None:
        """Keeps it, unless the plug-in has one already."""
        self._first.setdefault(fault.plugin, fault)

    def of(self, plugin: Plugin) -> str | None:
        """What the plug-in did wrong; None: nothing."""
        fault = self._first.get(plugin)
        return None if fault is None else fault.what

    def clear(self) -> None:
        """Forgets all: they were told."""
        self._first.clear()


#: Who collects faults in this context: a scan, and around it a command. What a frame of a call stack would hold, if
#: every function between a command and a parser had to pass it on.
_watching: ContextVar[Faults | None] = ContextVar("loganalyzer_plugin_faults", default=None)


@contextmanager
def watch() -> Iterator[Faults]:
    """Collects the faults of plug-ins; at the end what was not cleared goes on to the collector around this one."""
    own = Faults()
    token = _watching.set(own)
    try:
        yield own
    finally:
        _watching.reset(token)
        for fault in own:
            blame(fault.plugin, fault.what)


def blame(plugin: Plugin, what: str | BaseException) -> PluginFault:
    """Records a fault of a plug-in: words, or the exception that its code raised."""
    fault = PluginFault(plugin, _line(what))
    collector = _watching.get()
    if collector is None:
        warnings.warn(str(fault), PluginWarning, stacklevel=2)
    else:
        collector.add(fault)
    return fault


def _line(what: str | BaseException) -> str:
    text = what if isinstance(what, str) else f"{type(what).__name__}: {_words_of(what)}"
    return " ".join(text.split())[:_LONGEST].removesuffix(":")


def _words_of(error: BaseException) -> str:
    """The text of an exception; code of others may fail at that, too."""
    try:
        return error.what if isinstance(error, LogAnalyzerError) else str(error)
    except Exception:  # noqa: BLE001
        return ""


def switched_on() -> bool:
    """Whether plug-ins are used. Words that mean neither switch them off; `check_switch` tells them."""
    return _WORDS.get(os.environ.get(SWITCH, "").lower(), False)


def check_switch() -> None:
    """Looks at the environment variable.

    Raises:
        UsageError: it says neither on nor off.
    """
    said = os.environ.get(SWITCH, "")
    if said.lower() not in _WORDS:
        raise UsageError(f"{SWITCH}={said!r} is neither on nor off", None, f"set {SWITCH} to on or off")


@contextmanager
def without_plugins() -> Iterator[None]:
    """No plug-in is used inside, nor in processes that are started inside."""
    with switch_kept():
        os.environ[SWITCH] = "off"
        yield


@contextmanager
def switch_kept() -> Iterator[None]:
    """At the end plug-ins are switched on or off as they were."""
    before = os.environ.get(SWITCH)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SWITCH, None)
        else:
            os.environ[SWITCH] = before


def installed(group: str) -> tuple[Plugin, ...]:
    """The plug-ins of a group that are used, by name and distribution; none while they are switched off."""
    return tuple(plugin for plugin, _ in _points(group)) if switched_on() else ()


def all_installed() -> tuple[Plugin, ...]:
    """The plug-ins of all groups, whether they are switched on or not."""
    return tuple(plugin for group in GROUPS for plugin, _ in _points(group))


def load(plugin: Plugin, check: Callable[[object], T]) -> T | None:
    """What a plug-in's entry point names, as ``check`` returns it; None, with a fault recorded, where that fails.

    ``check`` raises for what is of the wrong kind. It is called once in a process; its outcome stays.
    """
    found: T | PluginFault = _loaded(plugin, check)
    if isinstance(found, PluginFault):
        blame(plugin, found.what)
        return None
    return found


@lru_cache(maxsize=256)
def _loaded(plugin: Plugin, check: Callable[[object], T]) -> T | PluginFault:
    point = dict(_points(plugin.group))[plugin]
    try:
        return check(point.load())
    except (Exception, SystemExit) as error:  # noqa: BLE001  code of others, run on import
        return PluginFault(plugin, _line(error))


@lru_cache(maxsize=len(GROUPS))
def _points(group: str) -> tuple[tuple[Plugin, EntryPoint], ...]:
    if not may_be_installed():
        return ()
    from importlib.metadata import entry_points

    found = [(_plugin(point), point) for point in entry_points(group=group)]
    return tuple(sorted(found, key=lambda pair: (pair[0].name, pair[0].distribution or "", pair[0].value)))


@lru_cache(maxsize=1)
def may_be_installed() -> bool:
    """Whether a package may have entry points of ours: that most machines have none is seen in a tenth of the time that
    `importlib.metadata` takes to be imported and to read what it knows of every package.
    """
    if any(finder is not PathFinder and hasattr(finder, "find_distributions") for finder in sys.meta_path):
        return True
    return any(_tells_of_plugins(folder or os.curdir) for folder in sys.path)


def _tells_of_plugins(folder: str) -> bool:
    try:
        names = [entry for entry in os.listdir(folder) if entry.lower().endswith((".dist-info", ".egg-info", ".egg"))]  # noqa: PTH208
    except FileNotFoundError:
        return False
    except OSError:  # an archive of packages, say
        return True
    for name in names:
        if name.lower().endswith(".egg"):
            return True  # seldom met, and laid out in several ways
        try:
            with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123  paths by Path take longer than the files
                if _HEADING in file.read():
                    return True
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return True
    return False


def _plugin(point: EntryPoint) -> Plugin:
    owner = point.dist
    name = owner.metadata["Name"] if owner is not None else None
    return Plugin(point.group, point.name, point.value, name, owner.version if owner is not None else None)


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (Exception, SystemExit):  # noqa: BLE001  packages around a module are imported to find it
        return None
