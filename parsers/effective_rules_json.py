"""What network security groups let through: ``az network nic list-effective-nsg``, ``az network nsg rule list``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import Record, Row, Whole, claim_export, field_of, first_text, parsed_export
from loganalyzer.parser_json import int_of, items, text_of

_LOGSOURCE = LogSource("azure", "nsg")

#: Rows in the order of their priority within a ``group``: those of the network card's and of the subnet's, which both
#: must let through. ``decides``: ``storage`` on the outbound rule that decides about Azure Storage on port 443 in its
#: group, which is the one of the smallest number.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "group": pl.Int64(),
    "rule": pl.String(),
    "direction": pl.String(),
    "access": pl.String(),
    "priority": pl.Int64(),
    "protocol": pl.String(),
    "destination": pl.String(),
    "ports": pl.String(),
    "decides": pl.String(),
}

#: Destinations that hold Azure Storage.
_STORAGE = frozenset({"storage", "azurecloud", "internet", "*", "0.0.0.0/0"})
_PROTOCOLS = frozenset({"all", "*", "tcp"})
_ALL_PORTS = frozenset({"*", "0-65535", "443", "443-443"})


@dataclass(frozen=True, slots=True)
class EffectiveRulesJson:
    """One row a rule."""

    name: str = "effective_rules_json"
    title: str = "rules of network security groups: az network nic list-effective-nsg, az network nsg rule list"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az network nic list-effective-nsg -g <rg> -n <nic> -o json > nsg.json",)
    named = r"(?:^|[/!])[^/!]*(?:nsg|security[-_ ]?rules?|rules)[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "storage is let through before all else is not",
            "nsg.json",
            orjson.dumps(
                {
                    "value": [
                        {
                            "effectiveSecurityRules": [
                                {
                                    "name": "deny",
                                    "direction": "Outbound",
                                    "access": "Deny",
                                    "priority": 4000,
                                    "protocol": "All",
                                    "destinationAddressPrefix": "0.0.0.0/0",
                                    "destinationPortRange": "0-65535",
                                },
                                {
                                    "name": "storage",
                                    "direction": "Outbound",
                                    "access": "Allow",
                                    "priority": 100,
                                    "protocol": "Tcp",
                                    "destinationAddressPrefix": "Storage",
                                    "destinationPortRanges": ["443-443"],
                                },
                            ]
                        }
                    ]
                }
            ),
            (
                {"rule": "storage", "access": "Allow", "decides": "storage", "priority": 100, "ports": "443-443"},
                {"rule": "deny", "access": "Deny", "decides": None, "destination": "0.0.0.0/0"},
            ),
        ),
        Sample(
            "rules of a group",
            "rules.json",
            b'[{"name": "all", "direction": "Outbound", "access": "Deny", "priority": 200, "protocol": "*",'
            b' "destinationAddressPrefix": "Internet", "destinationPortRange": "*"}]',
            ({"rule": "all", "access": "Deny", "decides": "storage", "destination": "Internet"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys of a rule."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("access", "direction", "priority", "destinationAddressPrefix(?:es)?"),
            text="rules of a network security group",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a rule; a state, without a time."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _deciding)


def _rows(record: Record) -> Iterator[Row]:
    groups = [record.value, *items(field_of(record.value, "value", "effectiveNetworkSecurityGroups"))]
    lists = [items(field_of(group, "effectiveSecurityRules", "securityRules")) for group in groups]
    lists = [one for one in lists if one] or [[record.value]]
    for number, listed in enumerate(lists):
        group = record.lines[0].offset + number if listed[0] is not record.value else -1  # rules alone are one group
        rows = [_rule(one) | {"group": group} for one in listed if first_text(one, "access") is not None]
        yield from sorted(rows, key=lambda row: int_of(row["priority"]) or 0)


def _rule(one: object) -> Row:
    name, access = first_text(one, "name"), first_text(one, "access")
    destination = _joined(one, "destinationAddressPrefix", "destinationAddressPrefixes")
    ports = _joined(one, "destinationPortRange", "destinationPortRanges")
    return {
        "kind": "rule",
        "rule": name,
        "direction": first_text(one, "direction"),
        "access": access,
        "priority": int_of(field_of(one, "priority")),
        "protocol": first_text(one, "protocol"),
        "destination": destination,
        "ports": ports,
        "message": f"{access} {first_text(one, 'direction')} to {destination}, ports {ports} ({name})",
    }


def _joined(one: object, single: str, several: str) -> str | None:
    found = field_of(one, several)
    texts = [text for part in found if (text := text_of(part))] if isinstance(found, list) else []
    return ", ".join(texts) or first_text(one, single)


def _deciding(whole: Whole) -> Iterator[Row]:
    """Marks the rule of each group that decides; only where all rules are known."""
    first: dict[object, tuple[int, int]] = {}
    for place, row in enumerate(whole.rows):
        outbound = str(row["direction"]).casefold() == "outbound" and str(row["protocol"]).casefold() in _PROTOCOLS
        if outbound and _parts(row["destination"]) & _STORAGE and _parts(row["ports"]) & _ALL_PORTS:
            own = (int_of(row["priority"]) or 0, place)
            first[row["group"]] = min(own, first.get(row["group"], own))
    deciding = {place for _, place in first.values()} if whole.complete else set()
    yield from (row | {"decides": "storage" if place in deciding else None} for place, row in enumerate(whole.rows))


def _parts(value: object) -> set[str]:
    return {part.strip().casefold() for part in str(value or "").split(",")}


parser: Parser = EffectiveRulesJson()
