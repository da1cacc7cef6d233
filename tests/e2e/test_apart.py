"""posternctl setup and doctor, run by root: whatever talks to silo, relay, ports and name servers is somebody else, who may do nothing."""
import contextlib
import os
import pwd
import re
import select
import socket
import threading

import pytest

from conftest import needs_root
from postern import DOMAIN, Gateway, close_quietly
from procs import RELEASE, free_port, run

USER = "daemon"   # there is one on each system
FOR_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3   # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER


def inode_of(port, protocol):
    """Of the socket that is bound to this port; None: there is none, or it is closed already."""
    with open(f"/proc/net/{protocol}", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            words = line.split()
            if int(words[1].rpartition(":")[2], 16) == port and words[9] != "0":
                return words[9]
    return None


def has_socket(pid, inode):
    with contextlib.suppress(OSError):
        return any(os.readlink(f"/proc/{pid}/fd/{number}") == f"socket:[{inode}]" for number in os.listdir(f"/proc/{pid}/fd"))
    return False


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(re.findall(r"^(\w+):\t(.*)$", file.read(), re.M))


class Watcher:
    """Listens, and answers nothing, but looks at the processes that come."""

    def __init__(self):
        self.tcp = socket.create_server(("127.0.0.1", free_port()))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.tcp_port, self.udp_port = (each.getsockname()[1] for each in (self.tcp, self.udp))
        self.seen = []   # (protocol, status of each process that has the socket)
        self.missed = 0
        self.is_over = False
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.is_over:
            for ready in select.select([self.tcp, self.udp], [], [], 0.05)[0]:
                if ready is self.udp:
                    self.look("udp", self.udp.recvfrom(4096)[1][1])
                else:
                    connection, (_, port) = self.tcp.accept()
                    self.look("tcp", port)
                    connection.close()

    def look(self, protocol, port):
        inode = inode_of(port, protocol)
        found = [status_of(pid) for pid in os.listdir("/proc") if pid.isdigit() and has_socket(pid, inode)] if inode else []
        self.seen += [(protocol, status) for status in found]
        self.missed += not found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        self.tcp.close()
        self.udp.close()

    def expect(self, uid, *protocols, kept=0):
        """kept: capabilities."""
        assert {protocol for protocol, _ in self.seen} == set(protocols), f"{self.seen}, {self.missed} missed"
        for protocol, status in self.seen:
            assert status["Uid"].split() == [str(uid)] * 4, f"{protocol}: {status['Uid']}"
            assert not any(int(status[name], 16) & ~kept for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), status
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status
        self.seen.clear()
        self.missed = 0


@pytest.fixture(name="gateway")
def release_gateway(folder, silo):
    needs_root()
    os.chmod(folder, 0o755)
    server = Gateway(folder, silo.port, RELEASE)
    try:
        server.start()
        yield server
    finally:
        close_quietly(server)


def changed(gateway, watcher, user):
    """Everything in it is the watcher."""
    path = os.path.join(gateway.folder, "changed.conf")
    at = f"127.0.0.1:{watcher.tcp_port}"
    with open(gateway.config, encoding="utf-8") as file:
        text = re.sub(r'(?m)^(\s*address\s*=\s*)"=.*"', rf'\1"={at}"', file.read())
    text = re.sub(r'(?m)^(\s*url\s*=\s*).*$', rf'\1"smtp://{at}"', text)
    assert text.count(at) == 2, text
    text += f'postfix {{ policy = "{at}" }}\nverify {{ resolver = {{ "127.0.0.1:{watcher.udp_port}" }} dns_timeout = "3s" }}\n'
    with open(path, "w", encoding="utf-8") as file:
        file.write((f'user = "{user}"\n' if user else "") + text)
    return path


@pytest.mark.parametrize("user", [USER, None], ids=["a user", "no user"])
def test_the_doctor_sends_others(gateway, user):
    """The daemon's user; a daemon of root's has a doctor of root's, and both keep nothing but access to files of others."""
    uid, kept = (pwd.getpwnam(user).pw_uid, 0) if user else (0, FOR_FILES)
    with Watcher() as watcher:
        config = changed(gateway, watcher, user)
        for topic, protocols in (("silo", ["tcp"]), ("mail", ["tcp"]), ("dns", ["udp"])):
            command = [os.path.join(RELEASE, "posternctl"), "-c", config, "-s", f"{gateway.state}/control", "doctor", "--only", topic]
            result = run(command, gateway.folder)
            assert "can't give up" not in result.stdout and "ended" not in result.stdout, result.stdout
            watcher.expect(uid, *protocols, kept=kept)


def test_setup_sends_others(folder, silo):
    """Nobody, until there is a user; that one makes the account."""
    needs_root()
    os.chmod(folder, 0o755)
    config = os.path.join(folder, "etc", "postern.conf")
    with Watcher() as watcher:
        options = {"domain": DOMAIN, "hostname": "gw.example.org", "silo": f"=127.0.0.1:{watcher.tcp_port}", "mail": "postfix", "relay": f"smtp://127.0.0.1:{free_port()}",
                   "listen": f"127.0.0.1:{free_port()}", "socketmap": "none", "policy": "none", "user": USER, "resolver": "127.0.0.1:1",
                   "state-dir": os.path.join(folder, "state"), "socket": os.path.join(folder, "run", "control"), "dkim": "none"}
        command = [os.path.join(RELEASE, "posternctl"), "-c", config, "setup", "--no-checks", *(word for name, value in options.items() for word in (f"--{name}", value))]
        result = run([*command, "--no-account"], folder)
        assert result.returncode == 0, result.stdout + result.stderr
        watcher.expect(pwd.getpwnam("nobody").pw_uid, "tcp")
        result = run([*command, "--yes"], folder)
        assert "the daemon will register when it can" in result.stdout, result.stdout + result.stderr
        watcher.expect(pwd.getpwnam(USER).pw_uid, "tcp")
        # Who it is that has asked makes no difference to what is found out.
        options["silo"] = f"=127.0.0.1:{silo.port}"
        command[command.index("--silo") + 1] = options["silo"]
        result = run([*command, "--yes"], folder)
        assert "A silo answers at" in result.stderr and "Registered with the silo" in result.stdout, result.stdout + result.stderr
    assert os.stat(os.path.join(folder, "state", "postern.db")).st_uid == pwd.getpwnam(USER).pw_uid
