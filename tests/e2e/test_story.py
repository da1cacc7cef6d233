"""A stranger's whole story, the gateway ending between all steps: held, announced, approved in the silo, delivered, answered, revoked, refused."""
import concurrent.futures
import re

import pytest

from dns_server import DnsServer
from postern import Member
from postfix import read_maildir
from privacy import check_log
from procs import RELEASE, free_port, wait_until
from reports import story
from senders import STRANGER, deliver, id_of, new_mail, publish, refusal, sign

BOB = "bob@example.com"


class House:
    """A gateway that takes mail from the world and holds that of strangers; Alice is a member, Ada one who decides."""

    def __init__(self, gateway, alice, ada):
        self.gateway, self.alice, self.ada = gateway, alice, ada
        self.ends = 0

    def restart(self):
        """In turn killed, and asked to end."""
        self.ends += 1
        (self.gateway.kill if self.ends % 2 else self.gateway.stop)()
        self.gateway.start()
        self.gateway.wait_online()

    def bring(self, raw):
        return deliver(self.gateway.mx, raw, client=STRANGER, sender=BOB)


@pytest.fixture
def house(stopped_gateway, alice, folder, silo):
    with DnsServer() as names:
        publish(names)
        gateway = stopped_gateway
        gateway.mx = free_port()
        gateway.policy_extra = 'unknown_senders = hold\n  admins = { "Ada Member" }'
        gateway.extra = (gateway.listener("mx", gateway.mx, "smtp", 'tls = none\n  xclient = { "127.0.0.1" }') +
                         f'\nverify {{\n  resolver = {{ "{names.address}" }}\n  dns_timeout = "4s"\n}}\n')
        gateway.start()
        ada = Member(folder, silo, "Ada Member")
        gateway.introduce(alice, "alice")
        gateway.introduce(ada, "ada")
        yield House(gateway, alice, ada)


def words(member, gateway, text, thread):
    """Said to the gateway in a thread with it."""
    member.post(gateway.ctl_json("status")["silo_uid"], text, thread=thread)


def answer(member, gateway, thread):
    return member.receive_where("an answer", lambda item: item["op"] == "delivery" and item["alias"] == gateway.alias and item["threadid"] == thread)["body"]


def why_refused(gateway, message_id):
    """What is told of mail that was not taken; "": nothing yet."""
    try:
        return " ".join(row["text"] for row in gateway.ctl_json("why", message_id)["story"])
    except AssertionError:
        return ""


