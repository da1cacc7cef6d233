"""Floods: whatever many clients do, memory is bounded and others are served.

The clients of a flood come from 127.0.0.2, which is not exempt here; mail comes from 127.0.0.1, which is, as in the
default configuration. The loads are small enough for any machine: what they show is that nothing grows with them. With
`pytest -s` each test says how much memory the flood took and how long somebody else's mail (docs/PERFORMANCE.md).
"""
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from flooding import MIB, pss
from mail import ALICE, BOB, make_mail, send
from postern import Conversation
from procs import PATIENCE, RELEASE, wait_until

FLOODER = "127.0.0.2"
SERVED_SECONDS = 10     # a mail that is sent during a flood is answered within


@pytest.fixture
def flooded(stopped_gateway, alice, folder):
    """A gateway without sanitizers, whose memory can be measured, and with TLS."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=gw.example.org", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                   check=True, capture_output=True)
    gateway = stopped_gateway
    gateway.programs = RELEASE
    gateway.log_level = "warning"
    gateway.tls = f'tls = may\n  certificate = "{folder}/cert.pem"\n  key = "{folder}/key.pem"\n'
    gateway.listen_extra = gateway.tls + '  exempt = { "127.0.0.1" }\n  connections_per_minute = 0'
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    return gateway


def connect(port, timeout=PATIENCE):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(FLOODER, 0))


class Client(Conversation):
    """One of a flood."""

    def __init__(self, port):   # pylint: disable=super-init-not-called
        self.socket = connect(port)
        self.input = self.socket.makefile("rb")


@contextlib.contextmanager
def connections(port, count):
    clients = []
    try:
        for _ in range(count):
            clients.append(connect(port))
        yield clients
    finally:
        for client in clients:
            client.close()


def expect_service(gateway, subject):
    """Somebody else's mail is taken in good time."""
    began = time.monotonic()
    send(gateway.smtp_port, make_mail(subject))
    took = time.monotonic() - began
    print(f"  {subject}: answered in {took * 1000:.0f} ms")
    assert took < SERVED_SECONDS, f"the mail took {took:.1f} s"


def expect_memory(gateway, before, more):
    grown = pss(gateway.process.pid) - before
    print(f"  memory grew by {grown / MIB:.1f} MiB")
    assert grown < more, f"grew by {grown / MIB:.1f} MiB"


def test_connects(flooded):
    """3,000 connections that come and go, and 1,000 at once, of which a client may hold 100."""
    before = pss(flooded.process.pid)
    for _ in range(3000):
        connect(flooded.smtp_port).close()
    with connections(flooded.smtp_port, 1000) as clients:
        expect_service(flooded, "In a flood of connections")
        refused = 0
        for client in clients:
            client.settimeout(PATIENCE)
            refused += client.recv(100).startswith(b"421 4.7.0 ")
        assert refused >= 900, refused
        expect_memory(flooded, before, 24 * MIB)


def test_refused_connections_hold_no_descriptors(flooded):
    """Whoever stays connected after a refusal, 600 times, has no more than the 100 sessions and a few descriptors of ours."""
    def descriptors():
        return len(os.listdir(f"/proc/{flooded.process.pid}/fd"))

    before = descriptors()
    with connections(flooded.smtp_port, 600) as clients:
        clients[-1].recv(100)
        held = descriptors() - before
        assert 100 <= held < 250, held


def test_rate_of_connections(flooded):
    flooded.listen_extra = flooded.tls + '  exempt = { "127.0.0.1" }\n  connections_per_minute = 20'
    flooded.write_config()
    flooded.ctl("reload")
    greetings = []
    for _ in range(30):
        with contextlib.closing(connect(flooded.smtp_port)) as client:
            greetings.append(client.recv(100)[:3])
    assert greetings.count(b"220") in range(20, 25), greetings   # time passes meanwhile
    assert greetings.count(b"421") == 30 - greetings.count(b"220"), greetings
    expect_service(flooded, "Exempt from the rate")


