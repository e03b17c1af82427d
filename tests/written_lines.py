"""Lines as the Linux agent, the snapshot extension and syslog daemons write them, in every era and form (linux.md 2).

For tests: the same text in each form, with the level, thread and logger that a reader has to find in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST = datetime(2025, 3, 1, 2, 10, 0, 125000, tzinfo=UTC)
HANDLER, HANDLER_VERSION = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux", "1.0.9225.0"
FOLDER = f"var/log/azure/{HANDLER}"
Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One text that a program logs, with the level of the call; ``versions``: first and last that have it."""

    id: str
    level: str
    text: str
    versions: tuple[Version, Version]


@dataclass(frozen=True, slots=True)
class Form:
    """How an era writes a record: ``write`` gives its text with the line end, ``expect`` the columns of its rows.

    ``path`` and ``parser`` are where it stands and who has to claim it; ``versions`` the first and last of the program
    that write it so; ``fits`` refuses messages that cannot stand in this form.
    """

    name: str
    path: str
    parser: str
    versions: tuple[Version, Version]
    write: Callable[[datetime, Message], str]
    expect: Callable[[datetime, Message], list[dict[str, object]]]
    fits: Callable[[Message], bool] = lambda message: True
    before: str = ""

    def takes(self, message: Message) -> bool:
        """Whether a program that has the message writes this form."""
        first, last = message.versions
        return first <= self.versions[1] and self.versions[0] <= last and self.fits(message)

    def file(self, messages: Sequence[Message]) -> tuple[bytes, list[dict[str, object]]]:
        """A log of these messages, a second apart, and its rows."""
        times = [FIRST + timedelta(seconds=number) for number in range(len(messages))]
        text = self.before + "".join(self.write(*pair) for pair in zip(times, messages, strict=True))
        return text.encode(), [row for pair in zip(times, messages, strict=True) for row in self.expect(*pair)]


ALL: tuple[Version, Version] = ((0,), (9999,))
_ISO, _SLASHES = "%Y-%m-%dT%H:%M:%S.%fZ", "%Y/%m/%d %H:%M:%S.%f"


def agent_forms() -> list[Form]:
    """waagent.log and CommandExecution.log of every era (linux.md 2.1, 2.3)."""
    eras = (
        ("2.1 to 2.2.45", _SLASHES, ((2, 1), (2, 2, 45)), (None,)),
        ("2.2.46", _ISO, ((2, 2, 46), (2, 2, 46)), (None,)),
        ("2.2.47 and later", _ISO, ((2, 2, 47), (9999,)), ("ExtHandler", "Daemon", "MonitorHandler", "Thread-7 (run)")),
    )
    forms = [_oldest_agent()]
    for name, stamp, versions, threads in eras:
        for thread in threads:
            forms += [
                _agent(name, stamp, versions, thread, role)
                for role in ("ExtHandler", "Daemon", "LogCollector", "Firewall")
            ]
            forms += [_agent(name, stamp, versions, thread, None, path) for path in (WAAGENT, COMMANDS)]
            forms.append(_event(name, stamp, versions, thread))
        forms.append(_agent(name, stamp, versions, "EnvHandler" if threads[0] else None, ""))
    return forms


WAAGENT, COMMANDS = "var/log/waagent.log", f"{FOLDER}/CommandExecution.log"
_PARSERS = {WAAGENT: "waagent_log", COMMANDS: "command_execution_log"}


def _oldest_agent() -> Form:
    def write(time: datetime, message: Message) -> str:
        level = "" if message.level == "INFO" else f"{message.level}:"
        return "".join(f"{time:%Y/%m/%d %H:%M:%S} {level}{line}\n" for line in message.text.split("\n"))

    def expect(time: datetime, message: Message) -> list[dict[str, object]]:
        return [
            {
                "@timestamp": time.replace(microsecond=0),
                "log.level": message.level,
                "message": line,
                "process.thread.name": None,
                "log.logger": None,
            }
            for line in message.text.split("\n")
        ]

    return Form("agent 2.0", WAAGENT, "waagent_log", ((2, 0), (2, 0, 9999)), write, expect)


def _agent(
    era: str,
    stamp: str,
    versions: tuple[Version, Version],
    thread: str | None,
    role: str | None,
    path: str = WAAGENT,
) -> Form:
    """``role`` None: the bracket of a handler stands in its place; empty: nothing does."""
    prefix = f"[{HANDLER}-{HANDLER_VERSION}]" if role is None else role
    head = " ".join(part for part in (thread, prefix) if part)

    def write(time: datetime, message: Message) -> str:
        return f"{time.strftime(stamp)} {message.level} {head}{' ' if head else ''}{message.text}\n"

    def expect(time: datetime, message: Message) -> list[dict[str, object]]:
        row: dict[str, object] = {
            "@timestamp": time,
            "log.level": message.level,
            "message": message.text,
            "process.thread.name": thread,
            "handler": HANDLER if role is None else None,
            "handler_version": HANDLER_VERSION if role is None else None,
        }
        return [row if path == COMMANDS else {**row, "log.logger": role or None}]

    roles = ("Daemon ", "ExtHandler ", "LogCollector ", "Firewall ")
    # A text without prefix that begins with a role's name cannot be told from one with it.
    fits = (lambda message: not message.text.startswith(roles)) if not prefix else (lambda message: True)
    where = "CommandExecution.log" if path == COMMANDS else "waagent.log"
    name = f"{where} {era}, {thread or 'no thread'}, {'handler' if role is None else role or 'no role'}"
    return Form(name, path, _PARSERS[path], versions, write, expect, fits)


