"""Hostile peers at all doors: floods of many kinds and from many addresses, those who do not read, and those who misuse TLS.

During each, others are greeted and their mail is taken in good time; memory and descriptors are bounded, and afterwards nothing is left.
With `pytest -s` each test says what it has measured (docs/RELIABILITY.md); with POSTERN_LONG=1 the crowds are larger.
"""
import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from flooding import GREETED_SECONDS, MIB, Greetings, flood_of, nothing_left, pss
from mail import ALICE, BOB, make_mail, send
from postern import Conversation
from procs import PATIENCE, RELEASE, free_port, wait_until

LONG = os.environ.get("POSTERN_LONG") == "1"
CROWD = 900 if LONG else 60   # fewer than a listener has places
ASKERS = min(CROWD, 450)      # who ask without end, fewer than Postfix's services have places: none of these can be told to go
MEGABYTE = MIB if LONG else MIB // 8
long_only = pytest.mark.skipif(not LONG, reason="only with POSTERN_LONG=1")


def netstring(text):
    return f"{len(text)}:{text},".encode()


class Doors:
    """A gateway with all doors open."""

    def __init__(self, gateway, folder, more=""):
        self.gateway = gateway
        self.ports = {name: free_port() for name in ("socketmap", "policy", "web", "metrics")}
        self.ports.update(smtp=gateway.smtp_port, lmtp=gateway.lmtp_port)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=gw.example.org", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                       check=True, capture_output=True)
        gateway.programs = RELEASE
        gateway.log_level = "error"
        gateway.listen_extra = (f'tls = may\n  certificate = "{folder}/cert.pem"\n  key = "{folder}/key.pem"\n'
                                f'  exempt = {{ "127.0.0.1" }}\n  connections_per_minute = 0\n  {more}')
        gateway.lmtp_extra = 'exempt = { "127.0.0.1" }\n  connections_per_minute = 0'
        gateway.admin_extra = f'http = "127.0.0.1:{self.ports["web"]}"'
        gateway.extra = (f'postfix {{ socketmap = "127.0.0.1:{self.ports["socketmap"]}" policy = "127.0.0.1:{self.ports["policy"]}" }}\n'
                         f'metrics {{ http = "127.0.0.1:{self.ports["metrics"]}" }}\n')
        gateway.start()
        self.pid = gateway.process.pid

    def is_served(self, name):
        """Somebody else, at this door."""
        if name in ("smtp", "lmtp"):
            send(self.ports[name], make_mail(f"At {name}"), lmtp=name == "lmtp")
            return True
        if name in ("web", "metrics"):
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=PATIENCE)
            with contextlib.closing(connection):
                connection.request("GET", {"web": "/login", "metrics": "/metrics"}[name])
                return connection.getresponse().status == 200
        question = {"socketmap": netstring(f"recipient {ALICE}"),
                    "policy": f"request=smtpd_access_policy\nprotocol_state=RCPT\nsender={BOB}\nrecipient={ALICE}\n\n".encode()}[name]
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.ports[name]), timeout=PATIENCE) as client:
            client.sendall(question)
            return bool(client.recv(1000))
        return False


@pytest.fixture
def doors(stopped_gateway, alice, folder, request):
    made = Doors(stopped_gateway, folder, getattr(request, "param", ""))
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    return made


