"""``loganalyzer completion``: the script that lets a shell complete commands, options and their values.

The scripts and their protocol are click's. Where click knows nothing to offer, names of files are offered.
"""

from __future__ import annotations

from typing import Any, Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    PowerShellComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from loganalyzer.cli import COMPLETION, cli

PROGRAM: Final = "loganalyzer"

_HOW: Final = {
    "bash": 'eval "$(loganalyzer completion bash)"         # in ~/.bashrc; bash 4.4 or later',
    "zsh": 'eval "$(loganalyzer completion zsh)"          # in ~/.zshrc, after compinit',
    "fish": "loganalyzer completion fish | source          # in ~/.config/fish/config.fish",
    "powershell": "loganalyzer completion powershell | Out-String | Invoke-Expression    # in $PROFILE",
}


class _Files(ShellComplete):
    """Offers files where nothing else is known: most arguments are bundles."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        return super().get_completions(args, incomplete) or [CompletionItem(incomplete, type="file")]


class _Bash(_Files, BashComplete):
    pass


class _Zsh(_Files, ZshComplete):
    pass


class _Fish(_Files, FishComplete):
    pass


class _PowerShell(_Files, PowerShellComplete):
    pass


_SHELLS: Final[dict[str, type[ShellComplete]]] = {
    "bash": _Bash,
    "zsh": _Zsh,
    "fish": _Fish,
    "powershell": _PowerShell,
}


def register() -> None:
    """Makes click answer the scripts with the classes above."""
    for name, shell in _SHELLS.items():
        add_completion_class(shell, name)


@click.command("completion", epilog="\b\n" + "\n".join(_HOW.values()))
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def command(shell: str) -> int:
    """Print the script that makes SHELL complete commands, options, causes, codes, parsers and formats.

    \b
    Exit status: 0 printed.
    """
    click.echo(_SHELLS[shell](cli, {}, PROGRAM, COMPLETION).source())
    return 0
