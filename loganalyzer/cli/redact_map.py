"""``--redact-map``: where the map of tokens goes, and the secret that seals it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import Struct

from loganalyzer.errors import UsageError
from loganalyzer.redact import Redactor
from loganalyzer.redact.key import read_key
from loganalyzer.redact.token_map import KEY_FILE, PASSPHRASE, refuse_to_overwrite_map, write_map

F = TypeVar("F", bound=Callable[..., Any])

#: The environment variable that holds the passphrase.
VARIABLE: Final = "REDACT_MAP_PASSPHRASE"


def redact_map_option(command: F) -> F:
    """Adds ``--redact-map``; `map_target` reads it."""
    help = (
        f"Also write what each token stands for, encrypted: with the passphrase in {VARIABLE}, else with the file of"
        " --redact-key, else with a passphrase that is asked for. 'loganalyzer redact --open-map FILE' shows it."
    )
    return click.option("--redact-map", "redact_map", type=click.Path(path_type=Path), metavar="FILE", help=help)(
        command
    )


class MapTarget(Struct, frozen=True):
    """The file of ``--redact-map`` and what seals it."""

    path: Path
    secret: bytes
    kind: str

    def write(self, redactor: Redactor) -> None:
        """Writes what the redactor's tokens stand for.

        Raises:
            UsageError: the file exists or cannot be written.
        """
        write_map(self.path, redactor.values, self.secret, self.kind)


def map_target(given: Mapping[str, Any]) -> MapTarget | None:
    """What ``--redact-map`` asks for, before anything is read; None: nothing.

    Raises:
        UsageError: the file exists, redaction is off, or nothing seals it.
    """
    path = given["redact_map"]
    if path is None:
        return None
    if given["redact"] == "off":
        raise UsageError("--redact-map without redaction: there are no tokens", None, "leave out --redact off")
    refuse_to_overwrite_map(path)
    return MapTarget(path, *sealing_secret(given["redact_key"]))


def sealing_secret(key: Path | None, kind: str | None = None) -> tuple[bytes, str]:
    """The secret of a map, and whether it is a passphrase or the bytes of a key file. ``kind``: only that will do.

    Raises:
        UsageError: there is none.
    """
    passphrase = os.environ.get(VARIABLE)
    if passphrase and kind != KEY_FILE:
        return passphrase.encode("utf-8", errors="surrogateescape"), PASSPHRASE
    if key is not None and kind != PASSPHRASE:
        return read_key(key), KEY_FILE
    if kind != KEY_FILE and sys.stdin is not None and sys.stdin.isatty():
        asked = click.prompt("Passphrase of the map", hide_input=True, confirmation_prompt=kind is None, err=True)
        return str(asked).encode(), PASSPHRASE
    wanted = "--redact-key FILE" if kind == KEY_FILE else f"the passphrase in {VARIABLE}"
    raise UsageError("nothing seals or opens the map of tokens", None, f"give {wanted}")
