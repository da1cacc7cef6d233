"""Hostile administrators' doors: the web page, its API, the metrics port, the control socket and posternctl.

Whatever those at one door do, mail is greeted and taken in good time, memory and descriptors are bounded, and nothing is left
afterwards. With `pytest -s` each test says what it has measured (docs/RELIABILITY.md).
"""
import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import threading
import time

import pytest

from flooding import MIB, Greetings, flood_of, pss
from mail import BOB, make_mail, send
from procs import PATIENCE, RELEASE, free_port, run, wait_until

LONG = os.environ.get("POSTERN_LONG") == "1"
ROWS = 5000 if LONG else 2000


def control(gateway):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(os.path.join(gateway.state, "control"))
    return client


class Door:
    """A gateway with everything that administrators have, and thousands of mappings to ask for."""

    def __init__(self, gateway, folder):
        self.gateway = gateway
        self.web, self.metrics = free_port(), free_port()
        self.control = os.path.join(gateway.state, "control")
        gateway.programs = RELEASE
        gateway.log_level = "warning"
        gateway.admin_extra = f'http = "127.0.0.1:{self.web}"'
        gateway.extra = f'metrics {{ http = "127.0.0.1:{self.metrics}" }}'
        gateway.start()
        self.pid = gateway.process.pid
        table = os.path.join(folder, "table.csv")
        with open(table, "w", encoding="ascii") as file:
            file.write("address,member,state,direction\n")
            file.writelines(f"correspondent-{number}@example-{number}.net,Alice Member,approved,both\n" for number in range(ROWS))
        self.table = table

    def fill(self):
        self.gateway.ctl("mapping", "import", self.table)

    def token(self, name="program"):
        return self.gateway.ctl_json("admin", "token", "add", name, "--read-only", "yes")["token"]

    def call(self, token, path, patience=PATIENCE):
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=patience)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def door(stopped_gateway, alice, folder):
    made = Door(stopped_gateway, folder)
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    return made


LISTS = ("mapping/list?limit=5000", "mapping/export?limit=5000", "audit/list?limit=5000", "audit/list?limit=5000&order=newest")


def ask_again_and_again(door, token, over, counts):
    number = 0
    while not over.is_set():
        status, body = door.call(token, "/api/v1/" + LISTS[number % len(LISTS)])
        counts.append((status, len(body)))
        number += 1


def test_long_lists_hold_nobody_up(door):
    """60 connections (20 in the short check) of one token that ask for long lists all the time: others are greeted, and an administrator is answered."""
    door.fill()
    token = door.token()
    over, counts = threading.Event(), []
    before = pss(door.pid)
    askers = [threading.Thread(target=ask_again_and_again, args=(door, token, over, counts), daemon=True) for _ in range(60 if LONG else 20)]
    for asker in askers:
        asker.start()
    wait_until("they are answered", lambda: len(counts) > 5)
    with Greetings(door.gateway.smtp_port) as greetings:
        slowest = 0
        for number in range(20 if LONG else 4):
            began = time.monotonic()
            send(door.gateway.smtp_port, make_mail(f"Among long lists {number}"))
            slowest = max(slowest, time.monotonic() - began)
        began = time.monotonic()
        door.gateway.ctl("status")
        asked = time.monotonic() - began
    print(f"  a mail took {slowest * 1000:.0f} ms at most; posternctl status {asked * 1000:.0f} ms; memory grew by {(pss(door.pid) - before) / MIB:.0f} MiB")
    over.set()
    wait_until("the last are answered", lambda: not any(asker.is_alive() for asker in askers), 5 * PATIENCE)
    assert {status for status, _ in counts} == {200}
    assert greetings.took[-1] < 3, f"a greeting took {greetings.took[-1]:.1f} s"


# ---- posternctl ----

def posternctl(gateway, *arguments, patience=PATIENCE):
    began = time.monotonic()
    result = run([os.path.join(gateway.programs, "posternctl"), "-c", gateway.config, *arguments], gateway.folder, patience)
    return result.returncode, result.stderr, time.monotonic() - began


