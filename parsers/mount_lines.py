"""``/etc/fstab``, ``/proc/mounts``, ``/etc/mtab``, ``mountinfo`` and what ``mount`` prints: a line a mount.

Forms: fstab(5), proc(5), mount(8). ``/proc/mounts`` and fstab have the same fields; a path says which it is, else that
every line of a mount table ends in ``0 0`` behind options that begin with rw or ro.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing
from loganalyzer.parser_mounts import LOGSOURCE, LONGEST_LINE, MOUNT_COLUMNS, claim_by_line, is_read_only, unescaped

_NAME = r"(?:^|[/!])(?:etc[/_])?(?:fstab|mtab|(?:proc[/_])?(?:self[/_])?mount(?:s|info)?)(?:\.txt|\.out)?$"
_FSTAB = re.compile(r"(?:^|[/!])[^/!]*fstab[^/!]*$", re.IGNORECASE)

_FIELDS = re.compile(r"^\s*(\S+)\s+(\S+)\s+([A-Za-z][\w.,\-]*)\s+([^\s()]+)(?:\s+(\d+))?(?:\s+(\d+))?\s*(?:#.*)?$")
_PRINTED = re.compile(r"^(.+?) on (/.*?) type (\S+) \(([^()]*)\)(?:\s+\[.*\])?$")
_MOUNTINFO = re.compile(r"^\d+ \d+ \d+:\d+ (\S+) (\S+) (\S+) (?:\S+ )*?- (\S+) (\S+) (\S*)\s*$")
_OF_TABLE = re.compile(r"^\S+ /\S* \S+ r[wo](?:,\S*)? 0 0$")
_CONTENT = re.compile(
    r"(?:\S.*? on /.* type \w\S* \([^()]+\)$|\S+ /\S* \w\S* r[wo](?:,\S*)? 0 0$"
    r"|\d+ \d+ \d+:\d+ /\S* /\S* r[wo]\S* .*- \S+ \S+ "
    r"|[ \t]*(?:UUID=|LABEL=|PARTUUID=|PARTLABEL=|/dev/|//|[\w.\-]+:/)\S*"
    r"[ \t]+(?:/\S*|none|swap)[ \t]+[a-z]\S*[ \t]+[a-z]\S*)"
)


@dataclass(frozen=True, slots=True)
class MountLines:
    """One row a mount, of the kind fstab or mounts."""

    name: str = "mount_lines"
    title: str = "mounts: /etc/fstab, /proc/mounts, output of mount"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("/etc/fstab", "/etc/mtab", "/proc/mounts", "/proc/self/mountinfo", "mount.txt")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "what is to be mounted",
            "etc/fstab",
            b"# /etc/fstab\nUUID=0a1b /  ext4  defaults,discard  0 1\n"
            b"/dev/sdc1\t/data\\040disk xfs nofail,ro # data\nfs01:/export /net nfs4 defaults\nsurely wrong\n",
            (
                {
                    "kind": "fstab",
                    "device": "UUID=0a1b",
                    "mount": "/",
                    "fs_type": "ext4",
                    "options": "defaults,discard",
                    "pass_number": 1,
                    "read_only": None,
                    "log.line": 2,
                },
                {"device": "/dev/sdc1", "mount": "/data disk", "fs_type": "xfs", "read_only": True},
                {"device": "fs01:/export", "mount": "/net", "fs_type": "nfs4"},
            ),
            rejected=1,
        ),
        Sample(
            "what is mounted",
            "proc/mounts",
            b"proc /proc proc rw,nosuid 0 0\n/dev/sda1 / ext4 ro,relatime 0 0\n",
            (
                {"kind": "mounts", "device": "proc", "mount": "/proc", "read_only": False},
                {"device": "/dev/sda1", "read_only": True},
            ),
        ),
        Sample(
            "output of mount",
            "mount.txt",
            b"/dev/sda1 on / type xfs (rw,relatime,seclabel)\r\n//nas/a b on /mnt/a b type cifs (rw) [share]\r\n",
            (
                {"kind": "mounts", "mount": "/", "fs_type": "xfs", "options": "rw,relatime,seclabel"},
                {"device": "//nas/a b", "mount": "/mnt/a b", "fs_type": "cifs"},
            ),
        ),
        Sample(
            "mountinfo",
            "proc/self/mountinfo",
            b"36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/sdd1 ro,errors=continue\n",
            (
                {
                    "kind": "mounts",
                    "device": "/dev/sdd1",
                    "mount": "/mnt",
                    "fs_type": "ext3",
                    "options": "rw,noatime,ro,errors=continue",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and a line of one of the forms."""
        return claim_by_line(path, head, name=_NAME, line=_CONTENT, text="a list of mounts")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a mount; comments and blank lines make none, and what is none of the forms is rejected."""
        lines = console_lines(source.data)
        filled = [line for line in lines if not line.blank and not line.text.lstrip().startswith("#")]
        of_table = not _FSTAB.search(source.path) and all(_OF_TABLE.match(line.text) for line in filled)
        named = re.search(r"mtab|mount", source.path.replace("\\", "/").rsplit("/", 1)[-1], re.IGNORECASE)
        kind = "mounts" if of_table or (named and not _FSTAB.search(source.path)) else "fstab"
        rows, rejected = [], []
        for line in filled:
            if (row := _row(line, kind)) is not None:
                rows.append(row | cited([line]) | {"message": line.text.strip()})
            else:
                rejected.append(Rejected(line, "not a mount: neither fstab, mount table nor output of mount"))
        return listing(source, self.logsource, lines, rows, MOUNT_COLUMNS, rejected)


def _row(line: Line, kind: str) -> dict[str, object] | None:
    if "\x00" in line.text or len(line.text) > LONGEST_LINE:
        return None
    if found := _MOUNTINFO.match(line.text):
        options = ",".join(filter(None, (found[3], found[6])))
        return _mount("mounts", unescaped(found[5]), unescaped(found[2]), found[4], options)
    if found := _PRINTED.match(line.text):
        return _mount("mounts", found[1], found[2], found[3], found[4])
    if found := _FIELDS.match(line.text):
        mount = None if found[2] in ("none", "swap") else unescaped(found[2])
        if mount is not None and not mount.startswith("/"):
            return None
        number = int(found[6]) if found[6] and len(found[6]) < 10 else None
        return _mount(kind, unescaped(found[1]), mount, found[3], found[4]) | {"pass_number": number}
    return None


def _mount(kind: str, device: str, mount: str | None, fs_type: str, options: str) -> dict[str, object]:
    return {
        "kind": kind,
        "device": device,
        "mount": mount,
        "fs_type": fs_type,
        "options": options,
        "read_only": is_read_only(options),
    }


parser: Parser = MountLines()
