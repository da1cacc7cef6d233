"""What happens on both sides of a thread once the mapping behind it is closed, and when it is open again."""
import datetime

import pytest

from mail import ALICE, BOB, make_mail, send
from postfix import read_maildir
from procs import wait_until
from test_returns import count_told, receive_part


def refusal(gateway):
    with pytest.raises(Exception) as refused:
        send(gateway.smtp_port, make_mail("Once more"))
    return str(refused.value)


def post(gateway, alice, thread, body):
    alice.post(gateway.ctl_json("status")["silo_uid"], body, thread=thread)


def test_a_closed_mapping_stops_a_thread_both_ways(gateway, bob_to_alice):
    """The member reads why in the thread, once for each message; nothing leaves, nothing is let in; `why` names the mapping."""
    alice = bob_to_alice
    send(gateway.smtp_port, make_mail("A thread"))
    thread = alice.receive_mail("A thread")["threadid"]
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    mail = 0
    for verbs, told in (
            ((("suspend", "1", "--reason", "holidays"),), f"the mapping is suspended since {today} by an administrator: holidays"),
            ((("resume", "1"),), None),
            ((("revoke", "1", "--reason", "left the company"),), f"the mapping was revoked on {today} by an administrator: left the company"),
            ((("add", BOB, alice.alias, "--direction", "in"),), "the mapping is for incoming mail only"),
            ((("block", BOB, alice.alias),), f"the mapping was revoked on {today} by an administrator)"),
            ((("add", BOB, alice.alias),), None)):
        for verb in verbs:
            gateway.ctl("mapping", *verb)
        post(gateway, alice, thread, f"Are you there {mail}?")
        if told is None:
            mail += 1
            wait_until("it leaves", lambda: len(read_maildir(gateway.maildir)) == mail)
            continue
        notice = receive_part(alice, told)
        assert notice["threadid"] == thread
        if "incoming" not in told:
            assert f"<{BOB}> is not authorised to write to <{ALICE}>" in refusal(gateway)
    gateway.wait_settled()
    assert len(read_maildir(gateway.maildir)) == mail == 2
    assert count_told(alice, "This message was not sent by email") == 4


def test_what_waits_when_a_mapping_is_closed(stopped_gateway, alice, silo):
    """Taken while it was open: suspended it waits, resumed it goes on; revoked it ends on both sides, and both are told."""
    gateway = stopped_gateway
    gateway.relay = "smtp://127.0.0.1:1"   # nobody there
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    send(gateway.smtp_port, make_mail("A thread"))
    thread = alice.receive_mail("A thread")["threadid"]
    post(gateway, alice, thread, "An answer")
    out = wait_until("it waits for the relay", lambda: gateway.queue("out"))[0]["id"]
    silo.stop()
    send(gateway.smtp_port, make_mail("It waits for the silo"))
    gateway.ctl("mapping", "suspend", "1")
    silo.start()
    gateway.connect_silo()
    gateway.wait_online()
    gateway.ctl("queue", "retry", "all")
    wait_until("it says why it waits", lambda: "a mapping is suspended" in gateway.ctl("why", gateway.queue("in")[0]["id"]))
    gateway.ctl("mapping", "resume", "1")
    gateway.ctl("queue", "retry", "all")
    alice.receive_mail("It waits for the silo")
    gateway.ctl("mapping", "revoke", "1", "--reason", "over")
    gateway.ctl("queue", "retry", "all")   # by itself it may have been looked at already
    told = receive_part(alice, "could not be delivered by email")
    assert told["threadid"] == thread and "you are no longer authorised to write to this address" in told["body"]
    assert gateway.queue("out") == []
