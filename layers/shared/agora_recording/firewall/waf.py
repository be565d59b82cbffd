"""WAF IP sets: all addresses of one IP version, written as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from agora_recording.aws import clients
from agora_recording.errors import QuotaError, SettingsError
from agora_recording.firewall.addresses import canonical
from agora_recording.firewall.plan import State
from agora_recording.firewall.target import ip_version, write_until_done

if TYPE_CHECKING:
    from mypy_boto3_wafv2 import WAFV2Client

WAF_CAPACITY = 10_000


class WafIpSetTarget:
    """A WAFv2 IP set, of one IP version, given as CloudFormation's Ref: `name|id|scope`.

    An IP set has no descriptions: which addresses are the stack's is remembered in the table. Each
    write replaces the whole set at once, under the lock token of what was read.
    """

    def __init__(self, reference: str, client: WAFV2Client | None = None) -> None:
        parts = reference.split("|")
        if len(parts) != 3:
            raise SettingsError(f"A WAF IP set is given as name|id|scope, not {reference!r}")
        self._set: dict[str, Any] = {"Name": parts[0], "Id": parts[1], "Scope": parts[2]}
        self.id = f"waf-{parts[1]}"
        self._given = client

    @property
    def _client(self) -> WAFV2Client:
        return self._given or clients.wafv2()

    def read(self) -> State:
        """Return the set's addresses."""
        found = self._client.get_ip_set(**self._set)["IPSet"]
        present = frozenset(canonical(cidr) for cidr in found["Addresses"])
        return State(present, None, {ip_version(found["IPAddressVersion"]): WAF_CAPACITY})

    def add(self, cidrs: Collection[str]) -> None:
        """Write the set with these."""
        self._change(lambda present: present | set(cidrs))

    def remove(self, cidrs: Collection[str]) -> None:
        """Write the set without these."""
        self._change(lambda present: present - set(cidrs))

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        write_until_done(self.id, lambda: self._write(change))

    def _write(self, change: Callable[[set[str]], set[str]]) -> bool:
        """Write the set under the lock token it was read with; return whether that still held."""
        answer = self._client.get_ip_set(**self._set)
        found = answer["IPSet"]
        before = {canonical(cidr) for cidr in found["Addresses"]}
        after = change(before)
        if after == before:
            return True
        request = {**self._set, "Addresses": sorted(after), "LockToken": answer["LockToken"]}
        if description := found.get("Description"):
            request["Description"] = description  # left out, it would be wiped
        try:
            self._client.update_ip_set(**request)
        except self._client.exceptions.WAFOptimisticLockException:
            return False
        except self._client.exceptions.WAFLimitsExceededException as error:
            raise QuotaError(f"{self.id} has no room for {len(after)} addresses") from error
        return True
