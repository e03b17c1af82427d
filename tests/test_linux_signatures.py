"""Signatures against a catalogue of Linux failure messages that lies outside of this repository.

Each message is put into a small bundle as its log would hold it, in the forms of its eras: what it supports must be a
cause that its failure mode leads to, and what is harmless must support nothing. Set LOGANALYZER_SHARED to the folder
with ``reference/``. Run as a program it prints a table.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from loganalyzer.catalogue import load_catalogue
from loganalyzer.pipeline import scan
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.signatures_in_use import builtin_rules

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("LOGANALYZER_SHARED", "/nowhere"))
REFERENCE = SHARED / "reference"
CATALOGUE = HERE.parent / "signatures" / "catalogue"

needs_reference = pytest.mark.skipif(
    not (REFERENCE / "linux-failure-messages.yaml").is_file(), reason="the catalogue of messages is not here"
)

EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
AGENT_LOG = "var/log/waagent.log"
EXTENSION_LOG = f"var/log/azure/{EXTENSION}/extension.log"
SHELL_LOG = f"var/log/azure/{EXTENSION}/shell.log"
COMMAND_LOG = f"var/log/azure/{EXTENSION}/CommandExecution.log"
HOST_LOG = f"var/log/azure/{EXTENSION}/host_based_extension.log"

#: What a run that fails supports whatever the message says: symptoms, and the age of the agent.
SYMPTOMS = frozenset(
    {"snapshot-status-unavailable", "vmsnapshot-extension-failed", "agent-outdated-linux", "agent-version-unsupported"}
)

#: A bundle as its files, and diagnoses as verdicts by cause.
Files = Mapping[str, str]
Verdicts = Mapping[str, str]


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def messages() -> Sequence[Mapping[str, Any]]:
    path = REFERENCE / "linux-failure-messages.yaml"
    return tuple(_yaml(path)["messages"]) if path.is_file() else ()


@cache
def error_codes() -> Sequence[Mapping[str, Any]]:
    path = REFERENCE / "linux-vmsnapshot-errors.yaml"
    return tuple(_yaml(path)["errors"]) if path.is_file() else ()


@cache
def wordings() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = _yaml(HERE / "linux_messages.yml")
    return loaded


@cache
def reasons() -> Mapping[str, str]:
    """By id of a message, why no signature reads it."""
    return {str(name): str(why) for name, why in (wordings().get("reasons") or {}).items()}


def text_of(message: Mapping[str, Any]) -> str:
    """The message with values for its placeholders, in their order; the same one again has the same value."""
    if said := wordings()["say"].get(message["id"]):
        return str(said)
    values = [str(one) for one in wordings()["values"].get(message["id"], ["WALinuxAgent-2.9.1.1"])]
    given: dict[str, str] = {}

    def value(found: re.Match[str]) -> str:
        name = found[0] if found[0].startswith("{") else str(len(given))
        return given.setdefault(name, values[min(len(given), len(values) - 1)])

    template = str(message["message_template"]).replace("\\n", "\n")
    return re.sub(r"\{\w*\}|%[sd]", value, template)


# How each log writes a line


def _agent_lines(era: str, minutes: Sequence[tuple[int, str, str]]) -> str:
    """Lines of waagent.log: minutes after two o'clock, level, message."""
    out = []
    for minute, level, message in minutes:
        hour, rest = 2 + minute // 60, minute % 60
        if era == "E3":
            out.append(f"2025-03-01T{hour:02}:{rest:02}:04.000123Z {level} ExtHandler ExtHandler {message}")
        elif era == "E1":
            out.append(f"2025/03/01 {hour:02}:{rest:02}:04.000123 {level} ExtHandler {message}")
        else:
            prefix = "" if level == "INFO" else f"{level}:"
            stamp = f"2015/03/02 {hour:02}:{rest:02}:04"
            out += [f"{stamp} {prefix}{line}" for line in message.split("\n")]
    return "\n".join(out) + "\n"


