"""What members and admins can say to the gateway itself: in a ping to its alias, in a thread with it."""
import concurrent.futures

import pytest

from mail import BOB, make_mail, send
from postern import GATEWAY_ALIAS, Member
from postfix import read_maildir
from procs import wait_until
from wire import as_member


def answer(member, subject):
    return member.receive_mail(subject)["body"]


def test_a_member_asks_for_delivery_reports(gateway, bob_to_alice):
    assert gateway.ctl_json("member", "show", "Alice Member")["reports"] is False
    bob_to_alice.ping(gateway.alias, " Reports  ON. ")
    assert "reports off" in answer(bob_to_alice, "Delivery reports are on")
    assert gateway.ctl_json("member", "show", "Alice Member")["reports"] is True
    bob_to_alice.ping(gateway.alias, "reports off")
    assert "reports on" in answer(bob_to_alice, "Delivery reports are off")
    assert gateway.ctl_json("member", "show", "Alice Member")["reports"] is False


def test_help_and_unknown_words(gateway, bob_to_alice):
    bob_to_alice.ping(gateway.alias, "What can you do?")
    assert "nothing was done" in answer(bob_to_alice, "What the gateway understands")
    bob_to_alice.ping(gateway.alias, "Thank you!")   # asks for nothing
    bob_to_alice.ping(gateway.alias, "help")
    text = answer(bob_to_alice, "What the gateway understands")
    assert "nothing was done" not in text and "`invite ADDRESS" in text and "approve" not in text


def test_only_words_to_the_gateway_s_own_alias_count(gateway, bob_to_alice):
    bob_to_alice.ping("bob@example.com", "reports on")   # a correspondent's
    bob_to_alice.ping(gateway.alias, "help")
    assert "Delivery reports are off" in answer(bob_to_alice, "What the gateway understands")


def test_strangers_are_not_answered(gateway, bob_to_alice, folder, silo):
    carol = Member(folder, silo, "Carol Stranger")
    carol.ping(gateway.alias, "help")
    carol.ping(gateway.alias, "reports on")
    bob_to_alice.ping(gateway.alias, "help")
    answer(bob_to_alice, "What the gateway understands")   # so hers were seen, too
    carol.receive(wait=2)
    assert carol.inbox == []


ADA, OLE = "Ada Member", "Ole Outside"


@pytest.fixture
def house(stopped_gateway, alice, folder, silo):
    """Alice and Ada are members, Ada is an admin; so is Ole, who is no member."""
    gateway = stopped_gateway
    gateway.policy_extra = f'admins = {{ "{ADA}", "{OLE}" }}'
    gateway.start()
    ada = Member(folder, silo, ADA)
    for member, address in ((alice, "alice"), (ada, "ada")):
        gateway.introduce(member, address)
    return gateway, alice, ada


def mapping(gateway, number):
    return gateway.ctl_json("mapping", "show", str(number))


def words(member, gateway, text, thread=None):
    """Said in a thread; the answer in it."""
    member.post(gateway.alias if thread is None else gateway.ctl_json("status")["silo_uid"], text, thread=thread,
                subject="For the gateway" if thread is None else None)
    return member.receive_where(f"an answer to {text!r}", lambda item: item["op"] == "delivery" and item["alias"] == gateway.alias)


def test_a_member_invites_and_an_admin_approves(house):
    """Invitation, notice, decision in the notice's thread; alias and ping; mail; revocation."""
    gateway, alice, ada = house
    alice.ping(gateway.alias, "Please invite Bob@Example.com, thanks!")
    assert "An administrator has been asked" in answer(alice, "invite Bob@Example.com")
    asked = ada.receive_mail("Waiting for a decision")
    assert "1: bob@example.com for Alice Member, requested" in asked["body"]
    with pytest.raises(Exception, match="550"):
        send(gateway.smtp_port, make_mail("Too early"))
    said = words(alice, gateway, "approve 1")
    assert "Only administrators" in said["body"] and mapping(gateway, 1)["state"] == "requested"

    said = words(ada, gateway, "Approve #1.", thread=asked["threadid"])
    assert said["threadid"] == asked["threadid"] and "Approved" in said["body"]
    alice.receive_where("a ping from bob", lambda item: item["op"] == "ping" and item["alias"] == BOB)
    assert mapping(gateway, 1)["decided_by"] == ADA
    send(gateway.smtp_port, make_mail("In time"))
    alice.receive_mail("In time")

    said = words(alice, gateway, "Hello Email Gateway,\n\nwho is bob@example.com?\n\n-- \nAlice")
    assert "approved by Ada Member" in said["body"]
    said = words(alice, gateway, "revoke bob@example.com", thread=said["threadid"])
    assert "can't write to you any more" in said["body"] and mapping(gateway, 1)["state"] == "revoked"
    with pytest.raises(Exception, match="550"):
        send(gateway.smtp_port, make_mail("Too late"))
    assert [mail["Subject"] for mail in read_maildir(gateway.maildir)] == ["Alice Member invites you to write by email"]   # no words became mail
    for member, names in ((alice, {"invite Bob@Example.com", "Not done", "who is bob@example.com", "revoke bob@example.com", "In time"}),
                          (ada, {"Waiting for a decision", "approve 1"})):
        member.receive(wait=1)
        assert {item["subject"] for item in member.mails()} - {""} == names, "each is told once"


