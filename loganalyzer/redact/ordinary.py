"""Names that name nobody: accounts of systems and services, words that logs have, addresses that everybody has."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from loganalyzer.redact.names import is_prose, says_nothing

#: Accounts that every machine has, or that a service brings (Windows, Debian, Red Hat, SUSE, Azure's agents).
_ACCOUNTS: Final = frozenset(
    """
    root system localsystem networkservice localservice administrator administrators guest public default everyone
    defaultuser0 defaultaccount wdagutilityaccount users temp all nobody nogroup daemon bin sys sync games man lp mail
    news uucp proxy backup list irc gnats _apt syslog messagebus uuidd tcpdump sshd landscape pollinate fwupd-refresh
    usbmux tss lxd dnsmasq chrony polkitd dbus avahi rpc rpcuser nfsnobody postfix mysql postgres oracle mssql nginx
    apache www-data httpd tomcat redis mongodb rabbitmq zabbix nagios prometheus grafana docker ftp operator halt
    shutdown adm wheel sudo staff ntp named cron crontab gdm lightdm rtkit colord kernel systemd waagent omsagent omi
    mdsd azuremonitoragent nxautomation cloud-init snapd snap_daemon iisapppool trustedinstaller anonymous nouser
    unknown user username users none null nil n/a na self service admins not-set local network nt builtin window font
    iis authority
    """.split()  # noqa: SIM905  (a list of words reads better so)
)
_SYSTEM_ACCOUNT: Final = re.compile(
    r"(?:systemd-[\w-]*|dwm-\d+|umfd-\d+|_[a-z][\w-]*|sssd|.*\$|(?:anonymous|local|network|nt)[ _].*|s-1-.*|iis.*)",
    re.IGNORECASE,
)

#: Words that logs have whether or not somebody is called so: such a name is hidden where it is told as a name only.
_COMMON: Final = frozenset(
    """
    admin adminuser agent alert amazon app application apps audit auth auto aws azure backup batch bios boot build
    cache centos cert client cloud cluster command common config console container core critical data database date
    debian debug default demo deploy desktop device disk docker domain download driver email enable error event
    example exec extension fail failed failure false fedora file files filter firewall format gateway global group
    guest handler health home host hosts https image info information init install instance internal internet job
    json kernel key lab library license linux load local localdomain localhost localhost4 localhost6 log login logs
    machine main manager master member memory message metadata microsoft monitor mount name net network nic node none
    notice null office online oracle other output owner package pass password path physical policy pool port portal
    primary private process product prod production profile program proxy public python query queue read redhat
    remote report request resource response restore result rhel root router rule run running script secondary secret
    security server servers service services session setting settings setup shared shell site snapshot software
    source sql start state static status stop storage store success support suse switch sync system systems table
    task temp template terminal test tests time timeout token tools true type ubuntu unknown update upload user
    username users value vault version virtual vmware volume warning web windows work worker workgroup workstation
    write writer
    """.split()  # noqa: SIM905  (a list of words reads better so)
)


def is_account_of_nobody(name: str) -> bool:
    """Whether a user name is that of a system, a service or of nobody at all."""
    plain = name.strip().rsplit("\\", 1)[-1]
    if plain.lower() in _ACCOUNTS or says_nothing(plain) or not any(char.isalpha() for char in plain):
        return True
    return is_prose(plain) or _SYSTEM_ACCOUNT.fullmatch(plain) is not None


def is_machine_of_nobody(name: str) -> bool:
    """Whether a host name says nothing: the machine itself, or a word that stands for "none"."""
    plain = name.strip().lower()
    return plain.startswith("localhost") or plain in ("", "unknown", "workgroup", "n/a") or says_nothing(plain)


def is_common(word: str) -> bool:
    """Whether a word is one that logs have anyway."""
    return word.lower() in _COMMON or word.lower() in _ACCOUNTS


_WIRE_SERVER: Final = "168.63.129.16"


def is_address_of_nobody(address: IPv4Address | IPv6Address) -> bool:
    """Whether every machine has or sees the address: the host of Azure, loopback, link-local, masks, multicast."""
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return True
    if isinstance(address, IPv6Address):
        return False
    first = int(address) >> 24
    return str(address) == _WIRE_SERVER or address.is_link_local or first == 0 or first >= 240 or _is_mask(address)


def _is_mask(address: IPv4Address) -> bool:
    inverse = ~int(address) & 0xFFFFFFFF
    return inverse & (inverse + 1) == 0
