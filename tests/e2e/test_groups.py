"""Groups of the silo as mailboxes, and who is who in them."""
import datetime
import json

import pytest

from mail import BOB, make_mail, plain_text, send
from postern import DOMAIN, GATEWAY_ALIAS, Member
from postfix import read_maildir
from procs import wait_until
from test_returns import make_report, recipient, return_path
from wire import Wire, as_member

GID = "Sales Team"
SALES = f"sales.team@{DOMAIN}"


@pytest.fixture
def carol(silo, folder):
    """Somebody of the silo who is no member of the gateway."""
    return Member(folder, silo, "Carol Colleague")


def group_state(gateway, gid=GID):
    groups = {group["gid"]: group for group in gateway.ctl_json("group", "list")["groups"]}
    return groups.get(gid, {}).get("state")


def tmtp_group(member, *arguments):
    member.tmtp("group", "--account", member.account, *arguments)


def in_group(member, act):
    """Has the member been told that the gateway did this in the group?"""
    return lambda item: item["op"] == "member" and item.get("act") == act and item.get("alias") == GATEWAY_ALIAS


@pytest.fixture
def sales(gateway, alice, carol):
    """Alice, who is a member of the gateway, has a group; the gateway joins it, then Carol, who is none, and Bob may write."""
    gateway.introduce(alice, "alice")
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: group_state(gateway) == "joined")
    join_group(alice, carol)
    wait_until("the gateway has seen her join", lambda: seen(gateway, carol) == "joined")
    gateway.ctl("mapping", "add", BOB, GID)
    for member in (alice, carol):
        member.receive_where("the announcement", lambda item: item["op"] == "delivery" and BOB in item["body"])
    return gateway


def join_group(inviter, member):
    tmtp_group(inviter, "invite", GID, member.alias)
    member.receive_where("the invitation", lambda item: item["op"] == "invite")
    tmtp_group(member, "join", GID)


def seen(gateway, member):
    """As what the gateway has seen them in the group."""
    states = {one["alias"]: one["state"] for one in gateway.ctl_json("group", "show", GID)["members_seen"]}
    return states.get(member.alias)


def bob_writes(gateway, subject, text="Hello all\n", **more):
    mail = make_mail(subject, text, recipient=SALES, **more)
    send(gateway.smtp_port, mail, recipients=[SALES])
    return mail


def test_mail_reaches_everybody_in_the_group_once(sales, alice, carol):
    bob_writes(sales, "To the team")
    at_alice = alice.receive_mail("To the team")
    at_carol = carol.receive_mail("To the team")
    assert at_alice["threadid"] == at_carol["threadid"]
    assert at_alice["alias"] == BOB
    parties = [(party["who"], party["whouid"]) for party in at_alice["cc"]]
    assert parties[0][0] == BOB and parties[1] == (GID, GID), parties
    sales.wait_settled()
    for member in (alice, carol):
        member.receive(wait=1)
        assert len([mail for mail in member.mails() if mail["subject"] == "To the team"]) == 1


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_answer_of_a_groups_member_goes_out_in_the_groups_name(sales, alice, carol, who):
    author = {"alice": alice, "carol": carol}[who]
    first = bob_writes(sales, "To the team")
    received = author.receive_mail("To the team")
    author.post([BOB, GID], "We have **them**.", thread=received["threadid"])
    reply = wait_until("the reply leaves", lambda: read_maildir(sales.maildir))[0]
    sender = reply["From"].addresses[0]
    assert (sender.addr_spec, sender.display_name) == (SALES, f"{author.alias} ({GID}) via {DOMAIN}")
    assert reply["Reply-To"].addresses[0].addr_spec == SALES
    assert BOB in reply["To"]
    assert first["Message-ID"] in reply["References"]
    assert "We have" in plain_text(reply)

    # the answer to that comes back into the same thread, to everybody
    again = make_mail("Re: To the team", "Good\n", recipient=SALES, references=[first["Message-ID"], reply["Message-ID"]])
    send(sales.smtp_port, again, recipients=[SALES])
    for member in (alice, carol):
        back = member.receive_where("the answer", lambda item: item["op"] == "delivery" and "Good" in item["body"])
        assert back["threadid"] == received["threadid"]
    assert len(read_maildir(sales.maildir)) == 1