def test_two_admins_decide_at_once(house, folder, silo):
    gateway, alice, ada = house
    ole = Member(folder, silo, OLE)
    alice.ping(gateway.alias, "invite bob@example.com")
    ole.receive_where("the question who he is", lambda item: item["op"] == "ping" and "administrator" in item["body"])
    ole.ping(gateway.alias, "It is me.")
    threads = [admin.receive_mail("Waiting for a decision")["threadid"] for admin in (ada, ole)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda who: words(who[0], gateway, who[1], thread=who[2])["body"],
                             ((ada, "approve 1", threads[0]), (ole, "deny 1 not a partner", threads[1]))))
    decided = mapping(gateway, 1)
    winner, second = (0, 1) if decided["state"] == "approved" else (1, 0)
    assert decided["decided_by"] == (ADA, OLE)[winner]
    assert ("Approved", "Denied")[winner] in said[winner]
    assert "Nothing was changed" in said[second] and f"by {(ADA, OLE)[winner]}" in said[second]


def test_an_alias_in_a_header_makes_no_admin(house, silo):
    """Only the uid that the silo vouches for counts; and a forwarded thread, words to people outside, or to a group are no orders."""
    gateway, alice, _ = house
    gateway.ctl("mapping", "add", BOB, "Alice Member")
    alice.receive_where("a ping from bob", lambda item: item["op"] == "ping" and item["alias"] == BOB)
    alice.ping(gateway.alias, "invite carol@example.net")
    answer(alice, "invite carol@example.net")
    uid = gateway.ctl_json("status")["silo_uid"]
    with as_member(silo, alice) as wire:
        own = {"Who": "Alice Member", "WhoUid": wire.uid}
        for name in (ADA, OLE):
            head = {"Alias": name, "ThreadId": "", "Subject": "x", "Cc": [{"Who": name, "WhoUid": wire.uid}, {"Who": GATEWAY_ALIAS, "WhoUid": uid}]}
            ack = wire.post([uid], head, "approve 2")
            wait_until("it is decided", lambda: f"msgid={ack['msgid']}" in gateway.read_log())
        with_group = [own, {"Who": GATEWAY_ALIAS, "WhoUid": uid}, {"Who": "Sales Team", "WhoUid": "Sales Team"}]
        alone = with_group[:2]
        for more in ({"Cc": with_group}, {"Cc": alone, "PosternKey": "in1-1"}):   # beside a group; another gateway's
            ack = wire.post([uid], {"Alias": "Alice Member", "ThreadId": "", "Subject": "x", **more}, "revoke bob@example.com")
            wait_until("it is decided", lambda: f"msgid={ack['msgid']}" in gateway.read_log())
        parties = [*alone, {"Who": BOB, "WhoUid": uid}]
        ack = wire.post([uid], {"Alias": "Alice Member", "ThreadId": "", "Subject": "To Bob", "Cc": parties}, "revoke bob@example.com")
        wait_until("Bob has it", lambda: read_maildir(gateway.maildir))
    assert [mapping(gateway, number)["state"] for number in (1, 2)] == ["approved", "requested"]


def test_requests_survive_an_end_without_warning(house):
    """The notice is as durable as the request, and comes once."""
    gateway, alice, ada = house
    alice.ping(gateway.alias, "invite bob@example.com")
    wait_until("it is asked for", lambda: "mappings" in gateway.ctl("--json", "mapping", "list") and gateway.ctl_json("mapping", "list")["mappings"])
    gateway.kill()
    gateway.start()
    gateway.wait_online()
    ada.receive_mail("Waiting for a decision")
    answer(alice, "invite bob@example.com")
    alice.ping(gateway.alias, "invite carol@example.net")   # ten minutes have not passed: no second notice yet
    answer(alice, "invite carol@example.net")
    ada.ping(gateway.alias, "pending")
    assert "2: carol@example.net" in answer(ada, "What waits for an administrator")
    assert [item["subject"] for item in ada.mails()] == ["Waiting for a decision", "What waits for an administrator"]
