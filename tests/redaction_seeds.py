"""A bundle full of made-up secrets, each in a shape and a place of its own, for tests of everything that leaves."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from sample_logs.evtx_writer import EventRecord, write_evtx
from tests.hives import at, hive, merged, text

HOST = "prod-sql-77"
LOG = "var/log/waagent.log"


def word(number: int) -> str:
    """A secret that is like no other: letters and digits, long enough to be sought anywhere."""
    return f"Zq{number:02d}xK7vT{number:02d}mW9"


@dataclass
class Seeds:
    """``secrets``: by what they show, the words that may stand nowhere; ``identities``: so, where names are hidden."""

    files: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)

    def new(self, shape: str) -> str:
        """The next secret, for this shape."""
        self.secrets[shape] = word(len(self.secrets))
        return self.secrets[shape]


def seeds() -> Seeds:
    """The bundle."""
    made = Seeds()
    made.files[LOG] = _agent_log(made).encode()
    _settings(made)
    _windows(made)
    _names(made)
    _identities(made)
    return made


def _agent_log(made: Seeds) -> str:
    new = made.new
    inner = json.dumps({"a": json.dumps({"password": new("JSON in JSON")})})
    pem = base64.b64encode(f"{new('private key')} in a key of PEM form, long".encode()).decode()
    made.secrets["private key"] = pem[:24]
    packed = f'secret="{new("base64 of gzip")}" and so on, and on, and on'
    command = f"net user x /add; $password = '{new('base64 of UTF-16')}'"
    digits = f"password={new('hexadecimal digits')} and more"
    deflated = json.dumps({"password": new("base64 of zlib"), "p": "y" * 90})
    shapes = [
        f"ERROR GET https://acct.blob.core.windows.net/c/b?sv=2019&sr=b&sig={new('SAS')}%3D timed out",
        f"ERROR context line before: password={new('context line')}",
        f"ERROR url=https%3A%2F%2Fa.net%2Fx%3Fsv%3D2019%26sig%3D{new('percent-encoded')}%26sp%3Drw",
        f"WARNING {inner}",
        f"ERROR Authorization: Bearer {new('bearer header')}abcdefgh",
        f"ERROR Server=tcp:db;User ID=sa;Password={new('connection string')};Encrypt=True",
        f"INFO DefaultEndpointsProtocol=https;AccountName=a;AccountKey={new('account key')}==;EndpointSuffix=x",
        f"ERROR CREATE LOGIN app WITH PASSWORD = N'{new('SQL')}'",
        f"ERROR ALTER USER app IDENTIFIED BY '{new('SQL identified by')}'",
        f"INFO Cookie: lang=en; session={new('cookie')}abcdef",
        f"INFO x-functions-key: {new('header line')}",
        f"ERROR command failed: mount -t cifs --password {new('option')} //host/share",
        f"ERROR command failed: sshpass -p {new('sshpass')} ssh host",
        f"ERROR command failed: curl -s -u admin:{new('curl')} https://a.example/x",
        f"ERROR command failed: net use \\\\srv\\share {new('net use')} /user:app",
        f"ERROR command failed: mysql -u root -p{new('mysql')} db",
        f"INFO proxy http://svc:{new('userinfo')}@proxy.local:3128",
        f"ERROR payload {_base64(json.dumps({'password': new('base64'), 'padding': 'x' * 40}).encode())}",
        f"ERROR payload {_base64(zlib.compress(deflated.encode()))}",
        f"ERROR payload {_base64(gzip.compress(packed.encode(), mtime=0))}",
        f"ERROR payload {_base64(command.encode('utf-16-le'))}",
        f"ERROR payload {digits.encode('utf-16-le').hex()}",
        f"ERROR html {html.escape(json.dumps({'adminPassword': new('HTML-escaped')}))}",
        f"ERROR .NET {{\\u0022clientSecret\\u0022:\\u0022{new('escaped quotes')}\\u0022}}",
        f"ERROR JSON exception decoding {{'a': '{new('leak')}',\n  'b': '{new('multi-line')}'}}",
        f"ERROR -----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----",
        f"ERROR ['mysql', '--password', '{new('argument list')}']",
        f"INFO again without its name: {made.secrets['SAS']}%3D",
    ]
    lines = [f"2026-03-01T02:{n:02d}:11.000123Z {shape}" for n, shape in enumerate(shapes)]
    return "\n".join([*lines, "2026-03-01T03:00:00.000000Z INFO ExtHandler ExtHandler [HEARTBEAT] Agent x"]) + "\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _settings(made: Seeds) -> None:
    new, files = made.new, made.files
    handler = "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0"
    public = {"commandToExecute": "snapshot", "logsBlobUri": f"https://a.net/l?sig={new('settings')}%3D"}
    uris = {"fileUris": [f"https://a.net/x?{new('JSON list')}"]}
    sealed = _base64(f"{new('protected')} sealed".encode() * 3)
    made.secrets["protected"] = sealed[:20]
    settings = {"publicSettings": public | uris, "protectedSettings": sealed}
    files[f"{handler}/config/3.settings"] = json.dumps(
        {"runtimeSettings": [{"handlerSettings": settings}]}, indent=1
    ).encode()
    files["etc/waagent.conf"] = (
        f"HttpProxy.Host=http://u:{new('config')}@p.local\nProvisioning.DeleteRootPassword=y\n".encode()
    )
    ovf = (
        f"<Environment><HostName>{HOST}</HostName><UserPassword>{new('XML')}</UserPassword>"
        f"<Setting password='{new('XML attribute')}'/></Environment>"
    )
    files["var/lib/waagent/ovf-env.xml"] = ovf.encode()
    files["var/lib/waagent/odd.xml"] = (
        f'<?xml version="1.0"?>\n<a><Password>\n{new("XML lines")}\n</Password></a>\n'.encode()
    )
    files["umlaut.log"] = f"2026-03-01 02:00:00 Grüße\n2026-03-01 02:00:01 password={new('cp1252')} größer\n".encode(
        "cp1252"
    )
    files["big.log"] = f"\ufeff2026-03-01 02:00:00 a\r\n2026-03-01 02:00:01 password={new('UTF-16 BE')}\r\n".encode(
        "utf-16-be"
    )
    files["var/log/waagent.log.1.gz"] = gzip.compress(
        f"2026-02-28T02:00:00.000000Z ERROR password: {new('gz')}\n".encode(), mtime=0
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member = zipfile.ZipInfo(f"logs/password={new('archive member name')}.log", (2026, 1, 1, 0, 0, 0))
        archive.writestr(member, f"2026-03-01 02:00:00 pwd={new('nested archive')};x=1\n")
    files["inner.zip"] = packed.getvalue()


def _windows(made: Seeds) -> None:
    new, files = made.new, made.files
    wide = f"2026-03-01 02:00:01 [info] client_secret={new('UTF-16')}&grant=x\r\n".encode("utf-16-le")
    files["WindowsAzure/Logs/odd.log"] = b"\xff\xfe" + wide
    files["unmarked.log"] = wide * 3
    binary = f"password={new('event log, binary')} in bytes".encode("utf-16-le")
    when = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
    records = [
        EventRecord("VSS", 8193, "Application", HOST.upper(), when, data=[f"pwd={new('event log, unnamed')};", "b"]),
        EventRecord(
            "X", 1, "Application", HOST.upper(), when, data={"AdminPassword": new("event log, named"), "b": "c"}
        ),
        EventRecord(
            "X", 2, "Application", HOST.upper(), when, data={"Url": f"https://a.net/x?sig={new('event log, SAS')}%3D"}
        ),
        EventRecord("X", 3, "Application", HOST.upper(), when, data=["a"], binary=binary),
        EventRecord(
            "X", 4, "Application", HOST.upper(), when, data={"Command": f"x --password {new('event log, command')}"}
        ),
    ]
    files["Windows/System32/winevt/Logs/Application.evtx"] = write_evtx(records)
    written = ",".join(f"{byte:02x}" for byte in f"password={new('reg hex')} x".encode("utf-16-le"))
    files["export.reg"] = (
        "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\r\n"
        f'"DefaultPassword"="{new("reg")}"\r\n'
        f'"y"=hex(1):{written[:60]}\\\r\n  {written[60:]}\r\n'
    ).encode()
    files["Windows/System32/config/SOFTWARE"] = hive(
        merged(
            at("Microsoft\\Windows NT\\CurrentVersion\\Winlogon", text("DefaultPassword", new("hive value"))),
            at("X", text("Url", f"https://a.net/x?sig={new('hive SAS')}%3D")),
        )
    )


def _names(made: Seeds) -> None:
    name = made.new("file name")
    made.files[f"logs/token={name}/a.log"] = b"2026-03-01 02:00:00 nothing\n"
    made.files["var/lib/waagent/A1.prv"] = f"{made.new('private file')}\n".encode()
    made.files["unknown.bin"] = bytes(range(32)) * 8 + made.new("unknown binary").encode()


def _identities(made: Seeds) -> None:
    made.identities = {
        "host": HOST,
        "address": "10.77.5.123",
        "public address": "52.174.33.21",
        "IPv6": "2a01:111:f100:2002::8975:2d11",
        "user": "kschneider42",
        "Windows user": "Maria.Huber7",
        "e-mail": "anna.berg9@fabrikam.de",
        "SID": "S-1-5-21-1004336348-1177238915-682003330-1117",
        "MAC": "00:0d:3a:ab:1f:99",
        "subscription": "0b1f6471-1bf0-4dda-aec3-cb9272f09590",
        "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "VM id": "1c9d2b5e-77aa-4c1e-9f1a-0f3e5d6c7b8a",
        "resource group": "rg-fabrikam-prod7",
        "vault": "kv-fabrikam-7",
        "storage account": "fabrikamdiag77",
    }
    told = made.identities
    lines = [
        f"sshd[77]: Accepted publickey for {told['user']} from {told['public address']} port 50022 ssh2",
        f"sudo:   {told['user']} : TTY=pts/0 ; PWD=/home/{told['user']} ; USER=root ; COMMAND=/bin/ls",
        f"connect to {told['address']}:443 via {told['IPv6']} failed on {HOST.upper()} ({told['MAC']})",
        f"open C:\\Users\\{told['Windows user']}\\AppData\\x.log by {told['SID']} {told['e-mail']}",
        f"PUT https://management.azure.com/subscriptions/{told['subscription']}/resourceGroups/{told['resource group']}"
        f"/providers/Microsoft.Compute/virtualMachines/{HOST}/extensions/VMSnapshot",
        f"tenantId={told['tenant']} vmId: {told['VM id']} https://{told['vault']}.vault.azure.net/keys/x"
        f" https://{told['storage account']}.blob.core.windows.net/c versions 2.14.0.1 and 1.0.9225.0 of WALinuxAgent",
    ]
    stamped = [
        f"Mar  1 02:00:{n:02d} {HOST} {line if ': ' in line[:20] else 'app[5]: ' + line}"
        for n, line in enumerate(lines)
    ]
    made.files["var/log/syslog"] = ("\n".join(stamped) + "\n").encode()
    made.files[f"home/{told['user']}/{HOST}.log"] = f"2026-03-01 02:00:00 uid={told['user']} {HOST}_nic\n".encode()


def written_ways(secret: str) -> list[bytes]:
    """The bytes in which a secret could stand in a file."""
    ways = (secret, secret.upper(), secret.lower(), quote(secret, safe=""))
    return [way.encode(code) for way in dict.fromkeys(ways) for code in ("utf-8", "utf-16-le", "utf-16-be")]
