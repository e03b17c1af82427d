"""What is hidden, by kind, and the tokens that stand in its place."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from loganalyzer.possessive import compile_possessive

#: Kinds of secrets: hidden unless redaction is off.
SECRET_KINDS: Final = (
    "certificate",
    "command",
    "connection-string",
    "custom-data",
    "file",
    "key",
    "password",
    "payload",
    "private-key",
    "protected-settings",
    "sas",
    "secret",
    "settings",
    "token",
)
#: Kinds of what names a person, a machine or a customer: hidden on request only.
IDENTITY_KINDS: Final = (
    "domain",
    "email",
    "host",
    "ip",
    "mac",
    "resource",
    "resource-group",
    "sid",
    "storage-account",
    "subscription",
    "tenant",
    "user",
    "vault",
    "vm",
)
KINDS: Final = tuple(sorted((*SECRET_KINDS, *IDENTITY_KINDS)))

#: A token: numbered, or with a key 16 hexadecimal digits; in XML its brackets are escaped.
TOKEN: Final = compile_possessive(rf"(?:<|&lt;)(?:{'|'.join(KINDS)}):(?:[0-9a-f]{{16}}|[0-9]+)(?:>|&gt;)")


class Secret(Struct, frozen=True):
    """Characters ``start`` to ``end`` of a text; ``value`` is the same for the same secret in every syntax.

    ``quote``: what has to stand around a token, where the value was a list or an object without quotes of its own.
    """

    start: int
    end: int
    kind: str
    value: str
    quote: str = ""
