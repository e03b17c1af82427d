"""Redaction: every secret of every syntax goes, nothing else does, and hostile text costs linear time."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.redact import LITERALS, TOKEN, Redactor, is_secret_file

SAS = "hfRh7gz%2BUE7sUtYwq1Zk0PaLmN3vX9dC5bT8rJ4eW6y%3D"
ACCOUNT_KEY = "Zm9vYmFyYmF6cXV4" * 5 + "Zm9v2w=="
BLOB = "MIIB5AYJKoZIhvcNAQcDoIIB1TCCAdECAQAxggFhMIIBXQIBADBFMC0xKzApBgNVBAMTIldpbmRvd3M"
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3ZhdWx0In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nq1w2e3r4t5y6\n-----END PRIVATE KEY-----"
WORD = "S3cr3t/Pa55w0rd"

#: Text with a secret in it, the secret's tell-tale part, and the kind of the token.
PLAIN = (
    (f"GET https://a.blob.core.windows.net/c/b.vhd?sv=2019-02-02&sr=b&sig={SAS}&se=2026-01-01T00:00:00Z", SAS, "sas"),
    (f"Fetch failed from [http://a.net/x?comp=block&sig={SAS}]", SAS, "sas"),
    (f"url=https%3A%2F%2Fa.net%2Fx%3Fsv%3D2019%26sig%3D{SAS.replace('%', '%25')}%26sp%3Drw rest", "hfRh7gz", "sas"),
    (f"sig={SAS}", SAS, "sas"),
    (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={ACCOUNT_KEY};EndpointSuffix=x", ACCOUNT_KEY, "key"),
    (f"Endpoint=sb://n.net/;SharedAccessKeyName=Root;SharedAccessKey={ACCOUNT_KEY}", ACCOUNT_KEY, "key"),
    (f"the key {ACCOUNT_KEY} was regenerated", ACCOUNT_KEY, "key"),
    (f"Server=tcp:db;User ID=sa;Password={WORD};Encrypt=True", WORD, "password"),
    (f"Password: {WORD}", WORD, "password"),
    (f"mount -t cifs --password {WORD} //host/share", WORD, "password"),
    (f"openssl pkcs12 -nodes -password pass:{WORD} -in a.pfx", WORD, "password"),
    (f"['mysql', '--password', '{WORD}']", WORD, "password"),
    (f"{{'adminPassword': u'{WORD}', 'a': 1}}", WORD, "password"),
    ("HttpProxy.Host=http://user:S3cr3tPa55@proxy.local:3128", "S3cr3tPa55", "password"),
    ("git clone https://ghp16C7e42F292c6912E7710c8@github.com/a/b", "ghp16C7e42F", "token"),
    (f"Authorization: Bearer {JWT}", JWT, "token"),
    ("authorization: SharedKey acct:abcDEF123456=", "abcDEF123456", "token"),
    ('"Authorization": "Basic dXNlcjpwYXNzd29yZA=="', "dXNlcjpwYXNz", "token"),
    ("curl -H Bearer abcdef0123456789abcdef", "abcdef0123456789abcdef", "token"),
    (f"got {JWT} from the vault", JWT, "token"),
    (f"snapshotTaskToken : {WORD}", WORD, "token"),
    (f"id : 1, token : {WORD}, instantAccessDurationMinutes : Not Set", WORD, "token"),
    (f"DiskEncryptionSettings : {WORD}", WORD, "key"),
    (f"client_secret={WORD}&grant_type=x", WORD, "secret"),
    (f"JSON exception decoding {{'a': '{WORD}'}}\n {WORD}", WORD, "protected-settings"),
    (f"protectedSettings: {BLOB}", BLOB, "protected-settings"),
    (f"settings are {BLOB} and more", BLOB, "certificate"),
    (PEM, "q1w2e3r4t5y6", "private-key"),
    (PEM.rpartition("\n")[0], "q1w2e3r4t5y6", "private-key"),
    ("q1w2e3r4t5y6q1w2e3r4t5y6\n-----END PRIVATE KEY-----", "q1w2e3r4t5y6", "private-key"),
    (PEM.replace("\n", "\\n"), "q1w2e3r4t5y6", "private-key"),
    (PEM.replace("PRIVATE KEY", "CERTIFICATE"), "q1w2e3r4t5y6", "certificate"),
    ("root:$6$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789:1:", "abcdefghijklmnop", "password"),
)
XML = (
    (f"<UserPassword>{WORD}</UserPassword>", WORD, "password"),
    (f"<wa:AdminPassword a='1'>{WORD}</wa:AdminPassword>", WORD, "password"),
    (f"<Password><![CDATA[{WORD}<x>{WORD}]]></Password>", WORD, "password"),
    (f"<AdministratorPassword><Value>{WORD}</Value></AdministratorPassword>", WORD, "password"),
    (f"<CustomData>{BLOB}</CustomData>", BLOB, "custom-data"),
    ("<Data>MIIOgwYJKoZI\nhvcNAQ</Data>", "MIIOgwYJKoZI", "certificate"),
    (f'<StatusUploadBlob t="B">https://a.net/x?sr=b&amp;sig={SAS}</StatusUploadBlob>', SAS, "sas"),
    (f"<u>https://a.net/x?sr=b&amp;sig={SAS}&amp;sp=w</u>", SAS, "sas"),
    (f'<add key="DbPassword" value="{WORD}"/>', WORD, "password"),
    (f"<Data Name='TargetPassword'>{WORD}</Data>", WORD, "password"),
    (f'<Setting password="{WORD}" />', WORD, "password"),
    (f"&lt;Password&gt;{WORD}&lt;/Password&gt;", WORD, "password"),
    (f"<UserPassword>{WORD}", WORD, "password"),
)
KEYS = (
    *("protectedSettings", "objectStr", "blobSASUri", "logsBlobUri", "statusBlobUri", "snapshotTaskToken", "token"),
    *("DiskEncryptionSettings", "commandToExecute", "script", "storageAccountKey", "password", "adminPassword"),
    *("UserPassword", "customData", "connectionString", "snapshotUri", "clientSecret", "privateKey", "sasToken"),
)


def _escaped(depth: int) -> Callable[[str], str]:
    def escape(text: str) -> str:
        for _ in range(depth):
            text = json.dumps(text)[1:-1]
        return text

    return escape


SYNTAXES: dict[str, Callable[[str], str]] = {
    "JSON": _escaped(0),
    "JSON in JSON": _escaped(1),
    "JSON in JSON in JSON": _escaped(2),
    "XML attribute": lambda text: html.escape(text),
    "XML attribute of JSON in JSON": lambda text: html.escape(_escaped(1)(text)),
    "XML twice": lambda text: html.escape(html.escape(text)),
    "URL": lambda text: quote(text, safe=""),
    ".NET JSON": lambda text: text.replace('"', "\\u0022"),
    ".NET JSON in JSON": lambda text: text.replace('"', "\\\\u0022"),
    "Python": lambda text: text.replace('"', "'"),
}


@pytest.mark.parametrize(("text", "secret", "kind"), PLAIN + XML)
def test_a_secret_goes_and_a_token_of_its_kind_takes_its_place(text: str, secret: str, kind: str) -> None:
    redacted = Redactor().text(text)
    assert secret not in redacted
    assert f"<{kind}:1>" in redacted


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("key", KEYS)
def test_the_value_of_a_secret_key_goes_and_the_keys_beside_it_stay(key: str, syntax: str) -> None:
    secret = 'Tr0ub4dor"Qz9&3<x'.replace('"', "" if syntax == "Python" or syntax.startswith(".NET") else '"')
    text = SYNTAXES[syntax](json.dumps({"before": "kept-1", key: secret, "after": "kept-2"}))
    redacted = Redactor().text(text)
    assert "Tr0ub4dor" not in redacted
    assert "Qz9" not in redacted
    assert "kept-1" in redacted
    assert "kept-2" in redacted
    assert len(TOKEN.findall(redacted)) == 1


@pytest.mark.parametrize("value", [["a b", "c]d"], {"x": {"y": 'z}"'}, "k": "v"}])
def test_a_whole_list_or_object_under_a_secret_key_goes(value: object) -> None:
    for depth in range(3):
        text = _escaped(depth)(json.dumps({"fileUris": value, "after": "kept"}))
        redacted = Redactor().text(text)
        assert redacted.count("<sas:1>") == 1
        assert "kept" in redacted
        assert "z}" not in redacted
        assert "c]d" not in redacted


UNTOUCHED = (
    "Failed to decrypt protected settings",
    "Failed to decrypt protected settings: keyset does not exist",
    "5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001 2.15.0.1 1.0.9225.0",
    '"protectedSettingsCertThumbprint": "F16ABAC4A0B3B1E8D6C34CF2E9B9B7A9D2B1C0FE"',
    '"protectedSettings": null, "password": "", "script": null',
    "Downloaded certificate {'thumbprint': 'F16ABAC4A0B3B1E8D6C34CF2E9B9B7A9D2B1C0FE', 'hasPrivateKey': True}",
    "Could not load file or assembly 'X, Version=1.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35'",
    "Provisioning.DeleteRootPassword=y\nProvisioning.DecodeCustomData=n\nProvisioning.ExecuteCustomData=n",
    "Unexpected token: }",
    "syntax error near unexpected token `newline'",
    "Failed to reset the password: user not found",
    "--password is required",
    "GET /oauth2/token HTTP/1.1",
    "https://management.azure.com/subscriptions/x?api-version=2023-01-01&$filter=a",
    "http://168.63.129.16:32526/vmSettings",
    "http://proxy.local:3128 for admin@contoso.com",
    "AuthorizationPermissionMismatch: This request is not authorized",
    "Error converting PFX to PEM: '/usr/bin/openssl pkcs12 -nodes -password pass: -in /var/lib/x.pfx -nomacver'",
    '<Data Name="param1">0x80042308</Data><Data>MIKE</Data><UserData><Operation_X/></UserData>',
    "The element <Password> is missing from the answer file",
    "Faulting application name: IaaSBcdrExtension.exe, version: 1.0.0.0, time stamp: 0x5f0d3c3e",
    "HRESULT 0x8004230F sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "PWD=/var/lib/waagent OLDPWD=/root",
    '"commandToExecute": "snapshot", "taskId": "5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001"',
    "-----BEGIN PUBLIC KEY-----",
    "signal sig=SIGTERM st=9",
    "JSON exception decoding settings file",
)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert Redactor().text(text) == text


def test_a_token_is_numbered_by_first_appearance_and_the_same_for_the_same_secret_in_any_syntax() -> None:
    redactor = Redactor()
    assert redactor.text("password=one1 password=two2") == "password=<password:1> password=<password:2>"
    assert redactor.text("password=two2") == "password=<password:2>"
    assert redactor.text('{\\"pwd\\": \\"o\\\\\\/ne1\\"}') == '{\\"pwd\\": \\"<password:3>\\"}'
    assert redactor.text("password=o/ne1") == "password=<password:3>"
    first = redactor.text(f"https://a/b?sv=1&sig={SAS}")
    assert first == redactor.text(f"https://a/b?sig={SAS}")
    assert redactor.text(f"x?sv=1&amp;sig={SAS}") == "x?<sas:1>"


def test_a_token_does_not_depend_on_the_secret() -> None:
    assert Redactor().text("password=abc1") == Redactor().text("password=xyz2")


def test_off_changes_nothing() -> None:
    for text, _, _ in PLAIN:
        assert Redactor("off").text(text) == text
        assert Redactor("off").texts([text]) == [text]


def test_a_secret_known_from_one_text_is_hidden_in_the_others_even_without_its_name() -> None:
    texts = Redactor().texts([f"last word {WORD}", f"password={WORD}", "the word snapshot", 'script="snapshot1"'])
    assert texts == [
        "last word <password:1>",
        "password=<password:1>",
        "the word snapshot",
        'script="snapshot1"',
    ]


def test_a_secret_in_the_template_of_a_message_leaves_no_fragments() -> None:
    template = re.sub(r"\d+", "<*>", f"GET https://a.net/x?sv=2019&sig={SAS} failed with 403")
    assert Redactor().text(template) == "GET https://a.net/x?<sas:1> failed with <*>"
    assert Redactor().text("pwd=ab<*>cd<*>ef;x=1") == "pwd=<password:1>;x=1"


def test_files_of_keys_and_passwords_are_known_by_name() -> None:
    for path in (
        "a/b.prv",
        "x.zip!var/lib/waagent/Certificates.xml",
        "etc/shadow-",
        "TransportPrivate.pem",
        "C\\k.pfx",
    ):
        assert is_secret_file(path), path
    for path in ("a/waagent.log", "history/Certificates.json", "ssh_host_rsa_key.pub", "HandlerState"):
        assert not is_secret_file(path), path


_PIECES = st.sampled_from(
    [
        *("password", "Password", "token", '"', '\\"', '\\\\\\"', "'", "&quot;", "&amp;", "&lt;", "&gt;", "%22", "%3D"),
        *("=", ":", " : ", ", ", ";", "\n", " ", "<", ">", "</", "<Password>", "</Password>", "<*>", "<password:1>"),
        *("sig=", "?sig=", "&se=", "http://", "a:b@", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
        *("MIIabc", "eyJ", ".", "abc1", "S3cr3tS3cr3tS3cr3t", "{", "}", "[", "]", "script", "--", "Authorization"),
        *(
            "Bearer ",
            "JSON exception decoding ",
            "customSettings : ",
            "2026-01-01",
            "\\",
            "/",
            "\\u0022",
            "value",
            "$6$",
        ),
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_PIECES, max_size=25).map("".join) | st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor()
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert Redactor().text(once) == once


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(PLAIN + XML),
    st.sampled_from(["", "a b ", "\n", "x=1; ", '{"k": "', "<a>", "2026/01/01 10:00:00 INFO ", "[", "("]),
    st.sampled_from(["", " b", "\nnext line", ", k=2", '"}', "</a>", "]", ")"]),
)
def test_a_secret_goes_whatever_stands_around_it(case: tuple[str, str, str], before: str, after: str) -> None:
    text, secret, _ = case
    if "JSON exception" in text and after == "\nnext line":
        after = "\n2026/01/01 10:00:00 next record"
    assert secret not in Redactor().text(before + text + after)


HOSTILE = (
    *("\\", '"', '\\"', " ", "A", "password", '"password":"', '\\"password\\":', "password=", "password=\\"),
    *("<Password>", "&lt;Password&gt;", "<Password a=", "<Password><![CDATA[", "http://a:", "://a:b@", "&amp;"),
    *("?sig=", "&sig=a", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----", "-----END PRIVATE KEY-----"),
    *("MII", "eyJ", "eyJaaaaa.", "authorization: ", "<Data>MII", '"password":[{"', "--password ", "%26", "<*>"),
)


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE)
def test_much_hostile_text_is_read_to_its_end(piece: str) -> None:
    """A scan that is not linear would take hours here, and never reach the secret behind it."""
    text = piece * (250_000 // len(piece)) + '"@\n\nAccountKey=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0;'
    assert "c2VjcmV0c2VjcmV0" not in Redactor().text(text)


def test_every_secret_holds_one_of_the_literals_that_scans_over_columns_look_for() -> None:
    for text, _, _ in PLAIN + XML:
        assert any(literal in text.lower() for literal in LITERALS), text


@pytest.mark.skipif("LOGANALYZER_SHARED" not in os.environ, reason="LOGANALYZER_SHARED names no reference folder")
def test_every_example_of_the_reference_patterns_changes() -> None:
    path = Path(os.environ["LOGANALYZER_SHARED"], "reference", "linux-redaction.yaml")
    patterns = yaml.safe_load(path.read_text(encoding="utf-8"))["patterns"]
    assert patterns
    for pattern in patterns:
        for example in pattern["example_in"]:
            assert Redactor().text(example) != example, pattern["id"]


_LINE_OF_KEY = "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu"


@pytest.mark.parametrize("line", [_LINE_OF_KEY, f"{_LINE_OF_KEY}q8Xp0LmK2vN4"])
def test_a_key_whose_lines_were_stamped_one_by_one_is_hidden_line_by_line(line: str) -> None:
    entry = f"2026-03-01T02:10:00.000000Z INFO ExtHandler {line}"
    assert line not in Redactor("tokens").text(entry)
    assert line not in Redactor("tokens").text(f"{entry}\nnext")


@pytest.mark.parametrize(
    "text",
    [
        "digest 9d5ed678fe57bcca610140957afab571a1d1c3e1f6d1f0f6b8e0ae9d1c2d3e4f",  # hexadecimal, as a hash is
        f"{_LINE_OF_KEY} and more",
        f"id-{_LINE_OF_KEY}",
        f"{_LINE_OF_KEY}abc",
        "token: expired",
        "token: 12345",
        "token: 0x1f2a3b",
        "token: v1.2.3",
        "token: none",
    ],
)
def test_what_only_resembles_a_line_of_a_key_or_a_token_stays(text: str) -> None:
    assert Redactor("tokens").text(text) == text


@pytest.mark.parametrize("value", ["9f3k2", "abc123", "q1w2-e3r4"])
def test_a_short_token_without_quotes_is_hidden_if_it_is_no_word_and_no_number(value: str) -> None:
    assert value not in Redactor("tokens").text(f"session token: {value}, sent")
