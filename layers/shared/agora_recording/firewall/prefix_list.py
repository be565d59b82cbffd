"""Prefix lists: each change names the version of the list that it is based on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError

from agora_recording.aws import clients
from agora_recording.errors import FirewallError, QuotaError, WriteConflictError
from agora_recording.firewall.addresses import canonical
from agora_recording.firewall.plan import State, mark
from agora_recording.firewall.target import WRITE_TRIES, error_code, ip_version

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_BATCH = 100  # entries in one ModifyManagedPrefixList
_CONFLICTS = frozenset(
    {"PrefixListVersionMismatch", "IncorrectState", "ConcurrentMutationLimitExceeded"}
)
_POLLS = 20
_POLL_S = 3


class _PrefixList(NamedTuple):
    version: int
    ip_version: int
    max_entries: int
    state: str
    message: str
    entries: Mapping[str, str]  # CIDR in AWS's spelling → description


class PrefixListTarget(msgspec.Struct):
    """A customer-managed prefix list, of one IP version; entries described by the stack's mark.

    Every write names the version that it is based on; after a conflict it is computed again from
    the new version. `sleep` takes seconds: a list needs some time for each change.
    """

    id: str
    stack_name: str
    client: EC2Client | None = None
    sleep: Callable[[float], None] = time.sleep

    def read(self) -> State:
        """Return the entries of the current version."""
        now = self._settled()
        present = frozenset(canonical(cidr) for cidr in now.entries)
        marked = frozenset(canonical(c) for c, text in now.entries.items() if text == self._mark)
        return State(present, marked, {now.ip_version: now.max_entries})

    def add(self, cidrs: Collection[str]) -> None:
        """Add those that are not there yet."""

        def missing(now: _PrefixList) -> dict[str, Any]:
            there = {canonical(cidr) for cidr in now.entries}
            new = sorted(set(cidrs) - there)
            if len(there) + len(new) > now.max_entries:
                raise QuotaError(
                    f"{self.id} holds {len(there)} of {now.max_entries} entries: "
                    f"no room for {len(new)} more"
                )
            entries = [{"Cidr": cidr, "Description": self._mark} for cidr in new[:_BATCH]]
            return {"AddEntries": entries} if entries else {}

        self._change(missing)

    def remove(self, cidrs: Collection[str]) -> None:
        """Remove those that are there and have the stack's mark."""

        def surplus(now: _PrefixList) -> dict[str, Any]:
            entries = [
                {"Cidr": cidr}
                for cidr, text in now.entries.items()
                if text == self._mark and canonical(cidr) in cidrs
            ]
            return {"RemoveEntries": entries[:_BATCH]} if entries else {}

        self._change(surplus)

    @property
    def _client(self) -> EC2Client:
        return self.client or clients.ec2()

    @property
    def _mark(self) -> str:
        return mark(self.stack_name)

    def _change(self, choose: Callable[[_PrefixList], dict[str, Any]]) -> None:
        """Modify the list until `choose` finds nothing left to do.

        Not `compare_and_set`: one call takes 100 entries, so a change may need several writes, and
        before the list is read again it has to digest what was written.
        """
        conflicts, now = 0, self._settled()
        while change := choose(now):
            try:
                self._client.modify_managed_prefix_list(
                    PrefixListId=self.id, CurrentVersion=now.version, **change
                )
            except ClientError as error:
                if error_code(error) == "PrefixListMaxEntriesExceeded":
                    raise QuotaError(f"{self.id} is full: {now.max_entries} entries") from error
                conflicts += 1
                if error_code(error) not in _CONFLICTS:
                    raise
                if conflicts == WRITE_TRIES:
                    raise WriteConflictError(f"{self.id} changed during every try") from error
                self.sleep(conflicts)
                now = self._settled()
                continue
            now = self._settled()
            if now.state == "modify-failed":
                raise FirewallError(f"{self.id} refused the change: {now.message}")

    def _settled(self) -> _PrefixList:
        """Return the list once it is not being modified; bounded to `_POLLS` polls."""
        for _ in range(_POLLS):
            answer = self._client.describe_managed_prefix_lists(PrefixListIds=[self.id])
            found = answer["PrefixLists"][0]
            if not found["State"].endswith("-in-progress"):
                break
            self.sleep(_POLL_S)
        else:
            raise WriteConflictError(f"{self.id} is still {found['State']}")
        pages = self._client.get_paginator("get_managed_prefix_list_entries").paginate(
            PrefixListId=self.id, TargetVersion=found["Version"]
        )
        return _PrefixList(
            version=found["Version"],
            ip_version=ip_version(found["AddressFamily"]),
            max_entries=found["MaxEntries"],
            state=found["State"],
            message=found.get("StateMessage", ""),
            entries={
                entry["Cidr"]: entry.get("Description", "")
                for page in pages
                for entry in page.get("Entries", ())
            },
        )
