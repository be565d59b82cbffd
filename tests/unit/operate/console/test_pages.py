"""What a recording's page and the page of health show, and the files that the console passes on."""

from __future__ import annotations

import pytest

from operate.console import health, player
from operate.console.desk import Memory
from operate.console.words import ago, lasting, size
from operate.doctor.check import Check, UnhealthyError
from tests.world.builders import after, recording
from tests.world.clock import Clock
from tests.world.console import RECORDING_ID, ConsoleWorld, Visitor
from tests.world.showcase import RESTARTED, world


@pytest.fixture(scope="module")
def visitor() -> Visitor:
    """A console over the recording whose session was replaced."""
    return Visitor(world(0))


PATH = f"/recordings/{RESTARTED}"


def test_the_page_tells_the_state_the_sessions_and_the_findings(visitor: Visitor) -> None:
    text = visitor.get(PATH).text
    assert "One file that a playlist names is not in the bucket." in text
    assert "missing segment" in text
    assert "Attempt 2 begins with uid 4200000002." in text
    assert 'hx-post="' + PATH + '/acts/delete"' in text
    assert "hx-confirm" in text


def test_the_files_are_listed_with_sizes_and_no_signed_address(visitor: Visitor) -> None:
    text = visitor.get(f"{PATH}/files").text
    assert text.count("<tr>") == 41
    assert "X-Amz" not in text
    follow = text.split(f'hx-get="{PATH}/files?')[1].split('"')[0]
    rest = visitor.get(f"{PATH}/files?{follow}").text
    assert "missing" in rest


def test_the_playlist_names_the_console_and_when_each_slice_begins(visitor: Visitor) -> None:
    text = visitor.get(f"{PATH}/playlist.m3u8?uid=0").text
    lines = text.splitlines()
    names = [each for each in lines if not each.startswith("#")]
    assert len(names) == 61  # the missing one is left out
    assert all(each.startswith("media/") for each in names)
    assert lines.count("#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:28.000Z") == 1
    assert sum("PROGRAM-DATE-TIME" in each for each in lines) == 61
    assert "#EXT-X-DISCONTINUITY" in lines
    slice_page = visitor.get(f"{PATH}/{names[0]}")
    assert slice_page.status == 200
    assert slice_page.headers["content-type"].startswith("video/MP2T")
    assert "sandbox" in slice_page.headers["content-security-policy"]


def test_a_range_of_a_file_is_passed_on(visitor: Visitor) -> None:
    name = visitor.get(f"{PATH}/playlist.m3u8").text.splitlines()[-2]
    page = visitor.get(f"{PATH}/{name}", range="bytes=0-9")
    assert page.status == 206
    assert page.headers["content-range"].startswith("bytes 0-9/")
    assert page.headers["content-length"] == "10"
    assert visitor.get(f"{PATH}/{name}", range="bytes=0-9,20-30").status == 200


@pytest.mark.parametrize("name", ["no.ts", "../x", "..%2f..%2fsecret", "%2e%2e/x"])
def test_only_files_of_the_recording_are_passed_on(visitor: Visitor, name: str) -> None:
    assert visitor.get(f"{PATH}/media/{name}").status == 404


@pytest.mark.parametrize("what", ["recording", "request", "sessions", "events"])
def test_everything_is_there_as_json(visitor: Visitor, what: str) -> None:
    page = visitor.get(f"{PATH}/raw/{what}")
    assert page.headers["content-type"] == "application/json"
    assert page.json()


def test_what_is_not_there_as_json_says_so(visitor: Visitor) -> None:
    assert visitor.get(f"{PATH}/raw/manifest").status == 404
    assert visitor.get(f"{PATH}/raw/secrets").status == 404


def test_the_picture_of_any_window_is_drawn(visitor: Visitor) -> None:
    for query in ("", "?width=1", "?from=x&to=9", f"?from={after(10)}&to={after(11)}&width=800"):
        page = visitor.get(f"{PATH}/picture{query}")
        assert page.status == 200
        assert "<svg" in page.text


