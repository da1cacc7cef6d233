"""The embedded silo as its clients see it: what it has said yes to survives whatever happens to it."""
import hashlib
import json
import os
import random
import select
import ssl
import socket
import time

from postern import Member, Silo
from procs import PATIENCE, RELEASE, wait_until

GROUP = "The Whole Group"
LONG = 100000   # bytes: kept in a file of its own
MEBIBYTE = 1024 * 1024


class Node:
    """One node of an account, speaking TMTP; what it was sent is kept across connections."""

    def __init__(self, port):
        self.port = port
        self.uid = self.password = self.socket = None
        self.received = []   # ids, in order, each once
        self.posts = {}      # id to digest of the data
        self.news = []       # the headers of what carries no id

    def connect(self, *requests):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE))
        self.input = b""
        self.send({"op": 0, "id": "1"})
        for request in requests:
            self.send(request)

    def register(self, alias):
        self.connect({"op": 1, "newnode": "x", "newalias": alias})
        registered = self.wait_for(lambda head: head["op"] == "registered")
        self.uid, self.password = registered["uid"], registered["nodeid"]
        assert "error" not in registered

    def login(self):
        self.connect({"op": 2, "uid": self.uid, "node": self.password})
        self.wait_for(lambda head: head["op"] == "info")

    def send(self, head, data=b""):
        text = json.dumps(head | ({"datalen": len(data)} if data else {})).encode()
        self.socket.sendall(b"%04x" % len(text) + text + data)

    def take_frame(self):
        """A whole frame from the input, or None."""
        if len(self.input) < 4:
            return None
        head_end = 4 + int(self.input[:4], 16)
        head = json.loads(self.input[4:head_end]) if len(self.input) >= head_end else {}
        end = head_end + head.get("datalen", 0)
        if len(self.input) < end:
            return None
        data, self.input = self.input[head_end:end], self.input[end:]
        return head, data

    def take(self, head, data):
        """Keeps what comes; every fifth message is not acknowledged at once, so that kills find some unacknowledged."""
        if head["op"] in ("ack", "info", "registered", "tmtprev", "quit", "ohi"):
            self.news.append(head)
            return
        if head["id"] not in self.received:
            self.received.append(head["id"])
        if head["op"] == "user":
            self.news.append(head)
            self.received.remove(head["id"])   # notices come first, out of order
        self.posts[head["id"]] = hashlib.sha256(data).digest()
        self.send({"op": 10, "id": head["id"], "type": "ok"})

    def read(self, timeout=0):
        """Deals with what is there. Raises OSError when the silo has gone."""
        if not self.socket.pending() and not select.select([self.socket], [], [], timeout)[0]:
            return
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("the silo has gone")
        self.input += piece
        while (frame := self.take_frame()) is not None:
            self.take(*frame)

    def wait_for(self, wanted):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for head in self.news:
                if wanted(head):
                    self.news.remove(head)
                    return head
            self.read(0.1)
        raise AssertionError(f"it did not come; instead {self.news}")


