"""Where the addresses go: security groups, a prefix list, WAF IP sets, the webhook's allow-list.

Each target can say what it lets in (`read`), let more in (`add`) and less (`remove`). All three may
be repeated at any time; `add` and `remove` tolerate that somebody else was there first. What a
target cannot hold itself (since when an address is withdrawn, what Agora last answered) is in the
table: `FIREWALL`/`<target id>`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from agora_recording import aws
from agora_recording.addresses import canonical
from agora_recording.attributes import from_item, to_attribute
from agora_recording.errors import FirewallError, QuotaError, SettingsError, WriteConflictError
from agora_recording.firewall import IPV4, IPV6, Memory, Plan, State, mark, version

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import IpPermissionUnionTypeDef, SecurityGroupRuleTypeDef
    from mypy_boto3_wafv2 import WAFV2Client

PARTITION = "FIREWALL"
ALLOW_LIST = "allow-list"
SECURITY_GROUP_QUOTA = 60  # inbound rules, for IPv4 and IPv6 each; an account may have more
WAF_CAPACITY = 10_000
ALLOW_LIST_CAPACITY = 1_000  # of each IP version: with the memory, at most half an item's 400 kB
_HTTPS = 443
_TRIES = 6
_THERE = frozenset({"InvalidPermission.Duplicate"})
_GONE = frozenset({"InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"})
_BATCH = 100  # entries in one ModifyManagedPrefixList


class Target(Protocol):
    """Something that lets addresses in, or not."""

    @property
    def id(self) -> str:
        """Its name in the table, in logs and in plans."""

    def read(self) -> State:
        """Return what it lets in now."""

    def add(self, cidrs: Collection[str]) -> None:
        """Let these in too. Raises QuotaError when it is full."""

    def remove(self, cidrs: Collection[str]) -> None:
        """Let these in no longer, as far as the stack owns them."""


def carry_out(
    target: Target,
    memories: TargetMemories,
    decide: Callable[[State, Memory], Plan],
    *,
    dry_run: bool = False,
) -> Plan:
    """Bring one target to what `decide` plans for it; return the plan.

    The claim on new addresses is remembered before they are written: a crash in between leaves
    nothing let in that no later run would take back.
    """
    memory = memories.load(target.id)
    plan = decide(target.read(), memory)
    if dry_run:
        return plan
    if plan.add:
        memories.save(target.id, memory._replace(owned=memory.owned | plan.add))
    if plan.evict:
        target.remove(plan.evict)
    if plan.add:
        target.add(plan.add)
    if plan.remove:
        target.remove(plan.remove)
    memories.save(target.id, plan.memory)
    return plan


class Outcome(NamedTuple):
    """How a run went, by target id (or by what was to be found, where nothing was)."""

    plans: dict[str, Plan]
    failed: dict[str, Exception]


class Targets:
    """All targets of a stack. Whatever becomes of one, the others have their turn."""

    def __init__(
        self, sources: Mapping[str, Callable[[], Iterable[Target]]], memories: TargetMemories
    ) -> None:
        """`sources`: makers of targets, each under the name that a failure to find it is given."""
        self._memories = memories
        self._unfound: dict[str, Exception] = {}
        self._found: dict[str, Target] = {}
        for name, make in sources.items():
            try:
                self._found.update((target.id, target) for target in make())
            except Exception as error:  # whatever it is: see the class
                self._unfound[name] = error

    def carry_out(
        self, decide: Callable[[State, Memory], Plan], *, dry_run: bool = False
    ) -> Outcome:
        """Bring each target to what `decide` plans for it."""
        plans, failed = dict[str, Plan](), dict(self._unfound)
        for target_id, target in self._found.items():
            try:
                plans[target_id] = carry_out(target, self._memories, decide, dry_run=dry_run)
            except Exception as error:  # whatever it is: see the class
                failed[target_id] = error
        return Outcome(plans, failed)

    def fresh_since_ms(self) -> int | None:
        """Return the oldest of the targets' last good answers; None when one never had any."""
        known = [self._memories.load(target_id).last_accepted_ms for target_id in self._found]
        if self._unfound or not known or None in known:
            return None
        return min(ms for ms in known if ms is not None)


