"""The walk over a bundle: directories, archives, archives inside archives, single files and standard input.

Paths in what is yielded use ``/`` and are relative to the input. ``archive!member`` names a member of an archive that
is not itself the only input; a bare compressed file is an archive of one member, named like it without the suffix:
``var/log/waagent.log.1.gz!waagent.log.1``. Of several inputs, directories and archives put their base name in front
(``first.zip!var/log/waagent.log``, ``second/var/log/waagent.log``); standard input is called ``stdin``.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from msgspec import Struct

from loganalyzer.errors import BundleError, Location, UsageError
from loganalyzer.intake.decoders import HEAD_SIZE, NOT_READ, content_name, decompressed, kind_of
from loganalyzer.intake.items import Archive, Skipped
from loganalyzer.intake.limits import Limits
from loganalyzer.intake.long_leaf import LongLeaf
from loganalyzer.intake.members import Member
from loganalyzer.intake.names import UniqueNames, inside, printable
from loganalyzer.intake.places import WHOLE_DISK, is_whole_disk, places
from loganalyzer.intake.sevenzips import sevenzip_members
from loganalyzer.intake.streams import Expansion, LimitReached, Stream, damage_into, file_stream, too_big
from loganalyzer.intake.tars import bytes_behind, tar_members
from loganalyzer.intake.zips import zip_members
from loganalyzer.source import Source

Item: TypeAlias = Source | Skipped | Archive
Found: TypeAlias = Item | LongLeaf

STDIN = "-"
_LEAVES = "path leaves the bundle"
_NAMED_NOTES = 5
_SOUGHT: Mapping[str, Callable[[BinaryIO, Limits, Expansion, list[str]], Iterator[Member]]] = {
    "zip": zip_members,
    "7z": sevenzip_members,
}


def walk(
    inputs: Sequence[str | os.PathLike[str]],
    limits: Limits | None = None,
    stdin: BinaryIO | None = None,
    known: Sequence[str] = (),
) -> Iterator[Item]:
    """Every file of the inputs, one at a time, and what was left out; nothing is written to disk.

    ``known`` are the paths of known files: of a directory that is a whole disk only these are read. The order is that
    of sorted paths in directories and zips and that of the archive in tars and 7z. An ``Archive`` comes after its
    members. ``-`` reads ``stdin``, whose kind is told by its content. An empty directory yields nothing.

    Raises:
        UsageError: no input, an empty path, or ``-`` twice or without ``stdin``.
        BundleError: an input does not exist, or there is not a single byte in the inputs.
    """
    items = walk_in_pieces(inputs, None, limits, stdin, known)
    return (item.whole() if isinstance(item, LongLeaf) else item for item in items)


def walk_in_pieces(
    inputs: Sequence[str | os.PathLike[str]],
    long: int | None,
    limits: Limits | None = None,
    stdin: BinaryIO | None = None,
    known: Sequence[str] = (),
) -> Iterator[Found]:
    """As `walk`; a file of more than ``long`` bytes comes as a ``LongLeaf``, to be read before the next item is taken.

    ``long`` None: no file does.

    Raises:
        UsageError, BundleError: as `walk`.
    """
    paths = [os.fspath(path) for path in inputs]
    _check(paths, stdin)
    return _inputs(paths, _Walk(limits or Limits(), known, long), stdin)


def _check(paths: Sequence[str], stdin: BinaryIO | None) -> None:
    if not paths or "" in paths:
        raise UsageError("no bundle was named", help="name a directory, an archive or a log file, or - to read a pipe")
    if paths.count(STDIN) > 1 or (STDIN in paths and stdin is None):
        raise UsageError(
            "standard input cannot be read", Location(STDIN), "pipe one file or archive in, and name - once"
        )
    for path in paths:
        if path != STDIN and not os.path.exists(path):  # noqa: PTH110  (Path.exists raises for a NUL or a long name)
            raise BundleError("there is no such file or directory", Location(path), "check the path for a typing error")
    if all(_is_empty_file(path) for path in paths):
        raise BundleError("there is nothing in it: 0 bytes", Location(paths[0]), "collect the file again")


def _is_empty_file(path: str) -> bool:
    with suppress(OSError):
        return path != STDIN and Path(path).is_file() and Path(path).stat().st_size == 0
    return False


class _Walk:
    """What a walk knows beside the place where it is: its limits and how much of them is used up, and known places.

    ``long``: see `walk_in_pieces`.
    """

    def __init__(self, limits: Limits, known: Sequence[str], long: int | None) -> None:
        self.limits = limits
        self.long = long
        self.known = known
        self.expansion = Expansion(limits)
        self._members = 0

    def count_member(self) -> None:
        """One more file.

        Raises:
            LimitReached: it is one too many; from then on always.
        """
        if self._members >= self.limits.max_members:
            raise LimitReached(f"more than {self.limits.max_members} files: the rest was not looked at")
        self._members += 1


class _Node(Struct, frozen=True):
    """Some bytes with a name, before anybody knows what they are.

    ``inner`` stands before the names of members if this is an archive. ``size``: bytes, as the file system or the
    archive around it tells, or None. ``depth``: archives around it. ``file``: set if the bytes can be sought,
    from ``start`` on.
    """

    path: str
    inner: str
    stream: Stream
    size: int | None
    depth: int
    file: BinaryIO | None = None
    start: int = 0

    @property
    def known_size(self) -> int:
        return self.stream.given if self.size is None else self.size

    def is_longer_than(self, size: int) -> bool:
        return self.size > size if self.size is not None else len(self.stream.peek(size + 1)) > size

    @property
    def again(self) -> Callable[[], Stream] | None:
        """Gives all bytes once more; None: they cannot be sought."""
        file = self.file
        if file is None:
            return None

        def from_start() -> Stream:
            file.seek(self.start)
            return file_stream(file)

        return from_start


def _inputs(paths: Sequence[str], walk: _Walk, stdin: BinaryIO | None) -> Iterator[Found]:
    names = UniqueNames()
    for path in paths:
        own = "stdin" if path == STDIN else Path(os.path.abspath(path)).name or "root"  # noqa: PTH100
        label = names.tell_apart(printable(own))
        only = len(paths) == 1
        if path == STDIN:
            assert stdin is not None
            yield from _stdin(label, "" if only else f"{label}!", walk, stdin)
        elif Path(path).is_dir():
            yield from _directory(path, "" if only else f"{label}/", walk)
        else:
            yield from _file(Path(path), label, "" if only else f"{label}!", walk)


def _stdin(label: str, inner: str, walk: _Walk, stdin: BinaryIO) -> Iterator[Found]:
    file = stdin if stdin.seekable() else None
    stream, size, start = file_stream(stdin), None, 0
    if file is not None:
        start = file.tell()
        size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
    if not stream.peek(1):
        raise BundleError("nothing came on standard input", Location(STDIN), "pipe a log file or an archive into it")
    yield from _plain_node(_Node(label, inner, stream, size or None, 0, file, start), walk)


def _directory(root: str, prefix: str, walk: _Walk) -> Iterator[Found]:
    """Files below ``root`` in the order of their paths; ``todo`` is a stack, as directories may nest very deep."""
    known = places(walk.known) if walk.known and is_whole_disk(root) else None
    if known is not None:
        yield Skipped(prefix.removesuffix("/") or ".", 0, WHOLE_DISK, True)
    todo: list[tuple[str, str]] = [(root, "")]
    names = UniqueNames()
    while todo:
        path, relative = todo.pop()
        if relative and known is not None and not (known.lead_on(relative) or known.hold(relative)):
            continue
        shown = prefix + names.tell_apart(printable(relative))
        try:
            if relative:
                mode = os.lstat(path).st_mode
                if not stat.S_ISDIR(mode) or _is_junction(path):
                    if known is not None and not known.hold(relative):
                        continue
                    walk.count_member()
                    yield from _directory_entry(path, shown, mode, walk)
                    continue
            children = sorted(os.listdir(path), reverse=True)  # noqa: PTH208
            todo += [(os.path.join(path, name), f"{relative}/{name}" if relative else name) for name in children]  # noqa: PTH118
        except OSError as error:
            yield Skipped(shown.removesuffix("/") or ".", 0, f"cannot be read: {error.strerror or error}", False)
        except LimitReached as limit:
            yield Skipped(prefix.removesuffix("/") or ".", 0, limit.why, True)
            return


def _is_junction(path: str) -> bool:
    """Windows' links to directories, which ``lstat`` calls directories; only Python 3.12 and later can tell."""
    is_junction = getattr(os.path, "isjunction", None)
    return bool(is_junction and is_junction(path))


