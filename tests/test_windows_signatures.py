"""Every Windows event that means a failure yields its cause in every form; what only looks so yields nothing firm.

The table of events lies outside of the repository, in the folder that LOGANALYZER_SHARED names. Without it these tests
are skipped. ``python -m tests.test_windows_signatures`` prints what each event yields.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import polars as pl
import pytest
import yaml

from loganalyzer.facts import derive, load_tables
from loganalyzer.parser import ParseContext, Source
from loganalyzer.registry import recognise
from loganalyzer.schema import EventFrame, LogSource, conform
from loganalyzer.sigma.match import match
from loganalyzer.signatures_in_use import builtin_rules
from sample_logs.evtx_writer import EventRecord, UserData, write_evtx

_TABLE = Path(os.environ.get("LOGANALYZER_SHARED", "")) / "reference" / "windows-events.yaml"
pytestmark = pytest.mark.skipif(
    "LOGANALYZER_SHARED" not in os.environ or not _TABLE.is_file(),
    reason="the table of Windows events is not here (LOGANALYZER_SHARED names the folder that holds it)",
)

_AT = datetime(2025, 6, 11, 1, 31, 7, tzinfo=UTC)
_COMPUTER = "vm07.contoso.example"
#: What stands in an event where its entry here says nothing else.
_CONTEXT = "\r\n\r\nOperation:\r\n   Processing Freeze\r\n\r\nContext:\r\n   Execution Context: Writer\r\n"
_USUAL = {
    "context": _CONTEXT,
    "DeviceName": r"\Device\HarddiskVolume4",
    "VolumeName": "E:",
    "NTSTATUS": "0xc000009a",
    "PolicyName": "EXE",
    "Path": r"C:\Contoso",
}
_VALUE = re.compile(r"%\d+")
#: Providers of events that begin or end something that lasts, so that rules read them as states.
_SERIES = (
    "Service Control Manager",
    "Microsoft-Windows-WindowsUpdateClient",
    "Microsoft-Windows-Windows Firewall With Advanced Security",
    ".NET Runtime",
)


@dataclass(frozen=True, slots=True)
class _Case:
    """One event: the entry of the table that it is of, and its values by the names of the entry's fields."""

    entry: Mapping[str, Any]
    values: Mapping[str, str]
    provider: str

    @property
    def named(self) -> bool:
        return not str(self.entry["shape"]).startswith("positional")

    @property
    def message(self) -> str:
        """The event as Windows prints it in English."""
        return self._printed(lambda text: text)

    @property
    def localised(self) -> str:
        """The same in a language that nobody here reads: every word is another one, the values stay."""
        return self._printed(lambda text: re.sub(r"[^\W\d_]+", "ord", text))

    def _printed(self, translated: Callable[[str], str]) -> str:
        known = _data()["printed"].get(self.entry["key"])
        template = _numbered(known, tuple(self.values)) if known else str(self.entry["message_template"])
        words = re.split(r"(%\d+)", template.replace("\n", "\r\n"))
        values = list(self.values.values())
        said = [
            (values[int(word[1:]) - 1 :] or [""])[0] if _VALUE.fullmatch(word) else translated(word) for word in words
        ]
        text = "".join(said)
        # The table shortens what it quotes; Windows prints every value of these events.
        return text if known else text + "".join(f"\r\n{value}" for value in values if value and value not in text)


def _numbered(template: str, names: Sequence[str]) -> str:
    return template.format_map(_Made({name: f"%{number}" for number, name in enumerate(names, start=1)}))


class _Made(dict[str, str]):
    """A value that the data file leaves out."""

    def __missing__(self, name: str) -> str:
        return "0"


@cache
def _entries() -> Mapping[str, Mapping[str, Any]]:
    return {entry["key"]: entry for entry in yaml.safe_load(_TABLE.read_text(encoding="utf-8"))["events"]}


def _cases(part: str) -> Iterator[tuple[str, _Case, Sequence[str] | None]]:
    """Key, event and expected causes (None: those of the failure mode) of one part of the data file.

    ``context`` is not in the file: all entries that the table takes for harmless or for context, with any values.
    """
    told: Mapping[str, Mapping[str, Any]]
    if part == "context":
        known = _data()["harmless"].keys()
        told = {key: {} for key, one in _entries().items() if one["role"] in ("benign", "context") and key not in known}
    else:
        told = _data()[part]
    for key, one in told.items():
        entry, given = _entries()[key], one.get("values", {})
        names = [str(field["name"]) for field in entry["fields"]]
        values = {name: given.get(name, _USUAL.get(name, "")) for name in (*names, *given)}
        yield key, _Case(entry, values, one.get("provider", entry["provider"])), one.get("causes")


