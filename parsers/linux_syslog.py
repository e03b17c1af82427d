"""Logs of syslog daemons: syslog, messages, kern.log, auth.log, secure, daemon.log (linux.md 2.8).

RFC 3164, RFC 5424 and RFC 3339 prefixes may stand in one file; a relay's own prefix may stand in front. The log source
is SigmaHQ's, by the name of the file; without a name, lines of the kernel alone are the kernel's log.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, parsed_log
from loganalyzer.parser_syslog import (
    CERTAIN_SYSLOG_LINE,
    NEW_SYSLOG_LINE,
    NO_YEAR,
    STAMPLESS_LINE,
    SYSLOG_LINE,
    read_syslog,
)

NAME = (
    r"(?:^|[/!]|truncated_+(?:var_log_)?)(?:syslog|messages|localmessages|secure|authlog|maillog"
    r"|(?:kern|auth|daemon|cron)(?:\.log)?|(?:user|debug|warn|mail)\.(?:log|info|err|warn))(?:[.-][^/!]*)?$"
)
_SERVICES = (("kernel", r"kern"), ("auth", r"auth|authlog|secure"), ("cron", r"cron"))
PATH = "var/log/syslog"


class LinuxSyslog:
    """The files that rsyslog, syslog-ng and busybox write."""

    name = "linux_syslog"
    title = "Linux system logs: syslog, messages, kern.log, auth.log, secure, daemon.log"
    logsource = LogSource(product="linux", service="syslog")
    paths = (
        *("var/log/syslog*", "var/log/messages*", "var/log/kern.log*", "var/log/auth.log*", "var/log/secure*"),
        *("var/log/daemon.log*", "var/log/cron*", "truncated_*syslog*"),
    )
    named = NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name and a line with a stamp and a program; under another name such a line is needed."""
        named = re.search(NAME, path.replace("\\", "/"), re.IGNORECASE) is not None
        line = f"{SYSLOG_LINE}|{STAMPLESS_LINE}" if named else CERTAIN_SYSLOG_LINE
        return claim_by(path, head, name=NAME, content=f"{line}|{NEW_SYSLOG_LINE}", text="a Linux system log")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame. A stamp without a year has no time unless the file itself tells the year."""
        entries, rows = read_syslog(source, context)
        service = _service(source.name)
        if service is None:
            programs = rows["process.name"].drop_nulls().unique().to_list()
            service = "kernel" if programs == ["kernel"] else "syslog"
        return parsed_log(source, entries, LogSource("linux", service), rows.drop("grammar"))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every form of a stamp, with and without host, year and program."""
        return (*_old_samples(), *_new_samples(), *_file_samples())


def _service(name: str) -> str | None:
    if re.search(NAME, name, re.IGNORECASE) is None:
        return None
    bare = re.sub(r"^truncated_+(?:var_log_)?", "", name, flags=re.IGNORECASE)
    return next((service for service, words in _SERVICES if re.match(rf"(?:{words})(?:\W|$)", bare, re.I)), "syslog")


