"""A large mail, and a large attachment, go through in bounded memory: no process holds more of them than a piece.

Usually 24 MiB; with POSTERN_LONG=1 200 MiB (POSTERN_LARGE sets another size). Measured is what a process alone pays for: its
share of anonymous and shared memory (memory files that it has mapped are in there), not the page cache of files.
"""
import base64
import binascii
import contextlib
import hashlib
import os
import random
import socketserver
import subprocess
import threading
import time

import pytest

from mail import ALICE, BOB
from postern import Conversation, Gateway, Member, Silo, close_quietly
from procs import RELEASE, sanitizer_environment, wait_until

LONG = os.environ.get("POSTERN_LONG") == "1"
SIZE = int(os.environ.get("POSTERN_LARGE", "200" if LONG else "24")) * 2**20
GROWTH_MAX = 10 * 2**20
PATIENCE = 600 if LONG else 120
PIECE = 57 * 1024   # a multiple of base64's 57 octets a line


def memory_of(pid):
    """(what it pays for, resident) in bytes."""
    fields = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if rest.endswith(" kB\n"):
                fields[name] = int(rest.split()[0]) * 1024
    return fields["Pss_Anon"] + fields["Pss_Shmem"], fields["Rss"]


def memory_files_of(pid):
    """Bytes in memory files that it holds open: they cost memory, mapped or not. inode -> size."""
    sizes = {}
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{descriptor}"
        with contextlib.suppress(OSError):
            if os.readlink(path).startswith("/memfd:"):
                info = os.stat(path)
                sizes[info.st_ino] = info.st_blocks * 512
    return sizes


def family(pid):
    """The process and everything below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                for child in file.read().split():
                    found += family(int(child))
    return found


class Watcher(threading.Thread):
    """Samples the memory of servers and their workers until it is stopped."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers = servers
        self.others = []                                       # (name, process)
        self.first, self.highest, self.resident = {}, {}, {}   # (name, pid) -> bytes
        self.memory_files = 0                                  # the highest sum, of all of them
        self.stopping = threading.Event()
        self.look()
        self.memory_files = 0
        self.start()

    def look(self):
        files = {}
        for name, process in [(server.name, server.process) for server in self.servers] + list(self.others):
            for pid in family(process.pid):
                with contextlib.suppress(OSError, KeyError):   # it may just end
                    key = (name if pid == process.pid else f"{name}'s worker", pid)
                    paid, resident = memory_of(pid)
                    self.first.setdefault(key, paid)
                    self.highest[key] = max(self.highest.get(key, 0), paid)
                    self.resident[key] = max(self.resident.get(key, 0), resident)
                    files.update(memory_files_of(pid))
        self.memory_files = max(self.memory_files, sum(files.values()))

    def run(self):
        while not self.stopping.wait(0.02):
            self.look()

    def run_member(self, member, *arguments):
        """Runs the member's program and watches it, too. Returns what it printed."""
        with subprocess.Popen([member.program, *arguments], stdout=subprocess.PIPE, text=True, cwd=member.folder,
                              env=sanitizer_environment(member.folder)) as process:
            self.others.append((f"tmtp {arguments[0]}", process))
            printed = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0, f"tmtp {arguments} exited {process.returncode}"
        return printed

    def stop(self):
        self.stopping.set()
        self.join()
        return {key: self.highest[key] - self.first[key] for key in self.highest}

    def report(self, what):
        growth = self.stop()
        lines = [f"{name} {pid}: {growth[name, pid] / 2**20:.1f} MiB more than {self.first[name, pid] / 2**20:.1f}, resident "
                 f"{self.resident[name, pid] / 2**20:.1f}" for name, pid in sorted(growth)]
        print(f"{what}: memory files {self.memory_files / 2**20:.1f} MiB; " + "; ".join(lines))
        return growth

    def check(self, what):
        growth = self.report(what)
        assert self.memory_files < GROWTH_MAX, f"{what}: {self.memory_files} bytes in memory files"
        for (name, pid), more in growth.items():
            assert more < GROWTH_MAX, f"{what}: {name} ({pid}) has grown by {more} bytes"


def write_random(path, size, seed):
    """A file that can't be compressed, and its digest."""
    source, digest, left = random.Random(seed), hashlib.sha256(), size
    with open(path, "wb") as file:
        while left > 0:
            data = source.randbytes(min(left, 2**20))
            digest.update(data)
            file.write(data)
            left -= len(data)
    return digest.hexdigest()


def send_large_mail(port, path, message_id):
    """Through SMTP in pieces, the file as a base64 attachment."""
    with Conversation(port) as client:
        client.socket.settimeout(PATIENCE)
        client.greet()
        client.envelope(BOB, ALICE)
        client.expect("DATA", "354")
        client.send(f"From: {BOB}\r\nTo: {ALICE}\r\nSubject: Large\r\nMessage-ID: <{message_id}>\r\n"
                    "Authentication-Results: mx.test; dmarc=pass header.from=example.com\r\nMIME-Version: 1.0\r\n"
                    'Content-Type: multipart/mixed; boundary="=-="\r\n\r\n'
                    "--=-=\r\nContent-Type: text/plain\r\n\r\nIt is large.\r\n"
                    "--=-=\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
                    'Content-Disposition: attachment; filename="large.bin"\r\n\r\n')
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                client.send(base64.encodebytes(piece).replace(b"\n", b"\r\n"))
        client.send("--=-=--\r\n.\r\n")
        reply = client.reply()
        assert reply.startswith("250"), reply