def clients_in_data(gateway, stack, count):
    clients = [stack.enter_context(Client(gateway.smtp_port)) for _ in range(count)]
    for client in clients:
        client.greet()
        client.envelope(BOB, ALICE)
        client.expect("DATA", "354")
    return clients


def test_slow_senders(flooded):
    """100 clients in the middle of DATA, each with a byte now and then."""
    before = pss(flooded.process.pid)
    with contextlib.ExitStack() as stack:
        clients = clients_in_data(flooded, stack, 100)
        for _ in range(5):
            for client in clients:
                client.send("x")
            expect_service(flooded, "Among slow senders")
        expect_memory(flooded, before, 8 * MIB)
        assert flooded.ctl_json("status")["session_memory"] < 8 * MIB


def test_endless_header(flooded):
    """A header that never ends goes to a file, and is refused when it is larger than any message."""
    flooded.max_message = "4M"
    flooded.write_config()
    flooded.ctl("reload")
    before = pss(flooded.process.pid)
    block = b"X-Flood: " + b"x" * 65000 + b"\r\n"
    with contextlib.ExitStack() as stack:
        clients = clients_in_data(flooded, stack, 8)
        for _ in range(100):
            for client in clients:
                client.send(block)
        expect_service(flooded, "Among endless headers")
        expect_memory(flooded, before, 16 * MIB)
        for client in clients:
            client.send("\r\n.\r\n")
            assert client.reply().startswith("552 5.3.4 ")


def test_endless_line(flooded):
    """A header field, and a command, of one line without an end."""
    before = pss(flooded.process.pid)
    with Client(flooded.smtp_port) as client:
        client.greet()
        for _ in range(200):
            client.send("x" * 65536)
        client.send("\r\n")
        assert client.reply().startswith("500 5.5.2 ")
        client.envelope(BOB, ALICE)
        client.expect("DATA", "354")
        client.send("X-Flood: ")
        for _ in range(200):
            client.send("x" * 65536)
        expect_memory(flooded, before, 8 * MIB)
        client.send("\r\n.\r\n")
        assert client.reply().startswith("552 5.3.4 ")
        expect_memory(flooded, before, 16 * MIB)


