"""What members can say to the gateway itself: a ping to its alias."""
from postern import Member


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
    assert "not understood" in answer(bob_to_alice, "What the gateway understands")
    bob_to_alice.ping(gateway.alias, "What else?")   # no second time today
    bob_to_alice.ping(gateway.alias, "help")
    assert "not understood" not in answer(bob_to_alice, "What the gateway understands")
    bob_to_alice.receive(wait=1)
    assert len([item for item in bob_to_alice.mails() if item["subject"] == "What the gateway understands"]) == 2


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
