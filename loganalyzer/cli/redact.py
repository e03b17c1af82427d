"""``loganalyzer redact``: a copy of a bundle without its secrets."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
import orjson

from loganalyzer.cli import EXIT_UNREADABLE, tell
from loganalyzer.cli.known_hosts import hosts_of
from loganalyzer.cli.options import limit_options, limits_of, progress_shown, redact_option, redactor_of
from loganalyzer.cli.redact_map import map_target, redact_map_option, sealing_secret
from loganalyzer.cli.redacted_copy import refuse_to_overwrite, write_copy
from loganalyzer.errors import UsageError
from loganalyzer.intake import Limits, Source, walk
from loganalyzer.pipeline import Progress
from loganalyzer.redact import Redactor
from loganalyzer.redact.copy import BundleCopy, Item
from loganalyzer.redact.token_map import kind_of_secret, open_map
from loganalyzer.report.plain_text import one_line, plain_json

#: Files left out that are told one by one; REDACTED.txt has all.
_MOST_TOLD = 20


@click.command("redact")
@click.argument("bundle", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR|FILE", help="A folder, .zip or .tar.gz.")
@click.option("--force", is_flag=True, help="Replace what is there already.")
@redact_option
@redact_map_option
@click.option(
    "--open-map",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Only print what a --redact-map holds, as NDJSON.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no list of what is left out.")
@limit_options
def command(bundle: tuple[str, ...], output: Path | None, force: bool, open_map: Path | None, **given: Any) -> int:
    """Write a copy of BUNDLE without its secrets, whose scan gives the same causes, verdicts and attempts.

    Files keep their encoding, syntax and number of lines; event logs and registry hives keep every offset. Archives
    inside become folders. What cannot be redacted safely is left out and listed in REDACTED.txt. With --redact all,
    names, addresses and ids become stand-ins of the same shape.

    \b
    Exit status: 0 done, 2 wrong usage, 3 a secret would have stayed or nothing could be copied (nothing is written).
    """
    if open_map is not None:
        return _print_map(open_map, given["redact_key"])
    if output is None or not bundle:
        help = "write: loganalyzer redact BUNDLE -o OUT, with OUT a folder, a .zip or a .tar.gz"
        raise UsageError("redact needs a bundle and -o", None, help)
    if given["redact"] == "off":
        raise UsageError("a copy with --redact off would be the bundle itself", None, "leave out --redact, or use all")
    redactor, kept = redactor_of(given), map_target(given)
    refuse_to_overwrite(output, force)
    with kept_input(bundle) as stdin, progress_shown(given["quiet"], redactor) as progress:
        copy = copy_of(bundle, limits_of(given), redactor, stdin, progress)
        count = write_copy(output, copy.files(), force)
    if kept is not None:
        kept.write(redactor)
    if not given["quiet"]:
        _tell(copy, output, count)
    return EXIT_UNREADABLE if count <= 1 else 0


@contextmanager
def kept_input(bundle: Sequence[str]) -> Iterator[BinaryIO | None]:
    """Standard input, if the bundle names it, kept so that it can be read more than once."""
    if "-" not in bundle:
        yield None
        return
    with tempfile.SpooledTemporaryFile(max_size=64 * 1024 * 1024) as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
        spool.seek(0)
        yield cast(BinaryIO, spool)  # it is one in all but its type


def copy_of(
    bundle: Sequence[str], limits: Limits, redactor: Redactor, stdin: BinaryIO | None, progress: Progress
) -> BundleCopy:
    """The copy of a bundle, which is read as often as it takes; ``stdin`` has to allow that."""

    def items() -> Iterable[Item]:
        if stdin is not None:
            stdin.seek(0)
        for item in walk(bundle, limits, stdin):
            if isinstance(item, Source):
                progress("redacting", item.path, item.size)
            yield item

    return BundleCopy(items, redactor, hosts_of(bundle, limits, stdin) if redactor.mode == "all" else ())


def _print_map(path: Path, key: Path | None) -> int:
    secret, _ = sealing_secret(key, kind_of_secret(path))
    for token, value in open_map(path, secret).items():
        line = orjson.dumps({"token": token, "value": value}, option=orjson.OPT_APPEND_NEWLINE).decode()
        sys.stdout.buffer.write(plain_json(line).encode())
    sys.stdout.buffer.flush()
    return 0


def _tell(copy: BundleCopy, output: Path, count: int) -> None:
    for one in copy.left[:_MOST_TOLD]:
        tell(one_line(f"left out: {one.path}: {one.why}"))
    if len(copy.left) > _MOST_TOLD:
        tell(f"and {len(copy.left) - _MOST_TOLD} more: see REDACTED.txt")
    tell(f"written: {output}, {count - 1} files, {copy.changed} of them changed, {len(copy.left)} left out")
