"""Codes in event values, in one spelling: what a search for a documented code needs (windows.md 3.1, 3.2, 4).

Only for providers whose values are known to be such codes: ``%%1936`` of the Security log is text, no error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

#: Providers (lower case) with HRESULTs, NTSTATUS values or references to Win32 errors in their values.
_WIN32_REFERENCES = frozenset({"service control manager", "microsoft-windows-distributedcom", "dcom"})
_CODED = _WIN32_REFERENCES | {"vss", "volsnap", "sqlwriter", "microsoft-windows-windowsupdateclient"}
_REFERENCE = re.compile(r"%%(\d{1,5})\Z")
_CODE = re.compile(r"\b0x([89a-fA-F][0-9A-Fa-f]{7})\b")
_STATUS = re.compile(r"[89C][0-9A-Fa-f]{7}\Z")
_SERVICE = re.compile(r"([^/]{1,256})(?:/([1-7]))?\Z")


def decoded(
    provider: str | None, event_id: str | None, values: Iterable[str | None], binary: str | None
) -> Iterator[tuple[str, str]]:
    """Further fields: ``error_codes`` (``0x`` and eight upper-case digits, line by line, each once), and of the Service
    Control Manager ``service_name`` (the short name, which no language changes) and, for 7036, ``service_state`` (1
    stopped, 4 running).
    """
    name = (provider or "").lower()
    if name not in _CODED:
        return
    codes = dict.fromkeys(code for value in values if value for code in _codes(name, value[:4096]))
    if codes:
        yield "error_codes", "\n".join(codes)
    if name == "service control manager" and binary and event_id != "7045":
        yield from _service(binary).items()


def _codes(provider: str, value: str) -> Iterator[str]:
    reference = _REFERENCE.match(value) if provider in _WIN32_REFERENCES else None
    if reference is not None:
        yield f"0x8007{int(reference[1]) & 0xFFFF:04X}"
    elif provider == "volsnap" and _STATUS.match(value):
        yield f"0x{value.upper()}"
    for found in _CODE.finditer(value):
        yield f"0x{found[1].upper()}"


def _service(binary: str) -> Mapping[str, str]:
    """Short name and state from UTF-16 text in hexadecimal, as ``RdAgent/4``."""
    try:
        text = bytes.fromhex(binary[:2048]).decode("utf-16-le").rstrip("\0")
    except (ValueError, UnicodeDecodeError):
        return {}
    found = _SERVICE.match(text)
    if found is None or not text.isprintable():
        return {}
    return {"service_name": found[1]} | ({"service_state": found[2]} if found[2] else {})