def _agent_start(era: str) -> list[tuple[int, str, str]]:
    if era == "E0":
        return [(0, "INFO", "Azure Linux Agent Version: WALinuxAgent-2.0.16"), (0, "INFO", "Python Version: 2.7.5")]
    version = "2.2.45" if era == "E1" else "2.9.1.1"
    first = [
        (0, "INFO", f"Azure Linux Agent Version:{version}"),
        (0, "INFO", "OS: ubuntu 20.04"),
        (0, "INFO", "Python: 3.8.10"),
    ]
    if era == "E1":
        return [*first, (1, "INFO", f"Agent WALinuxAgent-{version} is running as the goal state agent")]
    return [
        *first,
        (1, "INFO", f"Azure Linux Agent (Goal State Agent version {version})"),
        (1, "INFO", "Wire server endpoint:168.63.129.16"),
        (1, "INFO", "Fetch goal state from WireServer completed"),
        (2, "INFO", _heartbeat(0)),
        (32, "INFO", _heartbeat(1)),
    ]


def _heartbeat(counter: int) -> str:
    return (
        "[HEARTBEAT] Agent WALinuxAgent-2.9.1.1 is running as the goal state agent [DEBUG HeartbeatCounter: "
        f"{counter};HeartbeatId: 11111111-2222-4333-8444-555555555555;DroppedPackets: 0;UpdateGSErrors: 0;"
        "AutoUpdate: 1]"
    )


def agent_bundle(era: str, level: str, message: str | None, times: int = 4) -> Files:
    """The agent's log with the message at its end."""
    said = [] if message is None else [(34 + 10 * number, level, message) for number in range(times)]
    return {AGENT_LOG: _agent_lines(era, [*_agent_start(era), *said])}


def extension_line(shape: str, second: float, message: str, level: str = "Info") -> str:
    minute, rest = 10 + int(second) // 60, second % 60
    name = f"[{EXTENSION}-1.0]"
    if shape == "A":
        return f"2025-03-01 02:{minute:02}:{rest:09.6f} {name}{message}"
    prefix = "ERROR:" if level == "Error" else ""
    return f"2025/03/01 02:{minute:02}:{int(rest):02} {prefix}{name}{message}"


def extension_bundle(shape: str, message: str | None, level: str, code: int | None, *, frozen: bool = False) -> Files:
    """One run of the extension with the message in it; ``code`` of its end, none where the log just stops."""
    lines = [
        extension_line(shape, 1, "starting enable"),
        extension_line(shape, 1.5, "taskId: 11111111-2222-4333-8444-555555555555"),
        extension_line(shape, 2, "Enable,success,4,Transitioning state in extension,False"),
        extension_line(shape, 4, "starting daemon initially"),
        extension_line(shape, 5, "PreSnapshot: Status Code: 200"),
        extension_line(shape, 5.2, "command start time is 2025-03-01 02:09:44 and utcNow is 2025-03-01 02:10:05"),
        extension_line(shape, 6, "commandToExecute for backup is snapshot"),
        extension_line(shape, 7, "T:S freeze, timeout value 60"),
    ]
    if message is not None and frozen and shape == "A":
        lines += [
            extension_line(shape, 20, "================== Logs during Freeze Start =============="),
            f"2025/03/01 02:10:14.000251  {level}  {message} ",
            extension_line(shape, 20.1, "================== Logs during Freeze End =============="),
        ]
    elif message is not None:
        lines.append(extension_line(shape, 14, message, level))
    if code is not None:
        word = "success" if code in (0, 1) else "error"
        lines.append(extension_line(shape, 30, f"Enable,{word},{code},,False"))
    return {EXTENSION_LOG: "\n".join(lines) + "\n"}


def shell_bundle(message: str | None) -> Files:
    """The launcher's log."""
    said = ["ConfigSequenceNumber from environment variable seqNo:12", *([message] if message else [])]
    lines = [f"Sat Mar  1 02:10:0{number} UTC 2025- {one}" for number, one in enumerate(said, 2)]
    return {SHELL_LOG: "\n".join(lines) + "\n"}


def syslog_bundle(message: str | None, process: str = "python3[811]") -> Files:
    """A system log with its year, the message each half minute."""
    said = [message] * 4 if message else []
    lines = ["2025-03-01T02:00:00+00:00 vm01 systemd[1]: Started Azure Linux Agent."]
    lines += [f"2025-03-01T02:{number:02}:30+00:00 vm01 {process}: {one}" for number, one in enumerate(said)]
    return {"var/log/syslog": "\n".join(lines) + "\n"}


