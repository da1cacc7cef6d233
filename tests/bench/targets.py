"""What the benchmarks of the door measure: posternd, Postfix, and smtp-sink, which only answers; and how.

Processor time and memory are those of all processes of a target. Both mail systems keep what they accept on the same filesystem,
durably, and deliver nothing meanwhile: posternd's silo is away, Postfix holds its mail.
"""
import contextlib
import json
import os
import subprocess
import tempfile

from postern import DOMAIN, Gateway, Member, Silo, close_quietly
from postfix import MASTER, Postfix
from procs import RELEASE, accepts_connections, free_port, wait_until

BOB = "bob@example.com"
ALICE = f"alice@{DOMAIN}"
TICKS = os.sysconf("SC_CLK_TCK")
SESSIONS_MAX = 12000

# Of everything more than comes, but counted: it costs what it costs.
WIDE_LIMITS = 'limits {' + "".join(f' {key} = "1000000/h"' for key in (
    "in_correspondent", "in_domain", "in_member", "in_overall", "out_member", "out_correspondent", "out_domain", "out_overall"
)) + ' in_correspondent_size = "64G/d" in_domain_size = "64G/d" out_member_size = "64G/d" }\n'

# What a mail system sets that only keeps mail; the rest is Debian's default.
POSTFIX_SETTINGS = f"""
myhostname = bench.test
mynetworks = 127.0.0.0/8
relay_domains = {DOMAIN}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_client_connection_count_limit = 0
smtpd_timeout = 300s
default_process_limit = 400
smtpd_tls_security_level = may
"""
POSTFIX_PROCESSES = 400   # smtpd: one for each connection


def read_stat(pid):
    """Parent and CPU seconds (its own, and of the children it has waited for) of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / TICKS


def family_of(root_pid):
    """A process and everything below it that lives: pid -> CPU seconds."""
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stats[int(name)] = read_stat(name)
    family = {root_pid}
    while True:
        more = {pid for pid, (parent, _) in stats.items() if parent in family} - family
        if not more:
            return {pid: stats[pid][1] for pid in family if pid in stats}
        family |= more


class CpuMeter:
    """CPU seconds of what is started inside `with meter:`, and of its children. From a control group where there may be one, which
    is exact; else from /proc, to a hundredth of a second for each process."""
    ROOT = "/sys/fs/cgroup/cpuacct"

    def __init__(self):
        self.group = None
        with contextlib.suppress(OSError):
            self.group = tempfile.mkdtemp(prefix="postern-bench-", dir=self.ROOT)

    @staticmethod
    def enter(group):
        with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))

    def __enter__(self):
        if self.group:
            self.enter(self.group)

    def __exit__(self, *_):
        if self.group:
            self.enter(self.ROOT)

    def seconds(self, root_pid):
        if not self.group:
            return sum(family_of(root_pid).values())
        with open(os.path.join(self.group, "cpuacct.usage"), encoding="ascii") as file:
            return int(file.read()) / 1e9

    def remove(self):
        with contextlib.suppress(OSError):
            if self.group:
                os.rmdir(self.group)


def pss_bytes(root_pid):
    """What the processes pay for together: shared pages count by their share."""
    total = 0
    for pid in family_of(root_pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    return total


class Steal:
    """How much of the machine's time the hypervisor has kept, in percent, since this was made."""

    def __init__(self):
        self.before = self.read()

    @staticmethod
    def read():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:]]
        return fields[7], sum(fields)

    def percent(self):
        stolen, total = (after - before for after, before in zip(self.read(), self.before))
        return 100 * stolen / max(total, 1)


def count_syncs(root_pid, work):
    """Runs work() while strace watches; returns how often the processes have made the system sync."""
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as output:
        pids = [argument for pid in family_of(root_pid) for argument in ("-p", str(pid))]
        with subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", output.name, *pids],
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as strace:
            wait_until("strace watches", lambda: all(is_traced(pid) for pid in family_of(root_pid)))
            work()
            strace.terminate()
        return sum("sync(" in line for line in output)


def is_traced(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in file)
    except (FileNotFoundError, ProcessLookupError):
        return True