def test_member_with_a_mapping_of_her_own_writes_in_her_own_name(sales, alice):
    sales.open_door(BOB, alice)
    first = bob_writes(sales, "To the team")
    received = alice.receive_mail("To the team")
    alice.post([BOB, GID], "Mine", thread=received["threadid"])
    reply = wait_until("the reply leaves", lambda: read_maildir(sales.maildir))[0]
    assert reply["From"].addresses[0].addr_spec == f"alice@{DOMAIN}"
    assert SALES in reply["Cc"], "an answer to all reaches the group"
    back = make_mail("Re: To the team", "To both\n", references=[first["Message-ID"], reply["Message-ID"]])
    send(sales.smtp_port, back, recipients=[f"alice@{DOMAIN}", SALES])
    answer = alice.receive_where("the answer", lambda item: item["op"] == "delivery" and "To both" in item["body"])
    assert answer["threadid"] == received["threadid"]


def test_member_starts_a_thread_for_the_group(sales, alice):
    """Her own mapping is missing; she is known to be in the group, and it has one."""
    bob_writes(sales, "To the team")
    alice.receive_mail("To the team")   # since then she knows the alias
    alice.post([BOB, GID], "An offer", subject="Offer")
    mail = wait_until("the mail leaves", lambda: read_maildir(sales.maildir))[0]
    assert mail["From"].addresses[0].addr_spec == SALES
    assert mail["Subject"] == "Offer"


def test_who_was_dropped_may_not_speak_any_more(sales, alice, carol):
    bob_writes(sales, "To the team")
    received = carol.receive_mail("To the team")
    tmtp_group(alice, "drop", GID, carol.alias)
    wait_until("the gateway knows", lambda: seen(sales, carol) == "dropped")
    carol.post(BOB, "Still here?", thread=received["threadid"])
    told = carol.receive_where("the refusal", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert told["threadid"] == received["threadid"]
    assert not read_maildir(sales.maildir)

    # Alice, whom an administrator has made a member, still may
    alice.receive_mail("To the team")
    alice.post([BOB, GID], "I am", thread=received["threadid"])
    wait_until("her reply leaves", lambda: read_maildir(sales.maildir))


def test_group_that_drops_the_gateway_gets_no_mail(sales, alice):
    tmtp_group(alice, "drop", GID, GATEWAY_ALIAS)
    wait_until("the gateway is out", lambda: group_state(sales) == "dropped")
    mail = make_mail("Too late", recipient=SALES)
    with pytest.raises(Exception, match="550"):
        send(sales.smtp_port, mail, recipients=[SALES])
    # invited again, it is as it was
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway is back", lambda: group_state(sales) == "joined")
    bob_writes(sales, "Back again")
    alice.receive_mail("Back again")


def test_administrator_leaves_a_group(sales, alice):
    sales.ctl("group", "leave", GID)
    alice.receive_where("the farewell", in_group(alice, "drop"))
    wait_until("it has left", lambda: group_state(sales) == "left")
    assert "left" in sales.ctl("group", "leave", GID, expect=1)
    rows = sales.ctl_json("audit", "list", "--object", f"group {GID}")["audit"]
    assert [(row["action"], row["channel"], row["after"]) for row in rows if row["action"] != "group.address"] == \
        [("group.invite", "silo", "accepted"), ("group.leave", "cli", "leaving, address sales.team")]
    assert alice.alias in rows[0]["actor"]


def test_address_of_a_group_can_change_and_the_old_one_stays(sales, alice):
    shown = sales.ctl_json("group", "address", GID, "sales")
    assert shown["address"] == f"sales@{DOMAIN}"
    for number, address in enumerate((f"sales@{DOMAIN}", SALES)):
        mail = make_mail(f"Address {number}", recipient=address)
        send(sales.smtp_port, mail, recipients=[address])
        alice.receive_mail(f"Address {number}")
    assert "another" in sales.ctl("group", "address", GID, "alice", expect=1)
    assert "another" in sales.ctl("member", "add", "Sales Person", "--address", "sales", expect=1)
    assert "another" in sales.ctl("member", "add", "Sales Person", "--address", "sales.team", expect=1)


def test_invitation_by_a_stranger_waits_for_an_administrator(gateway, alice, carol):
    gateway.wait_online()
    tmtp_group(carol, "invite", GID, GATEWAY_ALIAS)
    carol.receive_where("the explanation", lambda item: item["op"] == "delivery" and "administrator" in item["body"])
    assert group_state(gateway) == "invited"
    assert "550" in refusal(gateway)
    gateway.ctl("group", "join", GID)
    carol.receive_where("the gateway joins", in_group(carol, "join"))
    wait_until("it has joined", lambda: group_state(gateway) == "joined")


def refusal(gateway):
    try:
        send(gateway.smtp_port, make_mail("Refused", recipient=SALES), recipients=[SALES])
    except Exception as error:   # pylint: disable=broad-except
        return str(error)
    return ""


def test_nobodys_invitations_are_accepted_when_so_configured(stopped_gateway, alice):
    stopped_gateway.extra = 'policy { group_invites = nobody max_message = "35M" }'
    stopped_gateway.start()
    stopped_gateway.introduce(alice)
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the invitation is known", lambda: group_state(stopped_gateway) == "invited")


def test_mail_to_a_group_without_a_mapping_is_refused(gateway, alice):
    gateway.introduce(alice)
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: group_state(gateway) == "joined")
    assert "550" in refusal(gateway)