@cache
def _data() -> Mapping[str, Any]:
    text = (Path(__file__).parent / "windows_events.yml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


# The forms in which an event arrives.


def _evtx(case: _Case) -> tuple[str, bytes]:
    record = EventRecord(case.provider, case.entry["event_id"], case.entry["channel"], _COMPUTER, _AT)
    if str(case.entry["shape"]).startswith("userdata"):
        record = replace(
            record, user_data=UserData("RuleAndFileData", "http://contoso.example/rules", dict(case.values))
        )
    elif case.named:
        record = replace(record, data=dict(case.values), version=0, opcode=0)
    else:
        record = replace(record, data=list(case.values.values()), binary=b"", qualifiers=0)
    return "channel.evtx", write_evtx([record])


def _xml(case: _Case) -> tuple[str, bytes]:
    if str(case.entry["shape"]).startswith("userdata"):
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in case.values.items())
        payload = f"<UserData><RuleAndFileData xmlns='urn:x'>{inner}</RuleAndFileData></UserData>"
    else:
        names = [f" Name={quoteattr(name)}" if case.named else "" for name in case.values]
        data = zip(names, case.values.values(), strict=True)
        payload = f"<EventData>{''.join(f'<Data{name}>{escape(value)}</Data>' for name, value in data)}</EventData>"
    text = (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name={quoteattr(case.provider)}/><EventID Qualifiers='0'>{case.entry['event_id']}</EventID>"
        f"<Level>2</Level><TimeCreated SystemTime='{_AT:%Y-%m-%dT%H:%M:%S}.000000000Z'/>"
        "<EventRecordID>71</EventRecordID>"
        f"<Channel>{escape(case.entry['channel'])}</Channel><Computer>{_COMPUTER}</Computer></System>{payload}</Event>\r\n"
    )
    return "events.xml", text.encode()


def _json(case: _Case) -> tuple[str, bytes]:
    shown = {
        "TimeCreated": f"/Date({int(_AT.timestamp() * 1000)})/",
        "Id": case.entry["event_id"],
        "LevelDisplayName": "Error",
        "ProviderName": case.provider,
        "LogName": case.entry["channel"],
        "MachineName": _COMPUTER,
        "RecordId": 71,
        "Message": case.message,
        "Properties": [{"Value": value} for value in case.values.values()],
    }
    return "events.json", json.dumps([shown]).encode()


def _text(case: _Case) -> tuple[str, bytes]:
    return "events.txt", _viewed(case, case.message, _ENGLISH)


def _localised(case: _Case) -> tuple[str, bytes]:
    return "ereignisse.txt", _viewed(case, case.localised, _GERMAN)


_ENGLISH = ("Log Name", "Source", "Date", "Event ID", "Task Category", "Level", "Keywords", "User", "Computer")
_GERMAN = (
    *("Protokollname", "Quelle", "Datum", "Ereignis-ID", "Aufgabenkategorie", "Ebene", "Schlüsselwörter"),
    *("Benutzer", "Computer"),
)


def _viewed(case: _Case, description: str, labels: Sequence[str]) -> bytes:
    english = labels is _ENGLISH
    shown = (
        str(case.entry["channel"]),
        case.provider,
        f"{_AT:%m/%d/%Y %I:%M:%S %p}" if english else f"{_AT:%d.%m.%Y %H:%M:%S}",
        str(case.entry["event_id"]),
        "None" if english else "Keine",
        "Error" if english else "Fehler",
        "Classic" if english else "Klassisch",
        "N/A" if english else "Nicht zutreffend",
        _COMPUTER,
    )
    head = "".join(f"{label + ':':<15}{value}\r\n" for label, value in zip(labels, shown, strict=True))
    return f"{head}{'Description:' if english else 'Beschreibung:'}\r\n{description}\r\n".encode()


_FORMS: Mapping[str, Callable[[_Case], tuple[str, bytes]]] = {
    "evtx": _evtx,
    "xml": _xml,
    "json": _json,
    "text": _text,
    "localised": _localised,
}


# What an event yields.


def _yielded(cases: Mapping[str, tuple[_Case, str]]) -> Mapping[str, Mapping[str, str]]:
    """For each event (and its form) the causes that it speaks for by itself, with the strongest strength.

    Two hours pass behind it in which nothing else is logged, so that what it began can be seen to last. All are matched
    at once, for a match costs the same for one event and for hundreds.
    """
    later = EventRecord("EventLog", 6013, "System", _COMPUTER, _AT + timedelta(hours=2), data=["", "", "", "", "9"])
    (witness,) = _read(Source("System.evtx", write_evtx([later])))
    parts: dict[LogSource, list[pl.DataFrame]] = defaultdict(list)
    for name, (case, form) in cases.items():
        source = Source(*_FORMS[form](case))
        witnesses = [
            EventFrame(witness.logsource, conform(witness.rows, log_file_path=path))
            for path in (source.path, "System.evtx")
        ]
        frames = _joined([*_read(source), *witnesses])
        derived = derive(frames, load_tables()).frames if case.provider in _SERIES else ()
        for frame in (*frames, *derived):
            parts[frame.logsource].append(frame.rows.with_columns(pl.lit(name).alias("case")))
    joined = [EventFrame(source, pl.concat(rows, how="diagonal_relaxed")) for source, rows in parts.items()]
    strengths: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in cases}
    for one in match(builtin_rules().rules, joined).matches:
        said = one.rule.attribution
        if said is not None and said.cause is not None and said.role == "supports" and said.strength is not None:
            strengths[joined[one.frame].rows["case"][one.row]][said.cause].add(said.strength)
    return {name: {cause: _strongest(told) for cause, told in causes.items()} for name, causes in strengths.items()}


