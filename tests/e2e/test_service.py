"""Being a service: what posternd tells a service manager, takes from it, and gives up. The manager is played by the tests."""
import contextlib
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import time

import pytest

from conftest import needs_root
from dns_server import DnsServer
from mail import BOB, make_mail
from postern import Conversation, Gateway, Member, close_quietly
from postfix import read_maildir
from procs import PATIENCE, RELEASE, ROOT, accepts_connections, free_port, run, sanitizer_environment, wait_until
from reports import send
from senders import STRANGER, deliver, new_mail, publish, sign

WATCHDOG_S = 2


class Manager:
    """The socket that a service manager hears its services by."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(PATIENCE)

    def hear(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def hear_until(self, name):
        """Everything up to the message that has this name, which is the last one."""
        heard = []
        while not heard or name not in heard[-1]:
            heard.append(self.hear())
        return heard


@pytest.fixture
def manager(folder):
    made = Manager(folder)
    yield made
    made.socket.close()


class Service(Gateway):
    """A gateway that is started by a service manager, with sockets that it has opened: {name: socket}."""

    def __init__(self, folder, manager, passed):
        super().__init__(folder, silo_port=1)
        self.manager, self.passed = manager, passed

    def launch_environment(self):
        return {**sanitizer_environment(self.folder), "NOTIFY_SOCKET": self.manager.path, "WATCHDOG_USEC": str(WATCHDOG_S * 1000 * 1000),
                "LISTEN_FDS": str(len(self.passed)), "LISTEN_FDNAMES": ":".join(self.passed)}

    def launch(self, command):
        """LISTEN_PID is of the process that the program becomes, and descriptors are counted from 3."""
        numbers = [passed.fileno() for passed in self.passed.values()]
        moves = [f"{3 + index}<&{number}" for index, number in enumerate(numbers)] + [f"{number}<&-" for number in numbers if number > 3 + len(numbers)]
        wrapped = ["bash", "-c", f'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@" {" ".join(moves)}', "start", *command]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(wrapped, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, pass_fds=numbers,
                                            env=self.launch_environment(), start_new_session=True)


def listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    made = socket.socket(family)
    made.bind(address)
    made.listen(100)
    os.set_inheritable(made.fileno(), True)
    return made


@pytest.fixture
def sockets(folder):
    """Descriptors far above 3, so that none is in the way of another."""
    made = {"smtp": listening(), "lmtp": listening()}
    yield made
    for each in made.values():
        each.close()


@pytest.fixture
def gateway_that_holds(stopped_gateway, alice):
    """Not started yet; and a member."""
    stopped_gateway.policy_extra = "unknown_senders = hold"
    return stopped_gateway, alice


@pytest.fixture
def service(folder, manager, sockets):
    server = Service(folder, manager, sockets)
    server.smtp_port, server.lmtp_port = (sockets[name].getsockname()[1] for name in ("smtp", "lmtp"))
    yield server
    close_quietly(server)


def test_a_life_under_a_service_manager(service, manager, sockets):
    """Ready with the sockets it was given, alive, reloading, stopping; and the sockets are still there afterwards."""
    service.start()
    assert service.read_log().count("socket=passed") == 2
    for port in (service.smtp_port, service.lmtp_port):
        with Conversation(port) as conversation:
            assert conversation.reply().startswith("220 ")
    assert manager.hear() == {"READY": "1"}
    first = time.monotonic()
    assert [manager.hear() for _ in range(3)] == [{"WATCHDOG": "1"}] * 3
    assert time.monotonic() - first < WATCHDOG_S, "it tells more than twice as often as it must"

    service.ctl("log-level", "error")
    assert service.ctl_json("log-level") == {"level": "error", "configured": "debug"}
    assert "not a level" in service.ctl("log-level", "loud", expect=2)
    assert ("log.level", "debug", "error") in [(row["action"], row["before"], row["after"]) for row in service.ctl_json("audit", "list")["audit"]]
    assert "event=log.level was=debug is=error" in service.read_log().splitlines()[-1], "something was logged after that"

    now = time.monotonic()
    service.ctl("reload")
    reloading = manager.hear_until("RELOADING")[-1]
    assert abs(int(reloading["MONOTONIC_USEC"]) / 1e6 - now) < PATIENCE
    assert manager.hear_until("READY")[-1] == {"READY": "1"}
    assert service.ctl_json("log-level")["level"] == "debug"
    with open(service.config, "a", encoding="utf-8") as file:
        file.write("nonsense\n")
    service.ctl("reload", expect=1)
    manager.hear_until("RELOADING")
    manager.hear_until("READY")

    service.stop()
    manager.hear_until("STOPPING")
    for passed in sockets.values():
        with contextlib.closing(socket.create_connection(passed.getsockname(), timeout=PATIENCE)):
            pass   # nobody is turned away while the service starts again


def stopped_with(service):
    service.write_config()
    service.launch(service.command())
    code = service.process.wait(PATIENCE)
    service.process = None
    return code, service.read_log()


def test_sockets_that_do_not_match(service, folder):
    """Neither is a socket served that nothing was said about, nor one that is open to others than the configuration says."""
    right = service.lmtp_port
    service.lmtp_port = 1
    code, log = stopped_with(service)
    assert code == 1 and f"listens on 127.0.0.1:{right} (\"lmtp\"), and listen lmtp has the address 127.0.0.1:1; both must be the same" in log
    service.lmtp_port = right
    path = os.path.join(folder, "other")
    with contextlib.closing(listening(socket.AF_UNIX, path)) as other:
        service.passed["other"] = other
        code, log = stopped_with(service)
        assert code == 1 and f"listens on unix:{path} (\"other\"), and no listen section has that address" in log
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        service.passed["other"] = datagrams
        code, log = stopped_with(service)
        assert code == 1 and 'descriptor 5 ("other") is not a listening TCP or unix stream socket' in log


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(re.findall(r"^(\w+):[ \t]*(.*)$", file.read(), re.MULTILINE))


def processes_of(pid):
    """It and its children, and theirs."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return [pid, *(one for child in children for one in processes_of(int(child)))]


