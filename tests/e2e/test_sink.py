"""The way out against smtp-sink with each of its faults: refusals, cuts and stalls at each command, with and without extensions.

Each test posts a message of a member, and looks at what the member is told, what `posternctl why` says, and what the sink has got when it
works again: everything once, and the same octets at each attempt.
"""
import os
import shutil
import tempfile

import pytest

from bare import BareMember
from postern import Gateway, Silo, close_quietly
from procs import free_port, sanitizer_reports, wait_until
from sink import Sink

BOB, CAROL = "bob@example.com", "carol@example.net"
BODY = "Grüße aus Köln: 1 € = 100 ¢\n"
LARGE = "All work and no play makes Alice a dull girl.\n" * 8000


class Scene:
    """One silo, gateway and member for many tests. The relay's port is free until a test starts a sink there."""

    def __init__(self, scheme):
        self.folder = tempfile.mkdtemp(prefix="postern-e2e-")
        self.port = free_port()
        self.silo = Silo(self.folder)
        self.gateway = Gateway(self.folder, self.silo.port)
        self.gateway.relay = f"{scheme}://127.0.0.1:{self.port}"
        self.member = None
        self.entries = 0
        self.notices = 0   # that were expected so far

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.member = BareMember(self.silo.port, "Alice Member")
        self.gateway.introduce(self.member, "alice")
        for address in (BOB, CAROL):
            self.gateway.ctl("mapping", "add", address, "Alice Member")
        wait_until("the member knows both", lambda: {BOB, CAROL} <= set(self.member.uids))

    def stop(self):
        """What has gone wrong since is found here: a sanitizer's report, or somebody who was told twice."""
        try:
            self.member.stop()
            self.gateway.stop()
            told = [second["Subject"] for _, second, _ in self.member.deliveries]
            assert len(told) == self.notices, f"{self.notices} notices were expected: {told}"
            reports = sanitizer_reports(self.folder)
            assert not reports, "a sanitizer found something:\n" + "\n".join(reports)
        finally:
            close_quietly(self.gateway, self.silo)
            shutil.rmtree(self.folder, ignore_errors=True)

    def sink(self, *options):
        return Sink(self.folder, self.port, *options)

    def post(self, *recipients, body=BODY):
        """The queue's name of the message, once it is there."""
        self.member.post(list(recipients or [BOB]), "Hello Köln", body)
        self.entries += 1
        name = f"out{self.entries}"
        wait_until("the gateway has taken it", lambda: self.exists(name))
        return name

    def exists(self, name):
        return f"id={name} " in self.gateway.read_log()

    def is_relaying(self, name):
        return any("event=relay.state" in line and f"id={name} " in line and "is=relaying" in line for line in self.gateway.read_log().splitlines())

    def results(self, name):
        """What the log says of each attempt, in order."""
        return [line for line in self.gateway.read_log().splitlines() if "event=relay.result" in line and f"id={name} " in line]

    def wait_for(self, name, outcome, times=1):
        wait_until(f"{name} is {outcome}", lambda: sum(f"outcome={outcome} " in line for line in self.results(name)) >= times)

    def notice(self):
        self.notices += 1
        wait_until("the member is told", lambda: len(self.member.deliveries) >= self.notices)
        return self.member.deliveries[self.notices - 1][2].decode()

    def expect_nobody_told(self):
        assert len(self.member.deliveries) == self.notices

    def deliver(self, name, before=()):
        """The relay works again. Once more it is sent, with the octets of the attempts before."""
        with self.sink(*self.healthy) as sink:
            self.gateway.ctl("queue", "retry", name)
            self.wait_for(name, "delivered")
            self.expect_one(sink, before)

    def expect_one(self, sink, before=()):
        dumps = sink.dumps()
        assert len(dumps) == 1, f"it was delivered {len(dumps)} times"
        for dump in before:
            assert dump.content == dumps[0].content, "an attempt had other octets"
        assert self.gateway.queue("out") == []
        return dumps[0]

    healthy = ()


class LmtpScene(Scene):
    healthy = ("-L",)


