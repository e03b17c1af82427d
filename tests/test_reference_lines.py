"""Every message that the programs are known to log, in every form in which it can stand: who claims it, what is read.

The list of messages lies outside of this repository: ``LOGANALYZER_SHARED`` names the folder. What the parsers' own
samples hold is written in every form too, everywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from loganalyzer.parser import ParseContext, Source
from loganalyzer.registry import parsers, recognise
from tests.written_lines import ALL, Form, Message, Version, forms

SHARED = os.environ.get("LOGANALYZER_SHARED")
REFERENCE = Path(SHARED or "nowhere") / "reference" / "linux-failure-messages.yaml"
needs_reference = pytest.mark.skipif(
    not REFERENCE.is_file(), reason="LOGANALYZER_SHARED names no folder with reference/linux-failure-messages.yaml"
)

#: Which forms a log of the reference stands in.
PARSERS = {
    "waagent_log": ("waagent_log", "linux_syslog", "journal_text"),
    "command_execution_log": ("command_execution_log",),
    "vmsnapshot_extension_log": ("vmsnapshot_extension_log",),
    "vmsnapshot_host_daemon_log": ("vmsnapshot_extension_log",),
    "vmsnapshot_shell_log": ("vmsnapshot_shell_log",),
    "syslog": ("linux_syslog", "journal_text"),
}
#: Of a file that is not read from the wire but written by nobody's log.
NO_LOG = {"waagent_status_json"}
VALUES = (
    ("1.0.9225.0", "'main/handle.sh enable'", "127"),
    (
        "[HttpError] [HTTP Failed] GET http://168.63.129.16/machine/ -- IOError timed out",
        "a: b, c=d; [x-1.0] {y}",
        "\té",
    ),
    (
        'first line\nTraceback (most recent call last):\n  File "x.py", line 3, in <module>\nOSError: [Errno 28]',
        "0",
        "",
    ),
)


def message_of(entry: dict[str, str], values: Sequence[str]) -> Message:
    text, count = entry["message_template"].replace("\\n", "\n"), 0

    def value(_: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return values[(count - 1) % len(values)]

    text = re.sub(r"\{\w*\}|%[sd]", value, text)
    versions = (version(entry["since"], (0,)), version(entry.get("until"), (9999,)))
    return Message(entry["id"], entry["level"].upper(), text, versions)


def version(text: object, otherwise: Version) -> Version:
    """``<=2.2.0`` may be older; ``2.0.x`` begins there; dates are of the extension, whose forms know no versions."""
    if text is None or str(text).startswith("<=") or re.match(r"20\d\d-", str(text)):
        return otherwise
    found = re.match(r"\d+(?:\.\d+)*", str(text))
    return tuple(int(part) for part in found[0].split(".")) if found else otherwise


@lru_cache(maxsize=1)
def reference() -> tuple[dict[str, str], ...]:
    return tuple(yaml.safe_load(REFERENCE.read_text(encoding="utf-8"))["messages"]) if REFERENCE.is_file() else ()


def differences(form: Form, messages: Sequence[Message]) -> list[str]:
    """What a file of these messages is read as, where it is not what was written."""
    raw, expected = form.file(messages)
    source = Source(form.path, raw)
    recognised = recognise(source)
    if recognised is None or recognised.parser.name != form.parser:
        return [f"claimed by {recognised and recognised.parser.name}"]
    parsed = recognised.parser.parse(source, ParseContext())
    rows = parsed.frames[0].rows.to_dicts()
    found = [f"{parsed.rejected.height} lines rejected"] if parsed.rejected.height else []
    if len(rows) != len(expected):
        found.append(f"{len(rows)} rows for {len(expected)} records")
    for row, wanted in zip(rows, expected, strict=False):
        wrong = {name: row[name] for name, value in wanted.items() if row[name] != value}
        if wrong:
            found.append(f"{wrong} for { {name: wanted[name] for name in wrong} }")
    return found[:20]


def each_alone(form: Form, messages: Sequence[Message]) -> list[str]:
    """The messages whose record, alone in its file, is not claimed by the form's parser."""
    found = []
    for message in messages:
        recognised = recognise(Source(form.path, form.file([message])[0]))
        if recognised is None or recognised.parser.name != form.parser:
            found.append(f"{message.id}: {recognised and recognised.parser.name}")
    return found


FORMS = forms()
LOGS = {form.parser for form in FORMS}


def of_reference(form: Form) -> list[Message]:
    entries = [one for one in reference() if form.parser in PARSERS.get(one["log_source"], ())]
    return [message for one in entries for values in VALUES if form.takes(message := message_of(one, values))]


def test_every_log_of_the_reference_has_forms_and_every_message_stands_in_one() -> None:
    assert len(FORMS) > 50
    assert {parser for names in PARSERS.values() for parser in names} == LOGS
    assert {one["log_source"] for one in reference()} <= set(PARSERS) | NO_LOG
    written = {message.id for form in FORMS for message in of_reference(form)}
    logged = {one["id"] for one in reference() if one["log_source"] not in NO_LOG}
    assert written == logged
    assert not reference() or len(written) > 300


@needs_reference
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_message_of_the_reference_is_read_as_it_was_written(form: Form) -> None:
    messages = of_reference(form)
    assert messages
    assert differences(form, messages) == []


@needs_reference
@pytest.mark.parametrize("form", [form for form in FORMS if "Thread-7" not in form.name], ids=lambda form: form.name)
def test_a_record_of_the_reference_alone_in_its_file_is_known(form: Form) -> None:
    messages = of_reference(form)
    assert messages
    assert each_alone(form, messages[:: max(1, len(messages) // 25)]) == []


def of_samples(form: Form) -> list[Message]:
    """What the samples of the form's log say, at every level."""
    source = {"linux_syslog": "waagent_log", "journal_text": "waagent_log"}.get(form.parser, form.parser)
    [parser] = [one for one in parsers() if one.name == source]
    texts = dict.fromkeys(
        str(event["message"]) for sample in parser.samples for event in sample.events if event.get("message")
    )
    levels = ("INFO", "WARNING", "ERROR")
    whole = [Message(f"sample {n}", levels[n % 3], text, ALL) for n, text in enumerate(texts)]
    return [message for message in whole if form.takes(message)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_what_the_samples_say_is_read_in_every_form(form: Form) -> None:
    messages = of_samples(form)
    assert len(messages) > 2
    assert differences(form, messages) == []
    assert each_alone(form, messages) == []
