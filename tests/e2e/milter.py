"""A milter that gives the verdict that OpenDMARC would: an Authentication-Results field about the From domain.

Senders at unproven.example fail, those at norecord.example have published nothing, nothing is said of those at
ignored.example, and all others pass.
"""
import re
import socketserver
import struct
import threading

VERDICTS = {"unproven.example": "fail", "norecord.example": "none"}
INSERT_HEADERS = 0x01
# Connect, HELO, MAIL, RCPT, body, end of header, unknown commands and DATA are not asked for.
UNASKED = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x100 | 0x200
WITHOUT_REPLY = b"DAQ"   # macros, abort, quit


class Session(socketserver.StreamRequestHandler):
    """One connection from Postfix: packets are a length, a letter, and what belongs to it."""

    def handle(self):
        domain = ""
        while head := self.rfile.read(5):
            length, letter = struct.unpack(">Ic", head)
            data = self.rfile.read(length - 1)
            if letter == b"O":
                self.answer(b"O", struct.pack(">III", 6, INSERT_HEADERS, UNASKED))
                continue
            if letter == b"L":
                name, value = data.decode("utf-8", "replace").split("\0")[:2]
                found = re.search(r"@([-\w.]+)", value)
                if name.lower() == "from" and found:
                    domain = found[1]
            elif letter == b"E" and domain != "ignored.example":
                value = f"{self.server.authserv_id}; dmarc={VERDICTS.get(domain, 'pass')} header.from={domain}"
                self.answer(b"i", struct.pack(">I", 0) + b"Authentication-Results\0" + value.encode() + b"\0")
            if letter not in WITHOUT_REPLY:
                self.answer(b"c")

    def answer(self, letter, data=b""):
        self.wfile.write(struct.pack(">Ic", len(data) + 1, letter) + data)


class Milter(socketserver.ThreadingTCPServer):
    """Serves until the end of the with block."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, authserv_id):
        super().__init__(("127.0.0.1", 0), Session)
        self.authserv_id = authserv_id
        self.port = self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