@pytest.fixture(scope="module", name="scene")
def smtp_scene():
    yield from run_scene(Scene("smtp"))


@pytest.fixture(scope="module", name="lmtp")
def lmtp_scene():
    yield from run_scene(LmtpScene("lmtp"))


def run_scene(scene):
    try:
        scene.start()
        yield scene
    finally:
        scene.stop()


@pytest.fixture(autouse=True)
def log_of_failures(request):
    """Shows the end of the gateway's log when a test fails, and takes what it has left in the queue."""
    yield
    scene = request.node.funcargs.get("scene") or request.node.funcargs.get("lmtp")
    if getattr(request.node, "failed_in_call", True):
        print(scene.gateway.read_log()[-6000:])
        scene.notices = len(scene.member.deliveries)
        for entry in scene.gateway.queue("out"):
            scene.gateway.ctl("queue", "drop", entry["id"], "--reason", "the test failed")


def names(cases):
    return [" ".join(case[0] if isinstance(case, tuple) else case).replace(",", "+") for case in cases]


REFUSED = [
    (("-f", "MAIL"), "500 5.3.0 Error: command failed"),
    (("-f", "RCPT"), "500 5.3.0 Error: command failed"),
    (("-f", "DATA"), "500 5.3.0 Error: command failed"),
    (("-f", "."), "500 5.3.0 Error: command failed"),
    (("-f", "RCPT", "-E", "-B", "550 There is no such user here"), "550 There is no such user here"),
    (("-f", "RCPT", "-e"), "500 5.3.0 Error: command failed"),
    (("-A", "0"), "550 This violates SMTP"),
]


@pytest.mark.parametrize("options, words", REFUSED, ids=names(REFUSED))
def test_what_is_refused_is_told_once_and_not_tried_again(scene, options, words):
    with scene.sink(*options):
        name = scene.post(BOB, CAROL)
        told = scene.notice()
    for address in (BOB, CAROL):
        assert address in told
    assert words in told
    failed = [line["detail"] for line in scene.gateway.ctl_json("why", name)["trace"] if line["event"] == "failed"]
    assert len(failed) == 2 and all(words in detail for detail in failed)
    assert scene.gateway.queue("out") == []


