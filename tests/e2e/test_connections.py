"""Ten thousand SMTP connections at once: how many are let in, what each costs, that mail goes on beside them, and that all of it comes back.

With POSTERN_LONG=1. The system must allow this process 10,700 open files; the daemon needs two for each session, and says so when there are fewer.
"""
import os
import resource
import select
import socket
import time

import pytest

from mail import BOB, make_mail, send
from postern import Gateway
from procs import PATIENCE, RELEASE, wait_until
from flooding import pss

LONG = os.environ.get("POSTERN_LONG") == "1"
CONNECTIONS = 10_000
DEFAULT_SESSIONS = 1000
FILES_FOR_OTHERS = 300       # of the daemon: what limits.c reckons with, and a little
IN_BLOCK = 500               # connections that are begun before their greetings are waited for: the kernel keeps 1,024 for the daemon
GREETED_SECONDS = 60         # all of them
SERVED_SECONDS = 10          # a mail among them
BYTES_EACH = 8 * 1024
KEPT_BYTES = 16 * 2**20      # may stay with the daemon when all have gone, for the next ones:
GROWTH_BYTES = 4 * 2**20     # a second crowd of the same size adds no more than this


def raise_files():
    """As far as we may; how many sessions a daemon with the same limit can have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return (hard - FILES_FOR_OTHERS) // 2


class Crowd:
    """Connections from one client; `greeted` are those that were let in, `refused` were told to come later."""

    def __init__(self, port):
        self.port = port
        self.greeted, self.refused, self.others = [], 0, []

    def come(self, count):
        """Returns seconds until the last has heard a word, and the longest that one has waited for it."""
        began, slowest = time.monotonic(), 0
        for first in range(0, count, IN_BLOCK):
            waiting = {}
            poll = select.poll()
            for _ in range(min(IN_BLOCK, count - first)):
                client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
                waiting[client.fileno()] = (client, time.monotonic())
                poll.register(client, select.POLLIN)
            while waiting:
                for number, _ in poll.poll(1000 * PATIENCE):
                    client, since = waiting.pop(number)
                    poll.unregister(number)
                    slowest = max(slowest, time.monotonic() - since)
                    self.hear(client)
        return time.monotonic() - began, slowest

    def hear(self, client):
        word = client.recv(500)
        if word.startswith(b"220 "):
            self.greeted.append(client)
            return
        if word.startswith(b"421 4.3.2"):
            self.refused += 1
        else:
            self.others.append(word)
        client.close()

    def say(self, line, expected):
        for client in self.greeted:
            client.sendall(line)
        for client in self.greeted:
            assert client.recv(2000).startswith(expected)

    def leave(self):
        for client in self.greeted:
            client.close()
        self.greeted = []


def sessions(gateway):
    return next(row for row in gateway.ctl_json("status")["listeners"] if row["listener"] == "smtp")["sessions"]


@pytest.fixture
def release(folder, silo, alice):
    raise_files()
    gateway = Gateway(folder, silo.port, RELEASE)
    gateway.log_level = "warning"
    gateway.lmtp_extra = "max_sessions = 10"
    gateway.alice = alice
    yield gateway
    if gateway.process is not None:
        gateway.stop()


def begin(gateway):
    gateway.start()
    gateway.introduce(gateway.alice, "alice")
    gateway.open_door(BOB, gateway.alice)
    send(gateway.smtp_port, make_mail("Before"))
    return pss(gateway.process.pid)


def expect_memory_back(gateway, before):
    wait_until("all sessions have ended", lambda: sessions(gateway) == 0)
    wait_until("their memory is given back", lambda: pss(gateway.process.pid) - before < KEPT_BYTES)
    return pss(gateway.process.pid)


@pytest.mark.skipif(not LONG, reason="with --long")
def test_by_default_a_thousand_are_let_in_and_the_others_told(release):
    before = begin(release)
    crowd = Crowd(release.smtp_port)
    seconds, slowest = crowd.come(CONNECTIONS)
    assert (len(crowd.greeted), crowd.refused, crowd.others) == (DEFAULT_SESSIONS, CONNECTIONS - DEFAULT_SESSIONS, [])
    assert sessions(release) == DEFAULT_SESSIONS
    crowd.leave()
    after = expect_memory_back(release, before)
    send(release.smtp_port, make_mail("After"))
    release.alice.receive_mail("After")
    print(f"{CONNECTIONS} connections: {DEFAULT_SESSIONS} greeted, the others told in {seconds:.1f} s, each within {slowest:.2f} s; "
          f"PSS {before / 2**20:.1f}, then {after / 2**20:.1f} MiB")


@pytest.mark.skipif(not LONG, reason="with --long")
@pytest.mark.timeout(600)
def test_ten_thousand_at_once(release):
    count = min(CONNECTIONS, raise_files())
    release.listen_extra = f"max_sessions = {count}"
    before = begin(release)
    crowd = Crowd(release.smtp_port)
    seconds, slowest = crowd.come(count - 1)
    assert (len(crowd.greeted), crowd.refused, crowd.others) == (count - 1, 0, [])
    assert seconds < GREETED_SECONDS
    crowd.say(b"EHLO idle.test\r\n", b"250-")
    during = pss(release.process.pid)
    assert (during - before) / count < BYTES_EACH
    began = time.monotonic()
    send(release.smtp_port, make_mail("Among them"))
    took = time.monotonic() - began
    assert took < SERVED_SECONDS
    release.alice.receive_mail("Among them")
    crowd.come(2)
    assert crowd.refused == 1, "one more than there may be"
    crowd.say(b"NOOP\r\n", b"250 ")
    crowd.leave()
    after = expect_memory_back(release, before)
    crowd.come(count - 1)
    crowd.say(b"NOOP\r\n", b"250 ")
    crowd.leave()
    wait_until("a second crowd leaves no more behind", lambda: sessions(release) == 0 and pss(release.process.pid) - after < GROWTH_BYTES)
    print(f"{count} connections greeted in {seconds:.1f} s, each within {slowest:.2f} s; {(during - before) / count:.0f} bytes for each, "
          f"a mail among them took {took * 1000:.0f} ms; PSS {before / 2**20:.1f}, then {during / 2**20:.1f}, then {after / 2**20:.1f} MiB")


def test_too_few_descriptors_are_told_and_nobody_is_left_hanging(release):
    """Of those that there are, some are kept for mail: who is let in is served, who is not is told."""
    release.listen_extra = "max_sessions = 5000"
    command = release.command
    release.command = lambda *arguments: ["prlimit", "--nofile=400:400", *command(*arguments)]
    before = begin(release)
    told = next(line for line in release.read_log().splitlines() if "event=limits.sessions" in line and "listener=smtp" in line)
    fitting = int(told.split(" max_sessions=")[1].split()[0])
    assert "configured=5000" in told and "open_files=400" in told and fitting < 200
    raise_files()
    crowd = Crowd(release.smtp_port)
    crowd.come(fitting + 200)
    assert (len(crowd.greeted), crowd.refused, crowd.others) == (fitting, 200, [])
    crowd.greeted.pop().close()
    wait_until("there is a place", lambda: sessions(release) < fitting)
    send(release.smtp_port, make_mail("Among them"))
    release.alice.receive_mail("Among them")
    crowd.leave()
    expect_memory_back(release, before)
    assert "accept" not in release.read_log(), "it never ran out of them"
