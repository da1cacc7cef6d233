"""Ended or disturbed at each step that changes what stays or what others see: writes, syncs, names, octets sent.

Four stories: mail to a group; a member starts threads; mail of a stranger is held, approved and released; a report comes back. Each is told
for every N of its steps, in each way to go wrong at the Nth. Whatever happens, what was promised arrives, once, and the state is whole.

Usually a sample of the steps; with POSTERN_LONG=1 all of them. POSTERN_STEPS=I/M takes every Mth from the Ith on, POSTERN_STEPS=ends of the
writes into one file that follow each other the first, the last and one between; POSTERN_SEED repeats what is random. The sample is the same each
time, as far as the steps are: what nobody has changed does not fail.
"""
import collections
import errno
import itertools
import os
import random
import shutil
import time

import pytest

from durable import LATE, STORIES, House, Tale, count_steps, run_house
from faulty import FAIL, FILES, KILL_BEFORE, LIE, SHORT, NumberedGateway
from mail import ALICE, BOB, make_mail
from postern import close_quietly
from procs import RELEASE, wait_until

LONG = os.environ.get("POSTERN_LONG") == "1"
SEED = 1
SAMPLE = 3      # steps of each story, in the short form
STOP_STEPS = 16     # of a stop, on the disk
START_STEPS = 220   # of a first start, which has some more
MORE = 5        # steps that a story may have when it is told again
SLOW = 5        # seconds: what takes longer to go on after an error is told
TOLD_EACH = 50
ON_DISK = ("write", "sync", "link", "rename", "truncate", "mkdir")


class Way:
    """To go wrong at a step. ends: it is ended soon after an error; cuts: ends are power cuts; lasts: seconds, in which all steps of
    these kinds on the disk go wrong from that one on."""

    def __init__(self, name, action, argument=0, ends=False, cuts=False, lasts=0, kinds=ON_DISK):
        self.name, self.action, self.argument, self.ends, self.cuts, self.lasts = name, action, argument, ends, cuts, lasts
        self.counted = {"kinds": kinds, "places": FILES} if lasts else {}


WAYS = {way.name: way for way in [
    Way("kill", KILL_BEFORE),
    Way("power", KILL_BEFORE, cuts=True),
    Way("error", FAIL, errno.EIO),
    Way("error-kill", FAIL, errno.EIO, ends=True),
    Way("error-power", FAIL, errno.EIO, ends=True, cuts=True),
    Way("full", FAIL, errno.ENOSPC, lasts=0.5),
    Way("broken", FAIL, errno.EIO, lasts=0.5),
    Way("unreadable", FAIL, errno.EIO, lasts=0.5, kinds=("read",)),
    Way("short", SHORT),
]}


