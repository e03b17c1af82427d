"""``--redact all``: what names a person, a machine or a customer goes; what everybody has stays. And keyed tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.cli import run
from loganalyzer.redact import TOKEN, Redactor
from loganalyzer.redact.known_words import KnownWords

GUID = "5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001"

NAMED = (
    ("Accepted publickey for jdoe from 203.0.113.7 port 22 ssh2", ("jdoe", "203.0.113.7"), ("user", "ip")),
    ("session opened for user jdoe(uid=1000) by jdoe(uid=0)", ("jdoe",), ("user",)),
    ("open /home/jdoe/x and C:\\Users\\Jane Doe\\AppData", ("jdoe", "Jane", "Doe"), ("user",)),
    ("C:\\\\Users\\\\jdoe\\\\x", ("jdoe",), ("user",)),
    ("Account Name:\t\tjdoe\n Account Domain:\t\tCONTOSO7", ("jdoe", "CONTOSO7"), ("user", "domain")),
    ('{"TargetUserName": "jdoe", "user": "bob1"}', ("jdoe", "bob1"), ("user",)),
    ("jdoe:x:1001:1001:John Doe,,,:/home/jdoe:/bin/bash", ("jdoe", "John Doe"), ("user",)),
    ("connect to 10.0.0.4:443 failed", ("10.0.0.4",), ("ip",)),
    ("ip 4.3.2.1 is gone", ("4.3.2.1",), ("ip",)),
    ("inet6 fe80::20d:3aff:fe12:3456/64", ("fe80::20d",), ("ip",)),
    ("mail Jane.Doe@contoso.com", ("Jane", "contoso"), ("email",)),
    ("S-1-5-21-1111111111-2222222222-3333333333-1001", ("1111111111",), ("sid",)),
    ("link 00:0d:3a:12:34:56 and 00-0D-3A-12-34-56", ("00:0d:3a", "00-0D-3A"), ("mac",)),
    (f"/subscriptions/{GUID}/resourceGroups/rg-prod/x", (GUID, "rg-prod"), ("subscription", "resource-group")),
    (f"%2Fsubscriptions%2F{GUID}%2Fx", (GUID,), ("subscription",)),
    (f"tenantId={GUID} in use", (GUID,), ("tenant",)),
    (f'"vmId": "{GUID}"', (GUID,), ("vm",)),
    ("/providers/Microsoft.Compute/virtualMachines/web-01/extensions/VMSnapshot", ("web-01",), ("vm",)),
    ("https://mystore01.blob.core.windows.net/c", ("mystore01",), ("storage-account",)),
    ("https://kv-prod.vault.azure.net/secrets/x", ("kv-prod",), ("vault",)),
    ("VM;iaasvmcontainerv2;rg1;web-02", ("rg1;", "web-02"), ("resource-group", "vm")),
    ("<Computer>FILE02.contoso.local</Computer>", ("FILE02", "contoso"), ("host", "domain")),
)


@pytest.mark.parametrize(("text", "gone", "kinds"), NAMED)
def test_a_name_goes_and_a_token_of_its_kind_takes_its_place(
    text: str, gone: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    redacted = Redactor("all").text(text)
    assert not [one for one in gone if one in redacted]
    assert not [kind for kind in kinds if f"<{kind}:1>" not in redacted]
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "WALinuxAgent-2.14.0.1 is running; upgrade from 2.9.1.1 to 2.14.0.1; extension 1.0.9225.0",
        'Version=10.0.0.1, FileVersion: 14.0.0.2, "version": "20.1.2.3"',
        "C:\\Packages\\Plugins\\Microsoft.Azure.RecoveryServices.VMSnapshot\\1.0.92.0\\IaaSBcdrExtension.exe",
        "168.63.129.16 169.254.169.254 127.0.0.1 0.0.0.0 255.255.255.0 ::1 ::",
        "2026-03-01T02:10:11 12:34:56",
        "Account Name:\t\tSYSTEM and user=root, NT AUTHORITY\\SYSTEM, S-1-5-18",
        "getty@tty1.service sshd@1.service",
        "C:\\Users\\Public\\x /home/ /root",
        "User: not found; host name: unknown",
        "/providers/Microsoft.Compute/locations/westeurope/publishers/Canonical",
        "Faulting module name: ntdll.dll, version: 10.0.20348.1",
    ],
)
def test_what_everybody_has_stays(text: str) -> None:
    assert Redactor("all").text(text) == text


def test_a_known_host_goes_as_a_whole_word_in_any_case() -> None:
    redactor = Redactor("all")
    redactor.know_hosts(["web-01.contoso.local", "localhost", "host"])
    text = "WEB-01 web-01_nic \\nweb-01 web-012 xweb-01 Web-01.contoso.local localhost host"
    assert redactor.text(text) == "<host:1> <host:1>_nic \\n<host:1> web-012 xweb-01 <host:1>.<domain:1> localhost host"


def test_a_name_that_is_told_once_goes_everywhere() -> None:
    assert Redactor("all").texts(["jdoe42 was here", "user=jdoe42"]) == ["<user:1> was here", "user=<user:1>"]


def test_tokens_with_a_key_are_equal_in_every_bundle_and_differ_by_key_kind_and_value() -> None:
    one, other = Redactor(key=b"k" * 16), Redactor(key=b"k" * 16)
    other.text("password=first1")
    token = one.text("password=abc1")
    assert token == other.text("password=abc1")
    assert TOKEN.fullmatch(token.removeprefix("password="))
    assert token != Redactor(key=b"K" * 16).text("password=abc1")
    assert token != one.text("password=abc2")
    assert one.text(token) == token


def test_a_key_that_is_too_short_or_missing_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"short")
    for path in (key, tmp_path / "gone"):
        assert run(["formats", str(key), "--redact-key", str(path)]) == 2
        assert "key" in capsys.readouterr().err


def test_what_is_told_beside_the_results_does_not_number_their_tokens() -> None:
    redactor = Redactor()
    assert redactor.aside().text("password=abc1") == "password=<password:1>"
    assert redactor.text("password=xyz2") == "password=<password:1>"


def test_known_words_pass_tokens_over() -> None:
    assert [found[2] for found in KnownWords(["host", "a", "ab"]).find("<host:1> host ab")] == ["host", "ab"]


_PIECES = st.sampled_from(
    [
        *("user=", "jdoe", "Account Name: ", "/home/", "C:\\Users\\", "10.0.0.4", "2.14.0.1", "::", "fe80::1", ":443"),
        *("a@b.de", "@", "S-1-5-21-1-2-3-4", "00:0d:3a:12:34:56", "/subscriptions/", GUID, "/resourceGroups/", "rg-1"),
        *("/providers/Microsoft.X/virtualMachines/", "web-01", ".blob.core.windows.net", " ", "\n", "\\n", "<", ">"),
        *("<user:1>", "<ip:0123456789abcdef>", "&lt;host:1&gt;", '"', "'", "=", ":", ";", "hostname=", "%2F", "tenant"),
        *(
            "password=",
            "S3cr3tS3cr3t",
            "version ",
            "for user ",
            "Cookie: a=",
            "cGFzc3dvcmQ9UzNjcjN0UzNjcjN0IGFuZCBtb3JlIHRleHQ=",
        ),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=20).map("".join) | st.text(max_size=100))
def test_hiding_names_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor("all")
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert Redactor("all").text(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        *("ab,", "ab,\\\n  ", "A/", "\\n" + "A" * 40, "0a", "user=", "for user ", "C:\\Users\\", "/home/a", "a@", "a."),
        *("1.2.3.4", "::", "ab:", "/providers/", "providers/a/b/c", "curl -u ", "cookie: ", "identified by '", "b-"),
    ],
)
def test_much_hostile_text_is_read_to_its_end_for_names_too(piece: str) -> None:
    text = piece * (60_000 // len(piece)) + "\n\nmail jane.doe@contoso.com"
    assert "jane.doe" not in Redactor("all").text(text)
