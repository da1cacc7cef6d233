"""Mail both ways over bad networks (network.py): nothing is lost, nothing comes twice, and who has vanished is noticed.

What may come twice is a mail to the relay whose answer was lost after the last octet (RFC 5321 section 4.5.4.1): then the octets are the same."""
import os
import random
import re
import signal
import threading
import time

import pytest

from network import Network, needs_namespaces
from procs import DEV, LONG, RELEASE, long_only, wait_until

SEED = int(os.environ.get("POSTERN_SEED", random.SystemRandom().randrange(10000)))
NOTICED = 100    # seconds after which a silo that has vanished is noticed, at the latest
RECOVERED = 150  # the silo holds our former connection for two minutes


@pytest.fixture
def network(folder, request):
    needs_namespaces()
    print(f"POSTERN_SEED={SEED}")
    made = Network(folder, SEED, getattr(request, "param", RELEASE if LONG else DEV))
    try:
        made.start()
        yield made
        made.stop()
    finally:
        made.close()


class Traffic(threading.Thread):
    """Mails in and messages out, until stopped; every tenth is large."""

    def __init__(self, network, pause=0.1):
        super().__init__(daemon=True)
        self.network, self.pause = network, pause
        self.stopping, self.error, self.sent = False, None, 0
        self.start()

    def run(self):
        try:
            while not self.stopping:
                self.sent += 1
                self.network.padding = ("x" * 70 + "\n") * 2000 if self.sent % 10 == 0 else ""
                self.network.send_mails([f"token-in-{self.sent}"])
                self.network.post_messages([f"token-out-{self.sent}"])
                time.sleep(self.pause)
        except Exception as error:   # told by stop(), in the test's thread
            self.error = error

    def stop(self):
        self.stopping = True
        self.join(60)
        assert self.error is None, self.error


def report(network, name, seconds):
    counted = ", ".join(f"{value} {word}" for word, value in network.links_counted().items() if value)
    print(f"{name}: {len(network.sent_in)} mails in, {len(network.sent_out)} out, all there after {seconds:.0f} s, 0 lost, 0 twice, "
          f"{network.repeated_out} times the same octets to the relay; packets: {counted}", flush=True)


def test_loss_and_a_partition(network):
    """The short form of the tests below."""
    began = time.monotonic()
    network.treat(loss=50, delay=10, reorder=50, duplicate=20, corrupt=10)
    network.send_mails([f"token-in-{number}" for number in range(15)])
    network.post_messages([f"token-out-{number}" for number in range(15)])
    wait_until("some have arrived", lambda: network.member.deliveries and network.sink.paths())
    network.treat("silo", cut=1)
    network.send_mails([f"token-in-{number}" for number in range(15, 20)])
    time.sleep(2)   # the partition
    network.heal()
    network.expect_all()
    report(network, "loss and a partition", time.monotonic() - began)


WEATHERS = {
    "delay of 200 ms": {"delay": 200},
    "200 ms, varying by 100 ms": {"delay": 150, "jitter": 100},
    "5 % lost": {"loss": 50, "delay": 20},
    "20 % lost": {"loss": 200, "delay": 20},
    "a third out of order": {"reorder": 333, "delay": 10},
    "a fifth twice": {"duplicate": 200, "delay": 10},
    "5 % changed": {"corrupt": 50, "delay": 10},
    "all of that": {"delay": 100, "jitter": 50, "loss": 50, "reorder": 100, "duplicate": 50, "corrupt": 20},
}


@long_only
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", WEATHERS)
def test_weather(network, name):
    began = time.monotonic()
    network.treat(**WEATHERS[name])
    traffic = Traffic(network)
    time.sleep(30)   # of traffic
    traffic.stop()
    network.expect_all(600)
    report(network, name, time.monotonic() - began)


@long_only
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("far_end", ["front", "silo", "relay"])
@pytest.mark.parametrize("direction", ["both", "ab", "ba"])
def test_short_partitions(network, far_end, direction):
    """At random moments, each shorter than TCP's patience."""
    chance, began = random.Random(SEED), time.monotonic()
    traffic = Traffic(network)
    for _ in range(8):
        time.sleep(chance.uniform(0.5, 3))
        network.treat(far_end, direction, cut=1)
        time.sleep(chance.uniform(0.1, 12))
        network.treat(far_end, direction)
    traffic.stop()
    network.expect_all(600)
    report(network, f"short partitions of {far_end}, {direction}", time.monotonic() - began)


