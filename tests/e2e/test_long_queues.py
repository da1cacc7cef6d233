"""A hundred thousand messages that wait, for the silo or for the relay: what it costs, and that each leaves once when its way is free.

With POSTERN_LONG=1; POSTERN_QUEUED sets another number. `tests/bench/run queue` compares lengths.
"""
import collections
import os
import re
import resource
import socket
import statistics
import subprocess
import threading
import time

import pytest

from bare import BareMember
from figures import ask
from mail import make_mail, send
from postern import DOMAIN, Gateway, Silo, close_quietly
from procs import PATIENCE, RELEASE, free_port, wait_until
from sink import Sink
from flooding import pss
from town import WIDE_LIMITS
from web_visitor import sign_in

QUEUED = int(os.environ.get("POSTERN_QUEUED", "100000" if os.environ.get("POSTERN_LONG") == "1" else "0"))
LIMIT = 100_000              # no more are taken
SAMPLE = 2000                # messages by which the rate is measured, at first and at last
SPARE = 50                   # places that are left for what comes fresh
READS = 5
READ_SECONDS = 20            # each
STARTED_SECONDS = 15         # to the first greeting
MEMORY_MAX = 48 * 2**20      # of the daemon
SLOWER_MAX = 4               # times, accepting with a full queue. On a machine with other work; docs/RELIABILITY.md has what was measured
DRAINED_SECONDS = 3600
IDLE_SECONDS = 300           # without one more that has arrived
BOB, CAROLS_BOB = "bob@example.com", "barbara@example.net"
FRESH = "A fresh one"

pytestmark = [pytest.mark.skipif(QUEUED == 0, reason="with --long, or POSTERN_QUEUED"), pytest.mark.timeout(0)]


