"""10,000 connections that do nothing for a minute, or as many as there may be open files, while mail flows."""
import contextlib
import resource
import socket
import time

from mail import BOB, make_mail, send
from procs import PATIENCE, RELEASE
from flooding import pss

CONNECTIONS = 10_000
FILES_BESIDES = 600          # of the daemon and of this process
IDLE_SECONDS = 60
SERVED_SECONDS = 5           # each mail meanwhile is answered within
BYTES_PER_CONNECTION = 16 * 1024


def possible_connections():
    """A session may need two descriptors in the daemon, which has the same limit as we have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(CONNECTIONS, (hard - FILES_BESIDES) // 2)


def test_ten_thousand_idle_connections(stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.programs = RELEASE
    gateway.log_level = "warning"
    gateway.listen_extra = f"max_sessions = {CONNECTIONS + 100}"
    gateway.lmtp_extra = "max_sessions = 10"
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    send(gateway.smtp_port, make_mail("Before"))
    before = pss(gateway.process.pid)
    count = possible_connections()
    with contextlib.ExitStack() as stack:
        idle = []
        for _ in range(count):
            idle.append(stack.enter_context(socket.create_connection(("127.0.0.1", gateway.smtp_port), timeout=PATIENCE)))
        for client in idle:
            assert client.recv(200).startswith(b"220 ")
            client.sendall(b"EHLO idle.test\r\n")
        for client in idle:
            assert client.recv(1000).startswith(b"250-")
        each = (pss(gateway.process.pid) - before) / count
        assert each < BYTES_PER_CONNECTION, f"{each:.0f} bytes for each connection"
        end = time.monotonic() + IDLE_SECONDS
        sent, slowest = 0, 0
        while time.monotonic() < end:
            began = time.monotonic()
            send(gateway.smtp_port, make_mail(f"Among the idle {sent}"))
            took = time.monotonic() - began
            slowest = max(slowest, took)
            sent += 1
            time.sleep(0.5)   # a minute has to pass, and mail comes now and then
        assert slowest < SERVED_SECONDS, f"a mail took {slowest:.1f} s"
        sessions = next(row for row in gateway.ctl_json("status")["listeners"] if row["listener"] == "smtp")["sessions"]
        assert sessions == count
        for client in idle[::100]:
            client.sendall(b"NOOP\r\n")
            assert client.recv(200).startswith(b"250 "), "still there"
        print(f"{count} connections, {each:.0f} bytes for each, {sent} mails, the slowest took {slowest * 1000:.0f} ms")
    alice.receive_mail(f"Among the idle {sent - 1}")
