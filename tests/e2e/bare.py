"""A bare TMTP member: one connection, one thread, nothing but the protocol. For tests and benchmarks of thousands of messages.

Exactly once in both directions, by its own means: what it posts names itself too, so that after a reconnect it knows what
arrived (it waits for a post to itself alone first); what it receives it knows by id.
"""
import collections
import json
import queue
import random
import select
import socket
import ssl
import threading
import time

from procs import PATIENCE, wait_until

WINDOW = 16   # posts under way at a time


class Broken(Exception):
    """The connection has ended."""


class BareMember(threading.Thread):
    """Registers when made. `deliveries` holds (id, second header, body) of what others sent, each once."""

    def __init__(self, port, alias, keep_body=True):
        super().__init__(daemon=True)
        self.port = port
        self.alias = alias
        self.keep_body = keep_body
        self.uid = self.node = self.error = None
        self.uids = {}                         # alias -> uid, from pings
        self.to_post = queue.Queue()
        self.posting = {}                      # key -> (head, data, made): not known to have arrived
        self.unsent = collections.deque()
        self.posted = 0
        self.seen = set()
        self.deliveries = []
        self.online = False
        self.stopping = False
        self.wake, self.woken = socket.socketpair()
        self.connection = None
        self.input = bytearray()               # in place, since frames of 30 MB come in pieces
        self.barrier = None
        self.start()
        wait_until(f"{alias} has an account", lambda: self.error or self.online, 2 * PATIENCE)
        self.check()

    # For other threads.

    def check(self):
        assert self.error is None, self.error

    def ping(self, alias, text):
        data = text.encode()
        self.put({"Op": 9, "Id": f"ping{random.randrange(10**9)}", "From": self.alias, "To": alias}, data, None)

    def post(self, to, subject, body, thread=None, groups=(), files=()):
        """Posts once, sooner or later, to an alias or several, and groups. The recipients must have been heard of by a ping.
        files: (name, content). Returns the key by which it is known on its way."""
        aliases = [to] if isinstance(to, str) else to
        key = f"bare-{random.randrange(16**12):012x}"
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        second = {"ThreadId": thread or "", "Alias": self.alias, "Subject": subject, "PosternKey": key}
        if not thread:
            second["Cc"] = [self.participant(self.alias, self.uid, date, "author"),
                            *(self.participant(alias, self.uids[alias], date, "initial recipient") for alias in aliases),
                            *(self.participant(gid, gid, date, "initial recipient") for gid in groups)]
        if files:
            second["Attach"] = [{"Name": f"u:{name}", "Size": len(content), "Ffn": ""} for name, content in files]
        head = json.dumps(second).encode()
        everybody = [*({"Id": self.uids[alias], "Type": 1} for alias in aliases), {"Id": self.uid, "Type": 1},
                     *({"Id": gid, "Type": 3} for gid in groups)]
        self.put({"Op": 7, "Id": key, "DataHead": len(head), "For": everybody}, head + body.encode() + b"".join(content for _, content in files), key)
        return key

    def invite_to_group(self, gid, alias):
        self.put({"Op": 5, "Id": f"invite{random.randrange(10**9)}", "Gid": gid, "From": self.alias, "To": alias}, b"Join us", None)

    def join_group(self, gid):
        self.put({"Op": 6, "Id": f"join{random.randrange(10**9)}", "Act": "join", "Gid": gid, "NewAlias": self.alias}, b"", None)

    def participant(self, alias, uid, date, note):
        return {"Who": alias, "WhoUid": uid, "By": self.alias, "ByUid": self.uid, "Date": date, "Note": note, "Subscribe": True}

    def put(self, head, data, key):
        self.to_post.put((head, data, key))
        self.wake.send(b"x")

    def idle(self):
        return self.to_post.empty() and not self.posting and not self.unsent

    def stop(self):
        self.stopping = True
        self.wake.send(b"x")
        self.join(10)

    # The thread.

    def run(self):
        try:
            while not self.stopping:
                try:
                    self.connect()
                    self.talk()
                except (OSError, Broken):
                    pass
                self.online = False
                if self.connection:
                    self.connection.close()
                time.sleep(0.1)
        except Exception as error:   # told by check(), in the test's thread
            self.error = f"{self.alias}: {error!r}"

    def connect(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = context.wrap_socket(plain)
        self.input = bytearray()
        self.barrier = None
        self.unsent.clear()
        self.send({"Op": 0, "Id": "1"})
        if self.uid:
            self.send({"Op": 2, "Uid": self.uid, "Node": self.node})
        else:
            self.send({"Op": 1, "NewNode": "bare", "NewAlias": self.alias})

    def send(self, head, data=b""):
        if data:
            head = {**head, "DataLen": len(data)}
        text = json.dumps(head).encode()
        self.connection.sendall(b"%04x" % len(text) + text + data)

    def talk(self):
        while not self.stopping:
            if not self.connection.pending():
                readable, _, _ = select.select([self.connection, self.woken], [], [], 30)
                if not readable:
                    self.send({"Op": 11})
                if self.woken in readable:
                    self.woken.recv(1000)
                if self.connection in readable:
                    self.receive()
            else:
                self.receive()
            if self.online:
                self.send_posts()

    def send_posts(self):
        while self.unsent:
            key = self.unsent.popleft()
            if key in self.posting:
                self.send(*self.posting[key])
        while len(self.posting) < WINDOW and not self.to_post.empty():
            head, data, key = self.to_post.get()
            if key:
                self.posting[key] = (head, data)
            self.send(head, data)

    def receive(self):
        data = self.connection.recv(65536)
        if not data:
            raise Broken
        self.input += data
        while True:
            if len(self.input) < 4:
                return
            length = 4 + int(self.input[:4], 16)
            if len(self.input) < length:
                return
            head = {key.lower(): value for key, value in json.loads(self.input[4:length]).items()}
            end = length + head.get("datalen", 0)
            if len(self.input) < end:
                return
            content = bytes(self.input[length:end])
            del self.input[:end]
            self.take(head, content)

    def take(self, head, content):
        operation = head["op"]
        if operation == "registered":
            assert not head.get("error"), head
            self.uid, self.node = head["uid"], head["nodeid"]
        elif operation == "info":
            self.log_in_done(head)
        elif operation == "quit":
            raise Broken
        elif operation == "ack":
            assert not head.get("error"), head
            self.settle(head["id"])
        elif operation in ("tmtprev", "ohi"):
            pass
        else:
            self.take_push(operation, head, content)

    def log_in_done(self, head):
        if head.get("info") != "login ok":
            return
        self.barrier = f"barrier-{random.randrange(16**12):012x}"
        second = json.dumps({"ThreadId": "", "Alias": self.alias, "NodeSync": True, "PosternKey": self.barrier}).encode()
        self.send({"Op": 7, "Id": self.barrier, "DataHead": len(second), "For": [{"Id": self.uid, "Type": 1}]}, second)

    def settle(self, key):
        if self.posting.pop(key, None):
            self.posted += 1

    def take_push(self, operation, head, content):
        if operation == "ping":
            self.uids[head["alias"]] = head["from"]
        if operation == "delivery" and head["id"] not in self.seen:
            self.seen.add(head["id"])
            second = json.loads(content[:head.get("datahead", 0)] or b"{}")
            if head["from"] != self.uid:
                body = content[head.get("datahead", 0):] if self.keep_body else None
                self.deliveries.append((head["id"], second, body))
            elif second.get("PosternKey") == self.barrier:
                self.unsent = collections.deque(self.posting)   # what has not come round by now never arrived
                self.online = True
            else:
                self.settle(second.get("PosternKey"))
        self.send({"Op": 10, "Id": head["id"], "Type": "ok"})
