"""The whole way of a report: a member's mail fails, is late or arrives behind a real Postfix, whose report comes back through another
one in front of the gateway, as docs/postfix.md has it, into the thread."""

import pytest

from conftest import needs_root, run_instance
from documents import postfix_block
from mail import ALICE, BOB
from postern import DOMAIN, Member
from postfix import ONE_MAILDIR, Front, Postfix, make_maildir_folder
from procs import free_port, wait_until
from test_postfix_recipients import WAYS, rcpt
from test_postfix_transport import LMTP_TCP
from test_returns import receive_part, story

DAVE = "dave@example.net"
EVE = "eve@arrives.example"


class Relay(Postfix):
    """The relay, and a server that it passes mail on to, which knows nobody at example.com, and to which mail for example.net comes at a
    bad time. All else arrives in a maildir; what is for the gateway's domain, such as its reports, goes to the MX."""

    def __init__(self, mx_port):
        far_port = free_port()
        super().__init__(f"""
myhostname = relay.test
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = inline:{{ example.com=smtp:[127.0.0.1]:{far_port}, example.net=smtp:[127.0.0.1]:{far_port},
    {DOMAIN}=smtp:[127.0.0.1]:{mx_port} }}
default_transport = virtual
delay_warning_time = 1s
{ONE_MAILDIR}""", f"""\
127.0.0.1:{far_port} inet n - n - 100 smtpd
    -o myhostname=far.test -o smtpd_relay_restrictions=permit_mynetworks,reject
    -o smtpd_recipient_restrictions=check_recipient_access,texthash:$config_directory/far,permit_mynetworks,reject
""")
        self.write("far", "bob@example.com 550 5.1.1 nobody of that name\ndave@example.net 450 4.2.2 mailbox is full\n")
        make_maildir_folder(self)


@pytest.fixture(params=WAYS)
def front(request, stopped_gateway):
    """The MX, which knows recipients in one of three ways, and the gateway behind it."""
    needs_root()
    way = WAYS[request.param]()
    front = Front(postfix_block(LMTP_TCP, _2424=stopped_gateway.lmtp_port))
    front.configure(way.settings(front))
    way.prepare(stopped_gateway, front)
    front.relay = Relay(front.port)
    stopped_gateway.relay = f"smtp://127.0.0.1:{front.relay.port}"
    stopped_gateway.start()
    wait_until("the gateway has done its part", way.is_ready)
    yield from run_instance(front, request)


@pytest.fixture
def relay(front, request):
    yield from run_instance(front.relay, request)


def test_reports_of_postfix_come_back_into_the_thread(front, relay, stopped_gateway, silo, folder):
    gateway = stopped_gateway
    alice = Member(folder, silo, "Alice Member")
    gateway.introduce(alice, "alice")
    gateway.ctl("member", "reports", "Alice Member", "on")
    for address in (BOB, DAVE, EVE):
        gateway.open_door(address, alice)

    alice.post(BOB, "Are you there?", subject="A failure")
    failed = receive_part(alice, "could not be delivered by email:")
    assert "- ` bob@example.com `: there is no such mailbox (5.1.1). " in failed["body"]
    assert "nobody of that name" in failed["body"]

    alice.post(DAVE, "Are you there?", subject="A delay")
    delayed = receive_part(alice, "could not be delivered by email yet:")
    assert "- ` dave@example.net `: " in delayed["body"] and "mailbox is full" in delayed["body"]
    assert "tries it again until " in delayed["body"]

    alice.post(EVE, "Are you there?", subject="A success")
    delivered = receive_part(alice, "was delivered by email:")
    assert "- ` eve@arrives.example `: delivered" in delivered["body"]

    assert len({item["threadid"] for item in (failed, delayed, delivered)}) == 3
    assert any(line.startswith(f"reported: failed for {BOB} with 5.1.1, says ") and "nobody of that name" in line for line in story(gateway, "out1"))
    assert any(line.startswith(f"reported: delayed for {DAVE} with 4.2.2") for line in story(gateway, "out2"))
    assert any(line.startswith(f"reported: delivered for {EVE} with 2.0.0") for line in story(gateway, "out3"))


def test_without_a_token_the_mx_takes_no_bounce(front, stopped_gateway, silo, folder, request):
    gateway = stopped_gateway
    alice = Member(folder, silo, "Alice Member")
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    wait_until("the MX knows her", lambda: rcpt(front.port, ALICE) == 250)
    forged = f"bounces+{'a' * 48}@{DOMAIN}"
    if "sqlite" in request.node.name:   # the file can't know; the gateway refuses it behind the queue
        assert rcpt(front.port, forged, sender="") == 250
    else:
        assert rcpt(front.port, forged, sender="") == 550
        assert rcpt(front.port, f"bounces@{DOMAIN}", sender="") == 550


@pytest.mark.parametrize("front", ["sqlite"], indirect=True)
def test_beside_the_file_pairs_refuse_a_wrong_token_whoever_sends(front, stopped_gateway):
    """Behind the queue it would be bounced to somebody who has sent nothing."""
    port = free_port()
    stopped_gateway.stop()
    stopped_gateway.extra = stopped_gateway.extra.replace("postfix {", f'postfix {{\n  policy = "127.0.0.1:{port}"', 1)
    stopped_gateway.start()
    front.stop()
    front.configure(postfix_block("# main.cf: pairs are judged by Postern", _2528=port))
    front.start()
    forged = f"bounces+{'a' * 48}@{DOMAIN}"
    assert rcpt(front.port, forged, sender="victim@elsewhere.example") == 550
    assert rcpt(front.port, forged, sender="") == 550
