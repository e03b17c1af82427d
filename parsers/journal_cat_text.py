"""Output of ``journalctl -o cat``: the messages of the systemd journal alone, without time, host and program.

Nothing in such a text says what it is, so that only its name does; lines of the Linux agent bring their own stamps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_agent import take_agent_lines_apart
from loganalyzer.parser_listing import Rejected, cited, console_lines, listing
from loganalyzer.schema import EventFrame, conform

_LOGSOURCE = LogSource("linux", "journald")
_NAME = r"(?:^|[/!])[^/!]*journal[^/!]*[-_. ]cat\b[^/!]*\.(?:txt|log|out)$"


@dataclass(frozen=True, slots=True)
class JournalCatText:
    """One row a line."""

    name: str = "journal_cat_text"
    title: str = "systemd journal as messages alone: journalctl -o cat"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("journalctl -u walinuxagent -o cat > journal-cat.txt",)
    strongest = 15
    samples: tuple[Sample, ...] = (
        Sample(
            "a unit that starts",
            "journal-cat.txt",
            b"Started Azure Linux Agent.\n\nwalinuxagent.service: Main process exited, code=exited, status=1/FAILURE\n",
            (
                {"@timestamp": None, "message": "Started Azure Linux Agent.", "log.line": 1},
                {"message": "walinuxagent.service: Main process exited, code=exited, status=1/FAILURE", "log.line": 3},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By its name, and weakly: whoever knows the lines goes first."""
        claim = claim_by(path, head, name=_NAME, content=None, text="output of journalctl -o cat")
        return None if claim is None else Claim(15, claim.why)

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line that is not blank."""
        lines = console_lines(source.data)
        bad = [Rejected(line, "not text: the line holds NUL characters") for line in lines if "\0" in line.text]
        rows = [
            cited([line]) | {"message": line.text.strip()} for line in lines if not line.blank and "\0" not in line.text
        ]
        found = listing(source, self.logsource, lines, rows, {}, bad)
        [frame] = found.frames
        apart = take_agent_lines_apart(frame.rows)
        return replace(found, frames=(EventFrame(self.logsource, conform(apart)),))


parser: Parser = JournalCatText()
