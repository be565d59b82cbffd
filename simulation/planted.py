"""Planted bugs: small patches, each of which takes one safety away. Something must notice.

`LIVES`: the simulation must notice, within its budget. The others name the tests that must.
"""

from __future__ import annotations

from typing import NamedTuple

LIVES = "lives"
_LAYER = "layers/shared/agora_recording/"
_ASL = "statemachine/recording.asl.yaml"
_TEMPLATE = "template.yaml"
_INVARIANTS = "tests/template/test_invariants.py"


class Planted(NamedTuple):
    """A bug: the first `before` in a file becomes `after`; `seen_by` must fail then."""

    name: str
    file: str
    before: str
    after: str
    seen_by: str = LIVES


def _code(name: str, file: str, before: str, after: str, seen_by: str = LIVES) -> Planted:
    return Planted(name, _LAYER + file, before, after, seen_by)


BUGS: tuple[Planted, ...] = (
    # --- life: sessions and who owns them ---
    _code(
        "a 404 that nobody asked for is taken as stopped at once",
        "recording/ending.py",
        "if absence.is_believed(timings):\n            return end_session(gone",
        "if absence:\n            return end_session(gone",
    ),
    _code(
        "a session that was given up is over at the first 404",
        "recording/ending.py",
        "orphan_ended(recording, sid, now_ms) if absence.is_believed(timings) else recording",
        "orphan_ended(recording, sid, now_ms)",
    ),
    _code(
        "404s count together however long nobody asked in between",
        "recording/absence.py",
        "if since_ms is None or now_ms - (latest_ms or since_ms) > to_ms(timings.failover_s):",
        "if since_ms is None:",
        "tests/unit/recording/test_absence.py",
    ),
    _code(
        "a session that nobody saw record is asked seldom, though its 404s must count together",
        "recording/due.py",
        "    if recording.gone_ms:\n        look = max(",
        "    if recording.version < 0:\n        look = max(",
        "tests/unit/recording/test_due.py",
    ),
    _code(
        "a session that was given up and is heard again counts as gone all the time",
        "recording/model.py",
        "            and each.gone_ms < at_ms\n",
        "            and each.gone_ms < 0\n",
        "tests/unit/life/test_apply_notifications.py",
    ),
    _code(
        "a query's 404 kills a session at once",
        "recording/observing.py",
        "is_confirmed and absence.is_believed(timings)",
        "is_confirmed",
    ),
    _code(
        "a session that was given up is never stopped",
        "life/orphans.py",
        "for task in recording.orphan_tasks:",
        "for task in recording.orphan_tasks[:0]:",
    ),
    _code(
        "what was given up counts as over",
        "recording/model.py",
        "ended_ms=None if may_run else now_ms, end=end",
        "ended_ms=now_ms, end=end",
    ),
    _code(
        "the answer to a start is believed only if nothing was adopted",
        "recording/model.py",
        "    if is_answer:\n        recording = _change_attempts(",
        "    if is_answer and False:\n        recording = _change_attempts(",
        "tests/unit/life/test_adoption.py",
    ),
    _code(
        "a session is adopted without asking Agora",
        "recording/adopting.py",
        'if handling in ("ok", "ended"):\n        return "its own"',
        'if handling:\n        return "its own"',
        "tests/unit/life/test_adoption.py",
    ),
    _code(
        "a lost start is not asked about before the stop",
        "life/stop_recording.py",
        "        self._adopter.settle(recording_id)\n",
        "",
        "tests/unit/life/test_adoption.py",
    ),
    _code(
        "the resourceId is not written before the start",
        "life/start_recording.py",
        "                resource_id=resource_id,\n                acquired_ms=now,",
        "                acquired_ms=now,",
    ),
    _code(
        "an attempt leaves no claim",
        "life/store.py",
        "for each in after.attempts\n            if each.uid not in known",
        "for each in after.attempts[:0]\n            if each.uid not in known",
    ),
    _code(
        "a uid is used twice",
        "recording/starting.py",
        "        if uid not in used:\n            break",
        "        break",
        "tests/unit/life/test_start_recording.py",
    ),
    _code(
        "the predecessor is not given up when its successor records",
        "recording/model.py",
        "    recording = taken_over(recording)\n    changed = replace(",
        "    changed = replace(",
    ),
    # --- life: the row and its writers ---
    _code(
        "a row is written whatever its version",
        "life/store.py",
        '"version = :version", {":version": {"N": str(before.version)}})\n'
        "            lines = notes",
        '"version <> :version", {":version": {"N": "0"}})\n            lines = notes',
    ),
    _code(
        "a session's row is written whatever its version",
        "life/sessions.py",
        '"ConditionExpression": "version = :version",\n'
        '                    "ExpressionAttributeValues": to_item({":version": before.version}),',
        '"ConditionExpression": "version <> :version",\n'
        '                    "ExpressionAttributeValues": to_item({":version": 0}),',
        "tests/unit/life/test_sessions.py",
    ),
    _code(
        "a write that was overtaken is not done again",
        "aws/compare_and_set.py",
        "            lost = lost_to(error, refusal, overtaken)",
        "            lost_to(error, refusal, overtaken)\n            return after",
    ),
    _code(
        "a status may go back",
        "recording/model.py",
        "    if RANK[status] <= RANK[recording.status]:\n        return recording\n",
        "",
        "tests/unit/recording/test_model.py",
    ),
    _code(
        "a later reason to stop replaces the first",
        "recording/model.py",
        'if recording.stop_reason or RANK[recording.status] >= RANK["uploading"]:',
        'if RANK[recording.status] >= RANK["uploading"]:',
        "tests/unit/recording/test_model.py",
    ),
    _code(
        "an Idempotency-Key is not kept",
        "life/store.py",
        "        if idempotency:\n            key, fingerprint = idempotency",
        "        if idempotency and False:\n            key, fingerprint = idempotency",
    ),
    # --- life: waking and repairing ---
    _code(
        "a reason is written, and nobody is woken",
        "life/executions.py",
        "        if reason is None or recording.task_token is None:\n            return False",
        "        if reason or recording.task_token is None:\n            return False",
        "tests/unit/life/test_wake_protocol.py",
    ),
    _code(
        "an execution that is gone is not replaced",
        "life/watch_recordings.py",
        '        if status == "RUNNING":\n            if recording',
        "        if status:\n            if recording",
    ),
    _code(
        "the sweeper does not look at what is starting",
        "recording/due.py",
        "    if recording.is_starting:\n        return 0, _starting_look(recording, timings)\n",
        "    if recording.is_starting:\n        return None\n",
    ),
    _code(
        "the upload's token is not read again after the look",
        "files/await_upload.py",
        "        row = self.store.amend(recording_id, lambda row: looked_at(row, verdict))\n"
        "        return row,",
        "        row = replace(self.store.get(recording_id), upload_token=None)\n"
        "        return row,",
        "tests/unit/files/test_await_upload.py",
    ),
    _code(
        "nobody sees that the deadline of the upload has come",
        "recording/due.py",
        "    deadline = upload_deadline_ms(recording, timings)\n    looked",
        "    deadline = upload_deadline_ms(recording, timings) * 2\n    looked",
        "tests/unit/recording",
    ),
    # --- life: files and ends ---
    _code(
        "a slice that is missing is no reason to wait",
        "files/judge/indexes.py",
        "            missing.add(name)\n",
        "            there += 1\n",
    ),
    _code(
        "a session that has recorded is not waited for",
        "files/expectation.py",
        "return is_seen or attempt.end in RECORDED_ENDS",
        "return False",
        "tests/unit/files/test_expectation.py",
    ),
    _code(
        "a session whose token ended is taken for one that died",
        "files/expectation.py",
        'attempt.end in RESTARTABLE and attempt.end != "TOKEN_ENDED"',
        "attempt.end in RESTARTABLE",
        "tests/unit/files/test_expectation.py",
    ),
    _code(
        "what has failed is never looked at again",
        "files/conclusion.py",
        'status == "failed" and not may_have_files(row, now_ms, timings)',
        'status == "failed"',
    ),
    _code(
        "files of a session that may be its own are none of its business",
        "files/judge/sessions.py",
        "case.expectation.is_unaccounted and not case.overdue",
        "False",
        "tests/unit/files/test_judge.py",
    ),
    _code(
        "the last look at files is asked for once",
        "life/watch_recordings.py",
        'if recording.status == "uploading":\n                self._arrivals.ask(',
        'if recording.status == "none":\n                self._arrivals.ask(',
        "tests/unit/life/test_watch_recordings.py",
    ),
    _code(
        "the end is announced after it is written",
        "files/publish_recording.py",
        "        self.publisher.announce_end(closed)\n        note = Note(",
        "        note = Note(",
    ),
    _code(
        "an event's id is another each time",
        "life/publication.py",
        '"id": f"{recording.recording_id}-{step.lower()}",',
        '"id": f"{recording.recording_id}-{step.lower()}-{recording.version}",',
    ),
    _code(
        "late files are never looked for",
        "recording/due.py",
        "    if not recording.awaits_late_files or until is None or looked >= until:\n",
        "    if until is None or looked is not None:\n",
        "tests/unit/files/test_record_file_arrival.py",
    ),
    # --- life: deletion ---
    _code(
        "a recording is deleted while a session is still to be stopped",
        "api/delete_recording.py",
        "    if recording.orphans:\n        raise",
        "    if recording.orphans and False:\n        raise",
        "tests/unit/api/test_delete_recording.py",
    ),
    _code(
        "a deletion leaves the links",
        "life/store.py",
        'if key["SK"]["S"].startswith("LINK#")]',
        'if key["SK"]["S"].startswith("LINK##")]',
    ),
    _code(
        "a deletion leaves what Agora said",
        "life/store.py",
        '            yield from self._keys(f"SID#{sid}")\n',
        "            yield from ()\n",
    ),
    _code(
        "a deletion does not remember its sessions",
        "api/delete_recording.py",
        "            yield partial(self.sessions.bury, sid, self.now_ms())\n",
        "            yield partial(str, sid)\n",
    ),
    # --- life: channels that record themselves ---
    _code(
        "each try to begin a channel's recording makes another one",
        "auto_record/beginning.py",
        'f"{channel.cname}\\n{occupancy.began_ms}",',
        'f"{channel.cname}\\n{self.now_ms()}",',
    ),
    _code(
        "channel events that could not be applied are not delivered again",
        "auto_record/apply_channel_events.py",
        "                    failed += [place for place, _ in told]\n",
        "",
    ),
    _code(
        "a channel that is empty again is not seen as such",
        "auto_record/channel.py",
        "    if _is_new(presence, occupancy):\n        return replace(channel, occupancy=None)\n",
        "",
    ),
    _code(
        "a recording of an empty channel is not stopped",
        "auto_record/channel.py",
        "    return left_ms <= min(now_ms, channel.presence.asked_ms)",
        "    return False",
        "tests/unit/auto_record/test_lessons.py",
    ),
    _code(
        "a rule records more channels than it has places",
        "auto_record/channel_store.py",
        "attribute_not_exists(live) OR live < :most",
        "attribute_not_exists(live) OR attribute_exists(live)",
    ),
    _code(
        "a recording that is over keeps its place",
        "auto_record/channel_store.py",
        "        if held is None or not held.holds_a_place:\n",
        "        if held or not held:\n",
    ),
    _code(
        "what was half begun stays so",
        "auto_record/watch_channels.py",
        "if channel.presence.is_occupied or is_half_begun(channel):",
        "if channel.presence.is_occupied:",
        "tests/unit/simulation/test_found.py",
    ),
    _code(
        "who is found in a channel is not waited for",
        "auto_record/watch_channels.py",
        "waiting(settled(replace(row, presence=presence), now), wanted=wanted)",
        "settled(replace(row, presence=presence), now)",
        "tests/unit/simulation/test_found.py",
    ),
    _code(
        "a channel that is made anew was never empty",
        "auto_record/channel.py",
        "not presence.is_occupied or presence.made_ms > ended_ms + MARGIN_MS",
        "not presence.is_occupied",
        "tests/unit/auto_record/test_lessons.py",
    ),
    _code(
        "the end of a channel explains itself in the second of a coming",
        "auto_record/presence.py",
        "self.gone_ms > known_ms or self.gone_ms == known_ms > self.made_ms",
        "self.gone_ms > known_ms",
        "tests/unit/auto_record/test_presence.py",
    ),
    # --- life: calls to the app ---
    _code(
        "a message that the queue lost is not sent",
        "life/watch_recordings.py",
        "            for recording_id, key in self._calls.due(self._now_ms()):",
        "            for recording_id, key in self._calls.due(self._now_ms())[:0]:",
    ),
    _code(
        "a call that failed is taken for one that arrived",
        "callbacks/message.py",
        "if status is not None and 200 <= status < 300:",
        "if status is not None:",
    ),
    _code(
        "a message is told before it is true",
        "life/callbacks.py",
        "        urls = dict.fromkeys((*self.endpoints, recording.callback_url))\n",
        "        urls = dict.fromkeys((*self.endpoints, recording.callback_url))\n"
        '        recording = msgspec.structs.replace(recording, status="completed")\n',
    ),
    _code(
        "a host that is not allowed any more is called",
        "life/send_callback.py",
        '        if problem:\n            return f"its address',
        '        if problem and False:\n            return f"its address',
    ),
    _code(
        "an address that wants no more calls is called",
        "life/send_callback.py",
        "        if self.store.is_off(url):",
        "        if self.store.is_off(url) and False:",
    ),
    _code(
        "a call is signed without its id",
        "callbacks/signing.py",
        'signed = f"{message_id}.{timestamp_s}.".encode() + body',
        'signed = f"{timestamp_s}.".encode() + body',
    ),
    _code(
        "the app is told of a recording that is being deleted",
        "life/callbacks.py",
        '                        "attribute_exists(PK) AND attribute_not_exists(deletingMs)"',
        '                        "attribute_not_exists(neverThere)"',
        "tests/unit/life/test_callbacks.py",
    ),
    # --- life: viewers ---
    _code(
        "a link that was revoked goes on to open",
        "recording/link.py",
        "return self.revoked_ms is None and now_ms < self.until_ms",
        "return now_ms < self.until_ms",
    ),
    _code(
        "a link never expires",
        "recording/link.py",
        "return self.revoked_ms is None and now_ms < self.until_ms",
        "return self.revoked_ms is None",
    ),
    _code(
        "a link that was opened once is remembered for hours",
        "api/play.py",
        "self.known.keep(hashed, found, now + _REMEMBERED_MS)",
        "self.known.keep(hashed, found, now + 1000 * _REMEMBERED_MS)",
    ),
    _code(
        "slices that are missing are named",
        "api/play.py",
        "missing=catalogue.unplayable(track)",
        "missing=()",
    ),
    # --- life: notifications ---
    _code(
        "a batch that failed is not delivered again",
        "life/apply_notifications.py",
        "                return [each.place for each in stored]\n",
        "                return []\n",
    ),
    _code(
        "a write conflict is taken for poison",
        "life/apply_notifications.py",
        "    return isinstance(error, StoreUnavailableError | WriteConflictError)",
        "    return isinstance(error, StoreUnavailableError)",
        "tests/unit/life/test_apply_notifications.py",
    ),
    _code(
        "a notification is answered before it is stored",
        "notifications/store.py",
        '            raise StoreUnavailableError(f"the table refused the notification: {code}") '
        "from error\n",
        "            return True\n",
    ),
    _code(
        "a joined fact is the later one",
        "notifications/facts.py",
        "    return b if a is None else a if b is None else max(a, b)",
        "    return a if b is None else b",
    ),
    _code(
        "a leaveCode that is no code says that nobody was there",
        "notifications/effects.py",
        "None if code is None or code < 0 else code",
        "code",
        "tests/unit/notifications/test_effects.py",
    ),
    # --- life: Agora's pace ---
    _code(
        "a call to another host takes no slot",
        "agora/client.py",
        "                slot_ms, late_ms = self.limiter.take(1, patience_s=LONG_PATIENCE_S)[0], "
        "LATE_MS\n",
        "                late_ms = 60_000\n",
    ),
    _code(
        "calls do not wait for their slots",
        "agora/limiter.py",
        "        self._sleep(max(0, slot_ms - self._now_ms()) / 1000)",
        "        self._sleep(0)",
        "tests/unit/agora/test_limiter.py",
    ),
    # --- secrets ---
    _code(
        "the token stays in the row",
        "api/create_recording.py",
        "            client_request=shown,",
        "            client_request=request.client_request,",
    ),
    # --- the definition ---
    Planted(
        "the time-out of a whole recording is not caught",
        _ASL,
        "      - ErrorEquals: [States.Timeout]\n        Comment: The maximum duration is over.\n"
        "        ResultPath: $.failure\n        Next: Stop recording\n",
        "",
        _INVARIANTS,
    ),
    Planted(
        "a Retry has the name of another error",
        _ASL,
        "      - ErrorEquals: [ServiceFullError]",
        "      - ErrorEquals: [UidTakenError]",
        _INVARIANTS,
    ),
    Planted("a stop request is retried", _ASL, "[StopRequestedError, Agora", "[Agora", _INVARIANTS),
    Planted(
        "six tries in the place of sixty",
        _ASL,
        "        MaxAttempts: 60\n",
        "        MaxAttempts: 6\n",
        _INVARIANTS,
    ),
    Planted(
        "an execution parks although a successor is to begin",
        _ASL,
        " AND attribute_not_exists(takeOver)",
        "",
        _INVARIANTS,
    ),
    Planted(
        "a stop that fails ends the execution",
        _ASL,
        "        Comment: The session may still run and be billed, so the stop is repeated.\n"
        "        ResultPath: $.failure\n        Next: Wait before stopping again",
        "        ResultPath: $.failure\n        Next: Publish recording",
        _INVARIANTS,
    ),
    # --- the template ---
    *(
        Planted(name, _TEMPLATE, before, after, _INVARIANTS)
        for name, before, after in (
            ("a stream of keys only", "StreamViewType: NEW_IMAGE", "StreamViewType: KEYS_ONLY"),
            ("the stream's filter is wrong", '[{"prefix":"EVT#"}]', '[{"prefix":"EVENT#"}]'),
            ("the TTL attribute is renamed", "AttributeName: expiresAt", "AttributeName: expires"),
            (
                "no recovery",
                "PointInTimeRecoveryEnabled: true",
                "PointInTimeRecoveryEnabled: false",
            ),
            (
                "no versions",
                "VersioningConfiguration: {Status: Enabled}",
                "VersioningConfiguration: {Status: Suspended}",
            ),
            ("another encryption", "{SSEAlgorithm: AES256}", '{SSEAlgorithm: "aws:kms:dsse"}'),
            ("public policies", "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
            ("plain HTTP", 'aws:SecureTransport: "false"', 'aws:SecureTransport: "true"'),
            (
                "two variables are swapped",
                "UID_FROM: !Ref RecorderUidFrom",
                "UID_FROM: !Ref RecorderUidTo",
            ),
            ("a variable is missing", "          LATE_DAYS: !Ref LateDays\n", ""),
            ("a room outlives its state", "      Timeout: 100\n", "      Timeout: 120\n"),
        )
    ),
    Planted(
        "partial batch answers are off",
        _TEMPLATE,
        "FunctionResponseTypes: [ReportBatchItemFailures]",
        "FunctionResponseTypes: []",
        "tests/template/test_event_sources.py",
    ),
    Planted(
        "a right too many",
        _TEMPLATE,
        "            - Sid: TakeASlotOfTheLimiter\n              Effect: Allow\n"
        "              Action: dynamodb:UpdateItem\n",
        "            - Sid: TakeASlotOfTheLimiter\n              Effect: Allow\n"
        "              Action: dynamodb:DeleteItem\n",
        "tests/template/test_leading_keys.py",
    ),
    Planted(
        "a right is missing",
        _TEMPLATE,
        "            - Sid: ForgetAClaimWhenTheSessionIsKnown\n              Effect: Allow\n"
        "              Action: dynamodb:DeleteItem\n              Resource: !GetAtt Table.Arn\n"
        "              Condition:\n"
        "                ForAllValues:StringLike: {dynamodb:LeadingKeys: UID#*}\n",
        "",
    ),
    # --- the webhook's door ---
    _code(
        "V1 is accepted where it is off",
        "notifications/envelope.py",
        "    if sent is None and allow_v1:",
        "    if sent is None:",
        "tests/unit/notifications/test_envelope.py",
    ),
    _code(
        "the age is judged before the signature",
        "notifications/intake.py",
        "    secrets.verify(raw, headers, now_ms, allow_v1=settings.allow_signature_v1)\n",
        "    envelope.refuse_stale(envelope.read(raw), now_ms, settings.replay_window_seconds)\n"
        "    secrets.verify(raw, headers, now_ms, allow_v1=settings.allow_signature_v1)\n",
        "tests/unit/functions/test_receive_notification.py",
    ),
    _code(
        "the comparison is not in constant time",
        "notifications/envelope.py",
        "        if secret and hmac.compare_digest(\n"
        "            hmac.digest(secret.encode(), raw, digest).hex().encode(), claimed\n        ):",
        "        if secret and (\n"
        "            hmac.digest(secret.encode(), raw, digest).hex().encode() == claimed\n"
        "        ):",
        "tests/unit/notifications/test_envelope.py",
    ),
)