def hand_over(gateway):
    """Its folder becomes nobody's."""
    os.chmod(gateway.folder, 0o755)
    if os.geteuid() == 0:
        os.chown(gateway.state, pwd.getpwnam("nobody").pw_uid, -1)


def threads_of(pid):
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]


def test_what_root_gives_up(folder):
    """Started by root for a user: nothing of root is left, in the daemon or its workers, and nobody of that user can look into them."""
    if os.geteuid() != 0:
        pytest.skip("only root has something to give up")
    gateway = Gateway(folder, silo_port=1, programs=RELEASE)
    gateway.extra = 'user = "nobody"'
    hand_over(gateway)
    gateway.start()
    try:
        daemon = gateway.process.pid
        wait_until("its helpers run", lambda: len(processes_of(daemon)) >= 2)
        assert len(threads_of(daemon)) >= 3
        for pid in [thread for process in processes_of(daemon) for thread in threads_of(process)]:
            status = wait_until("it has settled", lambda pid=pid: status_of(pid) if status_of(pid)["NoNewPrivs"] == "1" else None)
            assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}, pid
            assert status["Groups"].split() == [str(pwd.getpwnam("nobody").pw_gid)], pid
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[name], 16) == 0, (pid, name)
            assert status["Seccomp"] == "2", f"{pid} may make any system call"
            assert os.stat(f"/proc/{pid}/fd").st_uid == 0, f"{pid} can be dumped and traced"
            with open(f"/proc/{pid}/limits", encoding="ascii") as file:
                assert re.search(r"Max core file size +0 +0 ", file.read()), pid
    finally:
        gateway.stop()


def test_what_a_daemon_keeps_that_stays_root(folder):
    """It was warned. What it can still do is get at files of others."""
    if os.geteuid() != 0:
        pytest.skip("only root can stay root")
    gateway = Gateway(folder, silo_port=1, programs=RELEASE)
    gateway.start()
    try:
        status = status_of(gateway.process.pid)
        files = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3   # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
        for name in ("CapPrm", "CapEff", "CapBnd"):
            assert int(status[name], 16) & ~files == 0, name
        assert status["Seccomp"] == "2" and "event=daemon.root" in gateway.read_log()
    finally:
        gateway.stop()


def low_port():
    """One that takes a privilege, and nobody has. In containers there is often none."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        end = min(int(file.read()), 1024)
    return next((port for port in range(end - 1, 600, -1) if not accepts_connections(port)), None) or pytest.skip("everybody may have each port here")


def test_low_ports_of_a_daemon_that_stays_root(stopped_gateway):
    """They are opened at its start, before it gives up what that takes; a reload says that it can't, and the web page has none."""
    needs_root()
    gateway, port = stopped_gateway, low_port()
    gateway.programs = RELEASE
    gateway.start()
    gateway.extra = gateway.listener("low", port, "smtp", 'trust_authserv_id = "mx.example"\n  tls = none')
    gateway.write_config()
    refusal = gateway.ctl("reload", expect=1)
    assert "needs a restart: listen sections; nothing was changed" in refusal and not accepts_connections(port)
    gateway.stop()
    gateway.start()
    with Conversation(port) as conversation:
        assert conversation.reply().startswith("220 ")
    gateway.stop()

    gateway.extra, gateway.admin_extra = "", f'http = "127.0.0.1:{port}"'
    code, log = stopped_with(gateway)
    assert code == 1 and "can't open the web page" in log and "ports below 1024 are not for it" in log, log


