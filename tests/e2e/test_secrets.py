"""Secrets that were used are not left in the daemon's memory: it is read as root, and searched. Without sanitizers, who keep what is freed."""
import base64
import contextlib
import os
import re
import secrets
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest

from certificates import Certificate
from conftest import needs_root
from mail import BOB, make_mail
from postern import Member
from procs import PATIENCE, RELEASE, wait_until
from reports import send
from test_web import Door, totp


def regions(pid, only=""):
    """What the process may write to: heap, stacks, data. What it maps of files, and can only read, is no secret. only: what its line must have."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        for line in file:
            first, modes, rest = line.split(maxsplit=2)
            begin, end = (int(number, 16) for number in first.split("-"))
            if modes.startswith("rw") and "[vvar]" not in rest and only in rest:
                yield begin, end


def memory_of(pid, only=""):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for begin, end in regions(pid, only):
            file.seek(begin)
            try:
                yield b"".join(iter(lambda: file.read(min(1 << 20, end - file.tell())), b""))
            except OSError:
                continue   # a guard page


def found_in(pid, *wanted, only=""):
    """The surroundings of each place where one of them is."""
    any_of_them = re.compile(b"|".join(re.escape(what) for what in wanted))
    return [memory[max(0, match.start() - 60):match.end() + 40] for memory in memory_of(pid, only) for match in any_of_them.finditer(memory)]


def new_secret():
    """Nothing that anybody else has; with characters that a form must encode."""
    return f"wQ {secrets.token_hex(12)} z"


def forms_of(secret):
    """As it is, in a form, and in JSON."""
    return {secret, secret.strip(), urllib.parse.quote_plus(secret), secret[3:-2]}


def assert_forgotten(gateway, secret, what):
    """It goes when the last who had it ends, which may be a moment later."""
    left = []

    def is_gone():
        left[:] = found_in(gateway.process.pid, *(form.encode() for form in forms_of(secret)))
        return not left

    try:
        wait_until(f"{what} is gone", is_gone)
    except AssertionError:
        raise AssertionError(f"{what} is still in memory, {len(left)} times: {left[:5]}") from None


class ReleaseDoor(Door):
    def __init__(self, folder):
        super().__init__(folder)
        self.programs = RELEASE


@pytest.fixture
def door(folder):
    needs_root()
    door = ReleaseDoor(folder)
    door.start()
    yield door
    door.stop()


def test_passwords_of_the_web_page(door):
    """Given to the control socket, to the page in a form, wrong or right; changed; a one-time code's secret, a token of the API."""
    password, wrong, changed = new_secret(), new_secret(), new_secret()
    assert found_in(door.process.pid, b"postern.example.org"), "what is there must be found, or finding nothing means nothing"
    anna = door.add("anna", password)
    assert_forgotten(door, password, "a password that posternctl has given")
    anna.sign_in(wrong, status=401)
    assert_forgotten(door, wrong, "a wrong password")
    anna.sign_in(password)
    session = anna.cookie.partition("=")[2]
    assert anna.is_in()
    assert_forgotten(door, password, "a password that was right")
    answer = anna.post("/account", {"act": "password", "current": password, "new": changed, "again": changed})
    anna.cookie = answer.getheader("Set-Cookie").partition(";")[0]
    assert_forgotten(door, changed, "a new password")
    assert_forgotten(door, password, "an old password")
    assert_forgotten(door, session, "the secret of a session")
    token = door.ctl_json("admin", "token", "add", "program")["token"]
    assert door.ask("GET", "/api/v1/version", Authorization=f"Bearer {token}").status == 200
    assert_forgotten(door, token, "a token")


def test_posternctl_that_has_a_password_writes_no_core(door):
    command = [f"{RELEASE}/posternctl", "-c", door.config, "admin", "add", "zoe"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as adding:
        limits = f"/proc/{adding.pid}/limits"
        wait_until("it waits for the password", lambda: re.search(r"Max core file size +0 +0 ", open(limits, encoding="ascii").read()))
        adding.communicate(b"a long enough one\n")
        assert adding.returncode == 0
    assert "zoe" in door.ctl("admin", "list")


class Submission(threading.Thread):
    """A relay with TLS that wants a password (AUTH PLAIN), and takes all."""

    def __init__(self, certificate):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.file, certificate.key_file)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.passwords, self.taken = [], 0

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.socket.accept()
                with contextlib.suppress(OSError), plain, self.context.wrap_socket(plain, server_side=True) as connection:
                    connection.settimeout(PATIENCE)
                    self.serve(connection.makefile("rwb", buffering=0))

    def serve(self, file):
        answers = {"EHLO": "250-relay.test\r\n250 AUTH PLAIN", "DATA": "354 go on", "QUIT": "221 bye"}
        file.write(b"220 relay.test\r\n")
        while line := file.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "AUTH":
                self.passwords.append(base64.b64decode(line.split()[2]).split(b"\0")[2].decode())
            file.write(answers.get(verb, "250 ok").encode() + b"\r\n")
            if verb == "DATA":
                while file.readline() != b".\r\n":
                    pass
                self.taken += 1
                file.write(b"250 taken\r\n")


