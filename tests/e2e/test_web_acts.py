"""Members, groups, queues, messages and the audit log on the web page, and what becomes of what is pressed there: without a browser, one gateway."""
import urllib.parse

import pytest

from mail import BOB, make_mail
from postern import GATEWAY_ALIAS
from postfix import read_maildir
from procs import wait_until
from reports import send
from test_groups import GID, tmtp_group
from web_visitor import start_with_page

HOSTILE = "\"><script>alert(1)</script>"


@pytest.fixture
def carol(stopped_gateway, alice):
    """Who looks; Bob may write to Alice, and she is in a group with the gateway."""
    visitor = start_with_page(stopped_gateway, alice, "carol")
    visitor.gateway.ctl("mapping", "add", BOB, "Alice Member")
    return visitor


def rows_of(gateway, *options):
    return [(row["action"], row["object"]) for row in gateway.ctl_json("audit", "list", *options)["audit"]]


def test_people_and_groups_are_added_changed_and_left(carol):
    gateway = carol.gateway
    page = carol.send(carol.get("/members"), "add-form", [("alias", HOSTILE), ("local", "mallory"), ("act", "add")])
    assert page.flash().startswith("Added.") and page.one("h1").text == HOSTILE and "mallory@silo.example.org" in page.one("section", id="facts").text
    page = carol.send(page, "reports-form", [("act", "reports")])
    assert page.flash() == "Delivery reports are on." and gateway.ctl_json("member", "show", HOSTILE)["reports"]
    page = carol.send(page, "remove-form", [("act", "remove")])
    assert "Tick the box" in page.flash() and gateway.ctl_json("member", "show", HOSTILE)["alias"] == HOSTILE
    page = carol.send(page, "remove-form", [("act", "remove"), ("sure", "yes")])
    assert "1 member was removed" in page.flash() and [row[0] for row in page.rows("members")] == ["Alice Member"]
    carol.get("/members/" + urllib.parse.quote(HOSTILE, safe=""), status=404)
    assert [row[0] for row in carol.get("/members?find=ALICE").rows("members")] == ["Alice Member"]
    assert carol.get("/members?find=nobody").rows("members") == []
    page = carol.send(carol.get("/members"), "add-form", [("alias", "Alice Member"), ("local", ""), ("act", "add")])
    assert "member already" in page.flash()
    alice = carol.get("/members/Alice%20Member")
    assert alice.rows("mappings-table")[0][:2] == ["1", BOB] and "has consented" in alice.one("section", id="facts").text

    tmtp_group(carol.alice, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: any(row[2] == "joined" for row in carol.get("/members").rows("groups")))
    page = carol.send(carol.get("/groups/Sales%20Team"), "address-form", [("local", "sales"), ("act", "address")])
    assert "new address" in page.flash() and "sales@silo.example.org" in page.one("section", id="facts").text
    page = carol.send(page, "address-form", [("local", "alice"), ("act", "address")])
    assert page.flash() and "sales@silo.example.org" in page.one("section", id="facts").text
    page = carol.send(page, "leave-form", [("act", "leave")])
    assert "Tick the box" in page.flash()
    page = carol.send(page, "leave-form", [("act", "leave"), ("sure", "yes")])
    assert "leaves the group" in page.flash()
    assert ("group.leave", f"group {GID}") in rows_of(gateway, "--actor", "carol")
    carol.get("/groups/Nobody", status=404)


def entries(page, table):
    """Those that a table names."""
    return [next(row.all("a")).text for row in page.one("table", id=table).one("tbody").all("tr")] if page.rows(table) else []


def stranger(gateway, subject):
    answer = send(gateway.smtp_port, make_mail(subject, sender="eve@evil.example"), sender="eve@evil.example")
    return answer.split()[-1]


def test_queues_are_looked_through_and_acted_on(carol, silo):
    gateway = carol.gateway
    silo.stop()
    for number in range(1, 5):
        send(gateway.smtp_port, make_mail(f"Mail {number}"))
    held = stranger(gateway, "Stranger")
    page = carol.get("/queue")
    assert set(entries(page, "queue")) == {"in1", "in2", "in3", "in4", held}
    assert [box["value"] for box in page.all("input", name="id")].count(held) == 0, "that has a page of its own"
    page = carol.send(page, "queue-form", [("id", "in1"), ("id", "in2"), ("act", "hold"), ("reason", HOSTILE)])
    assert page.flash() == "2 held." and gateway.ctl_json("queue", "show", "in1")["last_error"].endswith(HOSTILE)
    page = carol.get("/queue?state=held&direction=in")
    assert entries(page, "queue") == ["in1", "in2"] and "script>alert" in page.rows("queue")[0][5]
    for act, reason, said in (("drop", "", "needs a reason"), ("none", "x", "Nothing was done"), ("explode", "x", "not known")):
        page = carol.send(page, "queue-form", [("id", "in1"), ("act", act), ("reason", reason)])
        assert said in page.flash() and entries(page, "queue") == ["in1", "in2"], "it comes back to what was looked at"
    assert "Nothing was chosen" in carol.send(page, "queue-form", [("act", "retry")]).flash()
    page = carol.send(page, "queue-form", [("id", "in1"), ("id", "in99"), ("act", "drop"), ("reason", "not wanted")])
    assert "1 dropped." in page.flash() and "Not done: in99: there is no such entry" in page.flash()
    story = carol.send(carol.get("/message?id=in2"), "acts-form", [("act", "retry")])
    assert "to be tried again" in story.flash() and "/message?id=in2" == story.one("input", name="back")["value"]
    carol.get("/queue?older=yesterday", status=400)
    page = carol.send(carol.get("/queue"), "retry-all", [("act", "retry-all")])
    assert "tried again now; 0 are held" in page.flash()
    for path in ("//evil.example/", "/queue/../..", "https://evil.example/"):   # it leads to our own pages only
        answer, _ = carol.press(page, "queue-form", [("act", "hold"), ("id", "in3"), ("back", path)])
        assert answer.status == 303 and answer.getheader("Location").startswith("/queue?flash=")
    assert "awaits an approval" in carol.get(f"/message?id={held}").one("section", id="acts").text


