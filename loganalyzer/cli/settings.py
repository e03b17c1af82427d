"""Settings: values for the options of a command, from variables and files, each checked where it stands.

The command line comes before the environment, then ``--config``, ``./loganalyzer.toml``, the user's file, the system's
file, and the option's own default. Keys are the long options, in a table for each command and in ``[defaults]``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource
from msgspec import Struct

from loganalyzer.cli.settings_files import (
    DEFAULTS,
    PREFIX,
    Candidate,
    Layer,
    Origin,
    candidates,
    environment,
    read_file,
)
from loganalyzer.errors import Location, UsageError
from loganalyzer.plugins import SWITCH

#: What the file of a folder may say, which can be a stranger's: how results are shown, and the exit status. Options
#: that write files, name rules or parsers, lift limits or redaction or steer a verdict are not among them, nor is one
#: that is new.
FROM_ANY_FOLDER: Final = frozenset(
    (
        *("all", "color", "details", "format", "level", "limit", "min-level", "quiet", "untimed", "verbose"),
        *("exit-zero", "fail-on", "strict"),
    )
)

#: Options that say where settings come from cannot be settings.
_NO_SETTINGS: Final = frozenset({"config", "no-config", "no-plugins", "help", "version"})
#: The command that tells what is wrong with settings has none, or it could not.
_TELLS: Final = "config"
_FILE: Final = "loganalyzer.config"
_NO_FILES: Final = "loganalyzer.no-config"


class Setting(Struct, frozen=True):
    """The value that one source gives to an option, and where it says so."""

    value: Any
    origin: Origin
    where: Location | None


class Resolved(Struct, frozen=True):
    """What holds for one command: settings by long option; and keys that were passed over, with the reason."""

    settings: Mapping[str, Setting]
    ignored: tuple[UsageError, ...] = ()


def with_common_options(command: click.Command) -> click.Command:
    """Adds ``--config``, ``--no-config`` and ``--no-plugins`` to a command and those below it, once."""
    if not any(option.name == "config_file" for option in command.params):
        command.params += [_config_option(), _no_config_option(), _no_plugins_option()]
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        with_common_options(below)
    return command


def _no_config_option() -> click.Option:
    return click.Option(
        ["--no-config"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        envvar="LOGANALYZER_NO_CONFIG",
        callback=_no_config,
        help="Read no settings file but that of --config.",
    )


def _no_plugins_option() -> click.Option:
    return click.Option(
        ["--no-plugins"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_no_plugins,
        help="Use no parsers, rules, outputs and redactors of other packages.",
    )


def _config_option() -> click.Option:
    return click.Option(
        ["--config", "config_file"],
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        envvar="LOGANALYZER_CONFIG",
        callback=_config,
        help="Settings as TOML; 'loganalyzer config' tells what else is read.",
    )


def _no_config(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_NO_FILES] = True
    _applied_after_both(ctx, "no_config")


def _no_plugins(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        os.environ[SWITCH] = "off"  # the command line puts it back when the command ends


def _config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        given = ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
        ctx.meta[_FILE] = Path(value) if given else ctx.meta.get(_FILE, Path(value))
    _applied_after_both(ctx, "config_file")


def _applied_after_both(ctx: click.Context, name: str) -> None:
    """Applies the settings once it is known where they come from, whichever of the two options is read first."""
    seen: set[str] = ctx.meta.setdefault(f"{_FILE} {path_of(ctx)}", set())
    seen.add(name)
    if len(seen) < 2 or ctx.resilient_parsing or isinstance(ctx.command, click.Group):
        return
    if path_of(ctx)[:1] != (_TELLS,):
        _apply(ctx)


def _apply(ctx: click.Context) -> None:
    """Gives the command its settings as defaults, before its own options are read; tells what was passed over."""
    resolved = resolve(ctx, layers_of(looked_for(ctx)))
    names = {key: option.name for key, option in settable(ctx.command).items()}
    ctx.default_map = {str(names[key]): one.value for key, one in resolved.settings.items()}
    if resolved.ignored:
        from loganalyzer.cli import tell

        for one in resolved.ignored:
            tell(f"note: {one}")


def looked_for(ctx: click.Context) -> tuple[Candidate, ...]:
    """The files of settings that this command looks for, the strongest first."""
    return candidates(ctx.meta.get(_FILE), not ctx.meta.get(_NO_FILES, False))


def layers_of(files: Sequence[Candidate]) -> tuple[Layer, ...]:
    """What the files say, the strongest first.

    Raises:
        UsageError: a file cannot be read.
    """
    return tuple(layer for file in files if (layer := read_file(file)) is not None)


def path_of(ctx: click.Context) -> tuple[str, ...]:
    """The words of a command behind the program's name."""
    above = () if ctx.parent is None else path_of(ctx.parent)
    return above if ctx.parent is None else (*above, ctx.info_name or "")


