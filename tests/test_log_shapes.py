"""Every era and shape of a text log has a sample in its parser (linux.md 1.3-2.10, windows.md 1.3-2.4)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from loganalyzer.registry import parsers

#: By parser: a shape, and the sample that shows it.
SHAPES: Mapping[str, Mapping[str, str]] = {
    "waagent_log": {
        "E0, agent 2.0": "oldest era: glued level, every physical line has the stamp",
        "E1, agent 2.1 to 2.2.45": "2.1 to 2.2.45: local stamp, no thread",
        "E2, agent 2.2.46": "2.2.46: UTC, no thread",
        "E3, agent 2.2.47 and later": "2.2.47 and later: UTC, thread and role or handler",
        "eras mixed in a file": "a daemon of 2.2.45 hands over to a child that writes UTC: its offset is known",
        "cut by the log collector": "the end of a long file, kept by the log collector",
        "without times": "an excerpt that lost its times",
    },
    "command_execution_log": {
        "E1": "an agent that writes local time, and the rest of an entry whose beginning was cut off",
        "E2": "2.2.46 names no thread; a script in base64",
        "E3": "a command and its output",
    },
    "vmsnapshot_extension_log": {
        "A in UTC, B of an error, C in a block": "Python 3: UTC lines, a freeze block with true times, a local error "
        "between UTC lines",
        "A in local time; host_based_extension.log": "a release that wrote local time: its own utcNow shows the offset",
        "C without marks": "Python 3 before 2020-03: a freeze block without marks around it",
        "B of Python 2": "Python 2: every line is local, further lines have a stamp of their own",
        "C2 behind B": "Python 2 with UTC inside and local time outside: the difference is the offset",
        "C2 of the blob": "the service-side log blob",
        "died before it logged": "only a traceback: the program died before it could log",
    },
    "vmsnapshot_shell_log": {
        "date -u in C, and the host daemon": "C locale, an interpreter's complaint, and the host daemon",
        "date -u elsewhere": "other locales",
    },
    "handler_log": {
        "the extensions' common code": "the extensions' common code, and a traceback",
        "a folder for each version": "older versions had a folder of their own",
        "logfmt": "logfmt of extensions in Go",
        "JSON": "JSON, ISO 8601 and Python's own form",
    },
    "linux_syslog": {
        "RFC 3164": "no year and none told",
        "the agent's lines in it": "lines of the Linux agent tell the year, the zone and their own time",
        "RFC 3339 and RFC 5424": "RFC 3339 and RFC 5424, with and without priority",
        "relayed": "a relay's prefix in front of the origin's",
        "doubled": "every line has its head twice",
        "without host": "the host was stripped, the name of the file has the date",
        "without times": "an excerpt that lost its times",
        "cut by the log collector": "the end of a long file, with a hole",
        "kern.log": "kern.log",
        "auth.log": "auth.log",
    },
    "journal_text": {
        "short": "short, with the head line and two starts",
        "short-precise and ISO": "short-precise, short-iso and short-iso-precise",
        "full, with-unit, unix": "short-full, with-unit and short-unix",
        "monotonic": "short-monotonic",
    },
    "journal_records": {
        "json": "json, a line an entry, one of them torn",
        "json-pretty": "json-pretty",
        "export": "export, with a value of two lines and a line that is no field",
        "verbose": "verbose",
    },
    "dmesg_text": {
        "seconds": "seconds since the start, none of them placed",
        "dates": "dmesg -T, and stamps of ISO 8601",
        "differences": "dmesg -e and dmesg -d",
    },
    "cloud_init_log": {"cloud-init.log": "cloud-init.log with a traceback", "output": "cloud-init-output.log"},
    "dhcp_lease": {
        "ISC": "dhclient, the last lease without option 245",
        "ISC, private-245": "dhclient of another distribution, its beginning cut",
        "systemd-networkd": "systemd-networkd",
        "NetworkManager": "NetworkManager's own client",
        "wicked": "wicked",
    },
    "collect_logs_results": {"collect-logs": "a listing, a file that is not there, an archive that is full"},
    "disk_inspection": {"results.txt": "operations", "diskinfo.txt": "free space"},
    "disk_statvfs": {"partitions of diskinfo.txt": "a full partition"},
    "waappagent_log": {
        "A, B, C and a head that was lost": "three eras in one file, and a head that was lost",
        "an exception": "an exception over several lines",
    },
    "transparentinstaller_log": {
        "era A": "a broken machine.config",
        "eras B and C, health report": "a report of the VM's health between its banners, in later stamps",
    },
    "windows_platform_log": {
        "1, heads like the agent's": "heads like the agent's",
        "2, ISO 8601 and a date with a clock": "a date without a zone",
        "2, with comma and offset, mixed": "forms that change from line to line",
        "3, a region's date": "dates of a region, day first",
        "3, with AM and PM": "dates of a region, hours AM and PM",
        "4, hours": "hours alone are no time",
        "none": "no head that is known",
    },
    "sql_writer_log": {"SqlWriterLogger": "an error between two steps"},
    "workload_backup_log": {"plug-in": "a plug-in", "database": "the database"},
}


def test_the_table_names_parsers_that_exist() -> None:
    assert {parser.name for parser in parsers()} >= set(SHAPES)
    assert sum(len(shapes) for shapes in SHAPES.values()) > 60


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_a_log_has_a_sample_with_events(name: str) -> None:
    [parser] = [one for one in parsers() if one.name == name]
    samples = {sample.name: sample for sample in parser.samples}
    for shape, sample in SHAPES[name].items():
        assert sample in samples, f"no sample shows {shape}"
        assert samples[sample].events
    assert len(set(SHAPES[name].values())) == len(SHAPES[name])