def _old_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "no year and none told",
            PATH,
            b"Mar  1 02:10:03 vm01 systemd[1]: Started Azure Linux Agent.\n"
            b"Mar 11 02:10:04 vm01 CRON[4711]: (root) CMD (true)\n"
            b"Mar 11 02:10:05 vm01 last message repeated 2 times\n"
            b"Mar 11 02:10:06 vm01 user.warn sshd(pam_unix)[12]: no session\n",
            (
                {
                    "@timestamp": None,
                    "time.assumed": NO_YEAR,
                    "host.name": "vm01",
                    "process.name": "systemd",
                    "process.pid": 1,
                    "message": "Started Azure Linux Agent.",
                    "facility": None,
                    "priority": None,
                },
                {"process.name": "CRON", "process.pid": 4711, "message": "(root) CMD (true)"},
                {"process.name": None, "host.name": "vm01", "message": "last message repeated 2 times"},
                {"process.name": "sshd(pam_unix)", "facility": "user", "priority": 4, "log.level": "warning"},
            ),
        ),
        Sample(
            "lines of the Linux agent tell the year, the zone and their own time",
            "var/log/messages-20250302",
            b"Dec 31 23:59:58 vm01 python3[1036]: 2024-12-31T22:59:57.500000Z INFO ExtHandler ExtHandler "
            b"[HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is running as the goal state agent\n"
            b"Dec 31 23:59:59 vm01 systemd[1]: Stopping Azure Linux Agent...\n"
            b"Jan  1 00:00:01 vm01 WALinuxAgent[1036]: 2024-12-31T23:00:01.000000Z ERROR ExtHandler "
            b"[Example.Handler-1.2.3] Enable failed\r\n"
            b"Jan  1 00:00:02 vm01 python[99]: 2024/12/31 23:00:02.000000 INFO Daemon Run daemon\n",
            (
                {
                    "@timestamp": datetime(2024, 12, 31, 22, 59, 57, 500000, tzinfo=UTC),
                    "time.assumed": None,
                    "process.name": "python3",
                    "process.pid": 1036,
                    "log.level": "INFO",
                    "log.logger": "ExtHandler",
                    "process.thread.name": "ExtHandler",
                    "message": "[HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is running as the goal state agent",
                },
                {
                    "@timestamp": datetime(2024, 12, 31, 22, 59, 59, tzinfo=UTC),
                    "time.assumed": "the year is that of full times in the same file; "
                    "local time, UTC+01:00 measured in the file",
                },
                {
                    "@timestamp": datetime(2024, 12, 31, 23, 0, 1, tzinfo=UTC),
                    "process.name": "WALinuxAgent",
                    "handler": "Example.Handler",
                    "handler_version": "1.2.3",
                    "log.level": "ERROR",
                    "message": "Enable failed",
                },
                {
                    "@timestamp": datetime(2024, 12, 31, 23, 0, 2, tzinfo=UTC),
                    "log.logger": "Daemon",
                    "process.thread.name": None,
                    "message": "Run daemon",
                },
            ),
        ),
        Sample(
            "the host was stripped, the name of the file has the date",
            "var/log/messages-20250302",
            b"Mar  1 02:10:3 python: first line\nMar  1 02:10:04 dhclient[7]: bound to 10.0.0.4\n  a second line\n"
            b"Mar  1 02:10:05  dhclient[7]: the blank behind the host is left\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                    "host.name": None,
                    "process.name": "python",
                    "time.assumed": "the year is that of the date in the file's name; "
                    "local time of an unknown zone, read as UTC",
                },
                {"process.name": "dhclient", "process.pid": 7, "message": "bound to 10.0.0.4\n  a second line"},
                {"process.name": "dhclient", "host.name": None, "message": "the blank behind the host is left"},
            ),
        ),
    )


