"""Secrets become stable tokens before anything leaves: in a text, in many, and in a whole report."""

from __future__ import annotations

from loganalyzer.redact.find import LITERALS, PAYLOAD_RUN
from loganalyzer.redact.key import read_key
from loganalyzer.redact.kinds import KINDS, TOKEN
from loganalyzer.redact.names import is_secret_file
from loganalyzer.redact.redactor import RedactMode, Redactor
from loganalyzer.redact.walk import NOT_BUNDLE_TEXT, redact_report

__all__ = [
    "KINDS",
    "LITERALS",
    "NOT_BUNDLE_TEXT",
    "PAYLOAD_RUN",
    "TOKEN",
    "RedactMode",
    "Redactor",
    "is_secret_file",
    "read_key",
    "redact_report",
]