def recipients_in_one_session(port, count):
    """Sends them without waiting for an answer; returns how often each code came, and whether we were let go."""
    with Client(port) as client:
        client.greet()
        client.expect(f"MAIL FROM:<{BOB}>", "250")
        codes = {}

        def read():
            while reply := client.reply():
                codes[reply[:9]] = codes.get(reply[:9], 0) + 1

        reader = threading.Thread(target=read)
        reader.start()
        line = f"RCPT TO:<{ALICE}>\r\n"
        try:
            for _ in range(count // 1000):
                client.send(line * 1000)
        except ConnectionError:
            pass
        client.socket.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
        reader.join(PATIENCE)
        assert not reader.is_alive()
        return codes


def test_hundred_thousand_recipients(flooded):
    """1,000 are taken; of the rest 1,100 are refused, and then it is enough."""
    before = pss(flooded.process.pid)
    codes = recipients_in_one_session(flooded.smtp_port, 100_000)
    assert codes.get("250 2.1.5") == 1000, codes
    assert codes.get("452 4.5.3", 0) <= 1100, codes
    expect_memory(flooded, before, 8 * MIB)
    expect_service(flooded, "After 100,000 recipients")


def test_garbage(flooded):
    before = pss(flooded.process.pid)
    for i in range(50):
        with contextlib.suppress(ConnectionError), Client(flooded.smtp_port) as client:
            client.send(os.urandom(64 * 1024))
            client.socket.shutdown(socket.SHUT_WR)
            while client.input.read(65536):
                pass
        if i % 10 == 0:
            expect_service(flooded, "Among garbage")
    expect_memory(flooded, before, 16 * MIB)


def test_half_open_handshakes(flooded):
    """100 clients that say STARTTLS, and half a ClientHello: they cost little, and others get their TLS."""
    before = pss(flooded.process.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(Client(flooded.smtp_port))
            client.greet()
            client.expect("STARTTLS", "220")
            client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        with Conversation(flooded.smtp_port) as other:
            other.greet()
            other.expect("STARTTLS", "220")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(other.socket) as encrypted:
                encrypted.sendall(b"EHLO client.test\r\n")
                assert encrypted.recv(1000).startswith(b"250-")
                other.socket = encrypted
        expect_memory(flooded, before, 24 * MIB)


def test_memory_budget(flooded):
    """With 1 MiB for all sessions, new ones are refused before that is spent; who was first can finish."""
    flooded.extra = 'session_memory = "1M"'
    flooded.write_config()
    flooded.ctl("reload")
    block = b"x" * 997 + b"\r\n"
    with contextlib.ExitStack() as stack:
        clients = clients_in_data(flooded, stack, 8)
        for client in clients:
            client.send(make_mail("Held in memory").as_bytes() + block * 200)
        wait_until("the memory is spent", lambda: flooded.ctl_json("status")["session_memory"] > 7 * MIB // 8)
        with Conversation(flooded.smtp_port) as late:
            assert late.reply().startswith("421 4.3.2 ")
        assert flooded.ctl_json("status")["session_memory"] < 3 * MIB // 2
        for client in clients:
            client.send("\r\n.\r\n")
        codes = [client.reply()[:9] for client in clients]
        assert set(codes) <= {"250 2.6.0", "452 4.3.1"} and "250 2.6.0" in codes, codes
    wait_until("the memory is free again", lambda: flooded.ctl_json("status")["session_memory"] == 0)
    expect_service(flooded, "With room again")


def test_stop_while_fifty_send(flooded, alice):
    """SIGTERM while 50 sessions send: every mail that was answered 250 arrives, and none else."""
    clients = [Client(flooded.smtp_port) for _ in range(50)]
    for number, client in enumerate(clients):
        client.greet()
        client.envelope(BOB, ALICE)
        client.expect("DATA", "354")
        client.send(make_mail(f"Stopped {number}").as_bytes()[:-20])
    flooded.process.send_signal(signal.SIGTERM)
    wait_until("nobody is let in", lambda: not accepts(flooded.smtp_port))
    answered = set()
    for number, client in enumerate(clients):
        if number % 5:   # each fifth does not finish in time
            client.send(make_mail(f"Stopped {number}").as_bytes()[-20:] + b".\r\n")
    for number, client in enumerate(clients):
        if number % 5 and client.reply().startswith("250 2.6.0 "):
            answered.add(f"Stopped {number}")
            assert client.reply().startswith("421 4.3.2 ")
    assert len(answered) == 40
    assert flooded.process.wait(40) == 0
    for client in clients:
        client.__exit__()
    flooded.process = None
    flooded.start()
    wait_until("all have arrived", lambda: alice.receive(wait=1) is not None and len(alice.mails()) >= len(answered))
    assert {item["subject"] for item in alice.mails()} == answered


def accepts(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_reload_while_a_session_sends(flooded, folder):
    """A new certificate and lower limits, while somebody is in DATA: they finish, and the next one meets what is new."""
    with Conversation(flooded.smtp_port) as sender, Conversation(flooded.smtp_port) as other:
        sender.greet()
        other.greet()
        sender.envelope(BOB, ALICE)
        sender.expect("DATA", "354")
        sender.send(make_mail("Across a reload").as_bytes())
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=new.example.org", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                       check=True, capture_output=True)
        flooded.max_message = "1M"
        flooded.listen_extra = flooded.tls + "  max_sessions = 1\n  max_recipients = 100\n  max_errors = 1"
        flooded.write_config()
        flooded.ctl("reload")
        sender.send(".\r\n")
        assert sender.reply().startswith("250 2.6.0 ")
        with Conversation(flooded.smtp_port) as late:
            assert late.reply().startswith("421 4.3.2 ")
        assert "SIZE 1048576" in sender.expect("EHLO client.test", "250")
        assert "RCPTMAX=100" in sender.expect("EHLO client.test", "250")
        other.expect("STARTTLS", "220")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(f"{folder}/cert.pem")
        other.socket = context.wrap_socket(other.socket)   # fails with any other certificate
        sender.expect("NONSENSE", "421 4.7.0")
