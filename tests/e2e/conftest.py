"""Fixtures: a silo, a gateway, members, and the Postfix instances around them.

Every test has a folder of its own for all of it. When a test fails, the end of every log in there is shown; a report of a
sanitizer fails the test that it came in.
"""
import contextlib
import os
import shutil
import signal
import socket
import tempfile

import pytest

from postern import Gateway, Member, Silo, close_quietly
from postfix import Mx, Smarthost
from procs import DEV, free_port, sanitizer_reports

SHOWN_BYTES = 6000   # of each log, when a test fails


def pytest_configure():
    """Ctrl-C or being terminated: fixtures stop their servers first, and a second signal does not keep them from it.

    smtplib asks who we are, for its EHLO: where DNS is slow that takes seconds, which are not the gateway's.
    """
    socket.getfqdn = lambda name="": "client.test"

    def interrupt(*_):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def pytest_collection_modifyitems(items):
    """What is marked one_worker comes first: a parallel run gives each worker a good part of the list to begin with, so that they
    stay together, and what they share (a browser) is started once."""
    items.sort(key=lambda item: item.get_closest_marker("one_worker") is None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, PermissionError) and os.geteuid() != 0 and str(error.filename).startswith("/proc/"):
        outcome.get_result().outcome = "skipped"
        outcome.get_result().longrepr = (str(item.path), 0, "Skipped: the daemon lets nobody but root look into its memory and descriptors")
    if call.when == "call":
        item.failed_in_call = outcome.get_result().failed


def show_logs(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".log"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                print(f"---- the end of {name}:\n{file.read()[-SHOWN_BYTES:]}")


@pytest.fixture
def folder(request):
    """A temporary folder with a short path (sockets live in it)."""
    path = tempfile.mkdtemp(prefix="postern-e2e-")
    yield path
    reports = sanitizer_reports(path)
    if reports or getattr(request.node, "failed_in_call", True):
        show_logs(path)
    shutil.rmtree(path, ignore_errors=True)
    assert not reports, "a sanitizer found something:\n" + "\n".join(reports)


@pytest.fixture
def show(capsys):
    """Prints a line at once, whatever becomes of the test's other output: how far something is that takes long."""
    def show_now(line):
        with capsys.disabled():
            print(line, flush=True)

    return show_now


@pytest.fixture
def silo(folder):
    server = Silo(folder)
    try:
        server.start()
        yield server
    finally:
        close_quietly(server)


@pytest.fixture
def stopped_gateway(folder, silo, request):
    """A gateway that the test configures and starts itself; of the build that it is parametrised with, else DEV."""
    server = Gateway(folder, silo.port, getattr(request, "param", DEV))
    yield server
    if server.process is not None:
        server.stop()


@pytest.fixture
def gateway(stopped_gateway):
    stopped_gateway.start()
    return stopped_gateway


@pytest.fixture
def alice(folder, silo):
    return Member(folder, silo, "Alice Member")


@pytest.fixture
def bob_to_alice(gateway, alice):
    """bob@example.com may write to alice@silo.example.org, and she knows."""
    gateway.introduce(alice, "alice")
    gateway.open_door("bob@example.com", alice)
    return alice


def needs_root():
    if os.geteuid() != 0:
        pytest.skip("Postfix can only be started by root")


def run_instance(instance, request=None):
    """request: of the test that the instance is for, which is shown the end of its log when it fails."""
    try:
        instance.start()
        yield instance
    finally:
        if request and getattr(request.node, "failed_in_call", True):
            print(f"---- the end of Postfix's log:\n{instance.read_log()[-SHOWN_BYTES:]}")
        with contextlib.suppress(AssertionError):   # it may not have got as far as running
            instance.stop()
        instance.remove()


@pytest.fixture(scope="session")
def mx_instance():
    """One Postfix in front for the whole run; its LMTP destination is a port that each test's gateway takes over."""
    needs_root()
    lmtp_port = free_port()
    instance = Mx(lmtp_port)
    instance.lmtp_port = lmtp_port
    yield from run_instance(instance)


@pytest.fixture(scope="session")
def smarthost_instance():
    needs_root()
    yield from run_instance(Smarthost())


@pytest.fixture
def mx(mx_instance, stopped_gateway, request):
    """The MX in front of this test's gateway. Ask for it before `gateway`, which then listens where the MX delivers."""
    mx_instance.purge()
    stopped_gateway.lmtp_port = mx_instance.lmtp_port
    yield mx_instance
    if getattr(request.node, "failed_in_call", True):
        print(f"---- the end of the MX's log:\n{mx_instance.read_log()[-SHOWN_BYTES:]}")
    mx_instance.purge()


@pytest.fixture
def smarthost(smarthost_instance, stopped_gateway, request):
    """The relay behind this test's gateway. Ask for it before `gateway`."""
    smarthost_instance.purge()
    stopped_gateway.relay = f"smtp://127.0.0.1:{smarthost_instance.port}"
    yield smarthost_instance
    if getattr(request.node, "failed_in_call", True):
        print(f"---- the end of the smarthost's log:\n{smarthost_instance.read_log()[-SHOWN_BYTES:]}")
