"""Files of a Linux VM beside its logs: configuration, goal state and what the agent keeps about a handler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from sample_logs.linux_logs import EXTENSION, LinuxVm, ticks

WAAGENT_CONF = """\
# Azure Linux Agent Configuration

# Enable extension handling.
Extensions.Enabled={extensions}

# How often (in seconds) to poll for new goal states
Extensions.GoalStatePeriod=6

# Which provisioning agent to use.
Provisioning.Agent=auto
Provisioning.DeleteRootPassword=y

# Format if unformatted. If 'n', resource disk will not be mounted.
ResourceDisk.Format=n

Logs.Verbose=n
Logs.Collect=y
OS.EnableFirewall=y
OS.OpensslPath=None
{more}"""


def waagent_conf(extensions: str = "y", more: str = "") -> bytes:
    """etc/waagent.conf as a distribution packs it (linux.md 3.9)."""
    return WAAGENT_CONF.format(extensions=extensions, more=more).encode()


def os_release(vm: LinuxVm) -> bytes:
    """etc/os-release of the VM's distribution."""
    name, version = vm.system.split()
    return f'PRETTY_NAME="{name.capitalize()} {version}"\nID={name}\nVERSION_ID="{version}"\n'.encode()


def handler_files(vm: LinuxVm, state: str, status: str, code: int, message: str) -> dict[str, bytes]:
    """HandlerManifest.json, config/HandlerState and config/HandlerStatus of the snapshot extension."""
    folder = f"var/lib/waagent/{vm.handler}"
    commands = {
        **{
            f"{verb}Command": f"main/handle.sh {verb}"
            for verb in ("install", "uninstall", "update", "enable", "disable")
        },
        "rebootAfterInstall": False,
        "reportHeartbeat": False,
    }
    manifest = [{"name": EXTENSION, "version": "1.0", "handlerManifest": commands}]
    told: Mapping[str, object] = {
        "name": EXTENSION,
        "version": vm.extension,
        "status": status,
        "code": code,
        "message": message,
        "supports_multi_config": False,
        "extension_status": None,
    }
    return {
        f"{folder}/HandlerManifest.json": json.dumps(manifest, indent=1).encode(),
        f"{folder}/config/HandlerState": state.encode(),
        f"{folder}/config/HandlerStatus": json.dumps(told).encode(),
    }


def goal_state_files(vm: LinuxVm, number: int, at: datetime, settings: object, status_blob: str) -> dict[str, bytes]:
    """GoalState.xml and ExtensionsConfig.xml of the newest history folder (linux.md 3.1, 3.2, 3.4)."""
    folder = f"var/lib/waagent/history/{at:%Y-%m-%dT%H-%M-%S}__{number}"
    goal = f"""<?xml version="1.0" encoding="utf-8"?>
<GoalState>
  <Version>2015-04-05</Version>
  <Incarnation>{number}</Incarnation>
  <Machine><ExpectedState>Started</ExpectedState></Machine>
  <Container><RoleInstanceList><RoleInstance><InstanceId>_{vm.name}</InstanceId><State>Started</State></RoleInstance>\
</RoleInstanceList></Container>
</GoalState>
"""
    plugin = f'name="{EXTENSION}" version="{vm.extension}"'
    text = json.dumps({"runtimeSettings": [{"handlerSettings": settings}]})
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    config = f"""<Extensions version="1.0.0.0" goalStateIncarnation="{number}">
<Plugins><Plugin {plugin} state="enabled" autoUpgrade="true" isJson="true" useExactVersion="true"/></Plugins>
<PluginSettings><Plugin {plugin}>
<RuntimeSettings seqNo="{number}">{text}</RuntimeSettings></Plugin></PluginSettings>
<StatusUploadBlob statusBlobType="PageBlob">{status_blob.replace("&", "&amp;")}</StatusUploadBlob>
<InVMGoalStateMetaData inSvdSeqNo="{number}" createdOnTicks="{ticks(at)}"/></Extensions>
"""
    return {f"{folder}/GoalState.xml": goal.encode(), f"{folder}/ExtensionsConfig.xml": config.encode()}


def ovf_env(vm: LinuxVm, password: str) -> bytes:
    """ovf-env.xml with the password of the first user (linux.md 3.12)."""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">
<wa:ProvisioningSection><wa:Version>1.0</wa:Version><LinuxProvisioningConfigurationSet>
<HostName>{vm.name}</HostName><UserName>azureuser</UserName><UserPassword>{password}</UserPassword>
</LinuxProvisioningConfigurationSet></wa:ProvisioningSection>
<wa:ProvisionGuestAgent>true</wa:ProvisionGuestAgent>
</Environment>
""".encode()