def _new_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "RFC 3339 and RFC 5424, with and without priority",
            PATH,
            b"2025-03-01T03:10:03.123456+01:00 vm01 systemd[1]: walinuxagent.service: Failed with result 'exit-code'.\n"
            b"2025-03-01 02:10:04 vm01 kernel: [   12.500000] EXT4-fs error (device sda1): ext4_find_entry\n"
            b'<30>1 2025-03-01T02:10:05Z vm01 waagent 77 - [a@1 k="v\\]"] service started\n'
            b"1 2025-03-01T02:10:06Z - - - - -\n"
            b"<11>Mar  1 02:10:07 vm01 app: an error\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 123456, tzinfo=UTC),
                    "time.assumed": None,
                    "process.name": "systemd",
                },
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 4, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "process.name": "kernel",
                    "boot_seconds": 12.5,
                    "message": "EXT4-fs error (device sda1): ext4_find_entry",
                },
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 5, tzinfo=UTC),
                    "facility": "daemon",
                    "priority": 6,
                    "log.level": "info",
                    "process.name": "waagent",
                    "process.pid": 77,
                    "structured_data": '[a@1 k="v\\]"]',
                    "message": "service started",
                },
                {"host.name": None, "process.name": None, "process.pid": None, "message": ""},
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 7, tzinfo=UTC),
                    "facility": "user",
                    "priority": 3,
                    "log.level": "err",
                },
            ),
        ),
        Sample(
            "a relay's prefix in front of the origin's",
            "var/log/messages",
            b"2025-03-01T02:10:03+00:00 relay01 Mar  1 02:10:02 vm01 sshd[5]: Connection closed\n"
            b"Mar  1 02:10:09 relay01 2025-03-01T02:10:08Z vm01 sudo: pam_unix(sudo:session): session opened\n",
            (
                {
                    "host.name": "vm01",
                    "relay": "relay01",
                    "process.name": "sshd",
                    "process.pid": 5,
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 2, tzinfo=UTC),
                },
                {
                    "host.name": "vm01",
                    "process.name": "sudo",
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 8, tzinfo=UTC),
                    "message": "pam_unix(sudo:session): session opened",
                },
            ),
        ),
    )


def _file_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "the end of a long file, with a hole",
            "truncated__var_log_syslog.1",
            b"lf a line\n2025-03-01T02:10:03Z vm01 app[1]: x\n\0\0\0\n",
            ({"@timestamp": None, "message": "lf a line"}, {"process.name": "app", "message": "x"}),
            rejected=1,
        ),
        Sample(
            "every line has its head twice",
            PATH,
            b"Mar  1 02:10:03 vm01 python3[7]: Mar  1 02:10:03 vm01 python3[7]: "
            b"2025-03-01T02:10:03.000000Z ERROR Daemon Daemon failed\n"
            b"Mar  1 02:10:04 vm01 Mar  1 02:10:04 vm01 app[8]: x\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                    "time.assumed": None,
                    "host.name": "vm01",
                    "process.name": "python3",
                    "process.pid": 7,
                    "log.level": "ERROR",
                    "message": "failed",
                },
                {"process.name": "app", "host.name": "vm01", "message": "x"},
            ),
        ),
        Sample(
            "an excerpt that lost its times",
            PATH,
            b"vm01 systemd[1]: walinuxagent.service: Failed with result 'exit-code'.\n"
            b"kernel: Out of memory: Killed process 4711 (python3)\n  a second line\n"
            b"python3[7]: 2025-03-01T02:10:03.000000Z INFO Daemon Daemon Run daemon\n",
            (
                {
                    "@timestamp": None,
                    "time.assumed": None,
                    "host.name": "vm01",
                    "process.name": "systemd",
                    "process.pid": 1,
                },
                {"process.name": "kernel", "message": "Out of memory: Killed process 4711 (python3)\n  a second line"},
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC), "message": "Run daemon"},
            ),
        ),
        Sample(
            "kern.log",
            "var/log/kern.log",
            b"Mar  1 02:10:04 vm01 kernel: [    1.000000] audit: type=2000 audit(1740795004.100:1): state=initialized\n"
            b"Mar  1 02:11:04 vm01 kernel: [   61.000000] Out of memory: Killed process 4711 (python3)\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 4, tzinfo=UTC),
                    "process.name": "kernel",
                    "time.assumed": "the year is that of full times in the same file; "
                    "local time, UTC+00:00 measured in the file",
                },
                {"message": "Out of memory: Killed process 4711 (python3)", "boot_seconds": 61.0},
            ),
        ),
        Sample(
            "auth.log",
            "var/log/auth.log.1",
            b"2025-03-01T02:10:03+00:00 vm01 sshd[5]: Accepted publickey for azureuser\n",
            ({"process.name": "sshd", "message": "Accepted publickey for azureuser"},),
        ),
    )


parser: Parser = LinuxSyslog()