def test_the_story_and_the_audit_log_are_read(carol):
    gateway = carol.gateway
    for number in range(3):
        send(gateway.smtp_port, make_mail("Hello"))
    carol.alice.receive_mail("Hello")
    gateway.wait_settled()
    page = carol.get("/message?id=in1")
    story = page.one("section", id="story")
    assert "was delivered" in story.one("p", id="summary").text and story.one("a", href="/mappings/1").text == "mapping 1"
    events = [(item.get("class"), item.one("time")["datetime"]) for item in story.one("ol", cls="timeline").all("li")]
    assert events[-1][0] == "good" and events == sorted(events, key=lambda event: event[1])
    assert page.rows("recipients-table")[0][:3] == ["Alice Member", "alice@silo.example.org", "posted"]
    found = carol.get("/message?id=" + urllib.parse.quote(gateway.ctl_json("queue", "show", "in2")["message_id"]))
    assert found.one("h1").text == "Message in2"
    assert "nothing is known" in carol.get("/message?id=%3Cscript%3E", status=404).root.text
    with pytest.raises(AssertionError, match="no such recipient"):
        send(gateway.smtp_port, make_mail("No", recipient="nobody@silo.example.org"), sender="frank@other.example", recipients=["nobody@silo.example.org"])
    wait_until("the refusal is noted", lambda: carol.ask("GET", "/message?id=frank@other.example")[0].status == 200)
    refused = carol.get("/message?id=frank@other.example")
    assert "nobody@silo.example.org" in refused.one("section", id="story").text

    alice = carol.get("/members/Alice%20Member")
    for number in range(105):
        carol.press(alice, "reports-form", [("act", "reports"), ("reports", "on" if number % 2 else "off")])
    page = carol.get("/audit?object=member%20Alice%20Member")
    assert len(page.rows("audit")) == 100 and page.rows("audit")[0][2] == "member.reports"
    older = next(link["href"] for link in page.all("a", rel="next"))
    rest = carol.get(older)
    assert [row[2] for row in rest.rows("audit")][-2:] == ["member.answer", "member.add"] and not list(rest.all("a", rel="next"))
    assert carol.get("/audit?actor=nobody").rows("audit") == []
    carol.get("/audit?since=yesterday", status=400)
    done = carol.send(page, "verify-form", [("act", "verify")])
    head = gateway.ctl_json("audit", "head")["head"]
    assert f"The head is {head}" in done.flash() and "as they were written" in done.flash()
    done = carol.send(page, "verify-form", [("act", "verify"), ("head", head[:-1] + ("0" if head[-1] != "0" else "1"))])
    assert "written anew" in done.flash() and "bad" in done.one(id="flash")["class"]


def test_held_mail_is_decided_one_by_one(carol):
    gateway = carol.gateway
    first, second, third = (stranger(gateway, f"Offer {number}") for number in range(3))
    page = carol.get("/held")
    assert entries(page, "held") == [first, second, third] and "Offer 0" in page.rows("held")[0][3]
    page = carol.send(page, "held-form", [("id", first), ("id", third), ("act", "drop"), ("reason", "")])
    assert "needs a reason" in page.flash() and len(page.rows("held")) == 3
    page = carol.send(page, "held-form", [("id", first), ("id", third), ("act", "drop"), ("reason", "spam")])
    assert page.flash() == "2 dropped." and entries(page, "held") == [second]
    assert "eve@evil.example" in page.rows("held")[0][2]
    wait_until("one report is on its way", lambda: len(read_maildir(gateway.maildir)) >= 1)
    one = carol.get(f"/held/{second}")
    assert "An administrator has looked" not in one.source and "DMARC" in one.one("section", id="facts").text
    carol.get(f"/held/{second}/content", status=405)
    assert rows_of(gateway, "--object", second) == []
    seen = carol.send(one, "show-content", status=200)
    assert "Hello Alice" in seen.one("pre", id="content-text").text and rows_of(gateway, "--object", second) == [("held.read", second)]
    answer, _ = carol.ask("GET", f"/held/{first}")
    assert answer.status == 303 and answer.getheader("Location") == f"/message?id={first}"   # it is over: its story is there
    page = carol.send(one, "decide-form", [("act", "release")])
    assert page.flash() == "1 released."
    carol.alice.receive_mail("Offer 1")
