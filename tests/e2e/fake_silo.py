"""A silo that a test has in its hand: what it answers to a registration or to the wish for an alias is up to the test.

It has one account, the gateway's, delivers to it only what it posts to itself, and takes everything else. One connection at a
time; certificate and port stay the same.
"""
import json
import os
import socket
import ssl
import subprocess
import threading

from procs import free_port, wait_until

UID, NODE = "G" * 32, "N" * 32


class Cut(Exception):
    """The connection is to be cut."""


class FakeSilo(threading.Thread):
    """`aliases`: every request for one, as (alias, answer). on_alias(alias) returns None (granted), a refusal, or raises Cut."""

    def __init__(self, folder, auth=False):
        super().__init__(daemon=True)
        self.auth = auth
        self.granted = []
        self.aliases = []
        self.registrations = []          # the requests
        self.pings = []                  # (from, to)
        self.on_alias = lambda alias: None
        self.on_register = lambda request: None   # None, or the text of a quit
        self.on_login = lambda session: None
        self.on_ping = lambda session, head: None
        self.on_post = lambda head: None          # None, or the text of a refusal
        self.on_accept = lambda plain: None       # a connection without TLS yet; may raise Cut
        self.on_frame = lambda session, head, data: False   # True: it has been dealt with
        self.stopping = False
        self.to_do = []                  # functions of the session, to be called in its thread
        self.unacked = set()             # ids of what was pushed on this connection
        self.error = None
        self.ids = 0
        certificate, key = os.path.join(folder, "fake.crt"), os.path.join(folder, "fake.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.settimeout(0.1)
        self.start()

    def wait_for(self, what, probe):
        def look():
            assert self.error is None, self.error
            return probe()
        return wait_until(what, look)

    def stop(self):
        self.stopping = True
        self.join(10)
        assert self.error is None, self.error

    def run(self):
        try:
            while not self.stopping:
                try:
                    plain, _ = self.listener.accept()
                except socket.timeout:
                    continue
                try:
                    plain.settimeout(10)
                    self.on_accept(plain)
                    with self.context.wrap_socket(plain, server_side=True) as connection:
                        connection.settimeout(0.1)
                        Session(self, connection).serve()
                except (OSError, Cut):
                    plain.close()
        except Exception as error:   # told by wait_for() and stop(), in the test's thread
            self.error = repr(error)
        finally:
            self.listener.close()


class Session:
    def __init__(self, silo, connection):
        self.silo = silo
        self.connection = connection
        self.input = b""
        silo.unacked.clear()

    def say(self, head, data=b""):
        """Less data than a head promises leaves the frame unfinished."""
        if data and "datalen" not in head:
            head = {**head, "datalen": len(data)}
        text = json.dumps(head).encode()
        self.connection.settimeout(10)
        self.connection.sendall(b"%04x" % len(text) + text + data)
        self.connection.settimeout(0.1)

    def raw(self, data):
        self.connection.settimeout(10)
        self.connection.sendall(data)
        self.connection.settimeout(0.1)

    def serve(self):
        while not self.silo.stopping:
            while self.silo.to_do:
                self.silo.to_do.pop(0)(self)
            try:
                data = self.connection.recv(65536)
            except socket.timeout:
                continue
            if not data:
                return
            self.input += data
            while self.take_frame():
                pass

    def take_frame(self):
        if len(self.input) < 4 or len(self.input) < (length := 4 + int(self.input[:4], 16)):
            return False
        head = json.loads(self.input[4:length])
        end = length + head.get("datalen", 0)
        if len(self.input) < end:
            return False
        data, self.input = self.input[length:end], self.input[end:]
        if not self.silo.on_frame(self, head, data):
            getattr(self, f"op{head['op']}", self.nothing)(head, data)
        return True

    def nothing(self, head, data):
        pass

    def push(self, head, data=b"", posted="2026-11-23T01:00:00.000Z"):
        self.silo.ids += 1
        self.silo.unacked.add(f"{self.silo.ids:016x}")
        self.say({"from": UID, **head, "id": f"{self.silo.ids:016x}", "posted": posted}, data)

    def quit(self, reason):
        self.say({"op": "quit", "error": reason})
        raise Cut

    def op0(self, head, data):
        auth = {"auth": 1, "authby": [{"label": "Us", "login": ["https://login.example/", "x"], "token": ["x", "y"]}]}
        self.say({"op": "tmtprev", "id": "1", "name": "Fake Silo", **(auth if self.silo.auth else {})})

    def op1(self, head, data):
        self.silo.registrations.append(head)
        if refusal := self.silo.on_register(head):
            self.quit(refusal)
        self.say({"op": "registered", "uid": UID, "nodeid": NODE})
        self.say({"op": "info", "info": "login ok"})

    def op2(self, head, data):
        assert (head["uid"], head["node"]) == (UID, NODE), "another account"
        self.say({"op": "info", "info": "login ok"})
        self.push({"op": "login", "node": "tbd"})
        self.silo.on_login(self)

    def op3(self, head, data):
        alias = head["newalias"]
        refusal = None
        if alias not in self.silo.granted:
            try:
                refusal = self.silo.on_alias(alias)
            except Cut:
                self.silo.granted.append(alias)   # and nobody hears of it
                self.silo.aliases.append((alias, "cut"))
                raise
            if not refusal:
                self.silo.granted.append(alias)
        self.silo.aliases.append((alias, refusal or "granted"))
        self.say({"op": "ack", "id": head["id"], **({"error": refusal} if refusal else {})})

    def op7(self, head, data):
        if refusal := self.silo.on_post(head):
            self.say({"op": "ack", "id": head["id"], "error": refusal})
            return
        self.say({"op": "ack", "id": head["id"], "msgid": f"{self.silo.ids + 1:016x}", "posted": "2026-11-23T01:00:00.000Z"})
        if any(to["id"] == UID for to in head["for"]):
            self.push({"op": "delivery", "datahead": head["datahead"]}, data)
        else:
            self.silo.ids += 1

    def op9(self, head, data):
        self.silo.pings.append((head["from"], head["to"]))
        self.say({"op": "ack", "id": head["id"], "msgid": f"{self.silo.ids + 1:016x}", "posted": "2026-11-23T01:00:00.000Z"})
        self.silo.ids += 1
        self.silo.on_ping(self, head)

    def op10(self, head, data):
        self.silo.unacked.discard(head["id"])

    def op12(self, head, data):
        self.quit("logout ok")