def half(name):
    return {"smtp": b"EHLO fl", "lmtp": b"LHLO fl", "socketmap": b"40:recipient a", "policy": b"request=smtpd_access_policy\nsender=",
            "web": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nname=", "metrics": b"GET /metrics HTTP/1.1\r\nHo"}[name]


def garbage(name):
    return {"socketmap": b"12:hello world!,99999999999999999999:" + os.urandom(1000)}.get(name, os.urandom(4000) + b"\r\n\r\n")


def megabyte(name):
    head = {"smtp": b"EHLO ", "lmtp": b"LHLO ", "socketmap": b"%d:" % MEGABYTE, "policy": b"request=", "web": b"GET /",
            "metrics": b"GET /metrics HTTP/1.1\r\nX: "}[name]
    return head + b"x" * MEGABYTE


def deaf(name):
    """Questions without end, whose answers nobody reads."""
    return {"smtp": b"NOOP\r\n", "lmtp": b"NOOP\r\n", "socketmap": netstring(f"recipient {ALICE}"),
            "policy": f"request=smtpd_access_policy\nprotocol_state=RCPT\nsender={BOB}\nrecipient={ALICE}\n\n".encode(),
            "web": f"GET /static/style.css HTTP/1.1\r\nHost: localhost:{deaf.ports['web']}\r\n\r\n".encode(),
            "metrics": f"GET /metrics HTTP/1.1\r\nHost: localhost:{deaf.ports['metrics']}\r\n\r\n".encode()}[name] * 3000


def silent(_name):
    return b""


def crowd(stack, port, count, payload, addresses):
    """count connections, which send of the payload what is taken at once, and then nothing."""
    clients = []
    for number in range(count):
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((f"127.0.{2 + number % addresses // 250}.{1 + number % addresses % 250}", 0))
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        with contextlib.suppress(OSError):
            view = memoryview(payload)
            while view:
                view = view[client.send(view):]
        clients.append(client)
    return clients


KINDS = [silent, half, garbage, megabyte, deaf]


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("kinds", [[kind] for kind in KINDS] if LONG else [KINDS])
def test_floods_at_all_doors(doors, kinds):
    """From one address and from many: everybody else is served at the same door, and mail everywhere."""
    deaf.ports = doors.ports
    for kind in kinds:
        flood_all_doors(doors, kind)


def flood_all_doors(doors, kind):
    with flood_of(doors.gateway) as flooded:
        for name, port in doors.ports.items():
            for addresses in ((1, CROWD) if LONG else (CROWD,)):
                count = ASKERS if kind is deaf and name in ("socketmap", "policy") else CROWD
                with contextlib.ExitStack() as stack:
                    crowd(stack, port, count, kind(name), addresses)
                    began = time.monotonic()
                    wait_until(f"others are served at {name}", lambda: doors.is_served(name))
                    served = time.monotonic() - began
                    send(doors.gateway.smtp_port, make_mail("In a flood"))
                    flooded.check(f"{kind.__name__} at {name} from {addresses}: served in {served * 1000:.0f} ms", 128)


@long_only
def test_a_crowd_of_strangers_that_says_nothing(doors):
    """More silent clients from as many addresses than there are places: who comes is let in all the same, a little later."""
    with nothing_left(doors.gateway), contextlib.ExitStack() as stack:
        crowd(stack, doors.gateway.smtp_port, 1200, b"EHLO stranger.test\r\n", 1200)
        began = time.monotonic()

        def greeted():
            with socket.create_connection(("127.0.0.1", doors.gateway.smtp_port), timeout=PATIENCE) as client:
                return client.recv(100).startswith(b"220 ")

        wait_until("somebody is greeted", greeted)
        print(f"  greeted after {time.monotonic() - began:.1f} s")
        send(doors.gateway.smtp_port, make_mail("Among a thousand strangers"))


# ---- TLS ----

def tls_context(**settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


class Handshake:
    """One that a test has in its hand, octet by octet, behind STARTTLS."""

    def __init__(self, port, context=None, name="gw.example.org", source="127.0.0.2"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0))
        self.say(b"")
        self.say(b"EHLO client.test\r\n")
        assert self.say(b"STARTTLS\r\n").startswith(b"220")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or tls_context()).wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def say(self, line):
        self.socket.sendall(line)
        return self.socket.recv(65536)

    def step(self):
        """What we would send next; None: it is done."""
        try:
            self.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        return self.outgoing.read() if not done or self.outgoing.pending else None

    def hear(self):
        data = self.socket.recv(65536)
        self.incoming.write(data)
        return data

    def close(self):
        self.socket.close()


def handshake(port, context=None, upto=None):
    """Goes on until so many flights were sent; None: to its end."""
    hand = Handshake(port, context)
    flights = 0
    while (flight := hand.step()) is not None and flights != upto:
        hand.socket.sendall(flight)
        flights += 1
        if flight and hand.tls.version() is None or not hand.tls.cipher():
            hand.hear()
        else:
            break
    return hand


