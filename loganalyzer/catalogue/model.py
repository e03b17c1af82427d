"""What the catalogue holds, as values. The meaning of each field stands at the top of its YAML file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeAlias

from msgspec import Struct

Platform: TypeAlias = Literal["windows", "linux", "both", "control-plane"]
Scope: TypeAlias = Literal["backup", "restore", "configure", "compute", "guest-code", "cancel"]
DocStatus: TypeAlias = Literal["documented", "self-help", "source"]
MessageStatus: TypeAlias = Literal["documented", "ui-title", "log-text", "seen-in-public-output", "none"]
SeedRole: TypeAlias = Literal["section", "linked"]
GuestVisible: TypeAlias = Literal["yes", "partly", "no"]
Polarity: TypeAlias = Literal["supports", "refutes"]
Basis: TypeAlias = Literal["documented", "ms-source", "general-os-knowledge", "inference"]
NodeKind: TypeAlias = Literal["cause", "state", "error"]
ErrorClass: TypeAlias = Literal[
    "success",
    "in_progress",
    "benign_default",
    "guest",
    "guest_network",
    "guest_agent_late",
    "user",
    "service_input",
    "platform_throttling",
    "platform_host",
    "unused",
]


class Source(Struct, frozen=True):
    """A text that the catalogue was drawn from. ``url`` is https; None: it has no public page."""

    id: str
    title: str
    url: str | None
    dated: date | None
    repo: str | None
    path: str | None
    commit: str | None
    locale: str | None
    handoff: date | None


class Doc(Struct, frozen=True):
    """A citation. ``url`` is a whole https address with its anchor; None: the source has no public page."""

    source: str
    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class ArtefactFrame:
    """An event frame that holds an artefact: the parts of its log source, and which rows (column → allowed values)."""

    product: str
    service: str | None
    category: str | None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return "/".join(part for part in (self.product, self.service, self.category) if part is not None)


class Artefact(Struct, frozen=True):
    """A file, channel, command output or control-plane answer. ``logsources`` is empty while no parser reads it."""

    id: str
    platform: Platform
    what: str
    where: str
    collect: str
    logsources: tuple[ArtefactFrame, ...]
    in_manifests: tuple[str, ...]
    note: str | None


class Evidence(Struct, frozen=True):
    """What in one artefact speaks for or against a cause. At least one of ``regex`` and ``condition`` is there."""

    polarity: Polarity
    artefact: str
    regex: str | None
    condition: str | None
    basis: Basis


class Requires(Struct, frozen=True):
    """The artefacts without which a cause cannot be judged."""

    all_of: tuple[str, ...]
    any_of: tuple[str, ...]
    helps: tuple[str, ...]

    @property
    def artefacts(self) -> tuple[str, ...]:
        """Every artefact named, required ones first, each once."""
        return tuple(dict.fromkeys((*self.all_of, *self.any_of, *self.helps)))

    def missing(self, present: Collection[str]) -> tuple[str, ...]:
        """What must still come before the cause can be judged, given the artefacts that are there; empty: nothing."""
        wanted = [artefact for artefact in self.all_of if artefact not in present]
        if not any(artefact in present for artefact in self.any_of):
            wanted += self.any_of
        return tuple(dict.fromkeys(wanted))

    def met_by(self, present: Collection[str]) -> bool:
        """Whether the cause can be judged from the artefacts that are there."""
        return not self.missing(present)


class Collect(Struct, frozen=True):
    """How to get an artefact."""

    artefact: str
    what: str
    command: str


class Cause(Struct, frozen=True):
    """A documented cause of a failed backup.

    ``umbrella``: it names a symptom or a collection of causes and is never final when something upstream is supported.
    ``remedies`` stand in the order in which to try them, ``collect`` in the order of ``requires``, ``errors`` (their
    codes) in the order of the catalogue.
    """

    id: str
    title: str
    platform: Platform
    seed: bool
    umbrella: bool
    guest_visible: GuestVisible
    explanation: str
    evidence: tuple[Evidence, ...]
    remedies: tuple[str, ...]
    requires: Requires
    collect: tuple[Collect, ...]
    errors: tuple[str, ...]
    docs: tuple[Doc, ...]
    note: str | None


class ErrorCode(Struct, frozen=True):
    """A documented error code. ``wrapper``: it only says that something failed; its cause is never final.

    The regular expressions are Python's and are meant for ``plain`` text; ``Catalogue.find_codes`` applies them.
    """

    code: str
    aliases: tuple[str, ...]
    numeric: int | None
    seed: bool
    seed_role: SeedRole | None
    wrapper: bool
    scope: Scope
    platform: Platform
    component: str
    message: str | None
    message_status: MessageStatus
    doc_status: DocStatus
    code_regex: str
    message_regexes: tuple[str, ...]
    summary: str
    causes: tuple[str, ...]
    documented_causes: tuple[str, ...]
    where_visible: tuple[str, ...]
    doc: Doc
    note: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The code and its other spellings."""
        return (self.code, *self.aliases)


class State(Struct, frozen=True):
    """An intermediate state between causes and errors."""

    id: str
    title: str
    signs: tuple[str, ...]


class Edge(Struct, frozen=True):
    """``origin`` leads to ``target``; both are ids of causes or states, or error codes, which share no name."""

    origin: str
    target: str
    why: str | None


class DatedFact(Struct, frozen=True):
    """A version or limit, as a source stated it on a day. ``as_of`` None: the source has no date."""

    id: str
    statement: str
    value: str
    source: str
    as_of: date | None
    note: str | None


class Message(Struct, frozen=True):
    """A documented message without an error code."""

    text: str
    regex: str
    summary: str
    scope: Scope
    doc: Doc


class GuideCheck(Struct, frozen=True):
    """One check of a step of the documented guide."""

    check: str
    causes: tuple[str, ...]
    artefacts: tuple[str, ...]


class GuideStep(Struct, frozen=True):
    """A step of the documented troubleshooting guide."""

    step: int
    title: str
    seed: bool
    doc: Doc
    checks: tuple[GuideCheck, ...]


class Trap(Struct, frozen=True):
    """A contradiction or pitfall that a rule must know."""

    id: str
    text: str


class FailureMode(Struct, frozen=True):
    """A kind of failure message: the cause that it supports (None: none by itself), and others the note speaks of."""

    id: str
    cause: str | None
    also: tuple[str, ...]
    note: str | None


class VmSnapshotCode(Struct, frozen=True):
    """A number that VMSnapshotLinux reports in ``status.code`` or ``vmHealthStatusCode``.

    ``status_code_text`` None: reporting it raises KeyError. ``azure_backup_error`` None: no documented mapping.
    """

    code: int
    name: str
    common_name: str | None
    status_code_text: str | None
    vm_health: Literal["green", "yellow", "red"] | None
    vm_health_value: int | None
    message: str | None
    error_class: ErrorClass
    error: str | None
    azure_backup_error: str | None
    azure_backup_error_basis: Literal["documented", "inferred"] | None
    causes: tuple[str, ...]
    defined_at: str
    set_at: tuple[str, ...]
    note: str | None


class HostStatusCode(Struct, frozen=True):
    """A value of ``hostStatusCodePreSnapshot`` and ``hostStatusCodeDoSnapshot``."""

    code: int
    meaning: str
    causes: tuple[str, ...]
    set_at: tuple[str, ...]


class NamedCode(Struct, frozen=True):
    """A number with a name of the Linux agent or of VMSnapshotLinux; ``error`` is its entry among the errors."""

    code: int
    name: str
    error: str | None