def settable(command: click.Command) -> dict[str, click.Option]:
    """The options that settings may give a value, by their long name without dashes."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    named = {next(word[2:] for word in one.opts if word.startswith("--")): one for one in options}
    return {name: one for name, one in named.items() if name not in _NO_SETTINGS}


def resolve(ctx: click.Context, layers: Sequence[Layer], variables: Mapping[str, str] | None = None) -> Resolved:
    """What holds for the command of a context; ``variables``: those of the process.

    Raises:
        UsageError: a key names no option or command, or an option does not take its value.
    """
    options = settable(ctx.command)
    found: dict[str, Setting] = {}
    ignored: list[UsageError] = []
    for layer in reversed(layers):
        _check_tables(ctx, layer)
        for said in _in_tables(layer, path_of(ctx)):
            if said.key not in options:
                _check_key(ctx, said, options)
            elif not layer.trusted and said.key not in FROM_ANY_FOLDER:
                ignored.append(
                    UsageError(f"{said.name} is ignored: a file that may be anybody's cannot set it", said.where, _OWN)
                )
            else:
                _take(ctx, options[said.key], said, found)
    named, unknown = _in_variables(ctx, options, environment(variables))
    for said in named:
        _take(ctx, options[said.key], said, found)
    return Resolved(found, (*ignored, *unknown))


_OWN: Final = "give it on the command line, with --config, or in your own file ('loganalyzer config path' names it)"


class _Said(Struct, frozen=True):
    """A value that somebody gives to an option. ``general``: to that of all commands; ``name``: as it stands there."""

    key: str
    value: Any
    name: str
    origin: Origin
    where: Location | None
    general: bool


def _in_tables(layer: Layer, path: Sequence[str]) -> Iterator[_Said]:
    """What a file says to a command: first to all, then to it."""
    for keys in ((DEFAULTS,), tuple(path)):
        table: Any = layer.tables
        for step in keys:
            table = table.get(step, {}) if isinstance(table, Mapping) else {}
        for key, value in table.items() if isinstance(table, Mapping) else ():
            yield _Said(key, value, ".".join((*keys, key)), layer.origin, layer.where(*keys, key), keys == (DEFAULTS,))


def _in_variables(
    ctx: click.Context, options: Mapping[str, click.Option], variables: Mapping[str, str]
) -> tuple[list[_Said], list[UsageError]]:
    """What variables say to a command, first those for all; and the variables that no command knows."""
    own = _variable(path_of(ctx))
    said: list[_Said] = []
    for head, general in ((PREFIX, True), (own, False)):
        for key, option in options.items():
            name = head + key.replace("-", "_").upper()
            if name in variables:
                value = _split(option, variables[name])
                said.append(_Said(key, value, name, "environment", None, general))
    known = {one.name for one in said}
    others = [name for name in variables if name not in known]
    return said, _unknown(ctx, others) if others else []


def _variable(path: Sequence[str]) -> str:
    return PREFIX + "".join(f"{word.replace('-', '_').upper()}_" for word in path)


#: What tests of this program may look at; these are set where tests and commands run side by side.
_OF_TESTS: Final = frozenset({f"{PREFIX}{name}" for name in ("CHROMIUM", "SHARED", "SIGMAHQ")})


def _unknown(ctx: click.Context, names: Sequence[str]) -> list[UsageError]:
    """Of these variables, those that are an option of no command."""
    known = {
        head + key.replace("-", "_").upper()
        for one in commands(ctx.find_root())
        for head in (PREFIX, _variable(path_of(one)))
        for key in settable(one.command)
    }
    help = "'loganalyzer config show' lists what can be set"
    names = [name for name in names if name not in _OF_TESTS]
    near = {name: difflib.get_close_matches(name, known, 1) for name in names if name not in known}
    return [
        UsageError(f"the variable {name} is no option of a command", None, f"is it {one[0]}?" if one else help)
        for name, one in near.items()
    ]


def _split(option: click.Option, text: str) -> Any:
    """The value of a variable; of an option that may repeat its parts, between white space."""
    return list(option.type.split_envvar_value(text)) if option.multiple else text


def commands(root: click.Context) -> Iterator[click.Context]:
    """A context for each command below that can have settings, groups left out; all of them are imported."""
    group = root.command
    if not isinstance(group, click.Group):
        yield root
        return
    for name in group.list_commands(root):
        command = group.get_command(root, name) if (*path_of(root), name) != (_TELLS,) else None
        if command is not None:
            yield from commands(click.Context(command, info_name=name, parent=root))


def _check_tables(ctx: click.Context, layer: Layer) -> None:
    """Looks at the names of tables.

    Raises:
        UsageError: a key where commands are named is none, or no table.
    """
    table: Any = layer.tables
    for group, path in _groups_above(ctx):
        table = layer.tables if not path else table.get(path[-1], {})
        words = group.command.list_commands(group)  # type: ignore[attr-defined]  # it is a group
        known = words if path else [DEFAULTS, *(word for word in words if word != _TELLS)]
        for key, value in table.items():
            where, name = layer.where(*path, key), ".".join((*path, key))
            if key not in known:
                help = _meant(key, known, "the tables are [defaults] and those of the commands")
                raise UsageError(f"{name!r} is no command", where, help)
            if not isinstance(value, Mapping):
                raise UsageError(f"{name!r} is not a table", where, f"write [{name}], and below it options as keys")


def _groups_above(ctx: click.Context) -> list[tuple[click.Context, tuple[str, ...]]]:
    """The groups around a command, the outermost first, each with its words."""
    parent = ctx.parent
    if parent is None:
        return []
    return [*_groups_above(parent), *([(parent, path_of(parent))] if isinstance(parent.command, click.Group) else ())]


def _check_key(ctx: click.Context, said: _Said, options: Mapping[str, click.Option]) -> None:
    """Looks whether a key that is no option of this command is meant for another.

    Raises:
        UsageError: no command knows an option of this key that is asked to be one.
    """
    known = {key for one in commands(ctx.find_root()) for key in settable(one.command)} if said.general else options
    if said.key in known:
        return
    help = _meant(said.key, known, "'loganalyzer config show' lists what can be set")
    raise UsageError(f"{said.name}: there is no option --{said.key}", said.where, help)


def _meant(word: str, known: Iterable[str], otherwise: str) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f"is it {near[0]!r}?" if near else otherwise


def _take(ctx: click.Context, option: click.Option, said: _Said, found: dict[str, Setting]) -> None:
    """Puts a value among those found, if the option takes it. One for all commands may be meant for another.

    Raises:
        UsageError: neither this command nor, where all are meant, another takes it.
    """
    try:
        found[said.key] = Setting(_taken(ctx, option, said.value), said.origin, said.where or Location(said.name))
    except click.BadParameter as error:
        if said.general and _fits_another(ctx, said):
            return
        raise UsageError(
            f"{said.name}: {error.message}", said.where, _HELP_OF.format(" ".join(path_of(ctx)))
        ) from error


_HELP_OF: Final = "'loganalyzer {} --help' says what it takes"


def _fits_another(ctx: click.Context, said: _Said) -> bool:
    for one in commands(ctx.find_root()):
        option = settable(one.command).get(said.key)
        if option is None or one.command is ctx.command:
            continue
        try:
            _taken(one, option, said.value)
        except click.BadParameter:
            continue
        return True
    return False


def _taken(ctx: click.Context, option: click.Option, value: Any) -> Any:
    """The value as click takes it for a default.

    Raises:
        click.BadParameter: the option does not take it.
    """
    several = value if isinstance(value, list) else [value]
    if isinstance(value, list) and not option.multiple:
        raise click.BadParameter("it takes one value, not a list")
    plain = [_plain(option, one) for one in several]
    given = plain if option.multiple else plain[0]
    converted = option.type_cast_value(ctx, given)
    if option.callback is not None:
        option.callback(ctx, option, converted)
    return given


def _plain(option: click.Option, value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping | list):
        raise click.BadParameter("it takes one value, not a table or list")
    if option.is_flag and not isinstance(value, bool | str):
        raise click.BadParameter("it takes true or false")
    if isinstance(value, bool) and not option.is_flag:
        raise click.BadParameter(f"it takes no {str(value).lower()} (a word stands in quotes)")
    return value
