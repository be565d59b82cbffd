"""The calls that put, show and delete the rules of auto-record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agora_recording.agora.redaction import excess, redact, restore
from agora_recording.auto_record.rule import (
    DEFAULT_AT_ONCE,
    MAX_RULES,
    Rule,
    RuleName,
    RuleRequest,
    example_of,
)
from agora_recording.auto_record.rule_store import RuleStore
from agora_recording.aws.sealing import Sealer
from agora_recording.clock import Instant, iso, now_ms
from agora_recording.errors import Problem, RequestInvalidError, TooManyRulesError
from agora_recording.request.conformance import Findings, conform, present
from agora_recording.request.reading import Limits, read_request

# What a rule and a request to record have in common. The rest of a rule is its own.
_OF_THE_RECORDING = (
    *("mode", "clientRequest", "maxDurationSeconds", "restartLimit", "tags"),
    "callbackUrl",
)


class RuleView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """A rule as the API shows it: placeholders stand where its clientRequest has secrets."""

    name: str
    channel_pattern: str
    enabled: bool
    mode: str
    client_request: dict[str, Any]
    max_duration_seconds: int | None = None
    restart_limit: int | None = None
    tags: dict[str, str]
    callback_url: str | None = None
    stop_when_empty_seconds: int | None = None
    max_at_once: int
    changed_at: Instant


class Checker(msgspec.Struct, frozen=True, kw_only=True):
    """Checks and stores rules."""

    store: RuleStore
    sealer: Sealer
    limits: Limits
    now_ms: Callable[[], int] = now_ms

    def put(self, name: str, body: dict[str, Any]) -> tuple[Rule, tuple[Problem, ...]]:
        """Store a rule, in the place of the one that had its name; return it with the warnings.

        Its recordings are checked now, as a request for one of them would be. Raises
        RequestInvalidError; TooManyRulesError.
        """
        check_name(name)
        body, warnings = self._checked(body)
        request = {each: body[each] for each in _OF_THE_RECORDING if each in body}
        shown, secrets = redact(request.get("clientRequest", {}))
        broken = excess(secrets)
        if broken:
            raise RequestInvalidError([Problem("clientRequest", rule) for rule in broken])
        others = {each.name for each in self.store.all()} - {name}
        if len(others) >= MAX_RULES:
            raise TooManyRulesError(f"A stack has at most {MAX_RULES} rules; delete one first.")
        rule = Rule(
            name=name,
            channel_pattern=body["channelPattern"],
            enabled=body.get("enabled", True),
            request={**request, "clientRequest": shown},
            sealed=self.sealer.seal(_sealed_for(name), secrets),
            stop_when_empty_seconds=body.get("stopWhenEmptySeconds"),
            max_at_once=body.get("maxAtOnce", DEFAULT_AT_ONCE),
            changed_ms=self.now_ms(),
        )
        self.store.put(rule)
        return rule, warnings

    def _checked(self, body: dict[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
        """Return the body without nulls, and warnings. Raises RequestInvalidError."""
        body = present(body, RuleRequest)
        found = Findings()
        conform({**body, "clientRequest": {}}, RuleRequest, "", found)
        problems = list(found.checked().problems)
        told = {"cname", *(each.path for each in problems)}
        wanted = {each: body[each] for each in _OF_THE_RECORDING if each in body}
        if "mode" in told:
            del wanted["mode"]  # it decides what else would be wrong
        wanted["cname"] = example_of(body.get("channelPattern"))
        warnings: tuple[Problem, ...] = ()
        try:
            warnings = read_request(wanted, self.limits, self.now_ms()).warnings
        except RequestInvalidError as error:
            problems += [each for each in error.problems if each.path not in told]
        if problems:
            raise RequestInvalidError(problems)
        # A token for one uid cannot be meant here: the stack always chooses the uid.
        return body, tuple(each for each in warnings if each.path != "uid")


def check_name(name: str) -> None:
    """Raise RequestInvalidError for what cannot be the name of a rule."""
    found = Findings()
    conform(name, RuleName, "name", found)
    if problems := found.checked().problems:
        raise RequestInvalidError(problems)


def request_of(rule: Rule, cname: str, sealer: Sealer) -> dict[str, Any]:
    """Return the request to record a channel, as the rule says, with its secrets."""
    secrets = sealer.unseal(_sealed_for(rule.name), rule.sealed)
    whole = restore(rule.request["clientRequest"], secrets)
    return {**rule.request, "clientRequest": whole, "cname": cname}


def _sealed_for(name: str) -> str:
    """Return what a rule's secrets are bound to; it is no recordingId."""
    return f"rule {name}"


def public(rule: Rule) -> dict[str, Any]:
    """Return what the API shows of a rule."""
    request = rule.request
    view = RuleView(
        name=rule.name,
        channel_pattern=rule.channel_pattern,
        enabled=rule.enabled,
        mode=request.get("mode", "mix"),
        client_request=request["clientRequest"],
        max_duration_seconds=request.get("maxDurationSeconds"),
        restart_limit=request.get("restartLimit"),
        tags=request.get("tags", {}),
        callback_url=request.get("callbackUrl"),
        stop_when_empty_seconds=rule.stop_when_empty_seconds,
        max_at_once=rule.max_at_once,
        changed_at=iso(rule.changed_ms),
    )
    shown: dict[str, Any] = msgspec.to_builtins(view)
    return shown
