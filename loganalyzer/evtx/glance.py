"""What the beginning of an event's JSON tells, so that most events need not be decoded.

The binding writes ``System`` first and its fields in their order (windows.md 6.4). What is written in another way, or
holds a character that JSON escapes, is not guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANY_TEXT = r'"[^"\\]*"'
_TEXT = r'"([^"\\]*)"'
_FURTHER = rf'(?:,"\w+":(?:{_ANY_TEXT}|\d+))*'
_ATTRIBUTES = rf'(?:null|\{{"#attributes":\{{"\w+":(?:{_ANY_TEXT}|\d+){_FURTHER}\}}\}})'
_HEAD = re.compile(
    rf'\{{"Event":\{{"#attributes":\{{"xmlns":{_ANY_TEXT}\}},"System":\{{'
    rf'"Provider":\{{"#attributes":\{{"Name":{_TEXT}{_FURTHER}\}}\}},'
    r'"EventID":(?:(\d+)|\{"#attributes":\{"Qualifiers":\d+\},"#text":(\d+)\})'
    rf'(?:,"Version":\d+)?,"Level":(\d+){_FURTHER},'
    rf'"TimeCreated":\{{"#attributes":\{{"SystemTime":{_TEXT}\}}\}},"EventRecordID":\d+,'
    rf'(?:"Correlation":{_ATTRIBUTES},)?(?:"Execution":{_ATTRIBUTES},)?'
    rf'"Channel":{_TEXT},"Computer":{_TEXT},"Security":'
)


@dataclass(frozen=True, slots=True)
class Glance:
    """Fields of ``System`` as text; ``created`` is ``SystemTime`` (UTC). ``payload``: where the other sections are."""

    provider: str
    event_id: str
    level: str
    created: str
    channel: str
    computer: str
    payload: int


def glance(text: str) -> Glance | None:
    """None: it does not begin as most do, and must be decoded."""
    head = _HEAD.match(text)
    if head is None:
        return None
    provider, number, qualified, level, created, channel, computer = head.groups()
    return Glance(provider, number or qualified, level, created, channel, computer, head.end())