def make_certificate(folder):
    """For both: certificate and key, P-256."""
    certificate, key = os.path.join(folder, "bench-cert.pem"), os.path.join(folder, "bench-key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=bench.test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class BenchGateway(Gateway):
    """Its open listener offers STARTTLS, and has room for everybody; the others leave it to that one."""
    certificate = key = None

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.extra = WIDE_LIMITS + 'session_memory = "1G"\n'   # 10,000 sessions with TLS are more than the default has room for

    def listener(self, name, port, protocol, lines):
        if name != "open":
            lines += "\n  max_sessions = 10"
        else:
            lines = (f'assume_authenticated = yes\n  clients = {{ "127.0.0.1" }}\n  tls = may\n  certificate = "{self.certificate}"\n  key = "{self.key}"\n'
                     f"  max_sessions = {SESSIONS_MAX}\n  max_sessions_per_client = {SESSIONS_MAX}")
        return super().listener(name, port, protocol, lines)


class PosternTarget:
    """posternd of the release build, with a listener that believes everybody, and no silo to deliver to."""
    name = "posternd"

    def __init__(self, folder, certificate, key, make_gateway=BenchGateway):
        self.folder = folder
        self.meter = CpuMeter()
        self.silo = Silo(folder, RELEASE)
        self.silo.start()
        self.gateway = make_gateway(folder, self.silo.port, RELEASE)
        self.gateway.certificate, self.gateway.key = certificate, key
        self.gateway.log_level = "info"
        self.port = self.gateway.open_port = free_port()
        with self.meter:
            self.gateway.start()
        member = Member(folder, self.silo, "Alice Member", RELEASE)
        self.gateway.introduce(member, "alice")
        self.gateway.open_door(BOB, member)
        self.silo.stop()

    def pid(self):
        return self.gateway.process.pid

    def restart(self):
        self.gateway.stop()
        with self.meter:
            self.gateway.start()

    def stored(self):
        queue = next(row for row in self.gateway.ctl_json("status")["queues"] if row["queue"] == "in")
        return queue["waiting"] + queue["routed"]

    def forget(self):
        """Nothing: a database with mail in it is the normal case."""

    def close(self):
        close_quietly(self.gateway, self.silo)
        self.meter.remove()


class PostfixTarget:
    """Postfix that holds all mail in its queue."""
    name = "Postfix"

    def __init__(self, certificate, key):
        self.meter = CpuMeter()
        self.postfix = Postfix(POSTFIX_SETTINGS + f"smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n")
        self.folder = self.postfix.folder
        master = MASTER.format(port=self.postfix.port).replace("100 smtpd", f"{POSTFIX_PROCESSES} smtpd")
        self.postfix.write("master.cf", master + "tlsmgr unix - - n 1000? 1 tlsmgr\n")
        with self.meter:
            self.postfix.start()
        self.port = self.postfix.port

    def restart(self):
        self.postfix.stop()
        with self.meter:
            self.postfix.start()

    def pid(self):
        with open(os.path.join(self.postfix.folder, "queue", "pid", "master.pid"), encoding="ascii") as file:
            return int(file.read())

    def stored(self):
        hold = os.path.join(self.postfix.folder, "queue", "hold")
        return sum(len(files) for _, _, files in os.walk(hold))

    def forget(self):
        self.postfix.purge()

    def close(self):
        self.postfix.stop()
        self.postfix.remove()
        self.meter.remove()


class SinkTarget:
    """smtp-sink: the most that the generator can do. Stores nothing."""
    name = "sink"

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen(["smtp-sink", "-u", "nobody", f"127.0.0.1:{self.port}", "1024"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("smtp-sink listens", lambda: accepts_connections(self.port))

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def send(target, sessions, messages, size, kept):
    """With smtp-source; returns when the last reply is there."""
    command = ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l", str(size), "-f", BOB, "-t", ALICE]
    subprocess.run([*command, *(["-d"] if kept else []), f"127.0.0.1:{target.port}"], check=True, stdin=subprocess.DEVNULL,
                   timeout=600)


def smtp_bench(target, *arguments):
    """With our own generator, which speaks TLS, keeps a pace and measures. Returns what it says."""
    command = [os.path.join(RELEASE, "smtp_bench"), f"127.0.0.1:{target.port}", BOB, ALICE, *(str(word) for word in arguments)]
    result = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=600)
    return json.loads(result.stdout)
