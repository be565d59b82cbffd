"""One at a time: a lease that runs out by itself, and a fencing number that only grows."""

from __future__ import annotations

from typing import Any

from agora_recording.aws.lease import Lease
from tests.world.table import TABLE
from tests.world.world import World


class Two(World):
    """Two who want the same lease."""

    def __init__(self, **key: Any) -> None:
        super().__init__()
        client: Any = self.table
        self.one = Lease(TABLE, client, self.clock, **key)
        self.other = Lease(TABLE, client, self.clock, **key)


def test_one_has_it_and_the_other_does_not() -> None:
    two = Two()
    assert two.one.take(60) == 1
    assert two.other.take(60) is None
    assert (two.one.is_ours, two.other.is_ours) == (True, False)


def test_it_is_not_even_taken_twice_by_the_same() -> None:
    two = Two()
    two.one.take(60)
    assert two.one.take(60) is None


def test_it_runs_out_by_itself() -> None:
    two = Two()
    two.one.take(60)
    two.clock.advance(60)
    assert not two.one.is_ours
    assert two.other.take(60) is None
    two.clock.advance(0.001)
    assert two.other.take(60) == 2


def test_it_can_be_given_back() -> None:
    two = Two()
    two.one.take(60)
    two.one.release()
    assert not two.one.is_ours
    assert two.other.take(60) == 2


def test_what_another_has_taken_since_is_not_given_back() -> None:
    two = Two()
    two.one.take(60)
    two.clock.advance(61)
    two.other.take(60)
    two.one.release()
    assert two.other.is_ours
    assert Lease(TABLE, two.one.client, two.clock).take(60) is None


def test_the_fencing_number_only_grows() -> None:
    two = Two()
    fences = []
    for lease in (two.one, two.other, two.one):
        fences.append(lease.take(60))
        lease.release()
    assert fences == [1, 2, 3]


def test_leases_of_different_things_are_independent() -> None:
    two = Two(key=("REC#1", "UPDATE"))
    assert two.one.take(60) == 1
    client: Any = two.table
    assert Lease(TABLE, client, two.clock, ("REC#2", "UPDATE")).take(60) == 1
