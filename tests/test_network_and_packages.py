"""Outputs and files about network, processes, packages and rights: who takes them and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loganalyzer.known_files import known_file
from loganalyzer.parser import ParseContext, Source
from loganalyzer.pipeline import scan
from loganalyzer.registry import recognise
from loganalyzer.transcript import read_source

_AVC = (
    'type=AVC msg=audit(1740795003.123:456): avc:  denied  { write } for  pid=1 comm="python3" name="waagent" '
    "scontext=system_u:system_r:init_t:s0 tclass=dir permissive=0\n"
)
_PS = (
    "UID          PID    PPID  C STIME TTY          TIME CMD\n"
    "root           1       0  0 02:00 ?        00:00:01 /sbin/init\n"
)
_OTHERS = "".join(
    f"root         {n}       1  0 02:00 ?        00:00:00 /usr/sbin/daemon{n} -f\n" for n in range(400, 405)
)
_AGENT = "2025-03-01T02:10:11.000123Z INFO ExtHandler ExtHandler x\n"
_ETH0 = "network:\n  ethernets:\n    eth0:\n"
_DAEMON = "root         812       1  0 02:00 ?        00:00:00 /usr/bin/python3 -u /usr/sbin/waagent -daemon\n"
_WORKER = (
    "root        1036     812  0 02:00 ?        00:00:12 "
    "python3 -u bin/WALinuxAgent-2.9.1.1-py3.8.egg -run-exthandlers\n"
)


def rows_of(path: str, text: str | bytes) -> list[Mapping[str, Any]]:
    source = Source(path, text.encode() if isinstance(text, str) else text)
    recognised = recognise(source)
    assert recognised is not None
    parsed = recognised.parser.parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size
    return [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)]


def verdicts(folder: Path, **files: str) -> dict[str, str]:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return {one.cause: one.verdict for one in scan([folder]).report.diagnoses}


@pytest.mark.parametrize(
    ("path", "text", "taker"),
    [
        ("some.txt", _AVC, "audit_log"),
        ("var/log/audit/audit.log.3", _AVC, "audit_log"),
        ("var/log/messages", f"Mar  1 02:10:03 vm01 kernel: audit: {_AVC}", "linux_syslog"),
        ("var/log/messages", f"Mar  1 02:10:03 vm01 audispd: {_AVC}", "linux_syslog"),
        ("yum.log", "Mar 01 02:10:03 Updated: WALinuxAgent-2.2.46-2.el7.noarch\n", "yum_log"),
        ("some.txt", "Mar 01 02:10:03 Updated: WALinuxAgent-2.2.46-2.el7.noarch\n", "yum_log"),
        ("messages", "Mar  1 02:10:03 vm01 yum[4711]: Updated: WALinuxAgent-2.2.46-2.el7.noarch\n", "linux_syslog"),
        ("some.yaml", "services:\n  web:\n    image: x\n", None),
        ("some.yaml", "network:\n  ethernets:\n    eth0:\n      dhcp4: true\n", "netplan_yaml"),
        ("etc/sysconfig/network-scripts/ifcfg-eth0", "NAME=eth0\nBOOTPROTO=dhcp\n", "ifcfg_file"),
        ("some.conf", "NAME=eth0\nBOOTPROTO=dhcp\n", None),
        ("etc/azure/vmbackup.conf", "[SnapshotThread]\nseqsnapshot = 1\n", "vmbackup_conf"),
        ("etc/waagent.conf", "Provisioning.Enabled=y\nResourceDisk.MountPoint=/mnt/resource\n", "waagent_conf"),
        ("ps.txt", _PS, "process_list"),
        ("a.txt", "the default via 10.0.0.1 is not a line of its own\n", None),
        ("a.txt", "default via 10.0.0.1 dev eth0\n", "network_state_text"),
        ("var/log/waagent.log", _AGENT + "* Trying 168.63.129.16:80...\n", "waagent_log"),
        ("ls.txt", "total 8\n-rw-r--r-- 1 root root 12 Mar  1 02:10 a\n", "folder_listing"),
        ("results.txt", "06:30:00  Listing contents of /etc:\n-rw-r--r-- 1 a a 1 Mar 1 02:10 a\n", "disk_inspection"),
        ("df.txt", "Filesystem      Size  Used Avail Use% Mounted on\n/dev/sda1  1G  1G  0  100% /\n", "mount_tables"),
    ],
)  # fmt: skip
def test_a_file_is_taken_for_what_it_is(path: str, text: str, taker: str | None) -> None:
    recognised = recognise(Source(path, text.encode()))
    assert (recognised.parser.name if recognised else None) == taker


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("a.yaml", _ETH0 + "      addresses:\n      - 10.0.0.4/24\n      dhcp4: no\n", (False, True)),
        ("a.yaml", "network:\n  ethernets:\n    eth0: {dhcp4: false, addresses: [10.0.0.4/24]}\n", (False, True)),
        ("a.yaml", "network:\n  ethernets:\n    eth0:\n      dhcp6: true\n", (False, False)),
        ("a.yaml", "network:\n\tethernets:\n\t\teth0:\n\t\t\tdhcp4: true # all is well\n", (True, False)),
        ("ifcfg-eth0", "BOOTPROTO='dhcp4'\nIPADDR=10.0.0.4\n", (True, False)),
        ("ifcfg-eth0", "BOOTPROTO=static\nIPADDR_1='10.0.0.4/24'\n", (False, True)),
        ("a.nmconnection", "[ipv4]\nmethod=disabled\n", (False, False)),
        ("a.network", "[Match]\nName=eth0\n[Network]\nDHCP=ipv6\n[Address]\nAddress=10.0.0.4/24\n", (False, True)),
    ],
)  # fmt: skip
def test_a_file_tells_whether_an_address_is_asked_for_or_set_by_hand(
    path: str, text: str, told: tuple[bool, bool]
) -> None:
    [row] = rows_of(path, text)
    assert (row["dhcp"], row["static"]) == told


def test_a_password_of_a_connection_is_not_cited() -> None:
    [row] = rows_of("wifi.nmconnection", "[connection]\nid=a\n\n[wifi-security]\npsk=geheim-7\n\n[ipv4]\nmethod=auto\n")
    assert not any("geheim" in str(value) for value in row.values())


def test_a_denial_gets_program_and_path_of_its_event_and_of_no_other() -> None:
    path = 'type=PATH msg=audit(1740795003.123:{}): item=0 name="/var/lib/waagent/x" nametype=NORMAL\n'
    first, _, second, _ = rows_of(
        "audit.log", _AVC + path.format(456) + _AVC.replace(":456", ":457") + path.format(458)
    )
    assert (first["path"], second["path"]) == ("/var/lib/waagent/x", None)


def test_a_list_without_the_agent_says_so_only_where_it_would_stand_in_it() -> None:
    assert rows_of("ps.txt", _PS + _OTHERS)[0]["complete"] is True
    assert rows_of("ps.txt", _OTHERS)[0]["complete"] is False
    assert rows_of("ps.txt", _DAEMON)[0]["agent_daemons"] == 1
    assert rows_of("ps.txt", _PS + _OTHERS + _WORKER)[-1]["agent_version"] == "2.9.1.1"


def test_the_year_of_a_package_log_is_that_of_other_logs(tmp_path: Path) -> None:
    (tmp_path / "yum.log").write_text("Mar 01 02:10:03 Erased: WALinuxAgent-2.2.46-2.el7.noarch\n")
    log = tmp_path / "waagent.log"
    log.write_text("".join(f"2025-0{month}-01T02:10:11.000123Z INFO ExtHandler ExtHandler x\n" for month in (2, 4)))
    [row] = [one for one in scan([tmp_path]).report.coverage if one.source.endswith("yum.log")]
    assert row.first is not None
    assert str(row.first).startswith("2025-03-01")


def test_addresses_of_an_old_windows_are_read() -> None:
    text = (
        "\nWindows IP Configuration\n\n   Host Name . . . . . . . . . . . . : vm01\n\n"
        "Ethernet adapter Local Area Connection:\n\n   Physical Address. . . . . . . . . : 00-0D-3A-00-00-01\n"
        "   DHCP Enabled. . . . . . . . . . . : No\n   IP Address. . . . . . . . . . . . : 10.0.0.4\n"
        "   Subnet Mask . . . . . . . . . . . : 255.255.255.0\n   Default Gateway . . . . . . . . . : 10.0.0.1\n"
    )
    _, row = rows_of("ip.txt", text)
    assert [row[name] for name in ("static", "addresses", "gateways", "virtual")] == [
        True,
        "10.0.0.4",
        "10.0.0.1",
        False,
    ]


@pytest.mark.parametrize(
    ("yes", "no"),
    [("Sí", "No"), ("Oui", "Non"), ("はい", "いいえ"), ("是", "否"), ("Да", "Нет"), ("Tak", "Nie"), ("Sim", "Não")],
)  # fmt: skip
def test_whether_dhcp_is_on_is_read_in_other_languages(yes: str, no: str) -> None:
    for word, expected in ((yes, True), (no, False)):
        text = (
            "Ethernet:\n\n   Beschreibung. . . . . . . . . . . : Microsoft Hyper-V Network Adapter\n"
            f"   MAC . . . . . . . . . . . . . . . : 00-0D-3A-00-00-01\n   ??? . . . . . . . . . . . . : {word}\n"
            "   IPv4. . . . . . . . . . . . . . . : 10.0.0.4\n"
        )
        assert rows_of("ip.txt", text)[1]["dhcp"] is expected


def test_a_paste_of_commands_is_read_block_by_block() -> None:
    text = (
        "root@vm01:~# ps -ef | grep waagent\n"
        "root        4711    4700  0 02:10 pts/0    00:00:00 grep --color=auto waagent\n"
        "root@vm01:~# ip route\ndefault via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100\n"
        "root@vm01:~# curl -v http://168.63.129.16/?comp=versions\n*   Trying 168.63.129.16:80...\n"
        "* Connected to 168.63.129.16 (168.63.129.16) port 80 (#0)\n< HTTP/1.1 200 OK\n"
        "root@vm01:~# ls -l /etc/azure\ntotal 4\n-rw------- 1 root root 9 Mar  1 02:10 vmbackup.conf\n"
    )
    blocks = [
        block for block in read_source(Source("paste.txt", text.encode()), ParseContext()).blocks if block.recognised
    ]
    names = [block.recognised.parser.name for block in blocks if block.recognised]
    assert names == ["process_list", "network_state_text", "endpoint_test_text", "folder_listing"]


def test_an_agent_that_is_in_no_list_of_processes_does_not_run(tmp_path: Path) -> None:
    assert verdicts(tmp_path, ps=_PS + _OTHERS)["agent-service-stopped-linux"] == "likely"


def test_an_agent_in_the_list_of_processes_runs(tmp_path: Path) -> None:
    assert "agent-service-stopped-linux" not in verdicts(tmp_path, ps=_PS + _OTHERS + _DAEMON + _WORKER)


def test_an_address_by_hand_alone_is_but_possible(tmp_path: Path) -> None:
    text = "network:\n  ethernets:\n    eth0:\n      addresses: [10.0.0.4/24]\n"
    assert verdicts(tmp_path, netplan=text) == {"static-ip-in-guest": "possible"}


def test_a_denial_of_selinux_is_found_in_the_audit_log(tmp_path: Path) -> None:
    assert verdicts(tmp_path, avc=_AVC)["selinux-blocks-agent"] == "likely"
    assert verdicts(tmp_path, avc=_AVC.replace("permissive=0", "permissive=1")) == {}


def test_a_platform_that_answers_is_not_blocked(tmp_path: Path) -> None:
    failed = "curl: (28) Failed to connect to 168.63.129.16 port 80: Connection timed out\n"
    answered = "*   Trying 168.63.129.16:80...\n* Connected to 168.63.129.16 (168.63.129.16) port 80 (#0)\n"
    assert verdicts(tmp_path, curl=failed) == {"wireserver-blocked": "possible"}
    assert verdicts(tmp_path, curl2=answered) == {}


def test_an_attempt_whose_end_is_cut_off_says_nothing(tmp_path: Path) -> None:
    [row] = rows_of("curl.txt", "*   Trying 168.63.129.16:80...\n")
    assert row["outcome"] == "unfinished"
    assert verdicts(tmp_path, curl="*   Trying 168.63.129.16:80...\n") == {}


@pytest.mark.parametrize(
    ("path", "id"),
    [
        (
            "Packages/Plugins/Microsoft.Azure.RecoveryServices.VMSnapshot/1.0.0.1/SeqNumber.txt",
            "windows.sequence-number",
        ),
        ("device_0/Packages/Plugins/A.B/1.0/PackageInformation.txt", "windows.package-information"),
        ("x/scanfilelist.tsv", "inspection.file-list"),
    ],
)
def test_files_that_only_their_program_needs_are_named(path: str, id: str) -> None:
    known = known_file(path)
    assert known is not None
    assert known.id == id