def handshakes_that_are_abandoned(doors):
    """At each step, in both versions, and in the middle of a flight: nothing of them stays."""
    port = doors.gateway.smtp_port
    with nothing_left(doors.gateway):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for upto in range(3):
                handshake(port, tls_context(minimum_version=version, maximum_version=version), upto).close()
            for cut in (1, 4, 5, 6, 50, 200):
                hand = Handshake(port, tls_context(minimum_version=version, maximum_version=version))
                hand.socket.sendall(hand.step()[:cut])
                hand.close()
            hand = Handshake(port, tls_context(minimum_version=version, maximum_version=version))
            hand.socket.sendall(hand.step())
            hand.hear()
            hand.socket.sendall(b"\x15\x03\x03\x00\x02\x02\x28")   # a fatal alert in place of our flight
            hand.close()
    send(port, make_mail("After handshakes"))


HELLOS = {
    "SSLv2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x03\x00\x80\x07\x00\xc0" + b"\x55" * 28,
    "a plain command": b"EHLO client.test\r\n",
    "an endless record": b"\x16\x03\x01\xff\xff" + b"\x01" * 70000,
    "empty records": b"\x16\x03\x01\x00\x00" * 1000,
    "alerts": b"\x15\x03\x01\x00\x02\x01\x00" * 1000,
    "application data": b"\x17\x03\x03\x00\x20" + b"x" * 32,
    "a hello of 16 MiB": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"x" * 16380,
}


def what_is_no_hello(doors):
    """Each is answered by the end of the connection; so are names that are rubbish, or by a certificate."""
    port = doors.gateway.smtp_port
    with nothing_left(doors.gateway):
        for what, hello in HELLOS.items():
            hand, began = Handshake(port), time.monotonic()
            with contextlib.suppress(OSError):   # it may have ended before all was sent
                hand.socket.settimeout(20)
                hand.socket.sendall(hello)
                hand.socket.shutdown(socket.SHUT_WR)
                while hand.socket.recv(65536):
                    pass
            hand.close()
            print(f"  {what}: over after {time.monotonic() - began:.2f} s")
            assert doors.gateway.running(), what
        for rubbish in (b"\0" * 20, b"\r\nRCPT TO:<x@yy>\r\n  ", b"%s%n%x" * 3 + b"%s", b"\xff" * 20, b"." * 20):
            hand = Handshake(port, name="rubbish-name.example")
            hello = hand.step()
            assert hello.count(b"rubbish-name.example") == 1
            hand.socket.sendall(hello.replace(b"rubbish-name.example", rubbish))
            with contextlib.suppress(ConnectionError):
                hand.socket.recv(65536)
            hand.close()
    send(port, make_mail("After rubbish"))


def encrypted(port, source="127.0.0.1"):
    smtp = Conversation(port)
    smtp.greet()
    smtp.expect("STARTTLS", "220")
    smtp.socket = tls_context().wrap_socket(smtp.socket)
    smtp.input = smtp.socket.makefile("rb")
    smtp.expect("EHLO client.test", "250")
    return smtp


def cut(smtp):
    """TCP ends, and TLS has not said so."""
    socket.socket(fileno=os.dup(smtp.socket.fileno())).shutdown(socket.SHUT_RDWR)


def ends_without_close_notify(doors, alice):
    """In the middle of DATA: nothing was sent. Behind the answer to it: it was. In records of an octet each: it is as ever."""
    port = doors.gateway.smtp_port
    with nothing_left(doors.gateway):
        half_sent = encrypted(port)
        half_sent.envelope(BOB, ALICE)
        half_sent.expect("DATA", "354")
        half_sent.send(make_mail("Cut in the middle").as_bytes() + b"\r\n.")
        cut(half_sent)
        whole = encrypted(port)
        whole.envelope(BOB, ALICE)
        assert whole.data(make_mail("Cut behind the answer").as_bytes() + b"\r\n.\r\n").startswith("250 2.6.0 ")
        cut(whole)
        drop = encrypted(port)
        drop.envelope(BOB, ALICE)
        drop.expect("DATA", "354")
        drop.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in make_mail("Octet by octet").as_bytes() + b"\r\n.\r\n":
            drop.socket.send(bytes([octet]))
        assert drop.reply().startswith("250 2.6.0 ")
        for smtp in (half_sent, whole, drop):
            smtp.__exit__()
    alice.receive_mail("Octet by octet")
    wait_until("all have arrived", lambda: not doors.gateway.queue("in"))
    alice.receive(wait=1)
    assert sorted(item["subject"] for item in alice.mails() if "Cut" in item["subject"] or "Octet" in item["subject"]) == ["Cut behind the answer", "Octet by octet"]


