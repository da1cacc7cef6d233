"""Who refuses what is not proven, as docs/postfix.md shows: the gateway, or, at the price of most reports, Postfix."""
import re
import smtplib

import pytest

from conftest import needs_root, run_instance
from documents import postfix_block
from mail import ALICE, BOB, make_mail, send
from milter import Milter
from postern import AUTHSERV_ID
from postfix import Front, read_maildir
from procs import free_port, wait_until
from test_postfix_transport import LMTP_TCP
from test_returns import bring, make_report, receive_part

REFUSING = "# main.cf: what is not proven is refused at the end of the data"


@pytest.fixture(params=[False, True], ids=["gateway-refuses", "postfix-refuses"])
def front(request, stopped_gateway):
    needs_root()
    policy_port = free_port()
    policy = postfix_block("# postern.conf: questions about pairs", _2528=policy_port)
    stopped_gateway.extra = policy
    stopped_gateway.start()
    with Milter(AUTHSERV_ID) as milter:
        front = Front(postfix_block(LMTP_TCP, _2424=stopped_gateway.lmtp_port))
        front.configure(postfix_block("# main.cf: pairs are judged by Postern", _2528=policy_port))
        front.configure(postfix_block("# main.cf: a milter says what is proven", _8893=milter.port))
        if request.param:
            front.configure(postfix_block(REFUSING))
        front.refuses = request.param
        yield from run_instance(front, request)


@pytest.fixture
def door(front, stopped_gateway, alice):
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    return stopped_gateway


def test_reports_come_in_unless_postfix_refuses_what_is_not_proven(front, door, alice):
    alice.post(BOB, "Are you there?", subject="A question")
    mail = wait_until("the mail leaves", lambda: read_maildir(door.maildir))[0]
    report = make_report(mail).replace(b"MAILER-DAEMON@mx.example.com", b"MAILER-DAEMON@norecord.example")
    if front.refuses:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            bring(door, mail, report, port=front.port)
        assert refusal.value.smtp_code == 550 and b"5.7.26" in refusal.value.smtp_error
    else:
        bring(door, mail, report, port=front.port)
        receive_part(alice, "could not be delivered by email:")
    bring(door, mail, make_report(mail, number=2), port=front.port)   # of a server that is proven
    door.wait_settled()
    alice.receive(wait=1)
    assert sum("could not be delivered by email:" in item["body"] for item in alice.mails()) == 1


@pytest.mark.parametrize("author", ["mallory@unproven.example", "mallory@norecord.example"])
def test_what_is_not_proven_is_bounced_to_authorised_addresses_at_most(front, door, alice, author):
    """Its envelope names Bob; with anybody else's it would not have come so far."""
    forged = make_mail("Believe me", sender=author, proven=False)
    if front.refuses:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            send(front.port, forged, BOB)
        assert refusal.value.smtp_code == 550 and b"5.7.26" in refusal.value.smtp_error
        assert front.queue_is_empty()
    else:
        send(front.port, forged, BOB)
        wait_until("the gateway has refused it", lambda: front.statuses().get(ALICE) == ["bounced"])
        assert re.search("said: 550 5[.]7[.]26 the sender is not proven", front.read_log())
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(front.port, make_mail("Believe me", sender=author, proven=False), author)
    alice.receive(wait=1)
    assert not alice.mails()