def _event(era: str, stamp: str, versions: tuple[Version, Version], thread: str | None) -> Form:
    def as_event(message: Message) -> Message:
        text = f"Event: name={HANDLER}, op=Enable, message={message.text}, duration=12"
        return Message(message.id, "ERROR", text, message.versions)

    plain = _agent(era, stamp, versions, thread, "ExtHandler")
    return Form(
        f"event of {plain.name}",
        plain.path,
        plain.parser,
        versions,
        lambda time, message: plain.write(time, as_event(message)),
        lambda time, message: plain.expect(time, as_event(message)),
    )


def snapshot_forms() -> list[Form]:
    """extension.log and host_based_extension.log (linux.md 2.5)."""
    forms = [_shape_a(f"{FOLDER}/{name}") for name in ("extension.log", "host_based_extension.log")]
    forms += [_shape_b(level) for level in ("", "ERROR", "WARNING")]
    return [*forms, _shape_c(False), _shape_c(True), _shape_c2(False), _shape_c2(True)]


_SHAPED = "vmsnapshot_extension_log"


def _shape_a(path: str) -> Form:
    def write(time: datetime, message: Message) -> str:
        return f"{time:%Y-%m-%d %H:%M:%S.%f} [{HANDLER}-1.0]{message.text}\n"

    def expect(time: datetime, message: Message) -> list[dict[str, object]]:
        row: dict[str, object] = {"@timestamp": time, "log.level": None, "message": message.text, "shape": "A"}
        row["handler"] = HANDLER
        return [row]

    return Form(f"shape A in {path.rsplit('/')[-1]}", path, _SHAPED, ALL, write, expect)


def _shape_b(level: str) -> Form:
    """Python 2 puts the stamp and the level in front of every line, the bracket only in front of the first."""
    glued = f"{level}:" if level else ""

    def write(time: datetime, message: Message) -> str:
        first, *others = message.text.split("\n")
        head = f"{time:%Y/%m/%d %H:%M:%S} {glued}"
        return f"{head}[{HANDLER}-1.0]{first}\n" + "".join(f"{head}{line}\n" for line in others)

    def expect(time: datetime, message: Message) -> list[dict[str, object]]:
        time = time.replace(microsecond=0)
        text = message.text.lstrip(" ").rstrip("\n ")  # a blank may stand between bracket and text
        return [
            {"@timestamp": time, "log.level": level or None, "message": text, "handler": HANDLER, "shape": "B"},
        ]

    return Form(f"shape B {level or 'without level'}", f"{FOLDER}/extension.log", _SHAPED, ALL, write, expect)


def _shape_c(between: bool) -> Form:
    """Lines of a freeze block, alone or between two lines of shape A."""

    def write(time: datetime, message: Message) -> str:
        outer = f"{time:%Y-%m-%d %H:%M:%S.%f} [{HANDLER}-1.0]=== Logs during Freeze Start ===\n" if between else ""
        return f"{outer}{time:%Y/%m/%d %H:%M:%S.%f}  {message.level.capitalize()}  {message.text} \n"

    def expect(time: datetime, message: Message) -> list[dict[str, object]]:
        outer: dict[str, object] = {"shape": "A", "message": "=== Logs during Freeze Start ==="}
        row: dict[str, object] = {
            "@timestamp": time,
            "log.level": message.level.upper(),
            "message": _in_block(message.text),
            "shape": "C",
        }
        return [outer, row] if between else [row]

    name = "shape C behind shape A" if between else "shape C"
    return Form(name, f"{FOLDER}/extension.log", _SHAPED, ALL, write, expect)


def _shape_c2(framed: bool) -> Form:
    """The blob of the service, and behind a stamp of Python 2."""
    path = f"{FOLDER}/extension.log" if framed else "upload/blob-1"

    def write(time: datetime, message: Message) -> str:
        frame = f"{time:%Y/%m/%d %H:%M:%S} "
        first, *others = message.text.split("\n")
        head = f"{frame if framed else ''}{time:%Y-%m-%d %H:%M:%S.%f}  {message.level.capitalize()}  "
        rest = "".join(f"\n{frame if framed else ''}{line}" for line in others)
        return f"{head}{first}{rest} \n"

    def expect(time: datetime, message: Message) -> list[dict[str, object]]:
        text = message.text.rstrip("\n ") if framed else _in_block(message.text)
        row = {"@timestamp": time, "log.level": message.level.upper(), "message": text, "shape": "C2"}
        return [row]

    return Form(f"shape C2 {'behind B' if framed else 'of the blob'}", path, _SHAPED, ALL, write, expect)


