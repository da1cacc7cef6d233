"""The way out against smtp-sink with each of its faults: refusals, cuts and stalls at each command, with and without extensions.

Each test posts a message of a member, and looks at what the member is told, what `posternctl why` says, and what the sink has got when it
works again: everything once, and the same octets at each attempt.
"""
import os

import pytest

from procs import wait_until
from scene import BOB, CAROL, Scene, clean_up_after, run_scene

LARGE = "All work and no play makes Alice a dull girl.\n" * 8000


class LmtpScene(Scene):
    healthy = ("-L",)


@pytest.fixture(scope="module", name="scene")
def smtp_scene():
    yield from run_scene(Scene("smtp"))


@pytest.fixture(scope="module", name="lmtp")
def lmtp_scene():
    yield from run_scene(LmtpScene("lmtp"))


@pytest.fixture(autouse=True)
def clean_up(request):
    yield
    clean_up_after(request.node.funcargs.get("scene") or request.node.funcargs["lmtp"], request)


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
