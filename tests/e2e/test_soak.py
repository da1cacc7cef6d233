"""Endurance: thousands of messages each way while the line is cut, and gateway and silo are killed, at random moments.

All arrive exactly once, and neither program grows. Usually 300 each way; with POSTERN_LONG=1 10,000 (POSTERN_SOAK sets another
number). POSTERN_SEED repeats the random moments.
"""
import collections
import os
import random
import threading
import time

import pytest

from lane import Lane
from postern import Silo
from procs import RELEASE, wait_until

LONG = os.environ.get("POSTERN_LONG") == "1"
MESSAGES = int(os.environ.get("POSTERN_SOAK", "10000" if LONG else "300"))
BATCH = 20
TROUBLES = ("cut", "cut", "cut", "cut", "gateway", "gateway", "silo", "silo")   # shuffled, for each stretch
STRETCH = 8          # batches
WARM_UP = 0.3        # of the messages, after which the programs should not grow any more
GROWTH_MAX = 0.10    # of memory, from then to the end, if more than
GROWTH_IGNORED = 4 * 2**20
DESCRIPTORS_MAX = 5


def proportional_bytes(pid):
    """Its share of memory: what it has alone, and its part of what it shares with its workers."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024


def measure(server):
    pid = server.process.pid
    return proportional_bytes(pid), len(os.listdir(f"/proc/{pid}/fd"))


def settle(lane):
    lane.proxy.disarm()
    lane.expect_all(300)



class Traffic:
    """Both directions at once, from threads of their own, with a bound on what is under way."""

    def __init__(self, lane, batches, first):
        self.lane = lane
        self.errors = []
        self.threads = [threading.Thread(target=self.feed, args=(direction, batches, first), daemon=True)
                        for direction in ("in", "out")]
        for thread in self.threads:
            thread.start()

    def feed(self, direction, batches, first):
        try:
            for batch in range(first, first + batches):
                tokens = [f"token-{direction}{batch}-{i}" for i in range(BATCH)]
                (self.lane.send_mails if direction == "in" else self.lane.post_messages)(tokens)
                while direction == "out" and len(self.lane.member.posting) + self.lane.member.to_post.qsize() > 5 * BATCH:
                    time.sleep(0.01)
        except Exception as error:   # for the test's thread
            self.errors.append(error)

    def running(self):
        if self.errors:
            raise self.errors[0]
        return any(thread.is_alive() for thread in self.threads)


def make_trouble(lane, kind, moments):
    time.sleep(moments.uniform(0, 0.5))
    server = {"gateway": lane.gateway, "silo": lane.silo}.get(kind)
    if server and server.process:
        server.kill()
        server.start()
    else:
        lane.proxy.cut_now()


def run_with_trouble(lane, batches, first, moments):
    """One stretch: traffic, with troubles spread over it. Returns their kinds."""
    troubles = list(TROUBLES)
    moments.shuffle(troubles)
    traffic = Traffic(lane, batches, first)
    start = len(lane.sent_in)
    for number, kind in enumerate(troubles):
        while traffic.running() and len(lane.sent_in) - start < batches * BATCH * number // len(troubles):
            time.sleep(0.01)
        make_trouble(lane, kind, moments)
        lane.count()
    wait_until("all is sent", lambda: not traffic.running(), 600)
    settle(lane)
    return troubles


def run_steadily(lane, batches, first, stretch):
    """No restarts, so that the same processes are measured before and after; cuts all the same."""
    sizes = []
    for begin in range(first, first + batches, stretch):
        count = min(stretch, first + batches - begin)
        traffic = Traffic(lane, count, begin)
        time.sleep(0.3)
        lane.proxy.cut_now()
        wait_until("all is sent", lambda: not traffic.running(), 600)
        settle(lane)
        sizes.append([measure(server) for server in (lane.gateway, lane.silo) if server.process])
    return sizes


def check_growth(sizes):
    """Means of the first and the last third after warm-up: no slope."""
    steady = sizes[int(len(sizes) * WARM_UP):]
    third = max(1, len(steady) // 3)
    for index, name in enumerate(("posternd", "silo")[:len(sizes[0])]):
        memory = [size[index][0] for size in steady]
        before, after = sum(memory[:third]) / third, sum(memory[-third:]) / third
        descriptors = [size[index][1] for size in steady]
        print(f"{name}: {before / 2**20:.1f} MiB, then {after / 2**20:.1f} MiB; descriptors {descriptors[0]}, then {descriptors[-1]}")
        assert after - before < max(GROWTH_MAX * before, GROWTH_IGNORED), f"{name} grows: {memory}"
        assert descriptors[-1] - descriptors[0] <= DESCRIPTORS_MAX, f"{name} keeps descriptors: {descriptors}"


@pytest.mark.timeout(0 if LONG else 300)
def test_soak(folder, capsys):
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    lane = Lane(folder, "soak", RELEASE)
    batches = MESSAGES // BATCH
    restless = batches // 2
    try:
        lane.start()
        started = time.monotonic()
        done = collections.Counter()
        for first in range(0, restless, STRETCH):
            done.update(run_with_trouble(lane, min(STRETCH, restless - first), first, moments))
            if LONG:
                with capsys.disabled():
                    print(f"soak: {len(lane.received)} in, {len(lane.relayed)} out, {dict(done)}", flush=True)
        sizes = run_steadily(lane, batches - restless, restless, max(1, (batches - restless) // (50 if LONG else 8)))
        print(f"{len(lane.received)} mails received, {len(lane.relayed)} messages relayed in {time.monotonic() - started:.0f} s; "
              f"cuts and kills: {dict(done)}, and {len(sizes)} cuts more")
        assert len(lane.received) == len(lane.relayed) == batches * BATCH
        check_growth(sizes)
        lane.stop()
    finally:
        lane.close()