def test_alias_in_a_header_takes_over_nobodys_mail(gateway, alice, silo):
    """Mallory writes as Alice before Alice has said a word, and again afterwards."""
    gateway.wait_online()
    gateway.ctl("member", "add", alice.alias, "--address", "alice")
    alice.receive_where("the greeting", lambda item: item["op"] == "ping")
    with Wire(silo.port) as mallory:
        mallory.register("Mallory Member")
        gateway_uid = learn_gateway(gateway, mallory)
        head = {"alias": alice.alias, "threadid": "", "subject": "It is me",
                "cc": [{"who": alice.alias, "whouid": mallory.uid}, {"who": GATEWAY_ALIAS, "whouid": gateway_uid}]}
        first = mallory.post([gateway_uid], head, "Give me my mail")
        assert "error" not in first
        told = mallory_is_told(mallory)
        assert "answer its ping" in told
        assert gateway.ctl_json("member", "show", alice.alias)["uid"] is None
        assert "refused" in gateway.ctl("why", first["msgid"])

        alice.ping(GATEWAY_ALIAS, "Here I am")
        wait_until("the gateway knows Alice", lambda: gateway.ctl_json("member", "show", alice.alias)["uid"])
        assert gateway.ctl_json("member", "show", alice.alias)["uid"] != mallory.uid
        gateway.open_door(BOB, alice)
        second = mallory.post([gateway_uid], head, "Now?")
        wait_until("it is decided", lambda: decision(gateway, second["msgid"]))
        assert "somebody else" in gateway.ctl("why", second["msgid"])

        # nor does naming a correspondent, or the gateway, make mail
        for alias in (BOB, GATEWAY_ALIAS):
            forged = mallory.post([gateway_uid], {**head, "alias": alias}, "x")
            wait_until("it is decided", lambda: decision(gateway, forged["msgid"]))
            assert "somebody else" in gateway.ctl("why", forged["msgid"])
    send(gateway.smtp_port, make_mail("Private"))
    alice.receive_mail("Private")
    assert not read_maildir(gateway.maildir)


def decision(gateway, msgid):
    """What the log says of a message of the silo; "" before it was decided."""
    lines = gateway.read_log().splitlines()
    return next((line for line in lines if "event=message.decided" in line and f"msgid={msgid}" in line), "")


def learn_gateway(gateway, wire):
    """The gateway's uid, as a member of the silo would learn it."""
    del wire
    return gateway.ctl_json("status")["silo_uid"]


def mallory_is_told(mallory):
    while True:
        _, data = mallory.read_push("delivery")
        if b"not sent" in data:
            return data.decode()


def test_member_known_from_a_group_consents_by_writing(gateway, alice, carol):
    """A group's notice vouches for the alias; the message that follows is the consent."""
    gateway.introduce(alice)
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: group_state(gateway) == "joined")
    gateway.ctl("member", "add", carol.alias, "--address", "carol")
    tmtp_group(alice, "invite", GID, carol.alias)
    carol.receive_where("the invitation", lambda item: item["op"] == "invite")
    tmtp_group(carol, "join", GID)
    wait_until("the gateway has seen her", lambda: any(
        member["alias"] == carol.alias and member["uid"] for member in gateway.ctl_json("group", "show", GID)["members_seen"]))
    shown = gateway.ctl_json("member", "show", carol.alias)
    assert (shown["uid"], shown["seen_in"]) == (None, "group"), "a notice is no consent"
    wait_until("she was greeted", lambda: carol.receive(wait=1) is not None and any(
        item["op"] == "ping" and item["alias"] == GATEWAY_ALIAS for item in carol.inbox))
    carol.post(GATEWAY_ALIAS, "Hello", subject="Hello")
    wait_until("the gateway knows Carol", lambda: gateway.ctl_json("member", "show", carol.alias)["uid"])
    assert gateway.ctl_json("member", "show", carol.alias)["groups"] == [{"gid": GID, "state": "joined"}]