class SmtpSink:
    """A relay that writes each message into a file, in pieces."""

    class Session(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def take(self):
            self.server.count += 1
            with open(os.path.join(self.server.folder, str(self.server.count)), "wb") as file:
                while (line := self.rfile.readline()) != b".\r\n":
                    assert line, "the client has gone"
                    file.write(line[1:] if line.startswith(b".") else line)

        def handle(self):
            self.say("220 sink.test")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.say("354 go ahead")
                    self.take()
                self.say("250 OK" if verb != b"QUIT" else "221 bye")

    def __init__(self, folder):
        os.makedirs(folder)
        self.folder = folder
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self.Session)
        server.daemon_threads, server.folder, server.count = True, folder, 0
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()


def digest_of_attachment(path):
    """Of the first base64 part in a mail file, in pieces: (sha256, size)."""
    digest, size, inside, header = hashlib.sha256(), 0, False, False
    with open(path, "rb") as file:
        for line in file:
            line = line.rstrip(b"\r\n")
            if line.startswith(b"--"):
                if inside:
                    break
                header, encoded = True, False
            elif header and not line:
                header, inside = False, encoded
            elif header:
                encoded = encoded or line.lower() == b"content-transfer-encoding: base64"
            elif inside:
                data = binascii.a2b_base64(line)
                digest.update(data)
                size += len(data)
    return digest.hexdigest(), size


@pytest.fixture
def large(folder):
    """A gateway, a silo and a member of the release build, and sizes that let it through."""
    silo = Silo(folder, RELEASE)
    gateway = Gateway(folder, silo.port, RELEASE)
    gateway.max_message = "300M"
    gateway.log_level = "info"
    gateway.folder_of_content = os.path.join(gateway.state, "content")
    try:
        silo.start()
        yield gateway, silo
        gateway.stop()
    finally:
        close_quietly(gateway, silo)


def open_house(gateway, silo):
    gateway.start()
    alice = Member(gateway.folder, silo, "Alice Member", RELEASE)
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    return alice


def warm_up(gateway, alice):
    """Both ways once, with content that is a file: what is allocated once and for all is there."""
    path = os.path.join(gateway.folder, "small.bin")
    write_random(path, 300 * 1024, "small")
    send_large_mail(gateway.smtp_port, path, "small@example.com")
    alice.receive_mail("Large")
    alice.post(BOB, "Small.", subject="Small", attach=[path])
    gateway.wait_settled()


def content_files(gateway):
    return [name for name in os.listdir(gateway.folder_of_content) if not name.startswith(".")]


@pytest.mark.timeout(0 if LONG else 300)
def test_a_large_mail_comes_in(large, folder):
    gateway, silo = large
    alice = open_house(gateway, silo)
    warm_up(gateway, alice)
    path = os.path.join(folder, "large.bin")
    digest = write_random(path, SIZE, "in")
    started = time.monotonic()
    watcher = Watcher([gateway, silo])
    send_large_mail(gateway.smtp_port, path, "large@example.com")
    accepted = time.monotonic()
    wait_until("it is posted", lambda: not gateway.queue("in"), PATIENCE)
    print(f"{SIZE / 2**20:.0f} MiB: accepted after {accepted - started:.1f} s, posted after {time.monotonic() - started:.1f} s")
    watcher.run_member(alice, "receive", "--account", alice.account, "--wait", "10", "--count", "1", "--save", alice.files)
    watcher.check("mail in")
    assert alice.saved_digests().get(digest) == SIZE, "the attachment has changed on its way"
    assert not content_files(gateway), "content stays after it was posted"


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("limit, told", [("2M", "2 MiB"), ("1500K", "1500 KiB")])
def test_a_message_that_is_too_large_is_answered_in_its_thread(large, folder, limit, told):
    """It is read to its end, or the silo could not send anything else, but not stored."""
    gateway, silo = large
    gateway.max_message = limit
    alice = open_house(gateway, silo)
    warm_up(gateway, alice)
    path = os.path.join(folder, "large.bin")
    write_random(path, SIZE, "too large")
    watcher = Watcher([gateway, silo])
    alice.post(BOB, "Here it is.", subject="Too large", attach=[path])
    notice = alice.receive_where("a notice", lambda item: item["op"] == "delivery" and told in item.get("body", ""), PATIENCE)
    watcher.check("too large")
    assert "not sent by email" in notice["body"]
    assert not content_files(gateway)
    alice.post(BOB, "And now.", subject="Fits")
    wait_until("the next one is relayed", lambda: len(os.listdir(os.path.join(gateway.maildir, "new"))) == 2)


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("relay", ["maildir", "smtp"])
def test_a_large_attachment_goes_out(large, folder, relay):
    gateway, silo = large
    sink = SmtpSink(os.path.join(folder, "sink")) if relay == "smtp" else None
    if sink:
        gateway.relay = f"smtp://127.0.0.1:{sink.port}"
    alice = open_house(gateway, silo)
    warm_up(gateway, alice)
    path = os.path.join(folder, "large.bin")
    digest = write_random(path, SIZE, "out")
    watcher = Watcher([gateway, silo])
    started = time.monotonic()
    watcher.run_member(alice, "post", "--account", alice.account, "--to", BOB, "--subject", "Large", "--attach", path,
                       "Here it is.")
    wait_until("it is taken", lambda: gateway.queue("out"), PATIENCE)
    wait_until("it is relayed", lambda: not gateway.queue("out"), PATIENCE)
    print(f"{SIZE / 2**20:.0f} MiB: relayed by {relay} after {time.monotonic() - started:.1f} s")
    watcher.check("attachment out")
    new = sink.folder if sink else os.path.join(gateway.maildir, "new")
    written = max((os.path.join(new, name) for name in os.listdir(new)), key=os.path.getsize)
    assert digest_of_attachment(written) == (digest, SIZE), "the attachment has changed on its way"
    assert not content_files(gateway), "content stays after it was relayed"