@long_only
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("far_end", ["front", "silo", "relay"])
@pytest.mark.parametrize("direction", ["both", "ab", "ba"])
def test_long_partition(network, far_end, direction):
    """Longer than TCP's patience: both ends are left with half of a connection, and nobody is told."""
    began = time.monotonic()
    traffic = Traffic(network, pause=1)
    time.sleep(3)
    network.treat(far_end, direction, cut=1)
    time.sleep(200)
    network.treat(far_end, direction)
    healed = time.monotonic()
    traffic.stop()
    network.gateway.wait_online()
    print(f"online {time.monotonic() - healed:.0f} s after the end")
    network.expect_all(900)
    report(network, f"long partition of {far_end}, {direction}", time.monotonic() - began)


@long_only
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("direction, busy", [("both", False), ("ab", False), ("ba", False), ("both", True), ("ba", True)])
def test_vanished_silo_is_noticed(network, direction, busy):
    """It was noticed after two to three minutes."""
    network.send_mails(["token-in-0"])
    network.expect_all()
    events = len(network.silo_events())
    cut_at = time.monotonic()
    network.treat("silo", direction, cut=1)
    if busy:
        network.send_mails(["token-in-1", "token-in-2"])
    wait_until("it is noticed", lambda: len(network.silo_events()) > events, NOTICED)
    noticed = time.monotonic() - cut_at
    why = re.search(r"error=(.*)", network.silo_events()[events]).group(1)
    network.treat("silo")
    wait_until("it is online", lambda: network.gateway.ctl_json("status")["silo_state"] == "online", RECOVERED)
    print(f"silo vanished ({direction}, {'busy' if busy else 'idle'}): noticed after {noticed:.0f} s ({why}), "
          f"online {time.monotonic() - cut_at:.0f} s after the cut")
    network.expect_all()


@long_only
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("moment", ["at rest", "in the content"])
def test_vanished_relay_is_noticed(network, moment):
    """In the middle of a message that is too large for what TCP keeps; or when it had said nothing yet."""
    if moment == "in the content":
        network.treat("relay", delay=50)
        network.padding = ("x" * 70 + "\n") * 100000
    else:
        network.treat("relay", "ba", cut=1)
    network.post_messages(["token-out-0"])
    if moment == "in the content":
        wait_until("it is being sent", lambda: network.links["relay"].counted()["passed"] > 200)
        network.treat("relay", cut=1)
    cut_at = time.monotonic()
    wait_until("it is noticed", lambda: "event=relay.result" in network.gateway.read_log(), NOTICED)
    line = next(line for line in network.gateway.read_log().splitlines() if "event=relay.result" in line)
    print(f"relay vanished ({moment}): noticed after {time.monotonic() - cut_at:.0f} s: {line[25:330]}")
    network.heal()
    network.expect_all(300)


@long_only
@pytest.mark.timeout(1200)
def test_slow_relay_is_not_taken_for_a_vanished_one(network):
    """It takes nothing in for more than two minutes: RFC 5321 gives it three. The kernel ended such connections after two."""
    network.padding = ("x" * 70 + "\n") * 200000
    network.post_messages(["token-out-0"])
    wait_until("it is being sent", lambda: network.links["relay"].counted()["passed"] > 200)
    network.sink.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(140)
    finally:
        network.sink.process.send_signal(signal.SIGCONT)
    network.expect_all()
    results = [line for line in network.gateway.read_log().splitlines() if "event=relay.result" in line]
    assert len(results) == 1 and "outcome=delivered" in results[0], results


@long_only
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("probing", [0, 1])
def test_black_hole_of_the_mtu(network, probing):
    """Packets of more than 1,000 octets vanish, and nobody says so. With net.ipv4.tcp_mtu_probing the kernel finds out; without,
    what is large waits until the path is mended."""
    for place in network.places.values():
        place.run(f"echo {probing} > /proc/sys/net/ipv4/tcp_mtu_probing")
    began = time.monotonic()
    network.treat(longest=1000)
    network.padding = ("x" * 70 + "\n") * 200
    network.send_mails([f"token-in-{number}" for number in range(5)])
    network.post_messages([f"token-out-{number}" for number in range(5)])
    if probing:
        network.expect_all(600)
    else:
        time.sleep(150)
        network.heal()
        network.expect_all(600)
    report(network, f"black hole of the MTU, tcp_mtu_probing={probing}", time.monotonic() - began)
