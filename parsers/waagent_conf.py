"""``/etc/waagent.conf``: the switches of the Linux agent (linux.md 3.9)."""

from __future__ import annotations

from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import NEITHER, Setting, read_settings, unquoted

_LOGSOURCE = LogSource("linux", "waagent", "config")
_NAME = r"(?:^|[/!])waagent\.conf$"
_CONTENT = (
    r"^[ \t]*(?:Provisioning|ResourceDisk|Extensions?|OS|Logs|AutoUpdate|HttpProxy|Protocol|CGroups|Debug|Lib)"
    r"\.[A-Za-z]+[ \t]*="
)


@dataclass(frozen=True, slots=True)
class WaagentConf:
    """Settings of the Linux agent, one row a line. What a value means (y/n switches) is for rules to say."""

    name: str = "waagent_conf"
    title: str = "configuration of the Linux agent: /etc/waagent.conf"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("/etc/waagent.conf", "/usr/share/defaults/waagent/waagent.conf")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "the last line of a key wins, a hash ends the value, None is unset",
            "etc/waagent.conf",
            b"# agent configuration\n\nExtensions.Enabled=y\nHttpProxy.Host=None\n"
            b'Lib.Dir = "/data/waagent"  # moved\nExtensions.Enabled=n\nstray words\n',
            (
                {"key": "Extensions.Enabled", "value": "y", "effective": False, "log.line": 3, "log.offset": 23},
                {"key": "HttpProxy.Host", "value": None, "effective": True, "section": None},
                {"key": "Lib.Dir", "value": "/data/waagent", "effective": True},
                {"key": "Extensions.Enabled", "value": "n", "effective": True, "log.line": 6},
            ),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and keys of the agent; a configuration with few keys still goes by its name."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="waagent.conf")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a setting; a line that is no setting and no comment is rejected, as the agent skips it."""
        return read_settings(source, self.logsource, _read_line)


def _read_line(line: str) -> Setting | str | None:
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    key, equals, value = line.partition("=")
    if not equals or not key.strip():
        return NEITHER
    value = unquoted(value.split("#", 1)[0])
    return Setting(key.strip(), None if value == "None" else value)


parser: Parser = WaagentConf()
