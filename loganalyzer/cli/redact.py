"""``loganalyzer redact``: a copy of a bundle without its secrets."""

from __future__ import annotations

import click


@click.command("redact")
def command() -> int:
    """Write a copy of a bundle without its secrets."""
    return 0