@pytest.fixture
def whole(folder, silo):
    """A gateway with all that has secrets, not started, and a member."""
    needs_root()
    gateway = ReleaseDoor(folder)
    gateway.silo_port = silo.port
    gateway.policy_extra = "unknown_senders = hold"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", f"{folder}/dkim.pem"],
                   check=True, capture_output=True)
    os.chmod(f"{folder}/dkim.pem", 0o600)
    gateway.extra = f'dkim {{ selector = "s"  key = "{folder}/dkim.pem" }}\n'
    yield gateway, Member(folder, silo, "Alice Member", programs=RELEASE)
    if gateway.process is not None:
        gateway.stop()


def test_what_relays_members_and_held_mail_bring(whole, folder):
    """The password of a relay, the text of the file with DKIM's key; a held mail, taken and read; the secret of one-time codes."""
    gateway, alice = whole
    password = secrets.token_hex(16)
    with open(f"{folder}/relay.password", "w", encoding="ascii") as file:
        file.write(password + "\n")
    os.chmod(f"{folder}/relay.password", 0o600)
    relay = Submission(Certificate(folder, "relay"))
    relay.start()
    gateway.relay = f"smtps://127.0.0.1:{relay.port}"
    gateway.relay_extra = f'tls = require\n  user = "gateway"\n  password_file = "{folder}/relay.password"'
    gateway.start()
    gateway.introduce(alice, "alice")
    with open(f"{folder}/dkim.pem", encoding="ascii") as file:
        assert_forgotten(gateway, "".join(file.read().splitlines()[3:4]), "a line of DKIM's key")

    held = secrets.token_hex(12)
    assert send(gateway.smtp_port, make_mail("Held", f"It says {held}.\n", sender="carol@example.net"), sender="carol@example.net").startswith("250")
    assert_forgotten(gateway, held, "the text of a held mail")
    entry, = gateway.ctl_json("held", "list")["held"]
    assert held in gateway.ctl("held", "read", entry["id"])
    assert_forgotten(gateway, held, "the text of a held mail that was read")

    gateway.open_door(BOB, alice)
    said = secrets.token_hex(12)
    alice.post(BOB, f"Hello {said}\n", subject="Hello")
    wait_until("it leaves", lambda: relay.taken)
    assert relay.passwords == [password]
    plain = base64.b64encode(f"\0gateway\0{password}".encode()).decode()
    assert_forgotten(gateway, password, "the password of a relay")
    assert_forgotten(gateway, plain[:-4], "the password of a relay, as it is sent")

    anna = gateway.add("anna", "a long enough one")
    anna.sign_in("a long enough one")
    page = anna.post("/account", {"act": "totp-begin", "current": "a long enough one"}).text
    code_secret = re.search(r'id="totp-secret">(\w+)<', page).group(1)
    step = int(time.time()) // 30
    page = anna.post("/account", {"act": "totp-confirm", "code": totp(code_secret, step)}).text
    recovery = re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", page)
    anna.sign_in("a long enough one", code=totp(code_secret, step + 1))
    assert_forgotten(gateway, code_secret, "the secret of one-time codes, as it was shown")
    assert_forgotten(gateway, recovery[3], "a recovery code")


def test_held_mail_that_is_read_a_hundred_times(whole):
    """Texts of all lengths: allocators keep what is freed in different ways, and so leave different parts of it."""
    gateway, alice = whole
    gateway.start()
    gateway.introduce(alice, "alice")
    held = secrets.token_hex(12)
    for i in range(100):
        sender, text = f"carol{i}@example.net", f"{held} " * (1 + i // 2 * (i % 2)) + "\n"
        message = make_mail("Held", text, sender=sender)
        assert send(gateway.smtp_port, message, sender=sender).startswith("250")
    entries = gateway.ctl_json("held", "list")["held"]
    assert len(entries) == 100
    for i, entry in enumerate(entries):
        assert held in gateway.ctl(*(["--json"] if i % 3 == 0 else []), "held", "read", entry["id"])
    assert_forgotten(gateway, held, "the text of one of a hundred held mails that were read")


def test_what_was_posted_is_not_left_on_the_stack(whole):
    """The buffer through which content goes to the silo is a local array."""
    gateway, alice = whole
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    said = secrets.token_hex(12)
    for i in range(3):
        assert send(gateway.smtp_port, make_mail("Hello", f"It says {said}.\n" * 50 * (i + 1), sender=BOB)).startswith("250")
    gateway.wait_settled()
    assert not found_in(gateway.process.pid, said.encode(), only="[stack]")
