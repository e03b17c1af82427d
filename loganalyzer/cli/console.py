"""The console that commands print on."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console

_USUAL: Final = 80
_NARROWEST: Final = 20


def open_console(**options: Any) -> Console:
    """A console without highlighting. ``COLUMNS=0``, as some services set it, would leave every line empty."""
    made = Console(highlight=False, **options)
    if made.width < _NARROWEST:
        made.width = _NARROWEST if made.width > 0 else _USUAL
    return made
