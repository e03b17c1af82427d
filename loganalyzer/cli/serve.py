"""``loganalyzer serve``: a page and a REST API to which bundles are uploaded."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import click
from platformdirs import user_data_path

from loganalyzer.errors import UsageError

_KEEP = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@click.command("serve")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for uploads, reports and the database.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0: any free one.")
@click.option("--host-name", multiple=True, metavar="NAME", help="A name under which browsers reach it. May repeat.")
@click.option("--behind-proxy", is_flag=True, help="A proxy on this machine or network does TLS for it.")
@click.option("--tls-certificate", type=click.Path(exists=True, dir_okay=False), help="Certificate, in PEM.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Its private key, in PEM.")
@click.option("--keep", metavar="TIME", help="Delete scans after this time: 12h, 30d, 8w.  [default: never]")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Scans at a time.")
@click.option(
    "--upload-limit", type=click.IntRange(1), default=4096, show_default=True, metavar="MIB", help="Largest upload."
)
@click.option(
    "--user-limit", type=click.IntRange(1), default=20480, show_default=True, metavar="MIB", help="Kept for one user."
)
@click.option(
    "--scan-timeout", type=click.IntRange(1), default=1800, show_default=True, metavar="SECONDS", help="Of one scan."
)
@click.option(
    "--scan-memory", type=click.IntRange(64), default=4096, show_default=True, metavar="MIB", help="Of one scan."
)
@click.option(
    "--user", default="admin", show_default=True, metavar="NAME", help="Whom the printed sign-in link is for."
)
def command(
    data: Path | None,
    host: str,
    port: int,
    host_name: tuple[str, ...],
    behind_proxy: bool,
    tls_certificate: str | None,
    tls_key: str | None,
    keep: str | None,
    jobs: int,
    upload_limit: int,
    user_limit: int,
    scan_timeout: int,
    scan_memory: int,
    user: str,
) -> int:
    """Serve a page on which bundles are dropped and reports are read, and the same as a REST API.

    Prints its address and a sign-in link that is good once, for a quarter of an hour. Everything is kept in one folder:
    secrets are taken out of reports, not out of the uploads, so that the folder is as private as the logs. Encrypt the
    disk that it is on, and let a proxy do TLS (--behind-proxy) where it is reached from other machines.

    \b
    Exit status: 0 ended by a signal, 2 wrong usage, or the folder or port cannot be used.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None or find_spec("python_multipart") is None:
        raise UsageError("the server needs more packages", help="pip install 'azure-vm-loganalyzer[web]'")
    from loganalyzer.web.run import serve
    from loganalyzer.web.settings import MIB, Quota, ServerSettings

    if (tls_certificate is None) != (tls_key is None):
        raise UsageError("a certificate and its key go together", help="give both --tls-certificate and --tls-key")
    if not _is_loopback(host) and not behind_proxy and tls_certificate is None:
        help = "use 127.0.0.1, or --behind-proxy where a proxy does TLS, or --tls-certificate and --tls-key"
        raise UsageError(
            f"{host} can be reached from other machines, and passwords and logs would go in the clear", help=help
        )
    settings = ServerSettings(
        (data or user_data_path("loganalyzer") / "server").absolute(),
        frozenset(name.lower() for name in host_name),
        secure=behind_proxy or tls_certificate is not None,
        keep=_time(keep),
        jobs=jobs,
        quota=Quota(stored_bytes=user_limit * MIB),
        upload_bytes=upload_limit * MIB,
        scan_seconds=scan_timeout,
        scan_bytes=scan_memory * MIB,
    )
    serve(settings, host, port, user, tls_certificate, tls_key, proxied=behind_proxy)
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _time(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _KEEP.fullmatch(text.strip().lower())
    if found is None or int(found[1]) == 0:
        raise UsageError(f"--keep {text!r} is no time", help="write a number and h, d or w: 12h, 30d, 8w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