DEFERRED = [
    *((("-r", command), "450 4.3.0 Error: command failed") for command in ("CONNECT", "EHLO,HELO", "MAIL", "RCPT", "DATA", ".")),
    *((("-q", command), "4.4.2") for command in ("CONNECT", "EHLO,HELO", "MAIL", "RCPT", "DATA", ".")),
    *((("-Q", command), "421 4.0.0 Server closing connection") for command in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")),
    # Nothing was said about the message: the relay does not want us, which an administrator can mend.
    *((("-f", command), "5.3.0 Error: command failed") for command in ("CONNECT", "EHLO,HELO")),
    (("-r", "RCPT", "-E", "-b", "451 Greylisted, come back in a minute"), "451 Greylisted, come back in a minute"),
    (("-r", "MAIL", "-e"), "450 4.3.0 Error: command failed"),
]


@pytest.mark.parametrize("options, words", DEFERRED, ids=names(DEFERRED))
def test_what_fails_for_the_moment_arrives_once_later(scene, options, words):
    with scene.sink(*options) as sink:
        name = scene.post()
        scene.wait_for(name, "deferred")
        before = sink.dumps()
    why = scene.gateway.ctl("why", name)
    assert "deferred" in why and words in why
    scene.deliver(name, before)
    scene.expect_nobody_told()


@pytest.mark.parametrize("option", ["-r", "-q", "-Q"])
def test_each_attempt_has_the_same_octets(scene, option):
    """Nobody asks for it: the gateway tries by itself."""
    with scene.sink(option, ".") as sink:
        name = scene.post()
        scene.wait_for(name, "deferred", times=3)
        before = sink.dumps()
    assert len(before) >= 3 and len({dump.message_id for dump in before}) == 1
    scene.deliver(name, before)
    scene.expect_nobody_told()


STALLS = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."]


@pytest.mark.parametrize("command", STALLS)
def test_a_relay_that_dies_in_the_middle(scene, command):
    # Without pipelining, or smtp-sink answers RCPT before the MAIL that it delays.
    with scene.sink("-p", "-W", f"{command}:60") as sink:
        name = scene.post()
        wait_until("it is being relayed", lambda: scene.is_relaying(name))
        before = wait_until("it has got all", sink.dumps) if command == "." else []
    scene.wait_for(name, "deferred")
    scene.deliver(name, before)
    scene.expect_nobody_told()


WORKING = [
    (), ("-e",), ("-p",), ("-8",), ("-N",), ("-E",), ("-P",), ("-a",), ("-e", "-E"), ("-p", "-8", "-N"), ("-f", "EHLO"), ("-f", "RSET"),
    ("-f", "QUIT"), ("-q", "QUIT"), ("-Q", "QUIT"), ("-w", "1"), ("-W", "CONNECT:1"), ("-W", "EHLO:1"), ("-p", "-W", "RCPT:1"), ("-W", ".:1"),
]


@pytest.mark.parametrize("options", WORKING, ids=[" ".join(options) or "plain" for options in WORKING])
def test_whatever_a_relay_can_and_however_slow_it_is(scene, options):
    with scene.sink(*options) as sink:
        name = scene.post(BOB, CAROL)
        scene.wait_for(name, "delivered", times=2)
        dump = scene.expect_one(sink)
    assert len(dump.rcpt_to()) == 2
    assert "-8" not in options or max(dump.content) < 128
    assert "delivered" in scene.gateway.ctl("why", name)
    scene.expect_nobody_told()


@pytest.mark.parametrize("options", [("-T", "2000", "-H", "1"), ("-T", "2000", "-H", "1", "-p")], ids=["pipelining", "plain"])
def test_a_relay_that_reads_slowly_gets_all_of_it(scene, options):
    with scene.sink(*options) as sink:
        name = scene.post(body=LARGE)
        scene.wait_for(name, "delivered")
        assert scene.expect_one(sink).content.count(b"dull girl") >= 8000


def test_a_relay_that_ends_after_each_message(scene):
    """Both go over one connection, which is gone for the second one; each arrives once."""
    taken = []
    with scene.sink("-M", "1") as sink:
        names_ = [scene.post(), scene.post()]
        sink.process.wait(30)
        taken += sink.dumps()
    with scene.sink() as sink:
        scene.gateway.ctl("queue", "retry", "all")
        for name in names_:
            scene.wait_for(name, "delivered")
        taken += sink.dumps()
    assert len({dump.message_id for dump in taken}) == 2
    scene.expect_nobody_told()


LMTP_FAULTS = [
    (("-r", "."), "deferred"), (("-q", "."), "deferred"), (("-Q", "."), "deferred"), (("-r", "RCPT"), "deferred"), (("-q", "DATA"), "deferred"),
    (("-f", "LHLO"), "deferred"), (("-f", "."), "failed"), (("-f", "RCPT"), "failed"), (("-f", "MAIL"), "failed"),
]


@pytest.mark.parametrize("options, outcome", LMTP_FAULTS, ids=names(LMTP_FAULTS))
def test_lmtp_has_an_answer_for_each_recipient(lmtp, options, outcome):
    with lmtp.sink("-L", *options) as sink:
        name = lmtp.post(BOB, CAROL)
        lmtp.wait_for(name, outcome, times=2)
        before = sink.dumps()
    if outcome == "failed":
        told = lmtp.notice()
        assert BOB in told and CAROL in told
    else:
        lmtp.deliver(name, before)
        lmtp.expect_nobody_told()


def test_nothing_of_it_stays(scene):
    """What was delivered, and what was refused, is in no queue and in no file."""
    with scene.sink() as sink:
        name = scene.post(body=LARGE)
        scene.wait_for(name, "delivered")
        scene.expect_one(sink)
    wait_until("no content is left", lambda: not os.listdir(os.path.join(scene.gateway.state, "content")))
