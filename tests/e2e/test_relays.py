"""Several relays in order, one that goes down and comes back, and what an administrator sees of them."""
import os

from mail import BOB, make_mail, plain_text, send
from postfix import read_maildir
from procs import free_port, wait_until
from sink import Sink


def relays_of(gateway):
    return {row["relay"]: row["state"] for row in gateway.ctl_json("status")["relays"]}


def bodies_of(sink):
    return sorted(plain_text(dump.mail()).strip() for dump in sink.dumps())


def begin(gateway, member, *ports):
    """A thread with Bob, whose mail goes to the relays at these ports in order."""
    first, *others = [f"smtp://127.0.0.1:{port}" for port in ports]
    gateway.relay = first
    gateway.relay_extra += "".join(f'}}\nrelay {{\n  url = "{url}"\n' for url in others)
    gateway.start()
    gateway.introduce(member, "alice")
    gateway.open_door(BOB, member)
    send(gateway.smtp_port, make_mail("Answer me"))
    return member.receive_mail("Answer me")["threadid"]


def test_next_relay_while_the_first_is_away(stopped_gateway, alice):
    """The same attempt goes on with the next relay; when the first is back it is preferred again."""
    gateway, ports = stopped_gateway, [free_port(), free_port()]
    urls = [f"smtp://127.0.0.1:{port}" for port in ports]
    thread = begin(gateway, alice, *ports)
    with Sink(gateway.folder, ports[1]) as second:
        alice.post(BOB, "by the second", thread=thread)
        wait_until("the second has it", lambda: bodies_of(second) == ["by the second"])
        gateway.wait_settled()
        assert relays_of(gateway) == {urls[0]: "down", urls[1]: "up"}
        with Sink(gateway.folder, ports[0]) as first:
            gateway.ctl("queue", "retry", "all")  # it need not wait for its probe
            alice.post(BOB, "by the first", thread=thread)
            wait_until("the first has it", lambda: bodies_of(first) == ["by the first"])
            gateway.wait_settled()
            assert relays_of(gateway) == {urls[0]: "up", urls[1]: "up"}
    assert len(alice.mails()) == 1, "nobody is told of this"


def test_mail_flows_at_once_when_the_only_relay_is_back(stopped_gateway, alice):
    """However late the next attempt of each message would be, and after a restart in between."""
    gateway, port = stopped_gateway, free_port()
    gateway.retry_first, gateway.retry_longest = "1h", "4h"
    gateway.give_up, gateway.warn_after = "5d", "1d"
    thread = begin(gateway, alice, port)
    for number in range(20):
        alice.post(BOB, f"answer {number:02}", thread=thread)
    wait_until("all wait", lambda: len([row for row in gateway.queue("out") if row["attempts"] > 0]) == 20)
    assert list(relays_of(gateway).values()) == ["down"]
    gateway.kill()
    gateway.start()
    wait_until("the first look shows that it is still away", lambda: list(relays_of(gateway).values()) == ["down"])
    with Sink(gateway.folder, port) as sink:
        wait_until("all have arrived", lambda: len(sink.dumps()) >= 20)
        gateway.wait_settled()
        assert bodies_of(sink) == [f"answer {number:02}" for number in range(20)]


def test_maildir_that_cannot_be_written_to(stopped_gateway, alice):
    """It counts as a relay that is down: the next one gets the mail, and it gets the next when it can be written to."""
    gateway, port = stopped_gateway, free_port()
    parent = os.path.join(gateway.folder, "later")
    gateway.relay_extra = f'}}\nrelay {{\n  url = "maildir:{parent}/mail"\n'
    thread = begin(gateway, alice, port)
    alice.post(BOB, "answer", thread=thread)
    wait_until("both are found to be down", lambda: list(relays_of(gateway).values()) == ["down", "down"])
    os.mkdir(parent)
    wait_until("it has it", lambda: read_maildir(parent + "/mail"))
    gateway.wait_settled()
    assert list(relays_of(gateway).values()) == ["down", "up"]
