"""How much of an entry a report quotes."""

from __future__ import annotations

#: Characters of an entry that stand in a report.
ORIGINAL_LIMIT = 4096


def cut(text: str, limit: int = ORIGINAL_LIMIT) -> str:
    """At most ``limit`` characters, cut between words: redaction comes later and must not meet half a key."""
    if len(text) <= limit:
        return text
    head, _, _ = text[:limit].rpartition(" ")
    return head if len(head) > limit // 2 else text[:limit]
