"""A resourceId is typed as Agora gave it."""

from __future__ import annotations

from operate.commands import _joined, _parser


def test_a_resource_id_may_begin_with_a_dash() -> None:
    typed = ["--local", "stop-orphan", "sid", "--resource-id", "-DWFrF", "--mode", "mix"]
    assert _parser().parse_args(_joined(typed)).resource_id == "-DWFrF"