class TargetMemories:
    """Keeps a `Memory` for each target."""

    def __init__(self, table_name: str, client: DynamoDBClient | None = None) -> None:
        self._table_name = table_name
        self._client = client

    def load(self, target_id: str) -> Memory:
        """Return what is remembered; an empty memory for a target never seen."""
        client = self._client or aws.dynamodb()
        answer = client.get_item(
            TableName=self._table_name, Key=_key(target_id), ConsistentRead=True
        )
        row = from_item(answer.get("Item", {}))
        return Memory(
            owned=frozenset(row.get("owned", ())),
            withdrawn=row.get("withdrawn", {}),
            last_answer=frozenset(row.get("lastAnswer", ())),
            last_accepted_ms=row.get("lastAcceptedMs"),
            doubted_since_ms=row.get("doubtedSinceMs"),
        )

    def save(self, target_id: str, memory: Memory) -> None:
        """Remember `memory`; other attributes of the row stay."""
        values = {
            "owned": sorted(memory.owned),
            "withdrawn": dict(memory.withdrawn),
            "lastAnswer": sorted(memory.last_answer),
            "lastAcceptedMs": memory.last_accepted_ms,
            "doubtedSinceMs": memory.doubted_since_ms,
        }
        client = self._client or aws.dynamodb()
        client.update_item(
            TableName=self._table_name,
            Key=_key(target_id),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ExpressionAttributeValues={
                f":{name}": to_attribute(value) for name, value in values.items()
            },
        )


