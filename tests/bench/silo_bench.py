"""The benchmarks of the silo's side: the gateway against a bare client (tmtp_bench) on the same silo, in turns.

Posting: mails that wait in the gateway's queue, against posts of the same content, as many at a time; with the echo and
without. Deliveries: messages that wait in the silo for the gateway, which commits each before its ack, against the same messages for a
client that writes and syncs the content of each before its ack, and for one that acks at once. Counted where they arrive, from the
first to the last.
"""
import contextlib
import json
import os
import queue
import socket
import sqlite3
import ssl
import statistics
import subprocess
import threading
import time

from postern import Gateway, RunningSilo, Silo, close_quietly
from procs import RELEASE, ROOT, free_port, wait_until
from targets import WIDE_LIMITS

WINDOW = 48      # posts at a time: the gateway's
PATIENCE = 600


class Bare:
    """A tmtp_bench process."""

    def __init__(self, folder, port, alias):
        self.alias = alias
        self.lines = queue.Queue()
        self.process = subprocess.Popen([os.path.join(RELEASE, "tmtp_bench"), f"=127.0.0.1:{port}", alias], text=True, cwd=folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()
        self.uid = self.wait("online")[0]

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())

    def wait(self, word):
        """The rest of the next line that begins with the word."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if line[0] == word:
                return line[1:]

    def say(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()

    def ping(self, alias, _text):
        self.say("ping", alias)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Holder:
    """Holds the gateway's node in the silo, so that its queue fills: the silo lets nobody else in with it."""

    def __init__(self, port, database):
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
            uid, node = store.execute("SELECT uid, node FROM account").fetchone()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        deadline = time.monotonic() + 30
        while True:
            self.connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
            self.send({"op": 0, "id": "1"})
            self.send({"op": 2, "uid": uid, "node": node})
            seen = b""
            while b"login ok" not in seen and b"quit" not in seen:
                seen += self.connection.recv(65536)
            if b"login ok" in seen:
                break
            assert time.monotonic() < deadline, "the gateway's node stays connected"
            time.sleep(0.2)

    def send(self, head):
        text = json.dumps(head).encode()
        self.connection.sendall(b"%04x" % len(text) + text)

    def release(self):
        self.send({"op": 12})
        with contextlib.suppress(OSError):
            while self.connection.recv(65536):
                pass
        self.connection.close()


