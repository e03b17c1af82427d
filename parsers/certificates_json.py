"""``Certificates.json`` of a goal state's history: which certificates came, and whether with their key (linux.md 3.4).

It holds thumbprints only. A certificate without a private key cannot decrypt the settings that name it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_json import UnreadableError, compact, items, member, read_json, text_of, whole_file_rows
from loganalyzer.parser_xml import GOAL_STATE_COLUMNS, LOGSOURCE

_NAME = r"(?:^|[/!])Certificates\.json$"
_COLUMNS = {**GOAL_STATE_COLUMNS, "has_private_key": pl.Boolean()}


@dataclass(frozen=True, slots=True)
class CertificatesJson:
    """One row a certificate: ``key`` thumbprint, ``value`` its digits, ``has_private_key``."""

    name: str = "certificates_json"
    title: str = "certificates of a goal state: history/*/Certificates.json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("/var/lib/waagent/history/*/Certificates.json",)
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "one with its key and one without",
            "var/lib/waagent/history/2025-03-01T02-09-00__5/Certificates.json",
            b'[{"thumbprint": "AB12", "hasPrivateKey": true}, {"thumbprint": "CD34", "hasPrivateKey": false}]',
            (
                {"kind": "certificate", "key": "thumbprint", "value": "AB12", "has_private_key": True},
                {"value": "CD34", "has_private_key": False, "message": "certificate CD34 without its private key"},
            ),
        ),
        Sample("a goal state without certificates", "history/2025-03-01T02-09-00__5.zip!Certificates.json", b"[]", ()),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the key ``hasPrivateKey``; an empty list goes by its name."""
        content = r'\A\s*\[\s*\{[^{}]*"hasPrivateKey"\s*:'
        return claim_by(path, head, name=_NAME, content=content, text="the certificates of a goal state")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a certificate; elements that are none are damage."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        if not isinstance(value, list):
            return rejected_whole(source, "no list of certificates")
        elements = items(value)
        rows = [_row(element) for element in elements if text_of(member(element, "thumbprint"))]
        lost = len(elements) - len(rows)
        damage = (f"{lost} of {len(elements)} elements are no certificates",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, _COLUMNS, damage=damage)


def _row(element: object) -> dict[str, object]:
    thumbprint, key = text_of(member(element, "thumbprint")), member(element, "hasPrivateKey")
    has_key = key if isinstance(key, bool) else None
    how = (
        {True: "with its private key", False: "without its private key"}.get(has_key, "") if has_key is not None else ""
    )
    return {
        "kind": "certificate",
        "key": "thumbprint",
        "value": thumbprint,
        "has_private_key": has_key,
        "message": f"certificate {thumbprint} {how}".strip(),
        "event.original": compact(element),
    }


parser: Parser = CertificatesJson()
