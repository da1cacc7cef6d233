"""HAProxy in front of a listener, telling it by the PROXY protocol who the client is. Its configuration is in the test's folder."""
import csv
import os
import socket

from documents import adapt, block
from procs import Server, accepts_connections, free_port, wait_until

PROGRAM = "/usr/sbin/haproxy"

CONFIGURATION = """\
global
  stats socket "{folder}/haproxy.sock"
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
{listen}
"""


class HAProxy(Server):
    """options: of the server line, such as send-proxy-v2."""

    def __init__(self, folder, server_port, options):
        super().__init__(folder, "haproxy")
        self.port = free_port()
        self.config = os.path.join(folder, "haproxy.cfg")
        self.stats = os.path.join(folder, "haproxy.sock")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=folder, listen=adapt(block("docs/INSTALLING.md", "# haproxy.cfg"), {
                "bind :25": f"bind 127.0.0.1:{self.port}", "192.0.2.25:25": f"127.0.0.1:{server_port}",
                "send-proxy-v2 check": f"{options} check inter 100ms"})))

    def start(self):
        self.launch([PROGRAM, "-db", "-f", self.config])
        wait_until("HAProxy listens", self.listens)

    def listens(self):
        assert self.running(), f"HAProxy ended:\n{self.read_log()}"
        return os.path.exists(self.stats) and accepts_connections(self.port)   # the ports are open first

    def check(self):
        """What its last health check of the server came to, such as "L7OK"."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.stats)
            connection.sendall(b"show stat\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode().removeprefix("# ")
        return next(row["check_status"] for row in csv.DictReader(answer.splitlines()) if row["svname"] == "postern")

    def end(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None
