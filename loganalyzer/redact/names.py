"""Names whose values are secret, and how sure a name is (linux.md 3.12, linux-redaction.yaml, windows.md 1.3, 2.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

#: ``loose``: any way to write a value (``password hunter2`` only as an argument). ``assigned``: with quotes, in XML or
#: after ``=``; prose such as "secret: not found" is left alone. ``keyed``: only a whole JSON key.
Form: TypeAlias = Literal["loose", "assigned", "keyed"]


class Name(Struct, frozen=True):
    """A family of names: the kind of its tokens, and the forms that count."""

    kind: str
    form: Form
    xml: bool = True


#: ``_`` stands for an optional ``-`` or ``_``. A name also counts at the end of a longer one (``AdminPassword``),
#: unless it is ``keyed``.
_NAMES: Final[Mapping[str, Name]] = {
    "password": Name("password", "loose"),
    "passwd": Name("password", "loose"),
    "pass_phrase": Name("password", "loose"),
    "pwd": Name("password", "loose"),
    "account_key": Name("key", "loose"),
    "access_key": Name("key", "loose"),
    "primary_key": Name("key", "assigned"),
    "secondary_key": Name("key", "assigned"),
    "master_key": Name("key", "loose"),
    "api_key": Name("key", "loose"),
    "storage_key": Name("key", "loose"),
    "workspace_key": Name("key", "loose"),
    "subscription_key": Name("key", "loose"),
    "functions_key": Name("key", "loose"),
    "encryption_key": Name("key", "assigned"),
    "signing_key": Name("key", "assigned"),
    "symmetric_key": Name("key", "assigned"),
    "shared_access_signature": Name("sas", "loose"),
    "token": Name("token", "loose"),
    "secret": Name("secret", "assigned"),
    "private_key": Name("private-key", "assigned"),
    "credentials": Name("password", "assigned"),
    "credential": Name("password", "assigned"),
    "cred_string": Name("password", "assigned"),
    "credential_string": Name("password", "assigned"),
    "connection_string": Name("connection-string", "assigned"),
    "custom_data": Name("custom-data", "assigned"),
    "protected_settings": Name("protected-settings", "loose"),
    "disk_encryption_settings": Name("key", "assigned"),
    "status_upload_blob": Name("sas", "assigned"),
    "object_str": Name("settings", "keyed", xml=False),
    "command_to_execute": Name("command", "keyed", xml=False),
    "script": Name("command", "keyed", xml=False),
    "file_uris": Name("sas", "keyed", xml=False),
    "blob_sas_uri": Name("sas", "keyed", xml=False),
    "logs_blob_uri": Name("sas", "keyed", xml=False),
    "status_blob_uri": Name("sas", "keyed", xml=False),
    "snapshot_uri": Name("sas", "keyed", xml=False),
    "blob_uri": Name("sas", "keyed", xml=False),
}

_BY_PLAIN_NAME: Final = {name.replace("_", ""): family for name, family in _NAMES.items()}

# Strong names of .NET assemblies and cancellation tokens are no secrets.
_GUARDS: Final = {"token": "(?<!publickey)(?<!cancellation)token"}


def alternation(*, xml: bool = False) -> str:
    """All names (those of XML elements only, on request) as one regex, longest first; to be read in any case."""
    chosen = sorted((name for name, family in _NAMES.items() if family.xml or not xml), key=len, reverse=True)
    return "(?:" + "|".join(_GUARDS.get(name, name.replace("_", "[-_]?")) for name in chosen) + ")"


def family(written: str) -> Name:
    """What is known of a name that ``alternation`` found."""
    return _BY_PLAIN_NAME[re.sub("[-_]", "", written).lower()]


#: Values that are no secrets: switches, "nothing", and the snapshot extension's one command (linux.md 3.5).
_NOTHING: Final = frozenset(
    (
        *("", "y", "n", "yes", "no", "on", "off", "true", "false", "0", "1"),
        *("null", "none", "nil", "undefined", "-", "not set", "notset", "not_set", "empty", "snapshot"),
    )
)

#: Words that go on a sentence: "password: must not be empty" and "--password is required" hold no password.
_PROSE: Final = frozenset(
    (
        *("a", "an", "and", "are", "argument", "cannot", "could", "did", "does", "empty", "error", "expired", "failed"),
        *("failure", "for", "from", "has", "have", "if", "in", "incorrect", "invalid", "is", "it", "missing", "must"),
        *("no", "not", "of", "option", "or", "parameter", "required", "reset", "set", "should", "the", "this", "to"),
        *(
            "element",
            "field",
            "found",
            "node",
            "tag",
            "unable",
            "unknown",
            "user",
            "value",
            "was",
            "when",
            "will",
            "with",
            "wrong",
        ),
    )
)


def says_nothing(value: str) -> bool:
    """Whether a value is a switch, empty, or already hidden by asterisks."""
    plain = value.strip()
    return plain.strip("*") == "" or (len(plain) <= 16 and plain.lower() in _NOTHING)


def is_prose(word: str) -> bool:
    """Whether a word after ``name:`` rather begins a sentence."""
    return word.lower().rstrip(".,!") in _PROSE


_SECRET_FILES: Final = re.compile(
    r"(?i)(?:^|[/\\!])(?:[^/\\!]*\.(?:prv|pfx|p7m)|TransportPrivate\.pem|TransportCert\.pem|Certificates\.pem"
    r"|Certificates(?:\.\d+)?\.xml|RemoteAccess(?:\.\d+)?\.xml|g?shadow-?[^/\\!]*|ssh_host_[^/\\!]*_key)$"
)


def is_secret_file(path: str) -> bool:
    """Whether no byte of the file may be shown: keys, certificates, password files (linux-redaction.yaml)."""
    return _SECRET_FILES.search(path) is not None
