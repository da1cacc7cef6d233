"""The cut test: the connection between gateway and silo ends after the Nth byte, in either direction, for many N.

Each connection carries ten mails to a member and ten messages of hers to the outside, the login and what the last cut left
undone; after N bytes it is reset, closed, or falls silent. Every mail and every message must arrive exactly once.

Usually a fixed spread of N and some at random; with POSTERN_LONG=1 every N (hours). POSTERN_CUT=I/M takes every Mth N from the
Ith on, so that several machines can share the work. POSTERN_SEED repeats the random ones. POSTERN_SILO=ADDRESS uses a silo that runs
already. tests/unit/tmtp_cut_test.c cuts the same conversation without TLS, in memory, after every byte of each frame.
"""
import os
import random
import threading
import time

import pytest

from cutting import KINDS, TO_GATEWAY, TO_SILO, Cut
from lane import Lane
from postern import other_silo
from procs import DEV, PATIENCE, RELEASE, wait_until

BATCH = 10
LANES = 1 if other_silo() else 3   # at a time: most of the time is spent waiting for the next attempt to connect
SPREAD, AT_RANDOM = 30, 12         # in each direction
CHECK_EVERY = 20                   # rounds
MARGIN = 1.3                       # the longest conversation, against the one measured
LONG = os.environ.get("POSTERN_LONG") == "1"
NAMES = {TO_SILO: "to the silo", TO_GATEWAY: "to the gateway"}


def feed(lane, number):
    lane.post_messages([f"token-out{number}-{i}" for i in range(BATCH)])
    lane.send_mails([f"token-in{number}-{i}" for i in range(BATCH)])


def measure(lane):
    """Bytes in each direction of a connection that is not cut."""
    feed(lane, 0)   # threads and their first messages
    lane.expect_all()
    lane.proxy.cut_now()
    accepted = lane.proxy.accepted
    feed(lane, 1)
    wait_until("a new connection", lambda: lane.proxy.accepted > accepted)
    lane.expect_all()
    return list(lane.proxy.passed)


def plan(total, moments):
    """All cuts to be made, shuffled, so that every part of the list is a fair sample."""
    cuts = []
    for direction in (TO_SILO, TO_GATEWAY):
        end = int(total[direction] * MARGIN)
        if LONG:
            part, parts = (int(text) for text in os.environ.get("POSTERN_CUT", "0/1").split("/"))
            chosen = range(part, end, parts)
        else:
            chosen = [end * i // SPREAD for i in range(SPREAD)] + [moments.randrange(end) for _ in range(AT_RANDOM)]
        for after in chosen:
            kind = KINDS[2] if moments.random() < 0.05 else KINDS[moments.randrange(2)]
            cuts.append(Cut(direction, after, kind))
    moments.shuffle(cuts)
    return cuts


class Worker(threading.Thread):
    """Works through a part of the plan with a lane of its own."""

    def __init__(self, lane, cuts, deadline, report):
        super().__init__(daemon=True)
        self.lane = lane
        self.cuts = cuts
        self.deadline = deadline
        self.report = report
        self.number = 1
        self.made = self.not_reached = 0
        self.error = None

    def run(self):
        try:
            self.lane.proxy.cut_now()
            for cut in self.cuts:
                self.round(cut)
                if self.number % CHECK_EVERY == 0:
                    self.settle()
                if time.monotonic() > self.deadline:
                    break
            self.settle()
        except Exception as error:   # for the test's thread to raise
            self.error = error

    def round(self, cut):
        """The line is down now. The next connection is cut; if all arrives before that many bytes, when it is idle."""
        lane = self.lane
        self.number += 1
        made = lane.proxy.cuts
        lane.proxy.arm(cut)
        feed(lane, self.number)
        deadline = time.monotonic() + PATIENCE
        while lane.proxy.cuts == made:
            assert time.monotonic() < deadline, f"{lane.name}: neither cut nor done: {cut}"
            if lane.is_complete():
                time.sleep(0.2)   # for the last acknowledgements
                if lane.proxy.cuts == made:
                    self.not_reached += 1
                    lane.proxy.disarm()
                    lane.proxy.cut_now()
                    break
            time.sleep(0.02)
        self.made += 1
        self.report(f"{lane.name}: {self.made} of {len(self.cuts)}: {NAMES[cut.direction]} after {cut.after}, {cut.kind}")

    def settle(self):
        self.lane.expect_all()
        self.lane.proxy.cut_now()


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("programs", [RELEASE if LONG else DEV], ids=["release" if LONG else "dev"])
def test_cut_after_any_byte(folder, programs, capsys):
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    lanes = [Lane(folder, f"lane{number}", programs) for number in range(LANES)]
    told = [time.monotonic()]

    def report(text):
        if LONG and time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            with capsys.disabled():
                print(text, flush=True)

    try:
        for lane in lanes:
            lane.start()
        total = measure(lanes[0])
        cuts = plan(total, moments)
        print(f"{total[TO_SILO]} bytes to the silo, {total[TO_GATEWAY]} to the gateway; {len(cuts)} cuts")
        deadline = time.monotonic() + (10**6 if LONG else 120)
        workers = [Worker(lane, cuts[number::LANES], deadline, report) for number, lane in enumerate(lanes)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for worker in workers:
            if worker.error:
                raise worker.error
        print(f"{sum(worker.made for worker in workers)} cuts, {sum(worker.not_reached for worker in workers)} not reached")
        assert sum(worker.not_reached for worker in workers) < len(cuts) / 2
        for lane in lanes:
            lane.stop()
    finally:
        for lane in lanes:
            lane.close()