class Crowd:
    """Two accounts, one of them with nodes that are added as time goes by, and a group of both."""

    def __init__(self, silo, seed):
        self.silo = silo
        self.random = random.Random(seed)
        self.alice, self.bob = Node(silo.port), Node(silo.port)
        self.nodes = [self.alice, self.bob]
        self.asked = {}      # request id to (sender, receiving nodes, digest)
        self.promised = []   # (message id, receiving nodes, digest) of what was acknowledged, in the order of the acks
        self.count = 0

    def begin(self):
        self.alice.register("Alice Node Owner")
        self.bob.register("Bob Node Owner")
        self.alice.send({"op": 5, "id": "i", "gid": GROUP, "from": "Alice Node Owner", "to": "Bob Node Owner"})
        assert "error" not in self.alice.wait_for(lambda head: head.get("id") == "i")
        self.bob.send({"op": 6, "id": "j", "act": "join", "gid": GROUP})
        assert "error" not in self.bob.wait_for(lambda head: head.get("id") == "j")

    def nodes_of(self, uid):
        return [node for node in self.nodes if node.uid == uid]

    def post(self, sender):
        """A post, or a forward, to somebody; remembers who must get it if the silo says yes."""
        self.count += 1
        name = f"p{self.count}"
        data = self.random.randbytes(self.random.choice((5, 500, LONG)))
        other = self.bob.uid if sender.uid == self.alice.uid else self.alice.uid
        to, receivers = self.random.choice((
            ([{"id": other, "type": 1}], [node for node in self.nodes if node is not sender]),
            ([{"id": sender.uid, "type": 1}], self.nodes_of(sender.uid)),
            ([{"id": GROUP, "type": 2}], self.nodes),
            ([{"id": GROUP, "type": 3}], [node for node in self.nodes if node is not sender])))
        self.asked[name] = (sender, list(receivers), hashlib.sha256(data).digest())
        if self.random.random() < 0.2:
            note = b"a notice"
            sender.send({"op": 8, "id": name, "for": to, "notefor": [], "notelen": len(note)}, note + data)
        else:
            sender.send({"op": 7, "id": name, "for": to}, data)

    def note_answers(self):
        for node in self.nodes:
            for head in [head for head in node.news if head["op"] == "ack" and head["id"] in self.asked]:
                node.news.remove(head)
                sender, receivers, digest = self.asked.pop(head["id"])
                assert sender is node and "error" not in head, head
                self.promised.append((head["msgid"], receivers, digest))

    def add_node(self):
        """A third and fourth node; when the kill comes in between, it is simply tried again."""
        self.alice.send({"op": 3, "id": "n", "newnode": f"node {len(self.nodes)}"})
        self.alice.wait_for(lambda head: head.get("id") == "n")
        node = Node(self.silo.port)
        node.uid = self.alice.uid
        node.password = self.alice.wait_for(lambda head: head["op"] == "user")["nodeid"]
        node.login()
        self.nodes.append(node)

    def round(self):
        """Posts and reads until the silo is killed in the middle of it."""
        for node in self.nodes:
            node.news.clear()
            node.login()
        if len(self.nodes) < 4 and self.random.random() < 0.5:
            self.add_node()
        end = self.random.randrange(3, 40)
        for turn in range(end):
            self.post(self.random.choice(self.nodes))
            for node in self.nodes:
                node.read(0.01 if turn % 5 == 0 else 0)
        self.note_answers()
        self.silo.kill()
        for node in self.nodes:   # what was on its way still counts
            try:
                while True:
                    node.read(PATIENCE)
            except OSError:
                node.socket.close()
        self.note_answers()
        self.asked.clear()        # may or may not have been taken

    def finish(self):
        """One last message to all: what comes before it in each queue has come by then."""
        for node in self.nodes:
            node.news.clear()
            node.login()
        self.alice.send({"op": 7, "id": "last", "for": [{"id": GROUP, "type": 2}]}, b"last")
        last = self.alice.wait_for(lambda head: head.get("id") == "last")["msgid"]

        def has_come():
            for node in self.nodes:
                node.read(0.05)
            return all(last in node.received for node in self.nodes)
        wait_until("everything has come", has_come)
        for node in self.nodes:
            node.send({"op": 12})
            node.wait_for(lambda head: head["op"] == "quit")


def content_files(folder):
    return os.listdir(os.path.join(folder, "silo", "content"))


def test_what_was_acknowledged_survives_kills(folder, silo):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    crowd = Crowd(silo, seed)
    crowd.begin()
    for node in crowd.nodes:
        node.socket.close()
    silo.kill()
    for _ in range(12):
        silo.start()
        crowd.round()
    silo.start()
    crowd.finish()
    assert len(crowd.promised) > 50
    ids = [msgid for msgid, _, _ in crowd.promised]
    assert len(set(ids)) == len(ids)
    for msgid, receivers, digest in crowd.promised:
        for node in receivers:
            assert node.posts.get(msgid) == digest, f"{msgid} did not come as it was posted"
    for node in crowd.nodes:
        assert node.received == sorted(node.received), "out of order"
    for sender in crowd.nodes:   # ids rise from one kill to the next
        assert max(ids) < crowd.alice.received[-1]
    # Everything is acknowledged: nothing long is left behind, also not by posts that a kill has cut.
    silo.stop()
    silo.start()
    wait_until("the content is gone", lambda: content_files(folder) == [])


def peak_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_long_messages_need_little_memory(folder):
    silo = Silo(folder, RELEASE)
    silo.start()
    try:
        alice, bob = Member(folder, silo, "Alice Member", RELEASE), Member(folder, silo, "Bob Member", RELEASE)
        bob.ping(alice.alias, "hello")
        alice.receive()
        path = os.path.join(folder, "long.bin")
        block = os.urandom(MEBIBYTE)
        with open(path, "wb") as file:
            for _ in range(200):
                file.write(block)
        before = peak_bytes(silo.process.pid)
        alice.post("Bob Member", "long", subject="Long", attach=[path])
        mail = bob.receive_mail("Long")
        assert mail["attach"][0]["size"] == 200 * MEBIBYTE
        assert peak_bytes(silo.process.pid) - before < 10 * MEBIBYTE
        bob.receive()
        wait_until("the content is gone", lambda: content_files(folder) == [])
    finally:
        silo.stop()
