"""Who may read a key vault: ``az keyvault show`` (access policies, roles or not), ``az role assignment list``.

Azure Backup must get, list and back up keys and secrets of VMs with Azure Disk Encryption. An access policy names its
identity by an object id that differs by tenant, so that only roles tell for certain who it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import (
    Record,
    Row,
    Whole,
    claim_export,
    field_of,
    first_text,
    ids_of,
    parsed_export,
    truth,
)
from loganalyzer.parser_json import items, member, text_of

_LOGSOURCE = LogSource("azure", "keyvault")

#: ``kind``: vault, access_policy, role (an assignment) or summary (of role assignments). ``rbac``: roles decide, access
#: policies do not. ``enough``: get, list and backup of keys or of secrets, or a role that gives them; on a vault and a
#: summary whether any has it. ``for_backup``: the identity is Azure Backup itself, as far as it is told;
#: ``backup_roles`` counts those of a list.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "key_vault": pl.String(),
    "rbac": pl.Boolean(),
    "identity": pl.String(),
    "for_backup": pl.Boolean(),
    "role": pl.String(),
    "scope": pl.String(),
    "keys": pl.String(),
    "secrets": pl.String(),
    "enough": pl.Boolean(),
    "access_policies": pl.Int64(),
    "backup_roles": pl.Int64(),
}

#: Azure Backup in the public cloud, by its application (control-plane.md 3).
_BACKUP_SERVICE = "262044b1-e2ce-469f-a196-69ab7ada62d3"
_NEEDED = frozenset({"get", "list", "backup"})
_ROLE = "key vault administrator"
#: Roles that manage a vault without reading what is in it, or read too little of it; of a custom role nobody knows.
_TOO_LITTLE = frozenset(
    {
        *("owner", "contributor", "reader", "user access administrator", "key vault contributor", "key vault reader"),
        *("key vault secrets user", "key vault crypto user", "key vault crypto service encryption user"),
    }
)


@dataclass(frozen=True, slots=True)
class KeyVaultJson:
    """One row a vault, an access policy and a role assignment."""

    name: str = "key_vault_json"
    title: str = "access to a key vault: az keyvault show, az role assignment list"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        "az keyvault show -n <vault> --query properties -o json > keyvault.json",
        "az role assignment list --scope <key-vault-id> -o json > role_assignments.json",
    )
    strongest = 88
    samples: tuple[Sample, ...] = (
        Sample(
            "access policies",
            "keyvault.json",
            orjson.dumps(
                {
                    "name": "kv07",
                    "properties": {
                        "vaultUri": "https://kv07.example.org/",
                        "enableRbacAuthorization": False,
                        "accessPolicies": [
                            {"objectId": "o1", "permissions": {"keys": ["Get"], "secrets": ["Get", "List"]}},
                            {
                                "objectId": "o2",
                                "applicationId": _BACKUP_SERVICE,
                                "permissions": {"keys": ["get", "list", "backup"], "secrets": ["all"]},
                            },
                        ],
                    },
                }
            ),
            (
                {"kind": "vault", "key_vault": "kv07", "rbac": False, "access_policies": 2, "enough": True},
                {"kind": "access_policy", "identity": "o1", "enough": False, "keys": "get", "for_backup": None},
                {"kind": "access_policy", "identity": "o2", "enough": True, "for_backup": True},
            ),
        ),
        Sample(
            "roles",
            "role_assignments.json",
            orjson.dumps(
                [
                    {
                        "principalName": _BACKUP_SERVICE,
                        "principalType": "ServicePrincipal",
                        "roleDefinitionName": "Key Vault Administrator",
                        "scope": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv07",
                    },
                    {
                        "principalName": "somebody@example.org",
                        "roleDefinitionName": "Reader",
                        "scope": "/subscriptions/0",
                    },
                ]
            ),
            (
                {"kind": "role", "for_backup": True, "role": "Key Vault Administrator", "enough": True},
                {"kind": "role", "for_backup": False, "role": "Reader", "enough": False},
                {"kind": "summary", "backup_roles": 1, "enough": True},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the access policies of a vault, or the names of roles."""
        named = r"(?:^|[/!])[^/!]*(?:key[-_ ]?vault|role)[^/!]*$"
        vault = claim_export(
            path, head, name=named, keys=("accessPolicies", "vaultUri|enableRbacAuthorization|sku"), text="a key vault"
        )
        roles = claim_export(
            path, head, name=named, keys=("roleDefinitionName", "scope|principalName"), text="role assignments"
        )
        return vault or roles

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a thing that gives access; states, without a time."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _summed)