def _in_block(text: str) -> str:
    """A blank ends each record: it is no part of a line, and stays behind the last of several."""
    return f"{text} " if "\n" in text else text


def shell_forms() -> list[Form]:
    """shell.log of the snapshot extension, in both its stamps (linux.md 2.6)."""
    path = f"{FOLDER}/shell.log"

    def rows(time: datetime, message: Message) -> list[dict[str, object]]:
        return [{"@timestamp": time, "message": message.text, "log.level": None}]

    return [
        Form(
            "shell.log of handle.sh",
            path,
            "vmsnapshot_shell_log",
            ALL,
            lambda time, message: f"{time:%a %b} {time.day:2} {time:%H:%M:%S} UTC {time:%Y}- {message.text}\n",
            lambda time, message: rows(time.replace(microsecond=0), message),
        ),
        Form(
            "shell.log of the host daemon",
            path,
            "vmsnapshot_shell_log",
            ALL,
            lambda time, message: f"[{time:%Y-%m-%d %H:%M:%S}:{time:%f}789] {message.text}\n",
            rows,
        ),
    ]


def copied_forms(plain: Form) -> list[Form]:
    """The agent's lines as systemd hands them on to the journal and to syslog, each physical line for itself (2.8)."""
    stamps: tuple[tuple[str, str, str, Callable[[datetime], str]], ...] = (
        ("RFC 3164", "var/log/syslog", "linux_syslog", lambda time: f"{time:%b} {time.day:2} {time:%H:%M:%S} vm01 "),
        (
            "RFC 3164 with a priority",
            "var/log/messages",
            "linux_syslog",
            lambda time: f"<30>{time:%b %d %H:%M:%S} vm01 ",
        ),
        ("RFC 3164, year and no host", "var/log/messages", "linux_syslog", lambda time: f"{time:%Y %b %d %H:%M:%S} "),
        ("RFC 3339", "var/log/syslog.1", "linux_syslog", lambda time: f"{time:%Y-%m-%dT%H:%M:%S.%f}+00:00 vm01 "),
        ("journal, short", "journalctl.txt", "journal_text", lambda time: f"{time:%b %d %H:%M:%S} vm01 "),
        ("journal, precise", "journalctl.txt", "journal_text", lambda time: f"{time:%b %d %H:%M:%S.%f} vm01 "),
        ("journal, ISO", "journalctl.txt", "journal_text", lambda time: f"{time:%Y-%m-%dT%H:%M:%S}+0000 vm01 "),
        ("journal, full", "journalctl.txt", "journal_text", lambda time: f"{time:%a %Y-%m-%d %H:%M:%S} UTC vm01 "),
        ("journal, unix", "journalctl.txt", "journal_text", lambda time: f"{time.timestamp():.6f} vm01 "),
    )
    forms = [_copied(plain, *stamp, "python3[1036]: ") for stamp in stamps]
    forms.append(_copied(plain, *stamps[0], "waagent: "))
    new = ("RFC 5424", "var/log/syslog", "linux_syslog", lambda time: f"<30>1 {time:%Y-%m-%dT%H:%M:%S.%fZ} vm01 ")
    return [*forms, _copied(plain, *new, "walinuxagent 1036 - - ")]


def _copied(plain: Form, name: str, path: str, parser: str, stamp: Callable[[datetime], str], program: str) -> Form:
    def first_line(message: Message) -> Message:
        return Message(message.id, message.level, message.text.split("\n")[0], message.versions)

    def line_time(time: datetime) -> datetime:
        """The agent's own time where it is UTC, else that of the line."""
        exact = plain.versions[0] >= (2, 2, 46) or "125" in stamp(time)
        return time if exact else time.replace(microsecond=0)

    return Form(
        f"{plain.name} in {name} of {program.split('[')[0].split()[0]}",
        path,
        parser,
        plain.versions,
        lambda time, message: stamp(time) + program + plain.write(time, first_line(message)),
        lambda time, message: plain.expect(line_time(time), first_line(message)),
        plain.fits,
    )


def forms() -> list[Form]:
    """Every form of every log."""
    agent = agent_forms()
    handed_on = ("no thread, ExtHandler", "ExtHandler, ExtHandler", "ExtHandler, handler", "no thread, handler")
    copied = [
        form
        for plain in agent
        if plain.path == WAAGENT and plain.name.endswith(handed_on)
        for form in copied_forms(plain)
    ]
    return [*agent, *snapshot_forms(), *shell_forms(), *copied]
