"""kill -9 of the gateway or of the silo at moments spread over the whole conversation, and at random ones.

Each time ten mails and ten messages of a member are under way. Every one must arrive exactly once (the relay is a maildir, which
knows a repetition), and no content may stay; with POSTERN_LONG=1 once more with content that is large, and lies in files. POSTERN_SEED repeats the random moments. tests/e2e/test_crash.py does it between two mail servers.
"""
import os
import random
import threading
import time

import pytest

from lane import Lane
from procs import RELEASE, wait_until

BATCH = 10
LONG = os.environ.get("POSTERN_LONG") == "1"
SPREAD, AT_RANDOM = (100, 100) if LONG else (10, 6)
LARGE = "All work and no play makes Bob a dull boy.\n" * 7000   # more than is kept in the database
MEASURED = 3   # batches that are not disturbed, to know how long one takes


def feed(lane, number):
    lane.post_messages([f"token-out{number}-{i}" for i in range(BATCH)])
    lane.send_mails([f"token-in{number}-{i}" for i in range(BATCH)])


def kill_after(lane, server, number, seconds):
    """Feeds a batch, and kills the server so long after the beginning."""
    feeder = threading.Thread(target=feed, args=(lane, number), daemon=True)
    feeder.start()
    time.sleep(seconds)
    server.kill()
    server.start()
    feeder.join()


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("victim, padding", [("gateway", ""), ("silo", "")] + [("gateway", LARGE)] * LONG, ids=["gateway", "silo"] + ["large"] * LONG)
def test_kill_at_any_moment(folder, victim, padding):
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    lane = Lane(folder, "kills", RELEASE)
    lane.padding = padding
    try:
        lane.start()
        server = getattr(lane, victim)
        if server.process is None:
            pytest.skip("the silo that runs already can't be killed")
        times = []
        for number in range(MEASURED):
            started = time.monotonic()
            feed(lane, number)
            lane.expect_all()
            times.append(time.monotonic() - started)
        whole = sorted(times)[MEASURED // 2]
        delays = [whole * i / SPREAD for i in range(SPREAD)] + [moments.uniform(0, whole) for _ in range(AT_RANDOM)]
        for number, delay in enumerate(delays):
            kill_after(lane, server, MEASURED + number, delay)
            if number % 4 == 3:
                lane.expect_all()
        lane.expect_all()
        wait_until("no content is left", lambda: not os.listdir(os.path.join(lane.gateway.state, "content")))
        print(f"{len(delays)} kills within {whole * 1000:.0f} ms; {len(lane.received)} mails and {len(lane.relayed)} messages, each once")
        lane.stop()
    finally:
        lane.close()
