"""Prefix lists, on a thin fake: moto keeps neither versions nor states."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from agora_recording.errors import FirewallError, QuotaError, WriteConflictError
from agora_recording.firewall.plan import IPV4
from agora_recording.firewall.prefix_list import PrefixListTarget
from tests.world.firewall import STACK, ips, refused


class FakePrefixLists:
    """One prefix list as EC2 keeps it: versions, states, a maximum, and meddlers."""

    def __init__(self, *entries: tuple[str, str], max_entries: int = 10) -> None:
        self.entries = dict(entries)
        self.max_entries = max_entries
        self.version = 1
        self.state = "create-complete"
        self.polls_in_progress = 0  # how many looks a change takes to complete
        self.meddlers: list[Callable[[], None]] = []  # each acts just before one write
        self.writes: list[dict[str, Any]] = []

    def describe_managed_prefix_lists(self, PrefixListIds: list[str]) -> dict[str, Any]:
        if self.state.endswith("-in-progress"):
            self.polls_in_progress -= 1
            if self.polls_in_progress <= 0:
                self.state = self.state.replace("in-progress", "complete")
        found = {
            "PrefixListId": PrefixListIds[0],
            "AddressFamily": "IPv4",
            "State": self.state,
            "Version": self.version,
            "MaxEntries": self.max_entries,
        }
        if self.state == "modify-failed":
            found["StateMessage"] = "sg-7 has no room"
        return {"PrefixLists": [found]}

    def get_paginator(self, name: str) -> FakePrefixLists:
        assert name == "get_managed_prefix_list_entries"
        return self

    def paginate(self, PrefixListId: str, TargetVersion: int) -> Iterator[dict[str, Any]]:
        assert TargetVersion == self.version
        for cidr, text in self.entries.items():
            yield {"Entries": [{"Cidr": cidr, "Description": text} if text else {"Cidr": cidr}]}

    def modify_managed_prefix_list(
        self,
        PrefixListId: str,
        CurrentVersion: int,
        AddEntries: Collection[dict[str, str]] = (),
        RemoveEntries: Collection[dict[str, str]] = (),
    ) -> None:
        if self.meddlers:
            self.meddlers.pop(0)()
        if CurrentVersion != self.version:
            raise refused("ModifyManagedPrefixList", "PrefixListVersionMismatch")
        if len(self.entries) + len(AddEntries) > self.max_entries:
            raise refused("ModifyManagedPrefixList", "PrefixListMaxEntriesExceeded")
        assert max(len(AddEntries), len(RemoveEntries)) <= 100
        self.writes.append({"add": list(AddEntries), "remove": list(RemoveEntries)})
        self.entries |= {each["Cidr"]: each["Description"] for each in AddEntries}
        for each in RemoveEntries:
            del self.entries[each["Cidr"]]
        self.version += 1
        if self.state != "modify-failed":
            self.state = "modify-in-progress" if self.polls_in_progress else "modify-complete"

    def meddle(self, **entries: str) -> None:
        self.entries |= {cidr.replace("_", "."): text for cidr, text in entries.items()}
        self.version += 1


def prefix_list(fake: FakePrefixLists, slept: list[float] | None = None) -> PrefixListTarget:
    client: Any = fake
    slept = [] if slept is None else slept
    return PrefixListTarget("pl-1", STACK, client=client, sleep=slept.append)


def test_a_list_tells_our_entries_from_others() -> None:
    fake = FakePrefixLists(
        ("8.8.8.1/32", "agora-ncs rec"), ("9.9.9.9/32", "office"), ("1.1.1.1/32", "")
    )
    state = prefix_list(fake).read()
    assert state.present == {"8.8.8.1/32", "9.9.9.9/32", "1.1.1.1/32"}
    assert state.marked == ips(1)
    assert state.capacity == {IPV4: 10}


def test_entries_bear_the_mark_and_the_version_they_are_based_on() -> None:
    fake = FakePrefixLists(("9.9.9.9/32", "office"))
    prefix_list(fake).add(ips(1))
    assert fake.entries == {"9.9.9.9/32": "office", "8.8.8.1/32": "agora-ncs rec"}
    assert fake.version == 2


def test_a_list_changed_by_somebody_else_is_read_again_and_their_change_stays() -> None:
    fake = FakePrefixLists()
    fake.meddlers = [lambda: fake.meddle(**{"9_9_9_9/32": "office", "8_8_8_1/32": "twin"})]
    prefix_list(fake).add(ips(1, 2))
    assert fake.entries == {
        "9.9.9.9/32": "office",
        "8.8.8.1/32": "twin",
        "8.8.8.2/32": "agora-ncs rec",
    }


def test_a_list_that_is_changed_all_the_time_is_given_up() -> None:
    fake, slept = FakePrefixLists(), list[float]()
    fake.meddlers = [fake.meddle] * 9
    with pytest.raises(WriteConflictError):
        prefix_list(fake, slept).add(ips(1))
    assert fake.writes == []
    assert slept == [1, 2, 3, 4, 5]


def test_foreign_entries_are_never_removed_even_when_asked() -> None:
    fake = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec"), ("8.8.8.2/32", "office"))
    prefix_list(fake).remove(ips(1, 2, 3))
    assert fake.entries == {"8.8.8.2/32": "office"}


def test_an_entry_taken_over_by_somebody_else_meanwhile_stays() -> None:
    fake = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec"))
    fake.meddlers = [lambda: fake.meddle(**{"8_8_8_1/32": "office"})]
    prefix_list(fake).remove(ips(1))
    assert fake.entries == {"8.8.8.1/32": "office"}


def test_nothing_is_written_when_there_is_nothing_to_do() -> None:
    fake = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec"))
    prefix_list(fake).add(ips(1))
    prefix_list(fake).remove(ips(2))
    assert fake.writes == []


def test_a_list_without_room_is_not_written_to() -> None:
    fake = FakePrefixLists(("9.9.9.9/32", "office"), max_entries=2)
    with pytest.raises(QuotaError, match="1 of 2 entries: no room for 2 more"):
        prefix_list(fake).add(ips(1, 2))
    assert fake.writes == []


def test_a_list_filled_by_somebody_else_meanwhile_is_not_written_to() -> None:
    fake = FakePrefixLists(max_entries=2)
    fake.meddlers = [lambda: fake.meddle(**{"9_9_9_9/32": "office"})]
    with pytest.raises(QuotaError):
        prefix_list(fake).add(ips(1, 2))
    assert fake.entries == {"9.9.9.9/32": "office"}


def test_more_than_a_hundred_entries_go_in_several_writes() -> None:
    fake = FakePrefixLists(max_entries=300)
    prefix_list(fake).add(ips(*range(250)))
    assert [len(write["add"]) for write in fake.writes] == [100, 100, 50]
    prefix_list(fake).remove(ips(*range(250)))
    assert fake.entries == {}


def test_a_change_is_waited_for_before_the_next() -> None:
    fake, slept = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec")), list[float]()
    fake.state, fake.polls_in_progress = "modify-in-progress", 3
    prefix_list(fake, slept).add(ips(2))
    assert slept == [3, 3]
    assert fake.entries.keys() == ips(1, 2)


def test_a_change_that_does_not_end_is_given_up() -> None:
    fake, slept = FakePrefixLists(), list[float]()
    fake.state, fake.polls_in_progress = "modify-in-progress", 99
    with pytest.raises(WriteConflictError, match="modify-in-progress"):
        prefix_list(fake, slept).read()
    assert sum(slept) == 60


def test_a_change_that_aws_could_not_digest_is_an_error_with_its_reason() -> None:
    fake = FakePrefixLists()
    fake.state = "modify-failed"
    with pytest.raises(FirewallError, match="sg-7 has no room"):
        prefix_list(fake).add(ips(1))
