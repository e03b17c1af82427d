"""``ovf-env.xml``: how the VM was provisioned (linux.md 1.3, 3.12).

The file holds passwords and custom data: only elements that are known to be harmless are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_xml import LOGSOURCE, content, elements, name_of, read_goal_state_file, setting_row

_HOST_NAMES = ("HostName", "ComputerName")
_SAFE = (
    *_HOST_NAMES,
    "ConfigurationSetType",
    "DisableSshPasswordAuthentication",
    "EnableAutomaticUpdates",
    "GuestAgentPackageName",
    "KmsServerHostname",
    "LicenseType",
    "PreprovisionedVm",
    "PreprovisionedVMType",
    "ProvisionGuestAgent",
    "ProvisionGuestProxyAgent",
    "RetainWindowsPEPassInUnattend",
    "TimeZone",
    "Version",
)


@dataclass(frozen=True, slots=True)
class OvfEnvXml:
    """One row a setting; ``ProvisionGuestAgent`` false means that nobody installed an agent."""

    name: str = "ovf_env_xml"
    title: str = "provisioning settings: ovf-env.xml"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("/var/lib/waagent/ovf-env.xml",)
    named = r"(?:^|[/!])ovf-env\.xml$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "the password stays out",
            "var/lib/waagent/ovf-env.xml",
            b'<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://example.test/wa">\n'
            b"<wa:ProvisioningSection><LinuxProvisioningConfigurationSet>\n<HostName>vm01</HostName>\n"
            b"<UserPassword>correct horse</UserPassword>\n</LinuxProvisioningConfigurationSet>"
            b"</wa:ProvisioningSection>\n<wa:ProvisionGuestAgent>true</wa:ProvisionGuestAgent>\n</Environment>\n",
            (
                {
                    "kind": "ovf_env",
                    "key": "HostName",
                    "value": "vm01",
                    "host.name": "vm01",
                    "event.original": "<HostName>vm01</HostName>",
                },
                {"kind": "ovf_env", "key": "ProvisionGuestAgent", "value": "true", "log.line": 6},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the OVF environment."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r"<(?:\w+:)?Environment\s[^>]*schemas\.dmtf\.org/ovf/environment",
            text="an OVF environment",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in document order."""
        return read_goal_state_file(source, "Environment", _rows)


def _rows(root: etree._Element) -> Iterator[tuple[etree._Element, dict[str, object]]]:
    host = next((content(element) for element in elements(root, *_HOST_NAMES)), None)
    for element in elements(root, *_SAFE):
        if len(element) == 0 and (value := content(element)):
            yield element, setting_row("ovf_env", name_of(element), value) | {"host.name": host}


parser: Parser = OvfEnvXml()
