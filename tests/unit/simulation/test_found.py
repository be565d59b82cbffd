"""What the simulation found in the bundle, each as the short story that it came down to."""

from __future__ import annotations

import pytest

from simulation.living import live
from simulation.receiver import URL
from simulation.story import Act, Story

STORIES = {
    "a session that was given up moves twice, and is not gone": Story(
        seed=317,
        acts=(Act(at_s=188.9, deed="create", recording=5, seconds=900, mode="raw", url=URL),),
        faults={"session r5.1": "moves to another server"},
    ),
    "two moves of a session are minutes apart, and nobody looked in between": Story(
        seed=1,
        acts=(
            Act(at_s=10, deed="create", recording=1, seconds=1500, mode="mix"),
            Act(at_s=400, deed="no sweeps", seconds=300),
        ),
        faults={
            "session r1.1": "nothing of it is heard",
            "sweep #5, 14 Agora/query": "moving",
            "sweep between #1, 6 Agora/query": "error 500",
            "sweep #6, 14 Agora/query": "moving",
        },
    ),
    "the only file of a session that took the stop comes after six quiet minutes": Story(
        seed=504,
        acts=(
            Act(at_s=99.2, deed="create", recording=2, seconds=60, mode="individual", url=URL),
            Act(at_s=100.0, deed="stop", recording=2),
            Act(at_s=153.3, deed="link", recording=2),
        ),
        faults={"session r2.1": "its upload takes minutes"},
    ),
    "a session whose token has ended goes on uploading, and is waited for": Story(
        seed=20816,
        acts=(
            Act(at_s=18.4, deed="create", recording=3, seconds=1500, mode="mix"),
            Act(at_s=87.8, deed="create", recording=2, seconds=900, mode="mix"),
        ),
        token_s=700,
        faults={
            "sweep #6, 9 query": "throttled",
            "session r3.2": "dies in silence",
            "session r3.3": "its upload takes minutes",
        },
    ),
    "a session whose start was not answered has recorded when nobody expects it": Story(
        seed=66,
        acts=(Act(at_s=38.4, deed="create", recording=2, seconds=60, mode="mix"),),
        faults={
            "start r2 #1, 6 Agora/acquire": "answer lost",
            "start r2 #2, 3 update_item": "killed after",
            "session r2.1": "dies and says so",
            "start r2 #3, 8 get_item": "killed before",
            "start r2 #4, 1 get_item": "failed",
            "start r2 #5, 5 get_item": "failed",
            "start r2 #6, 6 get_item": "failed",
        },
    ),
    "everybody leaves, and the upload takes more than five minutes": Story(
        seed=1,
        acts=(
            Act(at_s=10, deed="create", recording=1, seconds=900, mode="mix"),
            Act(at_s=50, deed="leave", recording=1),
        ),
        faults={"session r1.1": "its upload takes minutes"},
    ),
    "everybody leaves soon after a hand-over, and the last upload takes minutes": Story(
        seed=70638,
        acts=(
            Act(
                at_s=73.7,
                deed="create",
                recording=2,
                seconds=900,
                mode="web",
                lead_s=3000,
                stop_s=100,
            ),
            Act(at_s=118.4, deed="join", recording=11, seconds=7, mode="mix"),
            Act(at_s=226.7, deed="create", recording=1, seconds=300, mode="raw", url=URL),
            Act(at_s=245.8, deed="part", recording=11, seconds=7, mode="mix"),
            Act(at_s=275.8, deed="create", recording=1, seconds=300, mode="raw", url=URL),
            Act(at_s=1015.4, deed="join", recording=11, seconds=8, mode="mix"),
            Act(at_s=1028.0, deed="part", recording=11, seconds=8, mode="mix"),
            Act(at_s=1068.8, deed="join", recording=11, seconds=7, mode="mix"),
            Act(at_s=1811.1, deed="part", recording=11, seconds=7, mode="mix"),
        ),
        token_s=400,
        faults={
            "create r2 #1, 3 create_schedule": "killed after",
            "event lesson-11 101 1": "twice",
            "event lesson-11 103 2": "days late",
            "sweep channels #1, 1 query": "failed",
            "start 01HF7YHH2GS0D5N645T3GC0HGF #1, 5 update_item": "killed after",
            "call the app #2, 4 app": "error 500",
            "event lesson-11 104 7": "lost",
            "event lesson-11 102 8": "lost",
            "session 01HF7Z9TBSDH7QRJAJ58QGR7SC.4": "its upload takes minutes",
        },
    ),
    "a start is given up, and its session records until its token ends": Story(
        seed=1795833949199,
        acts=(
            Act(at_s=61.9, deed="create", recording=3, seconds=900, mode="raw", url=URL),
            Act(at_s=63.7, deed="stop", recording=3),
            Act(at_s=95.2, deed="create", recording=2, seconds=300, mode="web", url=URL),
            Act(at_s=107.6, deed="stop", recording=2),
            Act(at_s=107.7, deed="link", recording=3),
            Act(
                at_s=116.1,
                deed="create",
                recording=4,
                seconds=900,
                mode="individual",
                lead_s=700,
                url=URL,
            ),
            Act(at_s=174.3, deed="create", recording=1, seconds=900, mode="mix", url=URL),
        ),
        token_s=700,
        faults={
            "start r3 #1, 9 Agora/start": "busy 65",
            "stop r2 #1, 1 get_item": "throttled",
            "stop r2 #2, 2 transact_write_items": "conflict",
            "sweep #1, 7 query": "throttled",
            "event r1.1 4279852099 0": "lost",
            "session r1.1": "its upload takes minutes",
            "start r1 #1, 10 get_item": "failed",
            "start r1 #3, 5 get_item": "throttled",
            "start r1 #6, 3 update_item": "answer lost",
            "session r1.2": "dies in silence",
            "sweep #3, 14 update_item": "answer lost",
            "sweep #4, 3 query": "failed",
            "sweep #5, 28 update_item": "killed before",
            "sweep #6, 7 query": "failed",
            "sweep #7, 9 query": "throttled",
        },
    ),
    "of two who come back, one seems to have stayed, and the other's coming is not told": Story(
        seed=1795833949062,
        acts=(
            Act(
                at_s=83.5,
                deed="create",
                recording=1,
                seconds=1500,
                mode="mix",
                lead_s=3000,
                stop_s=100,
                url=URL,
            ),
            Act(at_s=185.3, deed="join", recording=12, seconds=7, mode="mix"),
            Act(at_s=186.0, deed="join", recording=12, seconds=8, mode="mix"),
            Act(at_s=214.4, deed="part", recording=12, seconds=7, mode="mix"),
            Act(at_s=251.2, deed="join", recording=12, seconds=9, mode="mix"),
            Act(at_s=267.9, deed="part", recording=12, seconds=9, mode="mix"),
            Act(at_s=293.1, deed="create", recording=2, seconds=300, mode="mix"),
            Act(at_s=1328.3, deed="part", recording=12, seconds=8, mode="mix"),
            Act(at_s=1669.4, deed="join", recording=12, seconds=7, mode="mix"),
            Act(at_s=1670.2, deed="join", recording=12, seconds=8, mode="mix"),
            Act(at_s=1821.2, deed="part", recording=12, seconds=8, mode="mix"),
        ),
        token_s=700,
        faults={
            "create r1 #1, 1 transact_write_items": "answer lost",
            "event lesson-12 104 4": "days late",
            "apply #2, 3 get_item": "killed before",
            "apply #8, 1 get_item": "throttled",
            "apply #10, 3 get_item": "failed",
            "apply #20, 3 get_item": "throttled",
            "apply #22, 4 put_item": "sent twice",
            "sweep channels #3, 2 query": "failed",
            "sweep #3, 3 query": "failed",
            "sweep channels #6, 2 query": "failed",
            "sweep #7, 9 query": "throttled",
            "event 01HF7YGFW2ZN57QT0KWY9FZVWQ.2 4228570794 7": "lost",
            "sweep channels #10, 2 query": "throttled",
            "event lesson-12 103 10": "lost",
            "sweep channels #13, 6 get_item": "failed",
        },
    ),
    "the second one who came is not told of, and the first one leaves": Story(
        seed=1797000003240,
        acts=(
            Act(at_s=15.8, deed="join", recording=12, seconds=9, mode="mix"),
            Act(at_s=20.5, deed="join", recording=12, seconds=7, mode="mix"),
            Act(at_s=48.1, deed="join", recording=12, seconds=8, mode="mix"),
            Act(at_s=61.9, deed="part", recording=12, seconds=8, mode="mix"),
            Act(at_s=156.6, deed="create", recording=1, seconds=900, mode="individual", url=URL),
            Act(
                at_s=238.0,
                deed="create",
                recording=2,
                seconds=1500,
                mode="raw",
                stop_s=200,
                url=URL,
            ),
            Act(at_s=284.9, deed="join", recording=11, seconds=7, mode="mix"),
            Act(at_s=293.7, deed="part", recording=12, seconds=9, mode="mix"),
            Act(at_s=330.5, deed="stop", recording=1),
            Act(at_s=433.8, deed="stuck queue", seconds=1200),
            Act(at_s=458.3, deed="part", recording=12, seconds=7, mode="mix"),
            Act(at_s=929.7, deed="part", recording=11, seconds=7, mode="mix"),
            Act(at_s=1348.7, deed="join", recording=12, seconds=7, mode="mix"),
            Act(at_s=1351.6, deed="join", recording=12, seconds=8, mode="mix"),
            Act(at_s=1390.3, deed="part", recording=12, seconds=7, mode="mix"),
        ),
        apart_ms=40,
        faults={
            "sweep channels #1, 1 query": "killed before",
            "call the app #1, 4 app": "cannot be reached",
            "call the app #1, 5 transact_write_items": "answer lost",
            "call the app #4, 4 app": "killed before",
            "event lesson-12 103 14": "late",
            "event lesson-12 103 15": "lost",
            "sweep channels #21, 5 update_item": "failed",
        },
    ),
    "the sweeper dies after it has asked who is in a channel whose recording is over": Story(
        seed=3,
        acts=(
            Act(at_s=10, deed="join", recording=11, seconds=7),
            Act(at_s=100, deed="part", recording=11, seconds=7),
            Act(at_s=101, deed="no sweeps", seconds=400),
            Act(at_s=450, deed="join", recording=11, seconds=7),
            Act(at_s=2000, deed="part", recording=11, seconds=7),
        ),
        faults={"sweep channels #1, 12 put_item": "killed after"},
    ),
    "a place is taken, its process dies, and the channel is empty": Story(
        seed=1797000004024,
        acts=(
            Act(at_s=41.5, deed="join", recording=12, seconds=7, mode="mix"),
            Act(at_s=51.6, deed="join", recording=12, seconds=8, mode="mix"),
            Act(at_s=137.4, deed="create", recording=4, seconds=1500, mode="mix", url=URL),
            Act(at_s=157.8, deed="join", recording=11, seconds=7, mode="mix"),
            Act(at_s=177.4, deed="part", recording=12, seconds=7, mode="mix"),
            Act(at_s=200.4, deed="create", recording=1, seconds=60, mode="mix", stop_s=200),
            Act(at_s=201.7, deed="stop", recording=1),
            Act(at_s=236.2, deed="stop", recording=4),
            Act(at_s=355.2, deed="no sweeps", seconds=3600),
            Act(at_s=895.5, deed="part", recording=12, seconds=8, mode="mix"),
            Act(at_s=936.1, deed="part", recording=11, seconds=7, mode="mix"),
            Act(at_s=1088.0, deed="join", recording=12, seconds=7, mode="mix"),
            Act(at_s=1108.2, deed="part", recording=12, seconds=7, mode="mix"),
            Act(at_s=1832.2, deed="join", recording=11, seconds=9, mode="mix"),
            Act(at_s=1834.7, deed="join", recording=11, seconds=7, mode="mix"),
            Act(at_s=1835.6, deed="join", recording=11, seconds=8, mode="mix"),
            Act(at_s=1844.8, deed="part", recording=11, seconds=7, mode="mix"),
            Act(at_s=1845.9, deed="part", recording=11, seconds=8, mode="mix"),
            Act(at_s=1853.5, deed="part", recording=11, seconds=9, mode="mix"),
        ),
        faults={
            "message 16": "lost",
            "event lesson-11 104 20": "lost",
            "sweep channels #4, 12 transact_write_items": "conflict",
            "sweep channels #4, 17 Agora/channel": "no answer",
            "sweep channels #4, 21 transact_write_items": "killed after",
        },
    ),
    "the stop comes while nobody knows the session of a lost start": Story(
        seed=109,
        acts=(
            Act(at_s=68.7, deed="create", recording=1, seconds=900, mode="mix", stop_s=200),
            Act(at_s=251.7, deed="create", recording=2, seconds=300, mode="web"),
            Act(at_s=264.3, deed="stop", recording=2),
        ),
        faults={
            "apply #2, 1 get_item": "killed before",
            "start r2 #1, 9 Agora/start": "answer lost",
            "batch 6": "late",
        },
    ),
    "a session dies before Agora has said once that it records": Story(
        seed=1,
        acts=(
            Act(at_s=10, deed="join", recording=11, seconds=7),
            Act(at_s=600, deed="part", recording=11, seconds=7),
        ),
        faults={
            "session 01HF7YB4H2S2FPVPTPQE298RNW.1": "dies in silence",
            "event lesson-11 104 3": "lost",
            "event lesson-11 102 4": "lost",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #1, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #2, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #3, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #4, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #5, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #6, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #7, 4 Agora/query": "error 500",
            "query 01HF7YB4H2S2FPVPTPQE298RNW #8, 4 Agora/query": "error 500",
        },
    ),
}


def _marks(story: Story) -> list[pytest.MarkDecorator]:
    """Mark a story with channels that a rule records: these are swept for six days."""
    return [pytest.mark.slow] if any(act.deed == "join" for act in story.acts) else []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_marks(story)) for name, story in STORIES.items()]
)
def test_it_holds_now(name: str) -> None:
    assert live(STORIES[name]).broken is None