@pytest.mark.parametrize("stopped_gateway", [RELEASE], indirect=True, ids=["release"])
@pytest.mark.parametrize("ends", (0, 1), ids=("killed-first", "stopped-first"))
def test_from_stranger_to_correspondent_and_back(house, ends):
    gateway, alice, ada = house.gateway, house.alice, house.ada
    house.ends = ends
    offer = sign(new_mail("An offer", sender=BOB))
    forged = new_mail("Forged", sender=BOB)
    assert refusal(gateway.mx, forged, client=STRANGER).startswith("550 5.7.26")
    assert "the sender is not proven" in wait_until("why is known", lambda: why_refused(gateway, id_of(forged)))
    assert house.bring(offer).startswith("2.6.0 held for approval as in1")
    house.restart()

    alice.receive_where("the first contact", lambda item: item["op"] == "ping" and item["alias"] == gateway.alias and BOB in item["body"])
    asked = ada.receive_mail("Waiting for a decision")
    number = re.search(rf"(\d+): {BOB}", asked["body"])[1]
    house.restart()

    assert house.bring(sign(new_mail("A second one", sender=BOB))).startswith("2.6.0 held for approval as in")
    words(ada, gateway, f"approve {number}", asked["threadid"])
    house.restart()
    assert "Approved" in answer(ada, gateway, asked["threadid"])
    house.restart()

    alice.receive_where("mail", lambda item: item["op"] == "delivery" and item["subject"] == "A second one")
    got = [mail for mail in alice.mails() if mail["alias"] == BOB]
    assert [mail["subject"] for mail in got] == ["An offer", "A second one"], "in the order in which they came"
    thread = got[0]["threadid"]
    house.restart()

    alice.post(BOB, "How much?", thread=thread)
    reply = wait_until("Bob gets the answer", lambda: read_maildir(gateway.maildir))[0]
    assert reply["In-Reply-To"] == id_of(offer)
    house.restart()
    assert "accepted as in" in house.bring(sign(new_mail("Re: An offer", sender=BOB, In_Reply_To=reply["Message-ID"])))
    assert alice.receive_where("his reply", lambda item: item["op"] == "delivery" and item["alias"] == BOB)["threadid"] == thread
    house.restart()

    words(ada, gateway, f"revoke {number}", asked["threadid"])
    house.restart()
    answer(ada, gateway, asked["threadid"])
    assert gateway.ctl_json("mapping", "show", number)["state"] == "revoked"
    late = sign(new_mail("Too late", sender=BOB))
    assert f"<{BOB}> is not authorised" in refusal(gateway.mx, late, client=STRANGER, sender=BOB)
    told = wait_until("why is known", lambda: why_refused(gateway, id_of(late)))
    assert f"mail from {BOB} to alice@silo.example.org" in told and "revoked by Ada Member" in told
    alice.post(BOB, "Are you there?", thread=thread)
    told = alice.receive_where("that it is over", lambda item: item["op"] == "delivery" and "revoked" in item["body"])
    assert told["threadid"] == thread
    gateway.wait_settled()
    assert [mail["Subject"] for mail in read_maildir(gateway.maildir)] == ["Re: An offer"], "nothing else has left"
    for member in (alice, ada):
        member.receive(wait=1)
    assert len({(mail["subject"], mail["body"]) for mail in alice.mails()}) == len(alice.mails()), "each once"
    pings = [item for item in alice.inbox if item["op"] == "ping" and BOB in (item["alias"], *item["body"].split())]
    assert list(dict.fromkeys(ping["alias"] for ping in pings)) == [gateway.alias, BOB], "the first contact, then Bob's alias; each may come twice"
    assert [mail["subject"] for mail in ada.mails()].count("Waiting for a decision") == 1
    told = story(gateway, "in1")
    assert [line.split(":")[0] for line in told] == ["received", "proven", "held", "released", "opened", "converted", "posted"]
    for line in told[3:5]:
        assert "approved by Ada Member" in line and line.endswith("; DMARC pass for example.com, when it came")
    gateway.ctl("audit", "verify")
    rows = gateway.ctl_json("audit", "list")["audit"]
    acts = [(row["channel"], row["action"]) for row in rows if row["object"] == f"mapping {number}"]
    assert acts == [("mail", "mapping.request"), ("silo", "mapping.approve"), ("silo", "mapping.revoke")]
    check_log(gateway, ["An offer", "A second one", "Forged", "Too late", "How much?", "Are you there?", "Hello Alice"])



def decide_in_the_console(gateway, number):
    """True: it was the first."""
    try:
        gateway.ctl("mapping", "approve", number)
        return True
    except AssertionError as error:
        assert "by Ada Member" in str(error), error
        return False


def test_console_and_silo_decide_at_once(house):
    """The first answer counts, also for the mail that waits; the second hears whose it was."""
    gateway, alice, ada = house.gateway, house.alice, house.ada
    for count in range(4):
        sender = f"stranger{count}@example.com"
        deliver(gateway.mx, sign(new_mail(f"Offer {count}", sender=sender)), client=STRANGER, sender=sender)
        [row] = gateway.ctl_json("mapping", "list", "--state", "requested")["mappings"]
        number = str(row["id"])
        with concurrent.futures.ThreadPoolExecutor() as pool:
            said = pool.submit(ada.ping, gateway.alias, f"deny {number}")
            if count % 2:   # the silo has it, and the gateway hears of it now
                said.result()
            is_console = decide_in_the_console(gateway, number)
            said.result()
        heard = ada.receive_where("an answer", lambda item, n=number: item["op"] == "delivery" and item["subject"] == f"deny {n}")["body"]
        state = gateway.ctl_json("mapping", "show", number)["state"]
        if is_console:
            assert state == "approved" and "Nothing was changed" in heard and "approved" in heard
            alice.receive_where("the mail", lambda item, n=count: item["op"] == "delivery" and item["subject"] == f"Offer {n}")
        else:
            assert state == "denied" and "Denied" in heard
    gateway.wait_settled()
    assert gateway.ctl_json("held", "list")["held"] == []