class Disturber:
    """Tells stories with something that goes wrong in each, and counts. Who is not to be ended goes on without help, as long as that takes."""

    def __init__(self, house, rng):
        self.house, self.rng = house, rng
        self.told = collections.Counter()   # (story, kind, place) -> times that it went wrong there
        self.slow = collections.Counter()   # likewise: where it took more than SLOW to go on
        self.longest = 0                    # seconds
        self.swept = 0                      # files that could not be removed, until the next start

    def lose(self):
        """How a power cut chooses: all that was not synced, or some of it."""
        share = self.rng.choice([1, 1, 0.5, 0.1])
        return lambda: self.rng.random() < share

    def tell(self, story, way, number):
        """Returns whether the story came to that step."""
        house = self.house
        house.loses = self.lose() if way.cuts else None
        self.ends, self.due, self.recovers = house.ends, None, None
        tale = Tale(house, story, lambda: self.begin(way, number))
        took = time.monotonic() - self.recovers if self.recovers else 0
        house.on_look = lambda: None
        deadline = time.monotonic() + LATE   # it may have some more steps when it is over
        while not house.steps.hits() and time.monotonic() < deadline:
            time.sleep(0.01)
        is_hit = house.steps.hits() > 0
        if is_hit and house.ends == self.ends and (way.ends or way.action == KILL_BEFORE):
            if way.action == KILL_BEFORE:
                wait_until("it is killed", house.gateway.has_ended)
            house.end()
        house.steps.disarm()
        if way.cuts and is_hit:   # what is over stays so
            house.until("all is done", house.is_idle)
            house.end()
        house.until("all is done", house.is_idle)
        if is_hit and house.steps.step(number) == ("unlink", "content") and way.action == FAIL:
            house.end()   # what could not be removed is swept by the next start
            self.swept += 1
        tale.check()
        if is_hit:
            where = (story, *house.steps.step(number))
            self.told[where] += 1
            self.slow[where] += took > SLOW
            self.longest = max(self.longest, took)
        return is_hit

    def begin(self, way, number):
        self.house.steps.arm(way.action, number, 10**9 if way.lasts else None, argument=way.argument, **way.counted)
        self.house.on_look = lambda: self.look(way)

    def look(self, way):
        """While something is waited for: ends what was to be ended, and what lasts."""
        house = self.house
        if not house.steps.hits() or house.ends > self.ends or way.action == KILL_BEFORE:
            return
        if self.due is None:
            self.due = time.monotonic() + self.rng.choice([0, 0, 0.02, 0.1])
            self.recovers = time.monotonic() + way.lasts
        if way.lasts and time.monotonic() >= self.recovers:
            house.steps.disarm()
        if way.ends and time.monotonic() >= self.due:
            house.end()


def make_rng():
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6) if LONG else SEED))
    print(f"POSTERN_SEED={seed}")
    return random.Random(seed)


def make_disturber(house):
    return Disturber(house, make_rng())


@pytest.fixture(name="house")
def house_with(request):
    yield from run_house(House(*getattr(request, "param", ("smtp", True))), request)


def test_some_steps(house):
    disturber = make_disturber(house)
    for story in STORIES:
        steps = len(count_steps(house, story))
        for number in sorted(disturber.rng.sample(range(1, steps + 1), SAMPLE)):
            way = disturber.rng.choice(list(WAYS.values()))
            print(f"{story}: {way.name} at {number} of {steps}", flush=True)
            disturber.tell(story, way, number)


CASES = [("smtp", story, way) for way in WAYS for story in STORIES] + [("maildir", "thread", way) for way in WAYS]


def choose_ends(steps, rng):
    chosen, number = [], 1
    for step, row in itertools.groupby(steps):
        end = number + len(list(row)) - 1
        chosen += sorted({number, end, rng.randint(number, end)}) if step[0] == "write" else range(number, end + 1)
        number = end + 1
    return chosen


def choose(steps, ends):
    """All of them: those of most interest first."""
    which = os.environ.get("POSTERN_STEPS", "all")
    if "/" in which:
        part, parts = (int(text) for text in which.split("/"))
        return range(part, len(steps) + MORE + 1, parts)
    return ends if which == "ends" else ends + sorted(set(range(1, len(steps) + MORE + 1)) - set(ends))


def every_step(house, story, way, capsys):
    disturber = make_disturber(house)
    steps = count_steps(house, story, **WAYS[way].counted)
    ends = choose_ends(steps, disturber.rng)
    numbers = choose(steps, ends)
    started, misses = time.monotonic(), 0

    def show(done):
        with capsys.disabled():
            print(f"\n  {way}, {story} ({house.gateway.relay.split(':')[0]}): {done} of {len(numbers)} tried ({len(steps)} steps, {len(ends)} ends), "
                  f"{sum(disturber.told.values())} went wrong, {house.ends} ends, "
                  f"{house.cuts} power cuts that undid {house.undone[0]} pages and {house.undone[1]} names; "
                  f"{house.sent} messages, 0 lost, 0 twice, {house.duplicates} octet for octet twice at the relay; "
                  f"{disturber.swept} swept by a start; went on after {disturber.longest:.1f} s at most, after more than {SLOW} s: {dict(+disturber.slow)}; "
                  f"{time.monotonic() - started:.0f} s", flush=True)

    for done, number in enumerate(numbers, 1):
        try:
            misses += not disturber.tell(story, WAYS[way], number)
        except BaseException:
            print(f"{way} at {number} of {story}, which usually is {(steps + [None] * MORE)[number - 1]}")
            raise
        if done % TOLD_EACH == 0:
            show(done)
    show(len(numbers))
    assert misses <= 2 * MORE + len(steps) // 4, "the steps are others each time"