def _rows(record: Record) -> Iterator[Row]:
    one = record.value
    if (role := first_text(one, "roleDefinitionName")) is not None:
        yield _role(one, role)
        return
    policies, rbac = field_of(one, "accessPolicies"), truth(field_of(one, "enableRbacAuthorization"))
    if policies is None and rbac is None:
        return
    name = first_text(one, "name", "vaultName")
    rows = [_policy(policy) for policy in items(policies)]
    enough = any(row["enough"] is True for row in rows) if record.whole else None
    known: Row = {"key_vault": name, "rbac": rbac or False}
    told = f"key vault {name or ''}: {'roles' if rbac else 'access policies'}"
    counts: Row = {"access_policies": len(rows), "enough": None if rbac else enough}
    yield known | counts | {"kind": "vault", "message": told}
    yield from (known | row for row in rows)


def _policy(policy: object) -> Row:
    permissions = member(policy, "permissions") or policy  # PowerShell puts them beside the id
    keys = _words(member(permissions, "keys"), member(permissions, "PermissionsToKeys"))
    secrets = _words(member(permissions, "secrets"), member(permissions, "PermissionsToSecrets"))
    identity, application = first_text(policy, "objectId"), first_text(policy, "applicationId")
    ours = f"{application} {first_text(policy, 'DisplayName')}".casefold()
    return {
        "kind": "access_policy",
        "identity": identity,
        "for_backup": True if _BACKUP_SERVICE in ours or "backup management service" in ours else None,
        "keys": ", ".join(keys) or None,
        "secrets": ", ".join(secrets) or None,
        "enough": any("all" in words or set(words) >= _NEEDED for words in (keys, secrets)),
        "message": f"access policy of {identity}: keys {', '.join(keys)}; secrets {', '.join(secrets)}",
    }


def _words(*lists: object) -> list[str]:
    found = next((one for one in lists if isinstance(one, list)), [])
    return sorted({text.casefold() for one in found if (text := text_of(one))})


def _role(one: Mapping[str, object], role: str) -> Row:
    who = first_text(one, "principalName", "DisplayName", "SignInName")
    ours = _BACKUP_SERVICE in (who or "").casefold() or "backup management service" in (who or "").casefold()
    return {
        "kind": "role",
        "identity": who,
        "for_backup": ours if who else None,
        "role": role,
        "scope": ids_of(one, "scope"),
        "enough": True if role.casefold() == _ROLE else False if role.casefold() in _TOO_LITTLE else None,
        "message": f"{who} has the role {role}",
    }


def _summed(whole: Whole) -> Iterator[Row]:
    yield from whole.rows
    roles = [row for row in whole.rows if row["kind"] == "role"]
    if not roles:
        return
    ours = [row for row in roles if row["for_backup"] is True]
    known = whole.complete and all(row["for_backup"] is not None for row in roles)
    counts: Row = {"backup_roles": len(ours) if known else None}
    enough = any(row["enough"] is True for row in ours)
    told = f"{len(roles)} role assignments, {len(ours)} of them of Azure Backup"
    yield {**whole.place, **counts, "kind": "summary", "enough": enough if known or enough else None, "message": told}


parser: Parser = KeyVaultJson()