def test_a_hung_daemon_is_given_up(gateway):
    """It hangs before it accepts, and with its queue of connections full."""
    os.kill(gateway.process.pid, signal.SIGSTOP)
    try:
        code, said, took = posternctl(gateway, "-t", "1", "status")
        assert (code, took < 30) == (75, True) and "no sign of life for 1 s" in said, said
        with contextlib.ExitStack() as stack:
            for _ in range(5000):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(0)
                try:
                    client.connect(os.path.join(gateway.state, "control"))
                except BlockingIOError:
                    break
            code, said, took = posternctl(gateway, "-t", "1", "status")
            assert (code, took < 30) == (75, True) and "no sign of life" in said, said
    finally:
        os.kill(gateway.process.pid, signal.SIGCONT)
    assert posternctl(gateway, "-t", "60", "status")[0] == 0
    for wrong in ("-1", "", "x", "100000"):
        assert posternctl(gateway, "-t", wrong, "status")[0] == 2


class Daemon(threading.Thread):
    """Speaks for a daemon at a control socket, as the test says."""

    def __init__(self, folder, answer):
        super().__init__(daemon=True)
        self.path = os.path.join(folder, "other")
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        with client:
            client.recv(65536)
            for piece in self.answer:
                time.sleep(0.4)   # the program under test measures time
                client.sendall(piece)


def test_signs_of_life_are_waited_for(folder):
    """A long command goes on for longer than a daemon may be silent."""
    daemon = Daemon(folder, [b" "] * 6 + [b'{"exit":0,"out":"done\\n","err":""}\n'])
    result = run([os.path.join(RELEASE, "posternctl"), "-s", daemon.path, "-t", "2", "audit", "verify"], folder)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


def test_the_daemon_gives_signs_of_life(gateway):
    """While a command waits, here for somebody who holds the database, blanks come in front of its answer."""
    with contextlib.closing(sqlite3.connect(os.path.join(gateway.state, "postern.db"), isolation_level=None)) as database:
        with control(gateway) as client:
            database.execute("BEGIN IMMEDIATE")
            client.sendall(b'{"argv":["member","add","Somebody"]}\n')
            first = client.recv(1)
            database.execute("ROLLBACK")
            assert first == b" " and json.loads(client.makefile("rb").read())["exit"] == 0


# ---- the control socket ----

def read_all(client):
    with contextlib.suppress(ConnectionError):
        return client.makefile("rb").read()
    return b""


def flood_of_silent(gateway, stack):
    return [stack.enter_context(control(gateway)) for _ in range(1000)]


def flood_of_halves(gateway, stack):
    clients = []
    for _ in range(1000):
        client = stack.enter_context(control(gateway))
        with contextlib.suppress(ConnectionError):   # it was closed for another one
            client.sendall(b'{"argv":["member","list"')
        clients.append(client)
    return clients


def flood_of_garbage(gateway, stack):
    clients = []
    for number in range(1000):
        client = stack.enter_context(control(gateway))
        with contextlib.suppress(ConnectionError):
            client.sendall((b"12:hello world!,\n", b"\0" * 100 + b"\n", b"[" * 5000 + b"\n", b"GET / HTTP/1.1\r\n\r\n")[number % 4])
        clients.append(client)
    return clients


def flood_of_megabytes(gateway, stack):
    clients = []
    for _ in range(100):
        client = stack.enter_context(control(gateway))
        client.setblocking(False)
        with contextlib.suppress(OSError):
            for _ in range(100):
                client.send(b"x" * 16384)
        clients.append(client)
    return clients


def test_floods_of_the_control_socket(door):
    """A thousand connections of one user: an administrator gets their word in, mail is taken, memory is bounded."""
    for flood, more in ((flood_of_silent, 8), (flood_of_halves, 8), (flood_of_garbage, 16), (flood_of_megabytes, 96)):
        flood_the_control_socket(door, flood, more)


def flood_the_control_socket(door, flood, more):
    gateway = door.gateway
    with flood_of(gateway) as flooded, contextlib.ExitStack() as stack:
        clients = flood(gateway, stack)
        assert gateway.ctl_json("status")["silo_state"] == "online"
        send(gateway.smtp_port, make_mail("In a flood of the control socket"))
        flooded.check(f"{flood.__name__}, {len(clients)} connections", more)


@pytest.mark.skipif(not LONG, reason="only with POSTERN_LONG=1")
def test_answers_of_the_control_socket_that_nobody_reads(door):
    """A hundred ask for long lists and never read: memory is bounded, and those are cut who are answered longest."""
    gateway = door.gateway
    door.fill()
    request = json.dumps({"argv": ["mapping", "list", "--limit", "5000"], "json": True}).encode() + b"\n"
    with flood_of(gateway) as flooded, contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(control(gateway))
            with contextlib.suppress(ConnectionError):
                client.sendall(request)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wait_until("there is a place again", lambda: posternctl(gateway, "version")[0] == 0)
        flooded.check("100 that read no lists", 160)