if LONG:   # hours
    @pytest.mark.timeout(0)
    @pytest.mark.parametrize("house, story, way", [((relay, WAYS[way].cuts), story, way) for relay, story, way in CASES], indirect=["house"],
                             ids=[f"{way}-{story}-{relay}" for relay, story, way in CASES])
    def test_every_step(house, story, way, capsys):
        every_step(house, story, way, capsys)


def start_and_end(gateway, way, number, rng):
    """The first start, with an end at a step, or an error. Returns whether it came to that step."""
    shutil.rmtree(gateway.state)
    os.mkdir(gateway.state, 0o700)
    gateway.journal.begin()
    gateway.write_config()
    gateway.steps.arm(way.action, number, argument=way.argument)
    gateway.launch(gateway.command())
    wait_until("it has started, or ended", lambda: gateway.has_ended() or gateway.answers())
    deadline = time.monotonic() + LATE
    while not gateway.steps.hits() and time.monotonic() < deadline:
        time.sleep(0.01)
    is_hit = gateway.steps.hits() > 0
    gateway.steps.disarm()
    if way.cuts:
        gateway.lose_power(lambda: rng.random() < 0.7)
    else:
        gateway.kill()
    return is_hit


def test_the_first_start_can_end_anywhere(folder, silo):
    """The next one finds what it needs, or makes it."""
    rng = make_rng()
    gateway = NumberedGateway(folder, silo.port, RELEASE, journal=True)
    gateway.policy_extra = "unknown_senders = hold"
    hits = []
    try:
        for way in (WAYS["kill"], WAYS["power"], WAYS["error-power"]):
            for number in range(1, START_STEPS) if LONG else rng.sample(range(1, START_STEPS), 2):
                hits.append(start_and_end(gateway, way, number, rng))
                gateway.start()
                gateway.wait_online()
                gateway.ctl("audit", "verify")
                assert gateway.ctl_json("status")["held_error"] is None, f"{way.name} at {number}"
                gateway.stop()
    finally:
        close_quietly(gateway)
    assert sum(hits) >= len(hits) / 2, "it had not so many steps"
    print(f"{len(hits)} first starts, {sum(hits)} of which went wrong")


def test_a_stop_can_end_anywhere(house):
    """The database is tidied up in it."""
    disturber = make_disturber(house)
    numbers = range(1, STOP_STEPS + 1) if LONG else disturber.rng.sample(range(1, STOP_STEPS + 1), 2)
    house.silo.kill()
    for number in numbers:
        house.loses = disturber.lose() if number % 2 else None
        house.send(make_mail(f"Mail {number}", f"The word is waiting{number}.\n"), BOB, ALICE)
        house.steps.arm(*[(KILL_BEFORE, number), (FAIL, number)][number % 3 == 0], argument=errno.EIO, kinds=(*ON_DISK, "unlink"), places=FILES)
        house.gateway.process.terminate()
        house.gateway.process.wait()
        house.end()
    house.silo.start()
    house.until("all have come", lambda: all(house.told(house.alice, f"waiting{number}.") for number in numbers) and house.is_idle())
    assert [house.told(house.alice, f"waiting{number}.") for number in numbers] == [1] * len(numbers)
    house.check()


def test_a_disk_that_lies_loses_mail(house):
    """Syncs that do nothing, then a power cut: what these tests look for can be seen by them."""
    house.silo.kill()
    house.steps.arm(LIE, 1, 10**9, kinds=("sync",))
    house.send(make_mail("Lost"), BOB, ALICE)
    assert house.gateway.queue("in")
    house.loses = lambda: True
    house.end()
    assert not house.gateway.queue("in"), "the power cut has undone nothing"
    house.silo.start()
