"""Floods: what must hold during each and after it, whoever floods what."""
import contextlib
import os
import socket
import threading
import time

from mail import make_mail, send
from procs import PATIENCE, wait_until

MIB = 1 << 20
GREETED_SECONDS = 5   # a greeting takes at most, on a busy machine too


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


class Greetings(threading.Thread):
    """How long a listener takes to greet while something goes on, asked again and again."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over = port, threading.Event()
        self.took, self.problem = [], None

    def run(self):
        try:
            while not self.over.is_set():
                began = time.monotonic()
                with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
                    greeting = client.recv(100)
                assert greeting.startswith(b"220 "), greeting
                self.took.append(time.monotonic() - began)
                self.over.wait(0.05)
        except (OSError, AssertionError) as problem:   # or nobody but a warning would tell that none was greeted from here on
            self.problem = problem

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(2 * PATIENCE)
        assert not self.is_alive() and self.problem is None, f"somebody was not greeted: {self.problem!r}"
        self.took.sort()
        assert self.took, "nobody was greeted"
        print(f"  {len(self.took)} greetings: median {self.took[len(self.took) // 2] * 1000:.0f} ms, longest {self.took[-1] * 1000:.0f} ms")


@contextlib.contextmanager
def nothing_left(gateway):
    """As many descriptors afterwards as before; all workers are there already."""
    send(gateway.smtp_port, make_mail("Before"))
    gateway.wait_settled()
    before = descriptors(gateway)
    yield
    wait_until("all descriptors are closed", lambda: descriptors(gateway) <= before)


class Flood:
    def __init__(self, gateway):
        self.gateway = gateway
        self.before = pss(gateway.process.pid)

    def check(self, what, most_mib):
        grown = pss(self.gateway.process.pid) - self.before
        print(f"  {what}, {descriptors(self.gateway)} descriptors, memory grew by {grown / MIB:.1f} MiB")
        assert grown < most_mib * MIB


@contextlib.contextmanager
def flood_of(gateway):
    """Others are greeted meanwhile, and nothing is left of it."""
    flood = Flood(gateway)
    with nothing_left(gateway), Greetings(gateway.smtp_port) as greetings:
        yield flood
    assert greetings.took[-1] < GREETED_SECONDS, f"a greeting took {greetings.took[-1]:.1f} s"