def _joined(frames: Sequence[EventFrame]) -> list[EventFrame]:
    """One frame a log source, as a scan makes them."""
    parts: dict[LogSource, list[pl.DataFrame]] = defaultdict(list)
    for frame in frames:
        parts[frame.logsource].append(frame.rows)
    return [EventFrame(source, pl.concat(rows, how="diagonal_relaxed")) for source, rows in parts.items()]


def _strongest(told: set[str]) -> str:
    return next(word for word in ("definitive", "strong", "weak") if word in told)


def _read(source: Source) -> list[EventFrame]:
    recognised = recognise(source)
    assert recognised is not None, f"no parser knows {source.path}: {source.data[:200]!r}"
    frames = recognised.parser.parse(source, ParseContext()).frames
    return [EventFrame(frame.logsource, conform(frame.rows, log_file_path=source.path)) for frame in frames]


@cache
def _causes_of_modes() -> Mapping[str, tuple[str, ...]]:
    path = Path(__file__).parent.parent / "signatures" / "catalogue" / "failure_modes.yml"
    modes = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {mode["id"]: tuple(filter(None, (mode["cause"], *mode.get("also", ())))) for mode in modes}


@dataclass(frozen=True, slots=True)
class _Row:
    part: str
    key: str
    form: str
    wanted: Sequence[str]
    yielded: Mapping[str, str]

    @property
    def right(self) -> bool:
        """Whether an event that means a failure yields its cause, and one that means none nothing firm."""
        if self.part == "found" and self.form not in _data()["unprinted"].get(self.key, {"forms": ()})["forms"]:
            return bool(set(self.wanted) & self.yielded.keys())
        return set(self.yielded.values()) <= {"weak"}


@cache
def _table() -> Sequence[_Row]:
    cases = {
        f"{part}/{key}/{form}": (case, form, causes)
        for part in ("found", "harmless", "context")
        for key, case, causes in _cases(part)
        for form in _FORMS
    }
    yielded = _yielded({name: (case, form) for name, (case, form, _) in cases.items()})
    rows = []
    for name, (case, form, causes) in cases.items():
        part, key, _ = name.split("/")
        wanted = (causes or _causes_of_modes()[case.entry["failure_mode"]]) if part == "found" else ()
        rows.append(_Row(part, key, form, wanted, yielded[name]))
    return rows


def test_every_event_that_means_a_failure_is_looked_for_or_has_a_reason_why_not() -> None:
    meant = {key for key, entry in _entries().items() if entry["role"] in ("cause", "symptom")}
    found, none = _data()["found"].keys(), _data()["none"].keys()
    assert meant - found - none == set()
    assert found & none == set()
    assert all(reason.strip() for reason in _data()["none"].values())


def test_an_event_that_means_a_failure_yields_its_cause_in_every_form() -> None:
    wrong = [
        f"{row.key} as {row.form}: {dict(row.yielded)}" for row in _table() if row.part == "found" and not row.right
    ]
    assert wrong == []
    assert sum(row.part == "found" for row in _table()) > 500


def test_what_only_looks_like_a_failure_yields_nothing_firm_in_any_form() -> None:
    others = [row for row in _table() if row.part != "found"]
    assert [f"{row.key} as {row.form}: {dict(row.yielded)}" for row in others if not row.right] == []
    assert len(others) > 500


def test_a_form_that_is_said_to_lack_what_decides_lacks_it() -> None:
    lacking = [(key, form) for key, told in _data()["unprinted"].items() for form in told["forms"]]
    yielded = {(row.key, row.form): row.yielded for row in _table() if row.part == "found"}
    assert [name for name in lacking if yielded[name]] == []


if __name__ == "__main__":
    for row in _table():
        if not row.right or "-v" in sys.argv:
            said = ", ".join(f"{cause}={strength}" for cause, strength in sorted(row.yielded.items())) or "nothing"
            mark = "ok " if row.right else "BAD"
            print(f"{mark} {row.part:8} {row.key:18} {row.form:9} {said}; wanted {list(row.wanted)}")
