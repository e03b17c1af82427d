"""A failing Linux bundle full of secrets: what redaction must hide, where linux.md 3.12 says that it stands."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

from sample_logs.linux_files import goal_state_files, ovf_env, waagent_conf
from sample_logs.linux_logs import (
    EXTENSION,
    LinuxVm,
    extension_error,
    freeze_block,
    no_scripts,
    run_begins,
    run_ends,
    ticks,
)
from sample_logs.linux_vm import command, quiet_life, start_vm
from sample_logs.packing import SampleBundle

#: All made up for this file. None is the key to anything.
SIGNATURE_OF_STATUS = "5ampleStatusSignature0123456789abcdefABCDEF%3D"
SIGNATURE_OF_DISK = "5ampleDiskSignatureZYXWVUTSRQponmlkjihgfedcba%3D"
SIGNATURE_OF_LOGS = "5ampleLogsSignature9876543210qwertyuiopasdfgh%3D"
PROXY_PHRASE = "sample-Proxy-Pa55phrase"
USER_PHRASE = "sample-User-Pa55phrase!"
SNAPSHOT_TASK = "eyJzYW1wbGUiOiJzbmFwc2hvdC10YXNrLXRva2VuIn0"
BEARER = "sampleBearer.eyJhdWQiOiJzYW1wbGUifQ.c2FtcGxlLXNpZ25hdHVyZQ"
PROTECTED = base64.b64encode(b"sample protected settings, encrypted " * 4).decode()
STORAGE_KEY = base64.b64encode(b"sample storage account key for no account at all").decode()
PRIVATE_KEY = base64.b64encode(b"sample private key, which opens no lock whatsoever").decode()

SECRETS = (
    SIGNATURE_OF_STATUS,
    SIGNATURE_OF_DISK,
    SIGNATURE_OF_LOGS,
    PROXY_PHRASE,
    USER_PHRASE,
    SNAPSHOT_TASK,
    BEARER,
    PROTECTED,
    STORAGE_KEY,
    PRIVATE_KEY,
)


def sas(container: str, blob: str, signature: str) -> str:
    """A blob with a shared access signature."""
    return (
        f"https://samplestore11.blob.core.windows.net/{container}/{blob}?sv=2018-03-28&sr=b&sp=rw"
        f"&se=2025-06-12T01%3A30%3A00Z&sig={signature}"
    )


def bundle() -> SampleBundle:
    """An unmanaged VM whose extension cannot reach its storage account; the logs hold what old versions leak."""
    one = start_vm(LinuxVm("pay-11", agent="2.9.1.1", extension="1.0.9176.0", system="ubuntu 20.04", python="3.8.10"))
    quiet_life(one)
    run = one.second
    command(one, run, 6)
    for minutes in (-20, 5):
        at = run.start + timedelta(minutes=minutes)
        url = sas("status", "pay-11.status", SIGNATURE_OF_STATUS)
        for text in (
            f"WARNING ExtHandler ExtHandler [HTTP Failed] PUT {url} -- IOError timed out -- 6 attempts made",
            f"WARNING ExtHandler ExtHandler Fetch failed from [{url}]: [HttpError] [HTTP Failed] GET {url} -- IOError "
            "timed out -- 6 attempts made",
            f"INFO ExtHandler ExtHandler Authorization: Bearer {BEARER}",
        ):
            one.agent.add(at, text)
    run_begins(one.extension, run, presnapshot=404)
    leaks = json.dumps({"objectStr": STORAGE_KEY, "logsBlobUri": sas("logs", "pay-11.log", SIGNATURE_OF_LOGS)})
    one.extension.add(run.after(6), f"JSON exception decoding {leaks}")
    one.extension.add(run.after(6), f"snapshotTaskToken : {SNAPSHOT_TASK}")
    no_scripts(one.extension, run)
    freeze_block(one.extension, run, ["/"])
    disk = sas("vhds", "pay-11-os.vhd", SIGNATURE_OF_DISK)
    one.extension.add(run.after(20), f"T:S takeSnapshotFromGuest {disk}&comp=snapshot")
    for attempt in range(2):
        one.extension.add(run.after(30 + 10 * attempt), " snapshot HttpCallGetResponse failed ")
        extension_error(
            one.extension,
            run,
            30 + 10 * attempt,
            f"Failed to do the snapshot with error: <urlopen error [Errno 110] Connection timed out> "
            f"{disk}&comp=snapshot, stack trace: Traceback (most recent call last):",
        )
    reason = "T:S Enable failed with FailedRetryableSnapshotFailedNoNetwork error"
    one.extension.add(run.after(50), reason)
    message = f"{reason} StatusCode.FailedRetryableSnapshotFailedNoNetwork,statusBlobUploadError=true, "
    run_ends(one.extension, run, 51, 76, message)
    public = {
        "commandToExecute": "snapshot",
        "taskId": run.task,
        "commandStartTimeUTCTicks": str(ticks(run.start)),
        "logsBlobUri": sas("logs", "pay-11.log", SIGNATURE_OF_LOGS),
        "objectStr": base64.b64encode(json.dumps({"snapshotTaskToken": SNAPSHOT_TASK}).encode()).decode(),
    }
    settings = {"publicSettings": public, "protectedSettings": PROTECTED, "protectedSettingsCertThumbprint": "A0" * 20}
    files = one.files(76, message)
    files["etc/waagent.conf"] = waagent_conf(
        more=f"HttpProxy.Host=http://svc-proxy:{PROXY_PHRASE}@proxy.contoso.example\nHttpProxy.Port=3128\n"
    )
    files["var/lib/waagent/ovf-env.xml"] = ovf_env(one.vm, USER_PHRASE)
    files[f"var/lib/waagent/{one.vm.handler}/config/12.settings"] = json.dumps(
        {"runtimeSettings": [{"handlerSettings": settings}]}
    ).encode()
    files |= goal_state_files(one.vm, 6, run.start, settings, sas("status", "pay-11.status", SIGNATURE_OF_STATUS))
    files[f"var/log/azure/{EXTENSION}/CommandExecution.log"] = (
        f"{run.start:%Y-%m-%dT%H:%M:%S.%f}Z INFO ExtHandler [{one.vm.handler}] Command: main/handle.sh enable\n"
        f"[stdout]\n-----BEGIN PRIVATE KEY-----\n{PRIVATE_KEY}\n-----END PRIVATE KEY-----\n[stderr]\n"
    ).encode()
    return SampleBundle(
        "linux-sas-secrets",
        "An unmanaged VM that cannot reach its storage account, with (made-up) secrets in logs, settings and XML.",
        "directory",
        files,
        "cause-found",
        "storage-egress-blocked",
        1,
        SECRETS,
    )