@contextlib.contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes_beneath(top):
    """{path: (kind, mode)} of all that is in a folder, and of folders in it."""
    found = {}
    for at, folders, files in os.walk(top):
        for name in folders + files:
            info = os.lstat(os.path.join(at, name))
            found[os.path.relpath(os.path.join(at, name), top)] = (stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode))
    return found


def test_modes_whatever_umask_and_folder_say(gateway_that_holds, folder):
    """Database, its log, keys, content, sockets, mail that leaves, a backup: without any umask, in a folder that hands its group down."""
    gateway, alice = gateway_that_holds
    large = "a long line of text that is kept in a file\n" * 10000
    os.chmod(gateway.state, 0o2775)
    with umask(0):
        gateway.start()
        gateway.introduce(alice, "alice")
        assert send(gateway.smtp_port, make_mail("Held", large, sender="carol@example.net"), sender="carol@example.net").startswith("250")
        gateway.open_door(BOB, alice)
        alice.post(BOB, "Hello\n", subject="Hello")
        wait_until("it leaves", lambda: read_maildir(gateway.maildir))
        gateway.ctl("backup", f"{folder}/kept.tar")
        kept = modes_beneath(gateway.state)
        left = modes_beneath(gateway.maildir)
    assert {"postern.db", "postern.db-wal", "postern.db-shm", "hold.key", "content", "control"} <= set(kept), kept
    assert any(path.startswith("content/") for path in kept) and any("/" in path for path in left)
    for path, (kind, mode) in {**kept, **{f"mail-out/{path}": what for path, what in left.items()}}.items():
        if kind == stat.S_IFSOCK:
            assert mode == 0o660, path
        else:
            assert mode & 0o777 == (0o700 if kind == stat.S_IFDIR else 0o600), f"{path}: {mode:o}"
    assert stat.S_IMODE(os.stat(f"{folder}/kept.tar").st_mode) == 0o600


def units(folder):
    """The units, with programs that are there."""
    with open(f"{ROOT}/packaging/systemd/postern.service.in", encoding="utf-8") as file:
        text = file.read()
    for name, value in {"DAEMON": f"{RELEASE}/posternd", "CTL": f"{RELEASE}/posternctl", "CONFIG": "/etc/postern/postern.conf"}.items():
        text = text.replace(f"@POSTERN_{name}@", value)
    assert "@POSTERN" not in text
    with open(f"{folder}/postern.service", "w", encoding="utf-8") as file:
        file.write(text)
    names = ["postern-smtp.socket", "postern-lmtp.socket"]
    for name in names:
        shutil.copy(f"{ROOT}/packaging/systemd/{name}", folder)
    return [f"{folder}/{name}" for name in ["postern.service", *names]]


def test_units(folder):
    files = units(folder)
    verified = run(["systemd-analyze", "verify", "--man=no", *files], folder)
    assert verified.returncode == 0 and verified.stderr == "", verified.stderr
    judged = run(["systemd-analyze", "security", "--offline=true", files[0]], folder)
    score = re.search(r"Overall exposure level for postern.service: ([0-9.]+)", judged.stdout)
    assert float(score[1]) <= 1.3, judged.stdout


class Confined(Gateway):
    """Under the unit's filter of system calls."""

    def command(self, *arguments):
        unit = units(self.folder)[0]
        filtered = [sys.executable, f"{ROOT}/tests/e2e/unit_filter.py", unit]
        return filtered + super().command(*arguments) if not arguments else super().command(*arguments)


def test_mail_passes_under_the_filter_of_the_unit(folder, silo):
    """There and back through every process of ours: resolver, verify worker, convert worker, and those that build mail."""
    gateway = Confined(folder, silo.port, programs=RELEASE)
    alice = Member(folder, silo, "Alice Member", programs=RELEASE)
    gateway.maildir = os.path.join(gateway.state, "out")
    gateway.relay = f"maildir:{gateway.maildir}"
    hand_over(gateway)
    with DnsServer() as names:
        publish(names)
        gateway.mx = free_port()
        gateway.extra = (gateway.listener("mx", gateway.mx, "smtp", 'tls = none\n  xclient = { "127.0.0.1" }') +
                         f'\nverify {{\n  resolver = {{ "{names.address}" }}\n  dns_timeout = "4s"\n}}\n')
        gateway.start()
        try:
            assert status_of(gateway.process.pid)["Seccomp"] == "2"
            gateway.introduce(alice, "alice")
            gateway.open_door(BOB, alice)
            deliver(gateway.mx, sign(new_mail("An offer", sender=BOB)), client=STRANGER, sender=BOB)
            item = alice.receive_mail("An offer")
            alice.post([BOB], "Thank you", thread=item["threadid"])
            wait_until("the answer leaves", lambda: read_maildir(gateway.maildir))
            gateway.ctl("reload")
        finally:
            gateway.stop()
