"""The targets: security groups, a prefix list, WAF IP sets, the webhook's allow-list.

Each target can report what it lets in (`read`), let in more (`add`) and less (`remove`). All three
may be repeated at any time; `add` and `remove` accept that another writer was first. What a target
cannot hold itself (since when an address is withdrawn, what Agora last answered) is in the table:
`FIREWALL`/`<target id>`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import msgspec
from botocore.exceptions import ClientError

from agora_recording.aws import clients
from agora_recording.aws.dynamodb import from_item, to_attribute, to_item
from agora_recording.firewall.plan import IPV4, IPV6, Memory, Plan, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

PARTITION = "FIREWALL"
WRITE_TRIES = 6  # how often a write is tried while others write the target, too


class Target(Protocol):
    """A firewall, or a list of addresses for one."""

    @property
    def id(self) -> str:
        """Its name in the table, in logs and in plans."""

    def read(self) -> State:
        """Return what it lets in now."""

    def add(self, cidrs: Collection[str]) -> None:
        """Let these in too. Raises QuotaError when it is full."""

    def remove(self, cidrs: Collection[str]) -> None:
        """Stop letting these in, as far as the stack owns them."""


def carry_out(
    target: Target,
    memories: TargetMemories,
    decide: Callable[[State, Memory], Plan],
    *,
    dry_run: bool = False,
) -> Plan:
    """Change one target as `decide` plans it; return the plan.

    New addresses are recorded as the stack's before they are written: so after a crash in between,
    a later run can still remove them.
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
    """The result of a run, by target id (or by the source's name, if it gave no target)."""

    plans: dict[str, Plan]
    failed: dict[str, Exception]


class Targets(msgspec.Struct, frozen=True):
    """All targets of a stack. If one fails, the others still have their turn.

    `found`: the targets by their id. `unfound`: the error of each source that failed, by the
    source's name.
    """

    found: dict[str, Target]
    unfound: dict[str, Exception]
    memories: TargetMemories

    @classmethod
    def find(
        cls, sources: Mapping[str, Callable[[], Iterable[Target]]], memories: TargetMemories
    ) -> Self:
        """Return the targets that `sources` make, each once.

        Each source has the name that is reported if it fails; the others still have their turn.
        """
        found, unfound = dict[str, Target](), dict[str, Exception]()
        for name, make in sources.items():
            try:
                found.update((target.id, target) for target in make())
            except Exception as error:  # whatever it is: see the class
                unfound[name] = error
        return cls(found, unfound, memories)

    def carry_out(
        self, decide: Callable[[State, Memory], Plan], *, dry_run: bool = False
    ) -> Outcome:
        """Change each target as `decide` plans it."""
        plans, failed = dict[str, Plan](), dict(self.unfound)
        for target_id, target in self.found.items():
            try:
                plans[target_id] = carry_out(target, self.memories, decide, dry_run=dry_run)
            except Exception as error:  # whatever it is: see the class
                failed[target_id] = error
        return Outcome(plans, failed)

    def fresh_since_ms(self) -> int | None:
        """Return when (ms) the oldest last good answer was; None if a target never had one."""
        known = [self.memories.load(target_id).last_accepted_ms for target_id in self.found]
        if self.unfound or not known or None in known:
            return None
        return min(ms for ms in known if ms is not None)


class TargetMemories(msgspec.Struct):
    """Keeps a `Memory` for each target, in the row of that target."""

    table_name: str
    client: DynamoDBClient | None = None

    def load(self, target_id: str) -> Memory:
        """Return what is remembered; an empty memory for a target never seen."""
        client = self.client or clients.dynamodb()
        answer = client.get_item(
            TableName=self.table_name, Key=row_key(target_id), ConsistentRead=True
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
        client = self.client or clients.dynamodb()
        client.update_item(
            TableName=self.table_name,
            Key=row_key(target_id),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ExpressionAttributeValues={
                f":{name}": to_attribute(value) for name, value in values.items()
            },
        )


# --- what several kinds of targets need ---------------------------------------------------------


def row_key(target_id: str) -> dict[str, AttributeValueTypeDef]:
    """Return the key of a target's row."""
    return to_item({"PK": PARTITION, "SK": target_id})


def error_code(error: ClientError) -> str:
    """Return AWS's error code (such as `InvalidPermission.Duplicate`)."""
    return error.response["Error"]["Code"]


def ip_version(family: str) -> int:
    """Return 4 or 6 for an address family as AWS writes it (EC2: `IPv4`, WAF: `IPV4`)."""
    return IPV6 if family.upper() == "IPV6" else IPV4
