"""``ls -l`` of folders of a Linux guest: owner, rights and names, where the files themselves were not copied.

``drwx------ 2 root root 4096 Mar  1 02:10 name``; other forms of the time are passed over. Source: ls(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Rejected, cited, console_lines, listing

_LOGSOURCE = LogSource("linux", "folder", "config")

#: ``kind``: file, folder, link or other. ``mode``: octal digits of the rights. ``folder`` is null where no heading
#: tells it; ``path`` is the whole path then known. ``modified``: as printed, local and mostly without a year.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "folder": pl.String(),
    "name": pl.String(),
    "path": pl.String(),
    "mode": pl.String(),
    "owner": pl.String(),
    "group": pl.String(),
    "size_bytes": pl.Int64(),
    "modified": pl.String(),
    "target": pl.String(),
}
_ENTRY = re.compile(
    r"^\s*(?P<kind>[-bcdlps])(?P<rights>[-rwxsStT]{9})[.+@]?\s+\d+\s+(?P<owner>\S+)\s+(?P<group>\S+)\s+"
    r"(?P<size>\d{1,18}|\d+,\s*\d+|[\d.,]+[KMGTP])\s+"
    r"(?P<time>[A-Z][a-z]{2}\s+\d{1,2}\s+(?:\d\d:\d\d|\d{4})|\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:\.\d+)? [+-]\d{4})?|"
    r"\d\d-\d\d \d\d:\d\d)\s(?P<name>.+?)\s*$"
)
_FOLDER = re.compile(r"^(?P<folder>\.{0,2}/\S[^:\n]{0,400}|/):\s*$")
_TOTAL = re.compile(r"^(?:total|insgesamt|totale|合計|总用量|итого) [\d.,]+[KMGTP]?\s*$")
_COMMAND = re.compile(r"^\s*(?:[$#>]|\S+[$#>]\s)")
_MISSING = re.compile(r"^ls: (?:cannot access|cannot open directory|reading directory) '?(?P<path>[^':]{1,400})'?: ")
_KINDS = {"-": "file", "d": "folder", "l": "link"}
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class FolderListing:
    """One row an entry."""

    name: str = "folder_listing"
    title: str = "listings of folders: ls -l"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("ls -l /etc/azure /var/lib/waagent > ls.txt",)
    strongest = 60
    samples: tuple[Sample, ...] = (
        Sample(
            "two folders, one that is not there",
            "ls.txt",
            b"$ sudo ls -l /etc/azure /var/lib/waagent /x\nls: cannot access '/x': No such file or directory\n"
            b"/etc/azure:\ntotal 8\n-rwxr-xr-x 1 azureuser root 210 Mar  1 02:10 pre script.sh\n"
            b"lrwxrwxrwx. 1 root root 7 Mar 1 2025 post -> post.sh\n\n/var/lib/waagent:\ntotal 96\n"
            b"-rw-r--r-- 1 root root 0 2025-03-01 02:10 disable_agent\n"
            b"drwx------ 3 root root 4.0K Mar  1 02:10 history/\n"
            b"what\n",
            (
                {
                    "kind": "file",
                    "folder": "/etc/azure",
                    "name": "pre script.sh",
                    "path": "/etc/azure/pre script.sh",
                    "mode": "755",
                    "owner": "azureuser",
                    "group": "root",
                    "size_bytes": 210,
                    "modified": "Mar  1 02:10",
                },
                {"kind": "link", "name": "post", "target": "post.sh", "mode": "777"},
                {"path": "/var/lib/waagent/disable_agent", "mode": "644", "modified": "2025-03-01 02:10"},
                {"kind": "folder", "name": "history", "mode": "700", "size_bytes": None},
            ),
            rejected=1,
        ),
        Sample(
            "a file alone, with its whole path",
            "perms.txt",
            b"-rws--x--T 1 root root 12 Mar  1 02:10 /etc/azure/VMSnapshotScriptPluginConfig.json\n",
            (
                {
                    "folder": "/etc/azure",
                    "name": "VMSnapshotScriptPluginConfig.json",
                    "path": "/etc/azure/VMSnapshotScriptPluginConfig.json",
                    "mode": "5710",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a first line that is an entry, a folder or a total, and an entry."""
        lines = [line[:_LONGEST] for line in text_head(head).splitlines() if line.strip() and not _COMMAND.match(line)]
        opens = bool(lines) and any(form.match(lines[0]) for form in (_ENTRY, _FOLDER, _TOTAL, _MISSING))
        if opens and any(map(_ENTRY.match, lines)):
            return Claim(60, "built like output of ls -l")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry; the heading of a folder tells where the entries below it are."""
        lines = console_lines(source.data)
        rows: list[Mapping[str, object]] = []
        rejected: list[Rejected] = []
        folder: str | None = None
        for line in lines:
            text = line.text.rstrip()
            odd = "\0" in text or len(text) > _LONGEST
            if not odd and (found := _ENTRY.match(text)):
                rows.append(_row(found, folder) | cited([line]) | {"message": text.strip()})
            elif not odd and (head := _FOLDER.match(text)):
                folder = head["folder"]
            elif odd or not (line.blank or _TOTAL.match(text) or _COMMAND.match(text) or _MISSING.match(text)):
                rejected.append(Rejected(line, "no line of ls -l"))
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _row(found: re.Match[str], folder: str | None) -> dict[str, object]:
    name, _, target = found["name"].partition(" -> ") if found["kind"] == "l" else (found["name"], "", "")
    plain = name.rstrip("/*@|=") or name
    above, slash, last = plain.rpartition("/")
    where = folder if folder and not above.startswith("/") else (above or "/") if slash else None
    return {
        "kind": _KINDS.get(found["kind"], "other"),
        "folder": where,
        "name": last or plain,
        "path": f"{where.rstrip('/')}/{last}" if where else None,
        "mode": _octal(found["rights"]),
        "owner": found["owner"],
        "group": found["group"],
        "size_bytes": int(found["size"]) if found["size"].isdigit() else None,
        "modified": found["time"],
        "target": target or None,
    }


def _octal(rights: str) -> str:
    """``rwxr-x---`` as 750; the bits of set-user-id, set-group-id and sticky as a digit in front."""
    digits = [sum(4 >> place for place, one in enumerate(rights[at : at + 3]) if one not in "-ST") for at in (0, 3, 6)]
    special = sum(4 >> place for place, at in enumerate((2, 5, 8)) if rights[at] in "sStT")
    return (str(special) if special else "") + "".join(map(str, digits))


parser: Parser = FolderListing()