class SecurityGroupTarget:
    """Inbound rules of one security group: TCP 443, described by the stack's mark."""

    def __init__(
        self,
        group_id: str,
        stack_name: str,
        *,
        quota: int = SECURITY_GROUP_QUOTA,
        client: EC2Client | None = None,
    ) -> None:
        self.id = group_id
        self._mark = mark(stack_name)
        self._quota = quota
        self._given = client

    @property
    def _client(self) -> EC2Client:
        return self._given or aws.ec2()

    def read(self) -> State:
        """Return what comes in at 443; all other inbound rules count as used places."""
        present, marked = set[str](), set[str]()
        reserved = {IPV4: 0, IPV6: 0}
        for rule in self._rules():
            cidr = self._address(rule)
            if cidr is None:
                for family, places in self._places(rule):
                    reserved[family] += places
                continue
            present.add(cidr)
            if rule.get("Description") == self._mark:
                marked.add(cidr)
        capacity = {IPV4: self._quota, IPV6: self._quota}
        return State(frozenset(present), frozenset(marked), capacity, reserved)

    def add(self, cidrs: Collection[str]) -> None:
        """Authorize all in one call; one by one when a twin of one of them turned up meanwhile."""
        if not self._tolerating(_THERE, self._authorize, cidrs):
            for cidr in sorted(cidrs):
                self._tolerating(_THERE, self._authorize, [cidr])

    def remove(self, cidrs: Collection[str]) -> None:
        """Revoke by rule id, so that nobody else's rule for the same address can be hit."""
        ids = [
            rule["SecurityGroupRuleId"]
            for rule in self._rules()
            if self._address(rule) in cidrs and rule.get("Description") == self._mark
        ]
        if ids and not self._tolerating(_GONE, self._revoke, ids):
            for rule_id in ids:
                self._tolerating(_GONE, self._revoke, [rule_id])

    def _rules(self) -> Iterator[SecurityGroupRuleTypeDef]:
        pages = self._client.get_paginator("describe_security_group_rules").paginate(
            Filters=[{"Name": "group-id", "Values": [self.id]}]
        )
        for page in pages:
            for rule in page.get("SecurityGroupRules", ()):
                if not rule["IsEgress"]:
                    yield rule

    @staticmethod
    def _address(rule: SecurityGroupRuleTypeDef) -> str | None:
        """Return the address that a rule of our kind lets in, None for any other rule."""
        cidr = rule.get("CidrIpv4") or rule.get("CidrIpv6")
        ours = ("tcp", _HTTPS, _HTTPS)
        if cidr and (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")) == ours:
            return canonical(cidr)
        return None

    def _places(self, rule: SecurityGroupRuleTypeDef) -> Iterator[tuple[int, int]]:
        """Yield (IP version, places) that a rule uses: a prefix list counts as its MaxEntries."""
        if list_id := rule.get("PrefixListId"):
            answer = self._client.describe_managed_prefix_lists(PrefixListIds=[list_id])
            for each in answer["PrefixLists"]:  # AWS's own lists do not tell their weight
                yield _family(each["AddressFamily"]), each.get("MaxEntries", 1)
            return
        if not rule.get("CidrIpv6"):
            yield IPV4, 1
        if not rule.get("CidrIpv4"):
            yield IPV6, 1

    def _authorize(self, cidrs: Collection[str]) -> None:
        permission: IpPermissionUnionTypeDef = {
            "IpProtocol": "tcp",
            "FromPort": _HTTPS,
            "ToPort": _HTTPS,
        }
        ipv4, ipv6 = _by_version(cidrs)
        if ipv4:
            permission["IpRanges"] = [{"CidrIp": c, "Description": self._mark} for c in ipv4]
        if ipv6:
            permission["Ipv6Ranges"] = [{"CidrIpv6": c, "Description": self._mark} for c in ipv6]
        self._client.authorize_security_group_ingress(GroupId=self.id, IpPermissions=[permission])

    def _revoke(self, rule_ids: Collection[str]) -> None:
        self._client.revoke_security_group_ingress(
            GroupId=self.id, SecurityGroupRuleIds=list(rule_ids)
        )

    def _tolerating(
        self, codes: Collection[str], act: Callable[[Collection[str]], None], what: Collection[str]
    ) -> bool:
        """Return whether `act` worked; False when AWS answered with an error among `codes`."""
        try:
            act(what)
        except ClientError as error:
            if _code(error) in codes:
                return False
            if _code(error) == "RulesPerSecurityGroupLimitExceeded":
                raise QuotaError(f"{self.id} has no room for {len(what)} more rules") from error
            raise
        return True


def discover_security_groups(tag: str, client: EC2Client | None = None) -> list[str]:
    """Return the ids of the groups that bear a tag, given as `key=value`.

    Raises FirewallError when there is none: a tag that matches nothing is a mistake.
    """
    key, _, value = tag.partition("=")
    pages = (
        (client or aws.ec2())
        .get_paginator("describe_security_groups")
        .paginate(Filters=[{"Name": f"tag:{key}", "Values": [value]}])
    )
    found = [group["GroupId"] for page in pages for group in page["SecurityGroups"]]
    if not found:
        raise FirewallError(f"No security group bears the tag {tag}")
    return sorted(found)


class _PrefixList(NamedTuple):
    version: int
    family: int
    max_entries: int
    state: str
    message: str
    entries: Mapping[str, str]  # CIDR in AWS's spelling → description


class PrefixListTarget:
    """A customer-managed prefix list, of one IP version; entries described by the stack's mark.

    Every write names the version it was based on; when somebody else was faster, it is made anew
    from what the list holds then. `sleep` takes seconds: a list digests a change for some time.
    """

    _CONFLICTS = frozenset(
        {"PrefixListVersionMismatch", "IncorrectState", "ConcurrentMutationLimitExceeded"}
    )
    _POLLS = 20

    def __init__(
        self,
        prefix_list_id: str,
        stack_name: str,
        *,
        client: EC2Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.id = prefix_list_id
        self._mark = mark(stack_name)
        self._given = client
        self._sleep = sleep

    @property
    def _client(self) -> EC2Client:
        return self._given or aws.ec2()

    def read(self) -> State:
        """Return the entries of the current version."""
        now = self._settled()
        present = frozenset(canonical(cidr) for cidr in now.entries)
        marked = frozenset(canonical(c) for c, text in now.entries.items() if text == self._mark)
        return State(present, marked, {now.family: now.max_entries})

    def add(self, cidrs: Collection[str]) -> None:
        """Add what is not there yet."""

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
        """Remove what is there and bears the mark."""

        def surplus(now: _PrefixList) -> dict[str, Any]:
            entries = [
                {"Cidr": cidr}
                for cidr, text in now.entries.items()
                if text == self._mark and canonical(cidr) in cidrs
            ]
            return {"RemoveEntries": entries[:_BATCH]} if entries else {}

        self._change(surplus)

    def _change(self, choose: Callable[[_PrefixList], dict[str, Any]]) -> None:
        """Modify the list until `choose` finds nothing left to do."""
        conflicts, now = 0, self._settled()
        while change := choose(now):
            try:
                self._client.modify_managed_prefix_list(
                    PrefixListId=self.id, CurrentVersion=now.version, **change
                )
            except ClientError as error:
                if _code(error) == "PrefixListMaxEntriesExceeded":
                    raise QuotaError(f"{self.id} is full: {now.max_entries} entries") from error
                conflicts += 1
                if _code(error) not in self._CONFLICTS:
                    raise
                if conflicts == _TRIES:
                    raise WriteConflictError(f"{self.id} is being changed all the time") from error
                self._sleep(conflicts)
                now = self._settled()
                continue
            now = self._settled()
            if now.state == "modify-failed":
                raise FirewallError(f"{self.id} did not take the change: {now.message}")

    def _settled(self) -> _PrefixList:
        """Return the list once it is not being modified; bounded to `_POLLS` polls, 3 s apart."""
        for _ in range(self._POLLS):
            answer = self._client.describe_managed_prefix_lists(PrefixListIds=[self.id])
            found = answer["PrefixLists"][0]
            if not found["State"].endswith("-in-progress"):
                break
            self._sleep(3)
        else:
            raise WriteConflictError(f"{self.id} is still {found['State']}")
        pages = self._client.get_paginator("get_managed_prefix_list_entries").paginate(
            PrefixListId=self.id, TargetVersion=found["Version"]
        )
        return _PrefixList(
            version=found["Version"],
            family=_family(found["AddressFamily"]),
            max_entries=found["MaxEntries"],
            state=found["State"],
            message=found.get("StateMessage", ""),
            entries={
                entry["Cidr"]: entry.get("Description", "")
                for page in pages
                for entry in page.get("Entries", ())
            },
        )


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
        return self._given or aws.wafv2()

    def read(self) -> State:
        """Return the set's addresses."""
        found = self._client.get_ip_set(**self._set)["IPSet"]
        present = frozenset(canonical(cidr) for cidr in found["Addresses"])
        return State(present, None, {_family(found["IPAddressVersion"]): WAF_CAPACITY})

    def add(self, cidrs: Collection[str]) -> None:
        """Write the set with these."""
        self._change(lambda present: present | set(cidrs))

    def remove(self, cidrs: Collection[str]) -> None:
        """Write the set without these."""
        self._change(lambda present: present - set(cidrs))

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        for _ in range(_TRIES):
            answer = self._client.get_ip_set(**self._set)
            found = answer["IPSet"]
            before = {canonical(cidr) for cidr in found["Addresses"]}
            after = change(before)
            if after == before:
                return
            request = {**self._set, "Addresses": sorted(after), "LockToken": answer["LockToken"]}
            if description := found.get("Description"):
                request["Description"] = description  # left out, it would be wiped
            try:
                self._client.update_ip_set(**request)
            except self._client.exceptions.WAFOptimisticLockException:
                continue
            except self._client.exceptions.WAFLimitsExceededException as error:
                raise QuotaError(f"{self.id} has no room for {len(after)} addresses") from error
            return
        raise WriteConflictError(f"{self.id} is being changed all the time")


class AllowListTarget:
    """The list that the webhook function reads: attribute `cidrs` of `FIREWALL`/`allow-list`."""

    id = ALLOW_LIST

    def __init__(self, table_name: str, client: DynamoDBClient | None = None) -> None:
        self._table_name = table_name
        self._given = client

    @property
    def _client(self) -> DynamoDBClient:
        return self._given or aws.dynamodb()

    def read(self) -> State:
        """Return the list; all of it is the stack's."""
        present = frozenset(self._cidrs() or ())
        return State(present, present, dict.fromkeys((IPV4, IPV6), ALLOW_LIST_CAPACITY))

    def add(self, cidrs: Collection[str]) -> None:
        """Write the list with these."""
        self._change(lambda present: present | set(cidrs))

    def remove(self, cidrs: Collection[str]) -> None:
        """Write the list without these."""
        self._change(lambda present: present - set(cidrs))

    def _cidrs(self) -> list[str] | None:
        answer = self._client.get_item(
            TableName=self._table_name, Key=_key(ALLOW_LIST), ConsistentRead=True
        )
        found: list[str] | None = from_item(answer.get("Item", {})).get("cidrs")
        return found

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        for _ in range(_TRIES):
            before = self._cidrs()
            after = change(set(before or ()))
            if before is not None and after == set(before):
                return
            values = {":after": to_attribute(sorted(after))}
            condition = "attribute_not_exists(cidrs)"
            if before is not None:
                condition = "cidrs = :before"
                values[":before"] = to_attribute(before)
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(ALLOW_LIST),
                    UpdateExpression="SET cidrs = :after",
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                continue
            return
        raise WriteConflictError("The allow-list is being changed all the time")


def _key(target_id: str) -> dict[str, dict[str, str]]:
    return {"PK": {"S": PARTITION}, "SK": {"S": target_id}}


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _family(name: str) -> int:
    return IPV6 if name.upper() == "IPV6" else IPV4


def _by_version(cidrs: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the IPv4 and the IPv6 blocks, each sorted."""
    ordered = sorted(cidrs)
    return (
        [cidr for cidr in ordered if version(cidr) == IPV4],
        [cidr for cidr in ordered if version(cidr) == IPV6],
    )