def _directory_entry(path: str, shown: str, mode: int, walk: _Walk) -> Iterator[Found]:
    if stat.S_ISREG(mode):
        yield from _file(Path(path), shown, f"{shown}!", walk)
    else:
        is_link = stat.S_ISLNK(mode) or stat.S_ISDIR(mode)
        yield Skipped(shown, 0, "symbolic link, not followed" if is_link else _special(mode), True)


def _special(mode: int) -> str:
    for is_kind, why in ((stat.S_ISFIFO, "FIFO"), (stat.S_ISSOCK, "socket")):
        if is_kind(mode):
            return why
    return "device"


def _file(path: Path, shown: str, inner: str, walk: _Walk) -> Iterator[Found]:
    """A file of the file system; what is no regular file is not even opened."""
    size = 0
    try:
        status = path.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            yield Skipped(shown, 0, f"{_special(status.st_mode)}; name - to read a pipe", True)
            return
        file = path.open("rb")
    except OSError as error:
        yield Skipped(shown, size, f"cannot be read: {error.strerror or error}", False)
        return
    with closing(file):
        yield from _plain_node(_Node(shown, inner, file_stream(file), size, 0, file), walk)


def _plain_node(node: _Node, walk: _Walk) -> Iterator[Found]:
    """A node with no archive around it that could carry the news of its damage."""
    yield from _node(node, walk)
    if node.stream.damage:
        rest = max(0, node.known_size - node.stream.given)
        yield Skipped(node.path, rest, f"cannot be read to its end: {node.stream.damage}", False)