class DeafRelay:
    """Never says a word: what is to be measured ends in the queue."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


class Bench:
    def __init__(self, folder, silo_port, make_relay=DeafRelay):
        self.folder = folder
        self.silo = RunningSilo(silo_port) if silo_port else Silo(folder, RELEASE)
        self.silo.start()
        suffix = os.urandom(4).hex()
        self.gateway = Gateway(folder, self.silo.port, RELEASE)
        self.gateway.alias = f"Bench Gateway {suffix}"
        self.gateway.log_level = "warning"
        self.gateway.extra = WIDE_LIMITS
        self.gateway.open_port = free_port()
        self.relay = make_relay()
        self.gateway.relay = f"smtp://127.0.0.1:{self.relay.port}"
        self.gateway.retry_first = self.gateway.retry_longest = "1h"
        self.bob = f"bob.{suffix}@example.com"
        self.bares = []
        self.member = self.bare(f"Bench-Member-{suffix}")
        self.other = self.bare(f"Bench-Other-{suffix}")
        self.gateway.start()
        self.gateway.introduce(self.member, "alice")
        self.gateway.ctl("mapping", "add", self.bob, self.member.alias)
        self.gateway_uid = None
        while self.gateway_uid is None:
            uid, *alias = self.member.wait("ping")
            self.gateway_uid = uid if " ".join(alias) == self.bob else None
        self.content = os.path.join(folder, "content")

    def bare(self, alias):
        self.bares.append(Bare(self.folder, self.silo.port, alias))
        return self.bares[-1]

    def close(self):
        for bare in self.bares:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                bare.close()
        close_quietly(self.gateway, self.silo)
        self.relay.close()

    @contextlib.contextmanager
    def held(self, echo=True):
        """Starts the gateway anew, without its silo until the block ends."""
        self.gateway.kill()   # the relay would be waited for
        self.gateway.echo = echo
        holder = Holder(self.silo.port, os.path.join(self.gateway.state, "postern.db"))
        self.gateway.start()
        yield
        holder.release()

    def feed(self, messages, size):
        subprocess.run(["smtp-source", "-s", "20", "-m", str(messages), "-l", str(size), "-d", "-f", self.bob, "-t",
                        "alice@silo.example.org", f"127.0.0.1:{self.gateway.open_port}"], check=True, stdin=subprocess.DEVNULL, timeout=600)

    def learn_content(self, size):
        """What a mail of that size becomes, for the bare client to post."""
        self.member.say("save", self.content)
        self.feed(1, size)
        self.member.wait("saved")
        self.gateway.wait_settled()

    def received(self, bare, messages):
        count, seconds = bare.wait("got")
        assert int(count) == messages
        return (messages - 1) / float(seconds)

    def gateway_posts(self, messages, size, echo):
        with self.held(echo):
            self.feed(messages, size)
            self.member.say("expect", messages)
        rate = self.received(self.member, messages)
        wait_until("the queue is empty", lambda: not self.gateway.queue("in"), PATIENCE)
        return rate

    def bare_posts(self, messages, echo):
        self.member.say("expect", messages)
        self.other.say("post", self.member.uid, self.member.alias, messages, WINDOW, int(echo), self.content)
        rate = self.received(self.member, messages)
        self.other.wait("posted")
        return rate

    def gateway_takes(self, messages):
        with self.held():
            self.member.say("post", self.gateway_uid, self.bob, messages, WINDOW, 0, self.content)
            self.member.wait("posted")
        # Asked of the database, not of the gateway: that costs it nothing.
        with contextlib.closing(sqlite3.connect(f"file:{self.gateway.state}/postern.db?mode=ro", uri=True)) as store:
            def taken():
                return store.execute("SELECT coalesce(max(id), 0) FROM outbound").fetchone()[0]

            before, first = taken(), None
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                now, count = time.monotonic(), taken() - before
                if first is None and count > 0:
                    first = (now, count)
                if count >= messages:
                    return (count - first[1]) / (now - first[0])
                time.sleep(0.005)
        raise AssertionError("the gateway does not take all messages")

    def bare_takes(self, messages, commit):
        self.other.say("commit", os.path.join(self.folder, "committed") if commit else "-")
        self.other.say("offline")
        time.sleep(0.5)
        self.member.say("post", self.other.uid, self.other.alias, messages, WINDOW, 0, self.content)
        self.member.wait("posted")
        self.other.say("expect", messages)
        self.other.say("online")
        return self.received(self.other, messages)


def run(folder, silo_port, rounds, messages, size):
    """Prints a table and returns what goes into the JSON file."""
    bench = Bench(folder, silo_port)
    results = []
    try:
        bench.learn_content(size)
        # What the gateway does, and what it is measured against: name, goal, how.
        loads = [
            (lambda: bench.gateway_posts(messages, size, True),
             [("posting with the echo", 0.95, lambda: bench.bare_posts(messages, True))]),
            (lambda: bench.gateway_posts(messages, size, False),
             [("posting without it", 0.95, lambda: bench.bare_posts(messages, False))]),
            (lambda: bench.gateway_takes(messages),
             [("deliveries, each synced", 0.9, lambda: bench.bare_takes(messages, True)),
              ("deliveries, bare without a sync", None, lambda: bench.bare_takes(messages, False))]),
        ]
        print(f"{f'messages/s, median of {rounds} rounds':38} {'gateway':>8} {'bare':>8} {'ratio':>6} {'goal':>6}")
        for gateway, bares in loads:
            ours, theirs = [], {name: [] for name, _, _ in bares}
            for _ in range(rounds):
                ours.append(gateway())
                for name, _, bare in bares:
                    theirs[name].append(bare())
            for name, goal, _ in bares:
                entry = {"load": name, "goal": goal, "rates": {"gateway": ours, "bare": theirs[name]},
                         "ratio": statistics.median(ours) / statistics.median(theirs[name])}
                results.append(entry)
                print(f"{name:38} {statistics.median(ours):8.0f} {statistics.median(theirs[name]):8.0f} {entry['ratio']:6.2f}"
                      f" {goal or '':>6}", flush=True)
    finally:
        bench.close()
    return {"rounds": rounds, "messages": messages, "size": size, "silo": "other" if silo_port else "embedded", "loads": results}
