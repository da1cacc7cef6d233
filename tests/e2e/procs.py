"""Processes, ports and patience: what every end-to-end test stands on."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# The programs: with ASan and UBSan, and for what is measured without. The environment may name other builds.
DEV = os.path.join(os.environ.get("POSTERN_DEV", os.path.join(ROOT, "build", "dev")), "bin")
RELEASE = os.path.join(os.environ.get("POSTERN_RELEASE", os.path.join(ROOT, "build", "release")), "bin")
LONG = os.environ.get("POSTERN_LONG") == "1"
PATIENCE = float(os.environ.get("POSTERN_PATIENCE", "60"))   # seconds until something that must happen counts as not happening
# A command that the daemon is run by, valgrind for one; {folder} in it is the test's folder, where files named sanitizer.* are reports.
WRAPPER = os.environ.get("POSTERN_WRAPPER", "").split()


def wait_until(what, probe, patience=PATIENCE):
    """Calls probe() until it returns something true, which is the result; fails the test after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        result = probe()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what}: not within {patience} s"
        time.sleep(0.02)


def long_only(test):
    """For what takes minutes: of no run but the long one."""
    return test if LONG else None


_given_ports = set()


def _port_range():
    """Below those that the kernel gives to outgoing connections; each worker of a parallel run has a part of its own."""
    low, high = 10000, 32000
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = (high - low) // workers
    return low + worker * share, low + (worker + 1) * share


def free_port():
    """A TCP port of the loopback interface that nobody listens on, and that was not given before."""
    while True:
        port = random.SystemRandom().randrange(*_port_range())
        with contextlib.closing(socket.socket()) as probe:
            if port in _given_ports or not _can_bind(probe, port):
                continue
        _given_ports.add(port)
        return port


def _can_bind(probe, port):
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def accepts_connections(port):
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def sanitizer_environment(folder):
    """Reports of the sanitizers go to files in the folder; see sanitizer_reports(). POSTERN_ASAN: what else ASan is to look for."""
    return {**os.environ,
            "ASAN_OPTIONS": f"log_path={folder}/sanitizer:detect_leaks=1:abort_on_error=0:{os.environ.get('POSTERN_ASAN', '')}",
            "UBSAN_OPTIONS": f"log_path={folder}/sanitizer:print_stacktrace=1:halt_on_error=1",
            "TSAN_OPTIONS": f"log_path={folder}/sanitizer:second_deadlock_stack=1",
            "LSAN_OPTIONS": "report_objects=1"}


def sanitizer_reports(folder):
    reports = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("sanitizer."):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            if text:   # valgrind makes its files in any case
                reports.append(f"{name}:\n{text}")
    return reports


def descendants(pid):
    """All processes that it has started, and those that these have."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found, more = set(), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more}
        found |= more
    return found


def run(command, folder, patience=PATIENCE, stdin=""):
    """Runs one of our programs to its end. Returns the CompletedProcess, with text."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=patience, check=False, cwd=folder,
                          env=sanitizer_environment(folder))


class Server:
    """A server process of ours: its log, its end."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.log = os.path.join(folder, name + ".log")
        self.process = None

    def launch(self, command):
        assert self.process is None, f"{self.name} is running already"
        if self.name == "posternd":
            command = [word.replace("{folder}", self.folder) for word in WRAPPER] + command
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            env=self.launch_environment(), start_new_session=True)

    def launch_environment(self):
        return sanitizer_environment(self.folder)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """kill -9; whatever it had not written is gone."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, patience=30):
        """Asks it to end, and expects it to do so well."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {patience} s of SIGTERM") from None
        self.process = None
        assert code == 0, f"{self.name} exited {code}"
