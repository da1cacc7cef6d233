"""The way out through a real Postfix: what it takes, refuses, defers and cannot do, and when it is away.

Each test looks at what the member is told, and at what has arrived behind Postfix: everything once.
"""
import os

import pytest

from conftest import needs_root, run_instance
from postfix import Smarthost
from procs import wait_until
from scene import BOB, Scene, clean_up_after, run_scene

CAROL, NOBODY, GREY, UTF8 = "carol@example.com", "nobody@example.com", "grey@example.com", "jürgen@example.com"
GREYLISTED = f"{GREY} DEFER_IF_PERMIT 4.2.0 Greylisted, come back in a minute\n"
SOON = 20   # seconds: the first probe of a relay that was down, and the machine's share

SETTINGS = f"""
virtual_mailbox_domains = example.com
virtual_mailbox_maps = inline:{{ {{ {BOB} = all/ }}, {{ {CAROL} = all/ }}, {{ {GREY} = all/ }}, {{ {UTF8} = all/ }} }}
smtpd_recipient_restrictions = check_recipient_access texthash:$config_directory/access
header_checks = regexp:$config_directory/header_checks
message_size_limit = 102400
"""


class Relay(Smarthost):
    """Knows the people of example.com, has a greylist, and does not like everything."""

    def __init__(self):
        super().__init__()
        self.configure(SETTINGS)
        self.write("access", GREYLISTED)
        self.write("header_checks", "/^Subject:.*forbidden/ REJECT 5.7.1 We do not want that\n")

    def change(self, settings="", access=GREYLISTED):
        """With other settings from here on, also in sessions that are open: they end."""
        self.stop()
        self.configure(settings)
        self.write("access", access)
        self.start()

    def received(self):
        """(recipient, Message-ID) of all that has arrived, in no order."""
        return sorted((mail["X-Original-To"], mail["Message-ID"]) for mail in self.mails())


class PostfixScene(Scene):
    addresses = (BOB, CAROL, NOBODY, GREY, UTF8)

    def trace(self, name, event):
        return [line["detail"] for line in self.gateway.ctl_json("why", name)["trace"] if line["event"] == event]


@pytest.fixture(scope="module", name="relay")
def relay_instance():
    needs_root()
    yield from run_instance(Relay())


@pytest.fixture(scope="module", name="scene")
def scene_with_relay(relay):
    scene = PostfixScene()
    scene.gateway.relay = f"smtp://127.0.0.1:{relay.port}"
    yield from run_scene(scene)


@pytest.fixture(autouse=True)
def clean_up(scene, relay, request):
    relay.purge()
    yield
    clean_up_after(scene, request)
    if getattr(request.node, "failed_in_call", True):
        print(relay.read_log()[-4000:])


def arrived(relay, count):
    wait_until(f"{count} have arrived", lambda: len(relay.mails()) >= count and relay.queue_is_empty())
    return relay.received()


def test_accepted(scene, relay):
    name = scene.post(BOB, CAROL)
    scene.wait_for(name, "delivered", times=2)
    received = arrived(relay, 2)
    assert [address for address, _ in received] == [BOB, CAROL] and len({mid for _, mid in received}) == 1
    assert all("queued as" in detail for detail in scene.trace(name, "delivered"))
    scene.expect_nobody_told()


def test_nobody_of_that_name(scene, relay):
    name = scene.post(NOBODY)
    told = scene.notice()
    assert NOBODY in told and "5.1.1" in told and "User unknown in virtual mailbox table" in told
    assert "mailbox" in told, "nobody has said it in plain words"
    assert len(scene.trace(name, "failed")) == 1
    assert not relay.mails()


def test_refused_after_the_content(scene, relay):
    name = scene.post(BOB, CAROL, subject="Something forbidden")
    told = scene.notice()
    assert BOB in told and CAROL in told and "We do not want that" in told
    assert len(scene.trace(name, "failed")) == 2
    assert not relay.mails()


def test_too_large_for_the_relay(scene, relay):
    """Its SIZE says so: the content is not sent at all."""
    scene.post(BOB, body="All work and no play makes Alice a dull girl.\n" * 4000)
    told = scene.notice()
    assert BOB in told and "5.3.4" in told
    assert not relay.mails() and "message size" not in relay.read_log()


def test_each_recipient_has_an_outcome_of_its_own(scene, relay):
    name = scene.post(BOB, NOBODY, GREY)
    told = scene.notice()
    assert NOBODY in told and BOB not in told and GREY not in told
    assert arrived(relay, 1)[0][0] == BOB
    scene.wait_for(name, "deferred", times=2)
    relay.change(access="")
    try:
        scene.wait_for(name, "delivered", times=2)
        received = arrived(relay, 2)
    finally:
        relay.change()
    assert [address for address, _ in received] == [BOB, GREY] and len({mid for _, mid in received}) == 1
    assert scene.gateway.queue("out") == []


def test_what_is_refused_softly_is_refused_for_good_later(scene, relay):
    relay.change("soft_bounce = yes")
    try:
        name = scene.post(NOBODY)
        scene.wait_for(name, "deferred", times=2)
        scene.expect_nobody_told()
    finally:
        relay.change("soft_bounce = no")
    assert NOBODY in scene.notice()
    assert "User unknown" in scene.trace(name, "deferred")[0]


def test_a_relay_that_is_away_and_comes_back(scene, relay):
    relay.stop()
    try:
        names = [scene.post(BOB, subject=f"Number {number}") for number in range(10)]
        for name in names:
            scene.wait_for(name, "deferred")
        scene.expect_nobody_told()
    finally:
        relay.start()
    wait_until("all have left", lambda: scene.gateway.queue("out") == [], SOON)
    assert len({mid for _, mid in arrived(relay, 10)}) == 10 and len(relay.mails()) == 10


def test_a_relay_without_smtputf8_is_told_to_the_member(scene, relay):
    relay.change("smtputf8_enable = no")
    try:
        scene.post(UTF8)
        told = scene.notice()
    finally:
        relay.change("smtputf8_enable = yes")
    assert UTF8 in told and "5.6.7" in told and "letters" in told   # in plain words: it cannot handle addresses with such
    name = scene.post(UTF8)
    scene.wait_for(name, "delivered")
    assert len(arrived(relay, 1)) == 1


def test_the_next_relay_takes_over(folder, relay, scene):
    """Two relays, the first of which is away for a while: nobody is told, nothing waits, nothing comes twice."""
    second = PostfixScene()
    second.gateway.relay = f"smtp://127.0.0.1:{second.port}"
    second.gateway.extra = f'relay {{\n  url = "smtp://127.0.0.1:{relay.port}"\n}}\n'
    second.start()
    try:
        name = second.post(BOB)
        second.wait_for(name, "delivered")
        assert len(arrived(relay, 1)) == 1
        assert str(relay.port) in str(second.gateway.ctl_json("why", name))
        with second.sink() as sink:
            names = []

            def first_is_used():
                names.append(second.post(BOB))
                second.wait_for(names[-1], "delivered")
                return sink.dumps()

            wait_until("the first is used again", first_is_used)
            taken = [dump.message_id for dump in sink.dumps()]
        wait_until("the rest has arrived", lambda: len(relay.mails()) + len(taken) == len(names) + 1)
        everything = taken + [mid for _, mid in relay.received()]
        assert len(set(everything)) == len(everything) == len(names) + 1
        second.expect_nobody_told()
        assert os.listdir(os.path.join(second.gateway.state, "content")) == []
    finally:
        second.stop()