def test_group_mapping_counts_its_limits(sales, alice):
    mappings = json.loads(sales.ctl("--json", "mapping", "list", "--member", GID))["mappings"]
    sales.ctl("mapping", "revoke", str(mappings[0]["id"]))
    assert "550" in refusal(sales)
    sales.ctl("mapping", "add", BOB, GID, "--daily", "1")
    bob_writes(sales, "One a day")
    alice.receive_mail("One a day")
    assert "452" in refusal(sales)


def test_group_mapping_that_is_suspended_or_over_closes_both_ways(sales, alice):
    bob_writes(sales, "To the team")
    thread = alice.receive_mail("To the team")["threadid"]
    mapping = str(json.loads(sales.ctl("--json", "mapping", "list", "--member", GID))["mappings"][0]["id"])
    sales.ctl("mapping", "suspend", mapping)
    assert refusal(sales)
    alice.post([BOB, GID], "Suspended", thread=thread)
    told = alice.receive_where("the refusal", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert f"{BOB}: you are not authorised" in told["body"]
    sales.ctl("mapping", "resume", mapping)
    bob_writes(sales, "Resumed")
    alice.receive_mail("Resumed")

    sales.ctl("mapping", "revoke", mapping)
    over = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    sales.ctl("mapping", "add", BOB, GID, "--expires", over.strftime("%Y-%m-%dT%H:%M:%SZ"))
    wait_until("the mapping is over", lambda: "550" in refusal(sales))
    alice.post([BOB, GID], "Over", thread=thread)
    alice.receive_where("the refusal", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert not read_maildir(sales.maildir)


def test_two_correspondents_of_a_group_are_in_one_thread(sales, alice, carol):
    """Dave is copied by Bob; the group's answer reaches both, as one mail."""
    dave = "dave@example.net"
    sales.ctl("mapping", "add", dave, GID)
    for member in (alice, carol):
        member.receive_where("the announcement", lambda item: item["op"] == "delivery" and dave in item["body"])
    for sender in (BOB, dave):   # since then she knows their aliases
        send(sales.smtp_port, make_mail(f"From {sender}", sender=sender, recipient=SALES), sender=sender, recipients=[SALES])
        carol.receive_mail(f"From {sender}")
    carol.post([BOB, dave, GID], "To you two", subject="Both of you")
    mail = wait_until("it leaves", lambda: read_maildir(sales.maildir))
    assert len(mail) == 1 and BOB in mail[0]["To"] and dave in mail[0]["To"]
    assert mail[0]["From"].addresses[0].addr_spec == SALES
    back = make_mail("Re: Both of you", "From Dave\n", sender=dave, recipient=SALES, references=[mail[0]["Message-ID"]])
    send(sales.smtp_port, back, sender=dave, recipients=[SALES])
    for member in (alice, carol):
        member.receive_where("Dave's answer", lambda item: item["op"] == "delivery" and "From Dave" in item["body"])


def test_who_takes_another_alias_in_a_group_is_the_same_person(sales, alice, carol, silo):
    bob_writes(sales, "To the team")
    thread = carol.receive_mail("To the team")["threadid"]
    carol.tmtp("alias", "--account", carol.account, "Carol Newname")
    with as_member(silo, carol) as wire:
        assert "error" not in wire.request({"op": 6, "act": "alias", "gid": GID, "newalias": "Carol Newname"})
    wait_until("the gateway has heard of it",
               lambda: "Carol Newname" in [one["alias"] for one in sales.ctl_json("group", "show", GID)["members_seen"]])
    assert seen(sales, carol) is None
    assert {one["alias"]: one["state"] for one in sales.ctl_json("group", "show", GID)["members_seen"]}["Carol Newname"] == "joined"
    carol.post([BOB, GID], "Still me", thread=thread)
    reply = wait_until("the reply leaves", lambda: read_maildir(sales.maildir))[0]
    assert reply["From"].addresses[0].addr_spec == SALES


def test_refused_thread_is_no_way_into_a_groups_name(sales, silo):
    """A stranger's thread names the group; what comes after its refusal is not the group's either."""
    with Wire(silo.port) as mallory:
        mallory.register("Mallory Member")
        gateway_uid = learn_gateway(sales, mallory)
        head = {"alias": "Mallory Member", "threadid": "", "subject": "An offer",
                "cc": [{"who": "Mallory Member", "whouid": mallory.uid}, {"who": GID, "whouid": GID},
                       {"who": BOB, "whouid": gateway_uid}]}
        first = mallory.post([gateway_uid], head, "In the team's name")
        second = mallory.post([gateway_uid], {"alias": "Mallory Member", "threadid": first["msgid"]}, "Again")
        for message in (first, second):
            wait_until("it is decided", lambda: "outcome=not_a_member" in decision(sales, message["msgid"]))
    assert not read_maildir(sales.maildir)


def test_guessed_thread_is_no_way_into_a_groups_name(sales, alice, silo):
    """Silos number messages one after the other: whoever gets one id can guess the ids of others' threads."""
    bob_writes(sales, "To the team")
    thread = alice.receive_mail("To the team")["threadid"]
    with Wire(silo.port) as mallory:
        mallory.register("Mallory Member")
        head = {"alias": "Mallory Member", "threadid": thread}
        guess = mallory.post([learn_gateway(sales, mallory)], head, "In the team's name")
        wait_until("it is decided", lambda: "outcome=not_a_member" in decision(sales, guess["msgid"]))
    alice.post([BOB, GID], "We are", thread=thread)
    mail = wait_until("the true answer leaves", lambda: read_maildir(sales.maildir))
    assert ["We are" in plain_text(one) for one in mail] == [True]


def test_who_was_in_the_group_before_the_gateway_answers_once_added(gateway, alice, carol):
    """Of them the silo tells nothing; an administrator can."""
    gateway.introduce(alice, "alice")
    join_group(alice, carol)
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: group_state(gateway) == "joined")
    gateway.ctl("mapping", "add", BOB, GID)
    bob_writes(gateway, "To the team")
    thread = carol.receive_mail("To the team")["threadid"]
    carol.post(BOB, "Too early", thread=thread)
    told = carol.receive_where("the refusal", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert "administrator" in told["body"]
    gateway.introduce(carol, "carol")
    carol.post(BOB, "Now", thread=thread)
    mail = wait_until("her answer leaves", lambda: read_maildir(gateway.maildir))
    assert [one["From"].addresses[0].addr_spec for one in mail] == [SALES]
    assert "Now" in plain_text(mail[0])


def test_second_invitation_does_not_hide_who_was_dropped(gateway, alice, carol):
    """Invited by two of its aliases, the gateway is in the group by the first; dropping that ends it."""
    gateway.introduce(alice)
    gateway.open_door(BOB, alice)
    tmtp_group(carol, "invite", GID, GATEWAY_ALIAS)
    tmtp_group(carol, "invite", GID, BOB)
    wait_until("both are known", lambda: gateway.read_log().count("invitation waits for an administrator") == 2)
    gateway.ctl("group", "join", GID)
    carol.receive_where("the gateway joins", in_group(carol, "join"))
    wait_until("it has joined", lambda: group_state(gateway) == "joined")
    assert gateway.ctl_json("group", "show", GID)["own_alias"] == GATEWAY_ALIAS
    tmtp_group(carol, "drop", GID, GATEWAY_ALIAS)
    wait_until("the gateway is out", lambda: group_state(gateway) == "dropped")


def test_group_that_is_being_joined_can_be_left(gateway, alice, carol):
    """Whatever comes first in the silo, it ends outside."""
    gateway.introduce(alice)
    tmtp_group(carol, "invite", GID, GATEWAY_ALIAS)
    wait_until("the invitation is known", lambda: group_state(gateway) == "invited")
    gateway.ctl("group", "join", GID)
    gateway.ctl("group", "leave", GID)
    carol.receive_where("the farewell", in_group(carol, "drop"))
    wait_until("it has left", lambda: group_state(gateway) == "left")


def test_list_of_participants_takes_over_nobodys_alias(gateway, alice, carol, silo):
    """Carol, a member herself, writes Alice's alias beside her own account in a thread of hers."""
    for member, address in ((alice, "alice"), (carol, "carol")):
        gateway.introduce(member, address)
        gateway.open_door(BOB, member)
    known = gateway.ctl_json("member", "show", alice.alias)["uid"]
    with as_member(silo, carol) as wire:
        gateway_uid = gateway.ctl_json("status")["silo_uid"]
        head = {"alias": carol.alias, "threadid": "", "subject": "Plans",
                "cc": [{"who": carol.alias, "whouid": wire.uid}, {"who": alice.alias, "whouid": wire.uid},
                       {"who": BOB, "whouid": gateway_uid}]}
        posted = wire.post([gateway_uid], head, "Hello")
    wait_until("it is decided", lambda: decision(gateway, posted["msgid"]))
    assert alice.alias in gateway.ctl("why", posted["msgid"]).split("contradicted")[1]
    assert gateway.ctl_json("member", "show", alice.alias)["uid"] == known
    mail = wait_until("Carol's mail leaves", lambda: read_maildir(gateway.maildir))[0]
    assert mail["From"].addresses[0].addr_spec == f"carol@{DOMAIN}"
    send(gateway.smtp_port, make_mail("Private", recipient=f"alice@{DOMAIN}"), recipients=[f"alice@{DOMAIN}"])
    alice.receive_mail("Private")


def test_who_may_answer_only_the_author_sees_their_address(sales, alice):
    """Bob has Alice's mapping, Dave has the group's: one mail, in the group's name, to both."""
    dave = "dave@example.net"
    sales.open_door(BOB, alice)
    sales.ctl("mapping", "add", dave, GID)
    send(sales.smtp_port, make_mail("Who I am", sender=dave, recipient=SALES), sender=dave, recipients=[SALES])
    alice.receive_mail("Who I am")   # since then she knows the alias
    alice.post([BOB, dave, GID], "To both", subject="Both")
    mail = wait_until("the mail leaves", lambda: read_maildir(sales.maildir))[0]
    assert mail["From"].addresses[0].addr_spec == SALES
    assert f"alice@{DOMAIN}" in (mail["Cc"] or "")


def test_mail_for_a_group_that_was_left_waits_and_says_why(sales, silo, alice):
    """Accepted while the silo is away, and the group is left meanwhile: kept until the gateway is invited anew."""
    silo.stop()
    wait_until("the link is gone", lambda: sales.ctl_json("status")["silo_state"] != "online")
    mail = bob_writes(sales, "Just in time")
    sales.ctl("group", "leave", GID)
    silo.start()
    wait_until("it has left", lambda: group_state(sales) == "left")
    wait_until("it says why it waits", lambda: "not in the group" in sales.ctl("why", mail["Message-ID"]))
    tmtp_group(alice, "invite", GID, GATEWAY_ALIAS)
    alice.receive_mail("Just in time")


def test_ping_under_a_foreign_alias_is_refused_by_the_silo(gateway, alice, silo):
    """What the silo vouches for can't be forged: a ping's alias is its sender's."""
    gateway.introduce(alice)
    known = gateway.ctl_json("member", "show", alice.alias)["uid"]
    with Wire(silo.port) as mallory:
        mallory.register("Mallory Member")
        assert "error" in mallory.ping(alice.alias, GATEWAY_ALIAS, "It is me")
    assert gateway.ctl_json("member", "show", alice.alias)["uid"] == known


def test_a_group_invites_in_its_own_name_and_is_told_what_came_back(sales, alice, carol):
    """Nobody in it has written it: the mail is the group's, and everybody hears that it did not arrive."""
    sales.ctl("mapping", "change", "1", "--invite", "yes")
    mail = wait_until("the invitation leaves", lambda: read_maildir(sales.maildir))[0]
    sender = mail["From"].addresses[0]
    assert (sender.addr_spec, sender.display_name) == (SALES, f"{GID} via {DOMAIN}") and mail["Reply-To"].addresses[0].addr_spec == SALES
    assert f"{GID} invites you" in mail["Subject"] and SALES in plain_text(mail)
    send(sales.smtp_port, make_report(mail, recipient()), sender="", recipients=[return_path(mail)])
    for member in (alice, carol):
        assert BOB in member.receive_mail("About an invitation by email")["body"]