def test_a_part_that_cannot_be_shown_says_why_in_its_place() -> None:
    visitor = Visitor(ConsoleWorld(recording(deleting_ms=after(5)), now_ms=after(60)))
    page = visitor.get(f"/recordings/{RECORDING_ID}/files", hx_request="true")
    assert page.status == 200
    assert "being deleted" in page.text


def test_lines_before_a_slice_stay_before_it() -> None:
    lines = [
        "#EXTM3U",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:2,",
        "a_20231114221328000.ts",
        "#EXTINF:1,",
    ]
    assert list(player.dated([*lines, "plain.ts", "#EXT-X-ENDLIST"])) == [
        "#EXTM3U",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:28.000Z",
        "#EXTINF:2,",
        "a_20231114221328000.ts",
        "#EXTINF:1,",
        "plain.ts",
        "#EXT-X-ENDLIST",
    ]


# --- health -------------------------------------------------------------------------------------


def test_what_rings_comes_first_with_the_runbook(visitor: Visitor) -> None:
    page = visitor.get("/health")
    assert page.status == 200
    assert page.text.index("FailedRecordingsAlarm") < page.text.index("SaturatedLimiterAlarm")
    assert "it can never start" in page.text
    assert "1 of 50" in page.text or "0 of 50" in page.text


def test_every_alarm_of_the_runbook_has_its_paragraphs() -> None:
    found = health.runbook()
    assert len(found) >= 18
    assert all(found.values())
    assert not any("](" in each or "`" in each for told in found.values() for each in told)


def test_what_aws_does_not_tell_is_said_and_the_rest_is_shown() -> None:
    made = ConsoleWorld()
    made.clients = {"cloudwatch": Away(), "sqs": Away()}
    page = Visitor(made).get("/health")
    assert page.status == 200
    assert page.text.count("It is away.") == 2
    assert "Versions" in page.text


class Away:
    """A client of a service that does not answer."""

    def describe_alarms(self, **_: object) -> None:
        raise OSError("It is away.")

    def get_queue_attributes(self, **_: object) -> None:
        raise OSError("It is away.")


def test_a_round_of_checks_tells_what_is_red_first() -> None:
    def red(_: object) -> str:
        raise UnhealthyError("It is broken.")

    checks = [
        Check("one", "nothing", "Nothing.", lambda _: "It is well."),
        Check("two", "what is broken", "Mend it.", red),
    ]
    made = health.Round(ConsoleWorld().desk(), checks)
    made._thread.join(20)
    found = made.shown()
    assert found["isOver"]
    assert [each["name"] for each in found["findings"]] == ["two", "one"]
    assert found["findings"][0]["advice"] == "Mend it."
    assert found["counts"] == {"green": 1, "red": 1, "skipped": 0}


# --- words, memory ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "words"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1 s"), (65_000, "1 min 5 s"), (3_600_000, "1 h"),
     (90_061_000, "1 d 1 h"), (-5000, "5 s")],
)  # fmt: skip
def test_a_duration_has_its_two_greatest_units(ms: int, words: str) -> None:
    assert lasting(ms) == words


def test_instants_and_sizes_in_words() -> None:
    assert ago(None, 0) == "never"
    assert ago("1970-01-01T00:00:10.000Z", 15_000) == "5 s"
    assert ago("1970-01-01T00:00:10.000Z", 5000) == "in 5 s"
    assert [size(each) for each in (0, 999, 1500, 250_000, 3_000_000, 10**13)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "250 kB",
        "3.0 MB",
        "10.0 TB",
    ]


def test_the_memory_forgets_after_its_time_and_does_not_grow() -> None:
    clock = Clock(0)
    memory = Memory(clock)
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return len(asked)

    assert memory.get("a", 10, ask) == memory.get("a", 10, ask) == 1
    clock.advance(10)
    assert memory.get("a", 10, ask) == 2
    memory.forget("a")
    assert memory.get("a", 10, ask) == 3
    for number in range(200):
        memory.get(number, 10, ask)
    assert memory.get("a", 10, ask) == 204