def command_bundle(message: str | None) -> Files:
    """The output of the extension's command as the agent keeps it."""
    head = f"2025-03-01T02:10:0{{}}.002310Z INFO ExtHandler [{EXTENSION}-1.0.9225.0]"
    lines = [f"{head.format(3)} Executing command: /var/lib/waagent/{EXTENSION}-1.0.9225.0/main/handle.sh enable"]
    if message:
        lines += [f"{head.format(9)} Command: main/handle.sh enable", "[stdout]", "", "[stderr]", message]
    return {COMMAND_LOG: "\n".join(lines) + "\n"}


@dataclass(frozen=True, slots=True)
class Form:
    """One form in which a message stands in a bundle; ``without`` is the same bundle without it."""

    name: str
    files: Files
    without: Files


def forms(message: Mapping[str, Any]) -> list[Form]:
    """The bundles that hold a message: each era of its log."""
    text, level, log = text_of(message), str(message["level"]), str(message["log_source"])
    if log == "waagent_log":
        return [
            Form(f"agent log {era}", agent_bundle(era, level, text), agent_bundle(era, level, None))
            for era in _eras(message)
        ]
    if log == "vmsnapshot_extension_log":
        frozen = str(message["id"]).startswith("vs-bin-")
        code = 1 if harmless(message) else wordings()["codes"].get(message["id"], 2)
        return [
            Form(
                f"extension log {shape}, {'code ' + str(end) if end is not None else 'stops'}",
                extension_bundle(shape, text, level, end, frozen=frozen),
                extension_bundle(shape, None, level, end),
            )
            for shape in "AB"
            for end in ((code,) if message["id"] in wordings()["codes"] else (code, None))
        ]
    made: Mapping[str, Callable[[str | None], Files]] = {
        "vmsnapshot_shell_log": shell_bundle,
        "syslog": syslog_bundle,
        "command_execution_log": command_bundle,
        "vmsnapshot_host_daemon_log": _host_bundle,
        "waagent_status_json": _status_bundle,
    }
    return [Form(log, made[log](text), made[log](None))]


def _host_bundle(message: str | None) -> Files:
    lines = [
        "2025-03-01 02:10:01.000123 starting host daemon",
        *([f"2025-03-01 02:10:04.000123 {message}"] * bool(message)),
    ]
    return {HOST_LOG: "\n".join(lines) + "\n"}


def _status_bundle(message: str | None) -> Files:
    update = (
        f', "updateStatus": {{"expectedVersion": "2.15.0.1", "status": "Error", "code": 1, "formattedMessage": '
        f'{{"lang": "en-US", "message": "{message}"}}}}'
        if message
        else ""
    )
    return {
        "var/lib/waagent/waagent_status.json": '{"version": "1.1", "timestampUTC": "2025-03-01T02:10:00Z", '
        '"aggregateStatus": {"guestAgentStatus": {"version": "2.15.0.1", "status": "Ready", "formattedMessage": '
        f'{{"lang": "en-US", "message": "Guest Agent is running"}}{update}}}, "handlerAggregateStatus": []}}}}'
    }


def _eras(message: Mapping[str, Any]) -> list[str]:
    since, until = str(message.get("since") or ""), str(message.get("until") or "")
    if since.startswith("2.0."):
        return ["E0"]
    eras = []
    numbers = [int(one) for one in re.findall(r"\d+", since)]
    if since.startswith("<=") or (numbers[:2] == [2, 2] and numbers[2] <= 45):
        eras.append("E1")
    if not until.startswith("2.2."):
        eras.append("E3")
    return eras


# What is right


@cache
def modes() -> Mapping[str, tuple[str | None, frozenset[str]]]:
    """By failure mode its cause and all causes that it may give."""
    rows = _yaml(CATALOGUE / "failure_modes.yml")
    return {row["id"]: (row["cause"], frozenset({row["cause"], *row.get("also", ())} - {None})) for row in rows}


def harmless(message: Mapping[str, Any]) -> bool:
    return message["failure_mode"] in ("benign", "signal_context")