def many_handshakes_at_once(doors):
    """All finish, and plain SMTP is greeted meanwhile."""
    port, count = doors.gateway.smtp_port, 1000 if LONG else 100
    before = pss(doors.pid)
    context = tls_context()
    with nothing_left(doors.gateway), contextlib.ExitStack() as stack:
        hands = []
        for number in range(count):
            hand = Handshake(port, context, source=f"127.0.{2 + number // 250}.{1 + number % 250}")
            stack.callback(hand.close)
            hands.append((hand, hand.step()))
        with Greetings(port) as greetings:
            began = time.monotonic()
            for hand, hello in hands:
                hand.socket.sendall(hello)
            for hand, _ in hands:
                hand.hear()
                hand.socket.sendall(hand.step())
            for hand, _ in hands:
                hand.tls.write(b"NOOP\r\n")
                hand.socket.sendall(hand.outgoing.read())
            for hand, _ in hands:
                hand.hear()
                assert hand.tls.read(100).startswith(b"250 ")
            took = time.monotonic() - began
        print(f"  {count} handshakes in {took:.2f} s; memory grew by {(pss(doors.pid) - before) / MIB:.1f} MiB")
    assert greetings.took[-1] < GREETED_SECONDS


@pytest.mark.parametrize("doors", ["max_sessions = 1100"], indirect=True, ids=["room for a thousand"])
def test_misuse_of_tls(doors, alice):
    handshakes_that_are_abandoned(doors)
    what_is_no_hello(doors)
    many_handshakes_at_once(doors)
    ends_without_close_notify(doors, alice)


# ---- those who do not read what we send ----

class DeafRelay(threading.Thread):
    """Takes mail up to DATA, and then reads nothing any more."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.in_data = []
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        lines = client.makefile("rb")
        client.sendall(b"220 deaf.example ESMTP\r\n")
        for line in lines:
            verb = line[:4].upper()
            client.sendall(b"354 Go on\r\n" if verb == b"DATA" else b"221 Bye\r\n" if verb == b"QUIT" else b"250 deaf.example\r\n")
            if verb == b"DATA":
                self.in_data.append((client, lines))
                return


@long_only
def test_a_relay_that_stops_reading(doors, alice, folder):
    """Large messages on their way to it take little memory, and mail the other way goes on."""
    gateway = doors.gateway
    relay = DeafRelay()
    gateway.stop()
    gateway.relay = f"smtp://127.0.0.1:{relay.port}"
    gateway.relay_extra = "tls = none"
    gateway.start()
    gateway.wait_online()
    path = os.path.join(folder, "large.bin")
    with open(path, "wb") as file:
        file.write(os.urandom(8 * MIB))
    send(gateway.smtp_port, make_mail("Before"))
    gateway.wait_settled()
    before = pss(gateway.process.pid)
    for number in range(3):
        alice.post(BOB, "Look at this", subject=f"Large {number}", attach=[path])
    wait_until("they are being sent", lambda: len(relay.in_data) == 3)
    with Greetings(gateway.smtp_port) as greetings:
        send(gateway.smtp_port, make_mail("The other way"))
        alice.receive_mail("The other way")
    grown = pss(gateway.process.pid) - before
    print(f"  memory grew by {grown / MIB:.1f} MiB")
    assert grown < 32 * MIB and greetings.took[-1] < GREETED_SECONDS
    for client, lines in relay.in_data:
        lines.close()
        client.close()


@long_only
def test_a_silo_that_stops_reading(doors, silo, alice):
    """It is stopped as it is (SIGSTOP): large mail is taken, waits on disk, and arrives when it goes on."""
    gateway = doors.gateway
    before = pss(doors.pid)
    os.kill(silo.process.pid, 19)
    try:
        with Greetings(gateway.smtp_port) as greetings:
            for number in range(4):
                send(gateway.smtp_port, make_mail(f"Large {number}", "x" * 70 + "\n" + "Some words of a long text.\n" * 250_000))
            time.sleep(2)   # the poster gets as far as it can
            grown = pss(doors.pid) - before
            print(f"  memory grew by {grown / MIB:.1f} MiB")
            assert grown < 48 * MIB and greetings.took[-1:] != []
    finally:
        os.kill(silo.process.pid, 18)
    assert greetings.took[-1] < GREETED_SECONDS
    for number in range(4):
        alice.receive_mail(f"Large {number}")
