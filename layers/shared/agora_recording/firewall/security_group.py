"""Security groups: one inbound rule for each address of Agora's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from agora_recording.aws import clients
from agora_recording.errors import FirewallError, QuotaError
from agora_recording.firewall.addresses import canonical
from agora_recording.firewall.plan import IPV4, IPV6, State, mark, version
from agora_recording.firewall.target import error_code, ip_version

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import IpPermissionUnionTypeDef, SecurityGroupRuleTypeDef

SECURITY_GROUP_QUOTA = 60  # inbound rules, for IPv4 and IPv6 each; an account may have more
_HTTPS = 443
_THERE = frozenset({"InvalidPermission.Duplicate"})
_GONE = frozenset({"InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"})


class SecurityGroupTarget(msgspec.Struct):
    """Inbound rules of one security group: TCP 443, described by the stack's mark."""

    id: str
    stack_name: str
    quota: int = SECURITY_GROUP_QUOTA
    client: EC2Client | None = None

    def read(self) -> State:
        """Return the addresses let in at 443; all other inbound rules count as used places."""
        present, marked = set[str](), set[str]()
        reserved = {IPV4: 0, IPV6: 0}
        for rule in self._rules():
            cidr = self._address(rule)
            if cidr is None:
                for of_version, places in self._places(rule):
                    reserved[of_version] += places
                continue
            present.add(cidr)
            if rule.get("Description") == self._mark:
                marked.add(cidr)
        capacity = {IPV4: self.quota, IPV6: self.quota}
        return State(frozenset(present), frozenset(marked), capacity, reserved)

    def add(self, cidrs: Collection[str]) -> None:
        """Authorize all in one call; one by one if one of them exists meanwhile."""
        if not self._tolerating(_THERE, self._authorize, cidrs):
            for cidr in sorted(cidrs):
                self._tolerating(_THERE, self._authorize, [cidr])

    def remove(self, cidrs: Collection[str]) -> None:
        """Revoke by rule id, so that no other rule for the same address can be removed."""
        ids = [
            rule["SecurityGroupRuleId"]
            for rule in self._rules()
            if self._address(rule) in cidrs and rule.get("Description") == self._mark
        ]
        if ids and not self._tolerating(_GONE, self._revoke, ids):
            for rule_id in ids:
                self._tolerating(_GONE, self._revoke, [rule_id])

    @property
    def _client(self) -> EC2Client:
        return self.client or clients.ec2()

    @property
    def _mark(self) -> str:
        return mark(self.stack_name)

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
            for each in answer["PrefixLists"]:  # AWS's own lists do not show their size
                yield ip_version(each["AddressFamily"]), each.get("MaxEntries", 1)
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
            if error_code(error) in codes:
                return False
            if error_code(error) == "RulesPerSecurityGroupLimitExceeded":
                raise QuotaError(f"{self.id} has no room for {len(what)} more rules") from error
            raise
        return True


def discover_security_groups(tag: str, client: EC2Client | None = None) -> list[str]:
    """Return the ids of the groups that have a tag, given as `key=value`.

    Raises FirewallError when there is none: a tag that matches nothing is a mistake.
    """
    key, _, value = tag.partition("=")
    pages = (
        (client or clients.ec2())
        .get_paginator("describe_security_groups")
        .paginate(Filters=[{"Name": f"tag:{key}", "Values": [value]}])
    )
    found = [group["GroupId"] for page in pages for group in page["SecurityGroups"]]
    if not found:
        raise FirewallError(f"No security group has the tag {tag}")
    return sorted(found)


def _by_version(cidrs: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the IPv4 and the IPv6 blocks, each sorted."""
    ordered = sorted(cidrs)
    return (
        [cidr for cidr in ordered if version(cidr) == IPV4],
        [cidr for cidr in ordered if version(cidr) == IPV6],
    )
