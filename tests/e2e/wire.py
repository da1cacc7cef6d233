"""A bare TMTP client: sends exactly the frames it is told to, and shows each frame that comes."""
import json
import socket
import ssl

from procs import PATIENCE


class Wire:
    """One connection to a silo. Frames are (header, data) with the header's names in lower case."""

    def __init__(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        self.input = self.socket.makefile("rb")
        self.requests = 0
        self.uid = None
        self.node = None
        self.pushes = []   # everything that came and was acknowledged

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.socket.close()

    def send(self, header, data=b""):
        text = json.dumps(header).encode()
        self.socket.sendall(b"%04x" % len(text) + text + data)

    def read(self):
        """The next frame."""
        length = int(self.input.read(4), 16)
        header = {name.lower(): value for name, value in json.loads(self.input.read(length)).items()}
        return header, self.input.read(header.get("datalen", 0))

    def read_push(self, op):
        """The next frame of this op; those on the way are acknowledged and kept, as this one is."""
        while True:
            header, data = self.read()
            assert header["op"] != "quit", header
            if header["op"] in ("delivery", "notify", "ping", "invite", "member", "user", "login", "ohiedit"):
                self.send({"op": 10, "id": header["id"], "type": "ok"})
                self.pushes.append((header, data))
            if header["op"] == op:
                return header, data

    def hello(self):
        self.send({"op": 0, "id": "1"})
        return self.read_push("tmtprev")

    def register(self, alias):
        self.hello()
        self.send({"op": 1, "newnode": "x", "newalias": alias})
        header, _ = self.read_push("registered")
        assert "error" not in header, header
        self.uid, self.node = header["uid"], header["nodeid"]
        self.read_push("info")

    def login(self, uid, node):
        self.hello()
        self.send({"op": 2, "uid": uid, "node": node})
        self.uid, self.node = uid, node
        self.read_push("info")

    def request(self, header, data=b""):
        """Sends a request and returns its ack."""
        self.requests += 1
        self.send({**header, "id": f"q{self.requests}", "datalen": len(data)}, data)
        while True:
            ack, _ = self.read_push("ack")
            if ack["id"] == f"q{self.requests}":
                return ack

    def post(self, recipients, head, body="", op=7, **more):
        """A thread message; recipients: uids, or (gid, type)."""
        text = json.dumps(head).encode()
        targets = [{"id": to, "type": 1} if isinstance(to, str) else {"id": to[0], "type": to[1]} for to in recipients]
        return self.request({"op": op, "datahead": len(text), "for": targets, **more}, text + body.encode())

    def ping(self, own_alias, alias, text):
        return self.request({"op": 9, "from": own_alias, "to": alias}, text.encode())


def as_member(silo, member):
    """A bare connection of their account."""
    with open(member.account, encoding="utf-8") as file:
        account = json.loads(file.read())
    wire = Wire(silo.port)
    wire.login(account["uid"], account["node"])
    return wire


# What a thread is that is forwarded (tmtp/tmtp_forward.h).

def said(threadid, author, text, name="", msgid=None, attach=()):
    """A message of a thread's copy. attach: (name, size)."""
    head = {"Id": msgid or threadid, "Size": len(text), "Posted": "2026-11-23T01:00:01.000Z", "From": author,
            "SubHead": {"Alias": name, "ThreadId": threadid, "Attach": [{"Name": one, "Size": size} for one, size in attach]}}
    text_of_head = json.dumps(head)
    return f"{len(text_of_head):04x}{text_of_head}\n{text}\n"


def copy_of(messages, parties=()):
    listed = json.dumps([{"Who": who, "WhoUid": uid} for who, uid in parties])
    return "".join(messages) + "[]" + listed + "%08x%08x" % (2, len(listed))