class Greetings(threading.Thread):
    """How long a client waits for its greeting, ten times a second: what holds the loop up holds that up."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.times = []
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            began = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
                    if client.recv(4) != b"220 ":
                        continue
                self.times.append(time.monotonic() - began)
            except OSError:
                pass
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.join()

    def __str__(self):
        times = sorted(self.times) or [float("nan")]
        return f"greeting {1000 * statistics.median(times):.0f} ms, 99 % {1000 * times[len(times) * 99 // 100]:.0f} ms, most {1000 * times[-1]:.0f} ms of {len(times)}"


class Place:
    """A gateway of the release build with wide limits, a page and figures, and two members."""

    def __init__(self, folder, show, relay=None):
        self.folder, self.show = folder, show
        self.silo = Silo(folder, RELEASE)
        gateway = self.gateway = Gateway(folder, self.silo.port, RELEASE)
        gateway.open_port, self.web_port, self.metrics_port = free_port(), free_port(), free_port()
        gateway.log_level = "warning"
        gateway.silo_extra = 'retry_longest = "1s"'
        gateway.admin_extra = f'http = "127.0.0.1:{self.web_port}"'
        gateway.extra = f'metrics {{ http = "127.0.0.1:{self.metrics_port}" }}\n' + WIDE_LIMITS
        if relay:
            gateway.relay = relay
        self.alice = self.carol = self.visitor = None

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.alice, self.carol = (BareMember(self.silo.port, alias, keep_body=False) for alias in ("Alice Member", "Carol Colleague"))
        for member, name, address in ((self.alice, "alice", BOB), (self.carol, "carol", CAROLS_BOB)):
            self.gateway.introduce(member, name)
            self.gateway.ctl("mapping", "add", address, member.alias)
            wait_until("they know each other", lambda member=member, address=address: address in member.uids)
        self.visitor = sign_in(self.gateway, self.web_port, "anna")

    def close(self):
        for member in filter(None, (self.alice, self.carol)):
            member.stopping = True
        close_quietly(self.gateway, self.silo)

    def waiting(self, direction):
        row = next(row for row in self.gateway.ctl_json("status")["queues"] if row["queue"] == direction)
        return row["waiting"] + row["routed"]

    def has_left(self, author):
        return self.gateway.ctl_json("queue", "list", "--direction", "out", "--state", "settled", "--from", author)["total"] > 0

    def size(self):
        return pss(self.gateway.process.pid)

    def read_everything(self):
        """name -> the longest of some times, in ms, that somebody who looks has to wait."""
        gateway = self.gateway
        commands = {" ".join(words): lambda words=words: gateway.ctl(*words) for words in (
            ("status",), ("queue", "list"), ("queue", "list", "--direction", "in", "--to", "alice"), ("queue", "list", "--state", "due", "--limit", "5000"),
            ("audit", "list"), ("mapping", "list"), ("member", "list"))}
        pages = {f"page {path}": lambda path=path: self.visitor.get(path) for path in ("/", "/queue", "/requests", "/mappings", "/members")}
        commands["/metrics"] = lambda: ask(self.metrics_port, "/metrics")
        times = collections.defaultdict(list)
        for _ in range(READS):
            for name, read in {**commands, **pages}.items():
                began = time.monotonic()
                read()
                times[name].append(1000 * (time.monotonic() - began))
        return {name: max(values) for name, values in times.items()}

    def restart(self, kill):
        """Seconds from the start of the program to its first greeting."""
        self.gateway.kill() if kill else self.gateway.stop(120)
        self.gateway.write_config()
        began = time.monotonic()
        self.gateway.launch(self.gateway.command())
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.gateway.open_port), timeout=PATIENCE) as client:
                    if client.recv(4) == b"220 ":
                        return time.monotonic() - began
            except ConnectionRefusedError:
                assert self.gateway.running() and time.monotonic() - began < PATIENCE
                time.sleep(0.001)

    def look_at(self, queued):
        """All that is asked of it while so many wait."""
        with Greetings(self.gateway.open_port) as greetings:
            times = self.read_everything()
        size = self.size()
        starts = [self.restart(kill) for kill in (False, True, False)]
        self.show(f"{queued:,} wait: PSS {size / 2**20:.1f} MiB; to the first greeting {', '.join(f'{seconds:.2f}' for seconds in starts)} s; while all is read: {greetings}")
        self.show("longest of each, ms: " + ", ".join(f"{name} {value:.0f}" for name, value in times.items()))
        assert size < MEMORY_MAX and max(starts) < STARTED_SECONDS
        assert max(times.values()) < 1000 * READ_SECONDS, times

    def send(self, count):
        """Mail from Bob to Alice over 50 connections; how many were taken in a second."""
        began = time.monotonic()
        subprocess.run(["smtp-source", "-s", "50", "-m", str(count), "-l", "1024", "-d", "-f", BOB, "-t", f"alice@{DOMAIN}",
                        f"127.0.0.1:{self.gateway.open_port}"], check=True, stdin=subprocess.DEVNULL, timeout=3600)
        return count / (time.monotonic() - began)


@pytest.fixture
def files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def find_id(path):
    with open(path, "rb") as file:
        return re.search(rb"^Message-ID: *(\S+)", file.read(), re.M | re.I).group(1)


def longest_overtaking(numbers):
    """By how many places somebody was overtaken."""
    place = {number: index for index, number in enumerate(sorted(numbers))}
    return max(abs(place[number] - index) for index, number in enumerate(numbers))


def test_mail_waits_for_the_silo(folder, files, show):
    place = Place(folder, show)
    try:
        place.start()
        place.silo.stop()
        wait_until("the silo is missed", lambda: place.gateway.ctl_json("status")["silo_state"] != "online")
        first = place.send(SAMPLE)
        place.send(QUEUED - SPARE - 2 * SAMPLE)
        last = place.send(SAMPLE)
        show(f"\naccepted {first:.0f} a second with an empty queue, {last:.0f} with a full one, {last / first:.2f} of it")
        assert last > first / SLOWER_MAX
        queued = place.waiting("in")
        assert queued == QUEUED - SPARE
        place.look_at(queued)
        wait_until("the gateway is there", place.gateway.answers)

        place.silo.start()
        began = time.monotonic()
        place.gateway.wait_online()
        wait_until("some have arrived", lambda: len(place.alice.deliveries) > 100)
        since = time.monotonic()
        send(place.gateway.open_port, make_mail(FRESH, sender=CAROLS_BOB, recipient=f"carol@{DOMAIN}"), CAROLS_BOB, [f"carol@{DOMAIN}"])
        fresh, most = None, 0
        with Greetings(place.gateway.open_port) as greetings:
            while len(place.alice.deliveries) < queued or not fresh:
                most = max(most, place.size())
                if place.carol.deliveries and not fresh:
                    fresh = (time.monotonic() - since, len(place.alice.deliveries))
                place.alice.check()
                assert time.monotonic() - began < DRAINED_SECONDS, f"{len(place.alice.deliveries)} have arrived"
                time.sleep(0.1)
        seconds = time.monotonic() - began
        show(f"drained at {queued / seconds:.0f} a second in {seconds:.0f} s, PSS {most / 2**20:.1f} MiB at most, {greetings}; "
              f"a fresh mail to somebody else took {fresh[0]:.1f} s, when {fresh[1]:,} had arrived")
        place.gateway.wait_settled()
        keys = [second["PosternKey"] for _, second, _ in place.alice.deliveries]
        assert len(keys) == len(set(keys)) == queued, "each has arrived once"
        assert len(place.carol.deliveries) == 1
        show(f"overtaken by {longest_overtaking([int(re.search(r'[0-9]+', key).group()) for key in keys])} at most; e.g. {keys[0]}")
        assert most < MEMORY_MAX
        place.gateway.stop(120)
    finally:
        place.close()


def test_messages_wait_for_the_relay(folder, files, show):
    port = free_port()
    place = Place(folder, show, f"smtp://127.0.0.1:{port}")
    place.gateway.retry_first, place.gateway.retry_longest, place.gateway.warn_after, place.gateway.give_up = "1m", "4h", "5d", "5d"
    try:
        place.start()
        def post(count):
            before, began = place.waiting("out"), time.monotonic()
            for number in range(count):
                place.alice.post(BOB, f"Message {before + number}", "Hello Bob\n" + "All work and no play.\n" * 40)
            wait_until("the gateway has them", lambda: place.waiting("out") == before + count, 3600)
            return count / (time.monotonic() - began)

        first = post(SAMPLE)
        place.gateway.stop(120)
        subprocess.run([os.path.join(RELEASE, "queue_bench"), os.path.join(place.gateway.state, "postern.db"), "await", str(QUEUED - SPARE - SAMPLE), "1024"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=3600)
        place.gateway.start()
        place.gateway.wait_online()
        last = post(SAMPLE)
        queued = place.waiting("out")
        show(f"\ntook {first:.0f} a second with an empty queue, {last:.0f} with a full one, {last / first:.2f} of it")
        assert queued >= QUEUED - SPARE and last > first / SLOWER_MAX
        place.look_at(queued)
        place.gateway.wait_online()
        one = place.gateway.ctl_json("queue", "list", "--direction", "out", "--limit", "1")["queue"][0]["id"]
        place.gateway.ctl("queue", "retry", one)
        wait_until("the relay is missed", lambda: place.gateway.ctl_json("status")["relays"][0]["state"] == "down")
        with Sink(folder, port) as sink:
            place.gateway.ctl("queue", "retry", one)   # the relay is back, and with it all others go
            began = time.monotonic()
            wait_until("some have left", lambda: len(os.listdir(sink.folder)) > 100)
            since = time.monotonic()
            place.carol.post(CAROLS_BOB, FRESH, "Hello Barbara\n")
            fresh, most, left = None, 0, queued + 1
            with Greetings(place.gateway.open_port) as greetings:
                while left > 0 or not fresh:
                    most = max(most, place.size())
                    left = place.waiting("out")
                    if not fresh and place.has_left("Carol Colleague"):
                        fresh = (time.monotonic() - since, queued - left)
                    assert time.monotonic() - began < DRAINED_SECONDS, f"{left} have not left"
                    time.sleep(0.3)
            seconds = time.monotonic() - began
            ids = [find_id(entry.path) for entry in os.scandir(sink.folder)]
        show(f"drained at {queued / seconds:.0f} a second in {seconds:.0f} s, PSS {most / 2**20:.1f} MiB at most, {greetings}; "
              f"a fresh message to somebody else took {fresh[0]:.1f} s, when {fresh[1]:,} had left")
        assert len(ids) == len(set(ids)) == queued + 1, "each has left once"
        place.gateway.stop(120)
    finally:
        place.close()
