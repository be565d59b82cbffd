"""WAF IP sets: all addresses of one IP version, written as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from agora_recording.aws import clients
from agora_recording.aws.compare_and_set import compare_and_set
from agora_recording.errors import QuotaError, SettingsError
from agora_recording.firewall.addresses import canonical
from agora_recording.firewall.plan import State
from agora_recording.firewall.target import WRITE_TRIES, ip_version

if TYPE_CHECKING:
    from mypy_boto3_wafv2 import WAFV2Client

WAF_CAPACITY = 10_000


class _Content(NamedTuple):
    addresses: frozenset[str]
    description: str | None
    lock_token: str


class WafIpSetTarget:
    """A WAFv2 IP set, of one IP version, given as CloudFormation's Ref: `name|id|scope`.

    An IP set has no descriptions, so the table remembers which addresses are the stack's. Each
    write replaces the whole set, with the lock token of the version that was read.
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
        """Add these to the set."""
        self._change(lambda present: present | set(cidrs))

    def remove(self, cidrs: Collection[str]) -> None:
        """Remove these from the set."""
        self._change(lambda present: present - set(cidrs))

    def _change(self, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        compare_and_set(
            self._content,
            lambda before: before._replace(addresses=change(before.addresses)),
            self._write,
            overtaken=("WAFOptimisticLockException",),
            tries=WRITE_TRIES,
            refusal=f"{self.id} changed during every try",
        )

    def _content(self) -> _Content:
        answer = self._client.get_ip_set(**self._set)
        found = answer["IPSet"]
        addresses = frozenset(canonical(cidr) for cidr in found["Addresses"])
        return _Content(addresses, found.get("Description"), answer["LockToken"])

    def _write(self, _: _Content, after: _Content) -> _Content:
        addresses, description, token = after
        request = {**self._set, "Addresses": sorted(addresses), "LockToken": token}
        if description:
            request["Description"] = description  # without it, it would be deleted
        try:
            self._client.update_ip_set(**request)
        except self._client.exceptions.WAFLimitsExceededException as error:
            raise QuotaError(f"{self.id} has no room for {len(addresses)} addresses") from error
        return after
