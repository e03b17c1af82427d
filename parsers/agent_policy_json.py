"""``waagent_policy.json``: which extensions the Linux agent may run, where a policy is enforced (linux.md 3.4, 3.9).

Debug.EnableExtensionPolicy=y turns it on; an extension that it does not allow is reported as failed without a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_json import UnreadableError, compact, member, read_json, text_of, whole_file_rows

_LOGSOURCE = LogSource("linux", "waagentpolicy", "config")
_NAME = r"(?:^|[/!])[^/!]*waagent_policy[^/!]*\.json$"
_CONTENT = r'"extensionPolicies"\s*:'
_SECTION = "extensionPolicies"
_EXTENSIONS = f"{_SECTION}/extensions"


@dataclass(frozen=True, slots=True)
class AgentPolicyJson:
    """One row a setting; ``section`` of an extension's own is ``extensionPolicies/extensions/<name>``."""

    name: str = "agent_policy_json"
    title: str = "policy of the Linux agent for extensions: waagent_policy.json"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("/etc/waagent_policy.json", "/var/lib/waagent/history/*/waagent_policy.json")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "only listed extensions, one of them with rules of its own",
            "etc/waagent_policy.json",
            b'{"policyVersion": "0.1.0", "extensionPolicies": {"allowListedExtensionsOnly": true,\n'
            b'  "extensions": {"Example.Monitor": {"signatureRequired": true}, "Example.Backup": {}}}}\n',
            (
                {"section": None, "key": "policyVersion", "value": "0.1.0", "effective": True},
                {"section": _SECTION, "key": "allowListedExtensionsOnly", "value": "true"},
                {"section": _EXTENSIONS, "key": "Example.Monitor", "value": None, "message": "Example.Monitor"},
                {"section": f"{_EXTENSIONS}/Example.Monitor", "key": "signatureRequired", "value": "true"},
                {"section": _EXTENSIONS, "key": "Example.Backup"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the key ``extensionPolicies``."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="the agent's policy for extensions")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a setting, one an extension that is listed."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), CONFIG_COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = list(_rows(value))
        if not rows:
            return rejected_whole(source, "no policy in it: neither policyVersion nor extensionPolicies")
        return whole_file_rows(source, self.logsource, rows, CONFIG_COLUMNS)


def _rows(value: object) -> Iterator[dict[str, object]]:
    if (version := text_of(member(value, "policyVersion"))) is not None:
        yield _row(None, "policyVersion", version)
    policies = member(value, _SECTION)
    if not isinstance(policies, Mapping):
        return
    for key, one in policies.items():
        if str(key).casefold() != "extensions":
            yield _row(_SECTION, str(key), _shown(one))
        elif isinstance(one, Mapping):
            for name, own in one.items():
                yield _row(_EXTENSIONS, str(name), None)
                for inner, setting in own.items() if isinstance(own, Mapping) else ():
                    yield _row(f"{_EXTENSIONS}/{name}", str(inner), _shown(setting))


def _shown(value: object) -> str | None:
    return compact(value) if isinstance(value, Mapping | list) else text_of(value)


def _row(section: str | None, key: str, value: str | None) -> dict[str, object]:
    text = key if value is None else f"{key}={value}"
    place: dict[str, object] = {"section": section, "key": key, "value": value, "effective": True}
    return place | {"message": text, "event.original": text}


parser: Parser = AgentPolicyJson()