@cache
def _diagnosed(files: tuple[tuple[str, str], ...]) -> Verdicts:
    with TemporaryDirectory() as folder:
        for name, text in files:
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return {one.cause: one.verdict for one in scan([folder]).report.diagnoses}


def diagnosed(files: Files) -> Verdicts:
    """The diagnoses of a bundle, verdicts by cause."""
    return _diagnosed(tuple(sorted(files.items())))


def added(form: Form) -> Verdicts:
    """What the message alone brings to the bundle."""
    before = diagnosed(form.without)
    order = ("possible", "likely", "confirmed")
    rank = {word: number for number, word in enumerate(order)}
    return {
        cause: word
        for cause, word in diagnosed(form.files).items()
        if cause not in before or rank[word] > rank[before[cause]]
    }


def wrong(message: Mapping[str, Any], form: Form) -> str | None:
    """What is wrong with the causes that a message yields in a bundle, or None."""
    found = added(form)
    cause, allowed = modes()[message["failure_mode"]]
    allowed |= frozenset(wordings()["also"].get(message["id"], ()))
    surplus = [f"{name}={word}" for name, word in found.items() if name not in allowed | SYMPTOMS]
    if harmless(message):
        return f"harmless, but yields {', '.join(f'{a}={b}' for a, b in found.items())}" if found else None
    if surplus:
        return f"yields {', '.join(surplus)} where {', '.join(sorted(allowed)) or 'nothing'} is meant"
    if cause is not None and not allowed & (set(found) | (SYMPTOMS & set(diagnosed(form.files)))):
        return f"yields nothing of {', '.join(sorted(allowed))}"
    return None


# Tests

each_message = pytest.mark.parametrize("message", messages(), ids=[str(one["id"]) for one in messages()])


@needs_reference
@each_message
def test_a_message_yields_a_cause_of_its_failure_mode_and_no_other(message: Mapping[str, Any]) -> None:
    if message["id"] in reasons():
        pytest.skip(reasons()[message["id"]])
    for form in forms(message):
        assert (form.name, wrong(message, form)) == (form.name, None)


@needs_reference
def test_every_reason_is_of_a_known_message_that_a_signature_indeed_leaves_alone() -> None:
    by_id = {str(one["id"]): one for one in messages()}
    assert set(reasons()) <= set(by_id)
    needless = [name for name in reasons() if all(wrong(by_id[name], form) is None for form in forms(by_id[name]))]
    assert needless == []


@cache
def causes_of_codes() -> Mapping[str, frozenset[str]]:
    """By code of the extension the causes that the catalogue gives for it."""
    found = load_catalogue().errors
    return {
        str(row["code"]): frozenset(found[row["error"]].causes) if row.get("error") else frozenset()
        for row in _yaml(CATALOGUE / "vmsnapshot_codes.yml")["status_codes"]
    }


def status_bundle(code: int) -> Files:
    """A status file alone: success outside, the code inside, no message."""
    inner = {"status": {"name": EXTENSION, "operation": "Enable", "status": "error", "code": str(code)}}
    outer = {
        "version": "1.0",
        "timestampUTC": "2025-03-01T02:10:32Z",
        "status": {
            "name": EXTENSION,
            "operation": "Enable",
            "status": "success",
            "code": str(code),
            "commandStartTimeUTCTicks": "638763917840000000",
            "formattedMessage": {"lang": "en-US", "message": ""},
            "substatus": [{"code": "0", "name": json.dumps([inner]), "status": "success"}],
        },
    }
    return {f"var/lib/waagent/{EXTENSION}-1.0.9225.0/status/7.status": json.dumps([outer])}


def job_bundle(code: str) -> Files:
    """A failed job of the service that names the error, in the words of its text."""
    job = {
        "name": "11111111-2222-4333-8444-555555555555",
        "properties": {
            "jobType": "AzureIaaSVMJob",
            "backupManagementType": "AzureIaasVM",
            "entityFriendlyName": "vm01",
            "operation": "Backup",
            "status": "Failed",
            "startTime": "2025-03-01T02:00:00Z",
            "endTime": "2025-03-01T03:00:00Z",
            "errorDetails": [{"errorCode": 400001, "errorTitle": code, "errorString": code}],
        },
    }
    return {"jobs.json": json.dumps([job])}