def _node(node: _Node, walk: _Walk) -> Iterator[Found]:
    """A leaf or an archive, whatever the bytes say."""
    try:
        kind = kind_of(node.stream.peek(HEAD_SIZE))
        if kind is None:
            yield from _leaf(node, walk)
        elif kind in NOT_READ:
            yield Skipped(node.path, node.known_size, f"{kind} archives are not read: pack the files as a zip", True)
        elif node.depth >= walk.limits.max_depth:
            why = f"more than {walk.limits.max_depth} archives inside each other"
            yield Skipped(node.path, node.known_size, why, True)
        elif kind in _SOUGHT:
            yield from _sought(node, kind, walk)
        elif kind == "tar":
            yield from _tar(node, node.stream, kind, walk)
        else:
            yield from _compressed(node, kind, walk)
    except LimitReached as limit:
        yield Skipped(node.path, node.known_size, limit.why, True)


def _leaf(node: _Node, walk: _Walk) -> Iterator[Found]:
    most = walk.limits.max_member_memory
    if walk.long is not None and node.is_longer_than(walk.long):
        yield LongLeaf(node.path, node.stream, node.size, most, node.again)
        return
    if node.size is not None and node.size > most:
        yield Skipped(node.path, node.size, too_big(most), True)
        return
    data = node.stream.read_whole(most)
    if data or not node.stream.damage:
        yield Source(node.path, data, node.stream.damage)
    elif node.depth:
        yield Skipped(node.path, node.known_size, f"damaged: {node.stream.damage}", False)


def _sought(node: _Node, kind: str, walk: _Walk) -> Iterator[Found]:
    """Kinds that are read from their end: one inside another archive has to be held in memory meanwhile."""
    notes: list[str] = []
    file = node.file or io.BytesIO(node.stream.read_whole(walk.limits.max_member_memory))
    members = _SOUGHT[kind](file, walk.limits, walk.expansion, notes)
    yield from _archive(node, kind, members, notes, walk)


def _tar(node: _Node, content: Stream, kind: str, walk: _Walk) -> Iterator[Found]:
    """A tar, whose bytes are ``content`` (those of the node, or what they decompress to)."""
    notes: list[str] = []

    def members() -> Iterator[Member]:
        yield from tar_members(content)
        if behind := bytes_behind(content):
            notes.append(behind)
        if content.damage:
            notes.append(content.damage)

    yield from _archive(node, kind, members(), notes, walk)


def _compressed(node: _Node, kind: str, walk: _Walk) -> Iterator[Found]:
    """A compressed tar is one archive; anything else that is compressed is an archive of one member."""
    limits = walk.limits
    expansion = Expansion(limits, walk.expansion, lambda: node.stream.given)
    content = decompressed(node.stream, kind, expansion)
    if kind_of(content.peek(HEAD_SIZE)) == "tar":
        yield from _tar(node, content, f"tar.{kind}", walk)
        return
    name = content_name(node.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1], kind)
    alone = _Node(node.path, f"{node.path}!", node.stream, node.size, node.depth)
    yield from _archive(alone, kind, iter([Member(name, None, content)]), [], walk)


def _archive(node: _Node, kind: str, members: Iterator[Member], notes: list[str], walk: _Walk) -> Iterator[Found]:
    """All members, then the archive itself. Damage in ``members`` or in their bytes ends up in ``notes``."""
    names = UniqueNames()
    count = 0
    try:
        with damage_into(notes):
            for member in members:
                walk.count_member()
                count += 1
                yield from _member(node, member, names, walk)
                if member.stream is not None and member.stream.damage:
                    notes.append(f"{printable(member.name)}: {member.stream.damage}")
    except LimitReached as limit:
        yield Skipped(node.path, node.known_size, limit.why, True)
    yield Archive(node.path, kind, node.known_size, count, _in_one_line(notes))


def _member(node: _Node, member: Member, names: UniqueNames, walk: _Walk) -> Iterator[Found]:
    name = inside(member.name)
    if name is None:
        why = _LEAVES if member.name.strip("./\\") or ".." in member.name else "it has no name"
        yield Skipped(node.inner + names.tell_apart(printable(member.name)), member.size or 0, why, True)
        return
    path = node.inner + names.tell_apart(name)
    if member.stream is None:
        yield Skipped(path, member.size or 0, member.skip or "", True)
    else:
        yield from _node(_Node(path, f"{path}!", member.stream, member.size, node.depth + 1), walk)


def _in_one_line(notes: Sequence[str]) -> str | None:
    named = list(dict.fromkeys(notes))
    if len(named) > _NAMED_NOTES:
        named[_NAMED_NOTES:] = [f"and {len(named) - _NAMED_NOTES} more"]
    return "; ".join(named) or None
