"""Reads ``signatures/catalogue/*.yml`` into a ``Catalogue`` and checks that it agrees with itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources.abc import Traversable
from typing import get_args

from loganalyzer.catalogue.check import check
from loganalyzer.catalogue.entry import Entry, Reading
from loganalyzer.catalogue.load import FILES
from loganalyzer.catalogue.lookup import Catalogue
from loganalyzer.catalogue.model import (
    Artefact,
    ArtefactFrame,
    Basis,
    Cause,
    Collect,
    DatedFact,
    Doc,
    DocStatus,
    Edge,
    ErrorClass,
    ErrorCode,
    Evidence,
    FailureMode,
    GuestVisible,
    GuideCheck,
    GuideStep,
    HostStatusCode,
    Message,
    MessageStatus,
    NamedCode,
    Platform,
    Polarity,
    Requires,
    Scope,
    SeedRole,
    Source,
    State,
    Trap,
    VmSnapshotCode,
)

PLATFORMS: tuple[Platform, ...] = get_args(Platform)
SCOPES: tuple[Scope, ...] = get_args(Scope)
DOC_STATUSES: tuple[DocStatus, ...] = get_args(DocStatus)
MESSAGE_STATUSES: tuple[MessageStatus, ...] = get_args(MessageStatus)
SEED_ROLES: tuple[SeedRole, ...] = get_args(SeedRole)
GUEST_VISIBLE: tuple[GuestVisible, ...] = get_args(GuestVisible)
POLARITIES: tuple[Polarity, ...] = get_args(Polarity)
BASES: tuple[Basis, ...] = get_args(Basis)
ERROR_CLASSES: tuple[ErrorClass, ...] = get_args(ErrorClass)

#: The files of the catalogue, without ``.yml``.


def read_catalogue(folder: Traversable, thorough: bool) -> Catalogue:
    """What `loganalyzer.catalogue.load_catalogue` says."""
    reading = Reading()
    entries = {name: reading.entry(folder / f"{name}.yml") for name in FILES}
    builder = _Builder(reading, {})
    catalogue = builder.catalogue(entries)
    for entry in entries.values():
        entry.finish()
    reading.check_references()
    reading.raise_faults()
    if thorough:
        check(catalogue, reading)
        reading.raise_faults()
    return catalogue


@dataclass
class _Builder:
    """Builds the values of one reading; sources come first, because every citation needs them."""

    reading: Reading
    sources: Mapping[str, Source]

    def catalogue(self, entries: Mapping[str, Entry]) -> Catalogue:
        head = entries["sources"]
        self.sources = {source.id: source for source in head.each("sources", self.source)}
        artefacts = {artefact.id: artefact for artefact in entries["artefacts"].each("", self.artefact)}
        errors = {error.code: error for error in entries["errors"].each("", self.error)}
        causes_of = entries["causes"].each("", lambda entry: self.cause(entry, artefacts, errors))
        codes = entries["vmsnapshot_codes"]
        return Catalogue(
            version=head.number("version"),
            compiled=head.day("compiled") or date.min,
            newest_article=head.day("newest_article"),
            sources=self.sources,
            artefacts=artefacts,
            errors=errors,
            causes={cause.id: cause for cause in causes_of},
            states={state.id: state for state in entries["states"].each("", self.state)},
            edges=entries["leads_to"].each("", self.edge),
            facts={fact.id: fact for fact in entries["facts"].each("", self.fact)},
            messages=entries["messages"].each("", self.message),
            guide=entries["guide"].each("", self.step),
            traps={trap.id: trap for trap in entries["traps"].each("", self.trap)},
            failure_modes={mode.id: mode for mode in entries["failure_modes"].each("", self.failure_mode)},
            vmsnapshot_codes={
                code.code: code for code in codes.each("status_codes", lambda e: self.status_code(e, errors))
            },
            host_status_codes={code.code: code for code in codes.each("host_status_codes", self.host_code)},
            script_status=codes.each("script_status", self.named_code),
            consistency_types=codes.each("consistency_types", self.named_code),
            agent_handler_codes=codes.each("agent_handler_codes", self.named_code),
            goal_state_codes=codes.each("goal_state_codes", self.named_code),
        )

    def identity(self, entry: Entry, kind: str, key: str = "id") -> str:
        name = entry.text(key)
        self.reading.define(kind, name, entry)
        return name

    def source(self, entry: Entry) -> Source:
        url = entry.maybe_text("url")
        if url is not None and not url.startswith("https://"):
            entry.fault(f"url: {url!r} is no https address")
        return Source(
            id=self.identity(entry, "source"),
            title=entry.text("title"),
            url=url,
            dated=entry.day("date"),
            repo=entry.maybe_text("repo"),
            path=entry.maybe_text("path"),
            commit=entry.maybe_text("commit"),
            locale=entry.maybe_text("locale"),
            handoff=entry.day("handoff"),
        )

    def doc(self, entry: Entry) -> Doc:
        name, anchor, path = entry.ref("source", "source"), entry.maybe_text("anchor"), entry.maybe_text("path")
        source = self.sources.get(name)
        if source is None or source.url is None:
            return Doc(name, source.title if source else "", None)
        return Doc(name, source.title, source.url + (f"/{path}" if path else "") + (f"#{anchor}" if anchor else ""))

    def artefact(self, entry: Entry) -> Artefact:
        return Artefact(
            id=self.identity(entry, "artefact"),
            platform=entry.choice("platform", PLATFORMS),
            what=entry.text("what"),
            where=entry.text("where"),
            collect=entry.text("collect"),
            logsources=entry.each("logsources", self.frame),
            in_manifests=entry.texts("in_manifests"),
            note=entry.maybe_text("note"),
        )

    def frame(self, entry: Entry) -> ArtefactFrame:
        where = entry.one("where", _columns) if entry.has("where") else {}
        return ArtefactFrame(entry.text("product"), entry.maybe_text("service"), entry.maybe_text("category"), where)

    def error(self, entry: Entry) -> ErrorCode:
        code, aliases = self.identity(entry, "error", "code"), entry.texts("aliases")
        for name in {alias.lower() for alias in (code, *aliases)}:
            self.reading.define("spelling of an error code", name, entry)
        code_regex, message_regexes = entry.one("match", lambda match: (match.text("code"), match.texts("message")))
        return ErrorCode(
            code=code,
            aliases=aliases,
            numeric=entry.maybe_number("numeric"),
            seed=entry.flag("seed"),
            seed_role=entry.maybe_choice("seed_role", SEED_ROLES),
            wrapper=entry.flag("wrapper"),
            scope=entry.choice("scope", SCOPES),
            platform=entry.choice("platform", PLATFORMS),
            component=entry.text("component"),
            message=entry.maybe_text("message"),
            message_status=entry.choice("message_status", MESSAGE_STATUSES),
            doc_status=entry.choice("doc_status", DOC_STATUSES),
            code_regex=code_regex,
            message_regexes=message_regexes,
            summary=entry.text("summary"),
            causes=entry.refs("causes", "cause"),
            documented_causes=entry.refs("documented_causes", "cause"),
            where_visible=entry.refs("where_visible", "artefact"),
            doc=entry.one("doc", self.doc),
            note=entry.maybe_text("note"),
        )

    def cause(self, entry: Entry, artefacts: Mapping[str, Artefact], errors: Mapping[str, ErrorCode]) -> Cause:
        name = self.identity(entry, "cause")
        requires = entry.one("requires", self.requires)
        known = [artefacts[artefact] for artefact in requires.artefacts if artefact in artefacts]
        return Cause(
            id=name,
            title=entry.text("title"),
            platform=entry.choice("platform", PLATFORMS),
            seed=entry.flag("seed"),
            umbrella=entry.flag("umbrella"),
            guest_visible=entry.choice("guest_visible", GUEST_VISIBLE),
            explanation=entry.text("explanation"),
            evidence=entry.each("evidence", self.evidence),
            remedies=entry.texts("remedies"),
            requires=requires,
            collect=tuple(Collect(artefact.id, artefact.what, artefact.collect) for artefact in known),
            errors=tuple(error.code for error in errors.values() if name in error.causes),
            docs=entry.each("docs", self.doc),
            note=entry.maybe_text("note"),
        )

    def evidence(self, entry: Entry) -> Evidence:
        regex, condition = entry.maybe_text("regex"), entry.maybe_text("condition")
        if regex is None and condition is None:
            entry.fault("evidence needs a regex or a condition")
        return Evidence(
            polarity=entry.choice("polarity", POLARITIES),
            artefact=entry.ref("artefact", "artefact"),
            regex=regex,
            condition=condition,
            basis=entry.choice("basis", BASES),
        )

    def requires(self, entry: Entry) -> Requires:
        requires = Requires(*(entry.refs(key, "artefact") for key in ("all_of", "any_of", "helps")))
        if not requires.all_of and not requires.any_of:
            entry.fault("requires names neither all_of nor any_of")
        return requires

    def state(self, entry: Entry) -> State:
        return State(self.identity(entry, "state"), entry.text("title"), entry.texts("signs"))

    def edge(self, entry: Entry) -> Edge:
        return Edge(self.node(entry, "from"), self.node(entry, "to"), entry.maybe_text("why"))

    def node(self, entry: Entry, key: str) -> str:
        kind, _, name = entry.text(key).partition(":")
        if kind in ("cause", "state", "error"):
            entry.refer(kind, name)
        else:
            entry.fault(f"{key}: {kind!r} is none of cause:, state:, error:")
        return name

    def fact(self, entry: Entry) -> DatedFact:
        return DatedFact(
            id=self.identity(entry, "fact"),
            statement=entry.text("statement"),
            value=entry.text("value"),
            source=entry.ref("source", "source"),
            as_of=entry.day("as_of"),
            note=entry.maybe_text("note"),
        )

    def message(self, entry: Entry) -> Message:
        return Message(
            text=self.identity(entry, "message", "text"),
            regex=entry.text("match"),
            summary=entry.text("summary"),
            scope=entry.choice("scope", SCOPES),
            doc=entry.one("doc", self.doc),
        )

    def step(self, entry: Entry) -> GuideStep:
        return GuideStep(
            step=entry.number("step"),
            title=entry.text("title"),
            seed=entry.flag("seed"),
            doc=entry.one("doc", self.doc),
            checks=entry.each("checks", self.guide_check),
        )

    def guide_check(self, entry: Entry) -> GuideCheck:
        return GuideCheck(entry.text("check"), entry.refs("causes", "cause"), entry.refs("artefacts", "artefact"))

    def trap(self, entry: Entry) -> Trap:
        return Trap(self.identity(entry, "trap"), entry.text("text"))

    def failure_mode(self, entry: Entry) -> FailureMode:
        return FailureMode(
            id=self.identity(entry, "failure mode"),
            cause=entry.maybe_ref("cause", "cause"),
            also=entry.refs("also", "cause"),
            note=entry.maybe_text("note"),
        )

    def status_code(self, entry: Entry, errors: Mapping[str, ErrorCode]) -> VmSnapshotCode:
        name, error = entry.text("name"), entry.maybe_ref("error", "error")
        self.reading.define("status code", str(entry.number("code")), entry)
        return VmSnapshotCode(
            code=entry.number("code"),
            name=name,
            common_name=entry.maybe_text("common_name") if entry.has("common_name") else name,
            status_code_text=entry.maybe_text("status_code_text") if entry.has("status_code_text") else name,
            vm_health=entry.maybe_choice("vm_health", ("green", "yellow", "red")),
            vm_health_value=entry.maybe_number("vm_health_value"),
            message=entry.maybe_text("message"),
            error_class=entry.choice("error_class", ERROR_CLASSES),
            error=error,
            azure_backup_error=entry.maybe_ref("azure_backup_error", "error"),
            azure_backup_error_basis=entry.maybe_choice("azure_backup_error_basis", ("documented", "inferred")),
            causes=errors[error].causes if error is not None and error in errors else (),
            defined_at=entry.text("defined_at"),
            set_at=entry.texts("set_at"),
            note=entry.maybe_text("note"),
        )

    def host_code(self, entry: Entry) -> HostStatusCode:
        return HostStatusCode(
            code=entry.number("code"),
            meaning=entry.text("meaning"),
            causes=entry.refs("causes", "cause"),
            set_at=entry.texts("set_at"),
        )

    def named_code(self, entry: Entry) -> NamedCode:
        return NamedCode(entry.number("code"), entry.text("name"), entry.maybe_ref("error", "error"))


def _columns(rows: Entry) -> dict[str, tuple[str, ...]]:
    return {column: rows.texts(column) for column in rows.names()}