each_code = pytest.mark.parametrize("row", error_codes(), ids=[f"{one['code']}" for one in error_codes()])


@needs_reference
@each_code
def test_a_code_of_the_extension_yields_a_cause_of_it_from_each_place_that_it_stands_in(row: Mapping[str, Any]) -> None:
    code = int(row["code"])
    meant = causes_of_codes()[str(code)]
    fine = row["error_class"] in ("success", "in_progress")
    for files in (
        status_bundle(code),
        extension_bundle("A", None, "Info", code),
        extension_bundle("B", None, "Info", code),
    ):
        found = set(diagnosed(files))
        if fine:
            assert found == set()
        elif str(code) in wordings()["code_reasons"]:
            assert found <= SYMPTOMS
        else:
            assert found <= meant | SYMPTOMS
    # What the log says beside the code names the cause where the number alone cannot.
    if not fine and str(code) not in wordings()["code_reasons"]:
        told = {*diagnosed(status_bundle(code)), *diagnosed(extension_bundle("A", None, "Info", code))}
        assert meant & told


@needs_reference
def test_a_launcher_that_ends_with_a_number_is_a_failed_extension_and_with_zero_none() -> None:
    assert diagnosed(shell_bundle("0 returned from handle.py")) == {}
    for number in (1, 2, 3, 126, 127, 255):
        assert "vmsnapshot-extension-failed" in diagnosed(shell_bundle(f"{number} returned from handle.py"))


@needs_reference
def test_an_error_that_the_service_names_for_a_code_of_the_extension_supports_its_causes() -> None:
    named: dict[str, frozenset[str]] = {}
    for one in error_codes():
        if error := one.get("azure_backup_error"):
            named[str(error)] = named.get(str(error), frozenset()) | causes_of_codes()[str(one["code"])]
    assert len(named) > 5
    for error, causes in named.items():
        assert (error, bool(causes & set(diagnosed(job_bundle(error))))) == (error, True)


# What healthy machines log as well (linux.md 6)

HEALTHY = [(where, text) for where, texts in wordings()["healthy"].items() for text in texts]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        pytest.param(*one, id=one[1][:40], marks=() if number % 4 == 0 else (pytest.mark.slow,))
        for number, one in enumerate(HEALTHY)
    ],
)
def test_what_healthy_machines_log_as_well_supports_nothing(where: str, text: str) -> None:
    if where == "agent":
        assert added(Form(where, agent_bundle("E3", "WARNING", text), agent_bundle("E3", "WARNING", None))) == {}
        return
    for shape in "AB":
        assert diagnosed(extension_bundle(shape, text, "Error", 1)) == {}
        failing = Form(where, extension_bundle(shape, text, "Error", 2), extension_bundle(shape, None, "Error", 2))
        assert added(failing) == {}


def test_every_cause_of_a_linux_guest_has_a_signature_or_a_reason() -> None:
    rules = builtin_rules()
    signatures: tuple[Rule | Correlation, ...] = (*rules.rules, *rules.correlations)
    supported = {
        one.attribution.cause
        for one in signatures
        if one.attribution is not None and one.attribution.role == "supports"
        for source in one.logsources
        if source.product == "linux"
    }
    excused = {row["cause"] for row in _yaml(CATALOGUE / "no_signature.yml") if row["platform"] == "linux"}
    shown = {cause.id for cause in load_catalogue().causes.values() if cause.platform in ("linux", "both")}
    assert shown - supported == excused
    assert len(shown) > 60


def main(only: Sequence[str]) -> None:
    """Prints a row for each message and form."""
    counts: dict[str, int] = {}
    for message in messages():
        if only and not any(word in message["id"] for word in only):
            continue
        for form in forms(message):
            found = added(form)
            fault = wrong(message, form)
            word = "ok" if fault is None else "reason" if message["id"] in reasons() else "WORK"
            counts[word] = counts.get(word, 0) + 1
            told = ", ".join(f"{cause}={verdict}" for cause, verdict in found.items())
            sys.stdout.write(
                f"{word:7}{message['id']:34}{form.name:28}{message['failure_mode']:28}{told}  {fault or ''}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"{counts}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
