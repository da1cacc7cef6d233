"""What administrators see of requests and mappings on the web page, and what becomes of what they press: without a browser, one gateway."""
import os

import pytest

from mail import make_mail
from procs import free_port, wait_until
from reports import send
from web_visitor import start_with_page

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>"
SUBJECT = "<b>Offer</b> & \u202egnp.exe"


@pytest.fixture
def anna(stopped_gateway, alice):
    stopped_gateway.open_port = free_port()
    return start_with_page(stopped_gateway, alice, "anna")


def ask_for(gateway, number):
    """A stranger's mail is held, and makes a request."""
    sender = f"stranger{number}@example.com"
    answer = send(gateway.smtp_port, make_mail(f"{SUBJECT} {number}", "secret words", sender=sender), sender=sender)
    assert "held for approval" in answer
    return sender


def show(gateway, number):
    return gateway.ctl_json("mapping", "show", str(number))


def requests(page):
    return [row[1:4] for row in page.rows("requests")]


def test_requests_are_decided(anna):
    gateway = anna.gateway
    for number in range(1, 8):
        ask_for(gateway, number)
    page = anna.get("/requests")
    assert requests(page) == [[str(n), f"stranger{n}@example.com", "Alice Member"] for n in range(1, 8)]
    # The mail behind a request, with a subject that steers nobody; what it says is not shown.
    first = page.rows("requests")[0]
    assert first[5].startswith("<b>Offer</b> & ") and "exe" in first[5], first
    assert "by an email of their own" in first[4]
    assert "<b>Offer" not in page.source and "\u202e" not in page.source and "secret words" not in page.source
    # One click.
    done = anna.send(page, "requests-form", [("approve", "1"), ("reason", HOSTILE)])
    assert "Approved: stranger1@example.com for Alice Member." in done.flash()
    assert (show(gateway, 1)["state"], show(gateway, 1)["decided_by"], show(gateway, 1)["reason"]) == ("approved", "anna", HOSTILE)
    done = anna.send(done, "requests-form", [("deny", "2")])
    assert "Denied: stranger2" in done.flash() and show(gateway, 2)["state"] == "denied"
    # Several at once, with limits.
    done = anna.send(done, "requests-form", [("act", "approve"), ("id", "3"), ("id", "4"), ("daily", "5"), ("expires", "2099-12-31"), ("direction", "in")])
    assert "stranger3@example.com for Alice Member; stranger4@example.com" in done.flash()
    assert [(show(gateway, n)["daily"], show(gateway, n)["direction"], show(gateway, n)["expires"][:10]) for n in (3, 4)] == [(5, "in", "2099-12-31")] * 2
    assert requests(done) == [[str(n), f"stranger{n}@example.com", "Alice Member"] for n in (5, 6, 7)]
    # Whoever presses Enter with nothing chosen has done nothing.
    done = anna.send(done, "requests-form", [("act", "approve")])
    assert "Nothing was done" in done.flash() and len(requests(done)) == 3
    # Somebody else is first: the page tells who, and the rest is done all the same.
    gateway.ctl("mapping", "deny", "5", "--reason", "not a partner")
    done = anna.send(done, "requests-form", [("act", "approve"), ("id", "5"), ("id", "6")])
    assert "Approved: stranger6@example.com" in done.flash() and "denied" in done.flash() and "not a partner" in done.flash(), done.flash()
    assert next(done.all(id="flash"))["role"] == "alert" and show(gateway, 5)["state"] == "denied"
    # A wrong limit changes nothing.
    done = anna.send(done, "requests-form", [("approve", "7"), ("daily", "many")])
    assert "--daily takes" in done.flash() and requests(done) == [["7", "stranger7@example.com", "Alice Member"]]
    anna.send(done, "requests-form", [("deny", "7")])
    assert "No request waits" in anna.get("/requests").one("main").text
    # What cannot have come from the page.
    anna.send(done, "requests-form", [("act", "approve"), ("id", "--help")])
    assert {row["actor"] for row in gateway.ctl_json("audit", "list", "--object", "mapping 6")["audit"]} >= {"anna"}
    check_overview(anna)


def check_overview(anna):
    """One page that says what needs attention, and leads there."""
    gateway = anna.gateway
    ask_for(gateway, 90)
    page = anna.get("/")
    attention = page.one("ul", cls="attention")
    assert 'The listener "open"' in attention.text and "believes everybody" in attention.text
    assert "1 request waits for a decision" in attention.text
    assert {"/requests", "/held", "/#listeners"} <= {link["href"] for link in attention.all("a")}
    assert page.rows("listeners-table")[0][0] == "smtp" and page.rows("queues-table")[0][0] == "to the silo"
    assert "online" in page.one(id="silo").text
    assert len(list(page.all("svg", role="img"))) == 4 and all(len(row) == 11 for row in page.rows("hours-table"))
    taken = sum(int(row[4]) for row in page.rows("hours-table"))
    assert taken == 8, "every mail that was held is in the table beside the charts"
    refused = anna.send(anna.get("/mappings"), "mapping-add", [("act", "destroy"), ("subject", "x"), ("target", "y")], status=400)
    assert "not sent as the page has it" in refused.one("main").text


def test_mappings_are_found_and_changed(anna, silo):
    gateway = anna.gateway
    page = anna.get("/mappings")
    assert "There is no mapping yet" in page.one("main").text
    for number in range(1, 106):
        anna.press(page, "mapping-add", [("act", "block"), ("subject", f"spam{number}@example.net"), ("target", "all")])
    page = anna.get("/mappings")
    assert len(page.rows("mappings")) == 100
    following = next(page.all("a", rel="next"))["href"]
    assert [row[0] for row in anna.get(following).rows("mappings")] == [str(number) for number in range(101, 106)]
    assert not list(anna.get(following).all("a", rel="next"))
    # Added, with all options; a form that is refused comes back as it was sent.
    form = [("act", "add"), ("subject", "bob@example.com"), ("target", "Nobody"), ("note", HOSTILE), ("max-size", "10M"), ("attachments", "pdf,docx")]
    refused = anna.send(page, "mapping-add", form, status=409)
    assert "there is no member or group" in refused.one("main").text
    added = anna.send(refused, "mapping-add", [("act", "add"), ("target", "Alice Member")])
    assert "bob@example.com for Alice Member is now approved." in added.flash()
    stored = show(gateway, 106)
    assert (stored["note"], stored["max_size"], stored["attachments"], stored["direction"]) == (HOSTILE, 10 << 20, ".pdf, .docx", "both")
    assert "<script>alert" not in added.source
    # Looked for: by part, state, member; what is wrong is told on the page.
    assert [row[1] for row in anna.get("/mappings?search=BOB%40").rows("mappings")] == ["bob@example.com"]
    assert [row[0] for row in anna.get("/mappings?search=spam10&state=denied").rows("mappings")] == ["10", "100", "101", "102", "103", "104", "105"]
    following = next(anna.get("/mappings?search=example&member=all").all("a", rel="next"))["href"]
    assert "search=example" in following and len(anna.get(following).rows("mappings")) == 5
    assert len(anna.get("/mappings?member=Alice%20Member").rows("mappings")) == 1
    assert "No mapping is like that" in anna.get("/mappings?search=%25").one("main").text
    assert "is not a state" in anna.get("/mappings?state=open").one("main").text
    # Would it get through?
    verdict = anna.get("/mappings?test=bob%40example.com&to=alice%40silo.example.org&size=11M").one(id="test-verdict")
    assert "refused" in verdict.text and "larger" in verdict.text
    # Changed: only what was altered is said, so that two who alter different things do not undo each other's.
    page = anna.get("/mappings/106")
    gateway.ctl("mapping", "change", "106", "--daily", "9")
    changed = anna.send(page, "change-form", [("act", "change"), ("max-size", ""), ("expires", "2099-12-31"), ("reason", "as agreed")])
    stored = show(gateway, 106)
    assert (stored["daily"], stored["max_size"], stored["expires"][:10], stored["note"]) == (9, None, "2099-12-31", HOSTILE)
    assert "as agreed" in changed.one(id="history").text and "anna" in changed.one(id="history").text
    assert "Nothing was changed" in anna.send(changed, "change-form", [("act", "change")]).flash()
    # Suspended, resumed, revoked; that needs to be said twice.
    page = anna.send(anna.get("/mappings/106"), "act-form", [("act", "suspend"), ("reason", "holidays")])
    assert "is now suspended" in page.flash()
    page = anna.send(page, "act-form", [("act", "resume")])
    assert show(gateway, 106)["state"] == "approved"
    page = anna.send(page, "act-form", [("act", "revoke")])
    assert "Not revoked" in page.flash() and show(gateway, 106)["state"] == "approved"
    page = anna.send(page, "act-form", [("act", "revoke"), ("sure", "yes")])
    assert show(gateway, 106)["state"] == "revoked" and not list(page.all("form", id="act-form"))
    again = next(link["href"] for link in page.all("a") if "subject=" in link.get("href", ""))
    assert dict(anna.get(again.partition("#")[0]).fields("mapping-add"))["subject"] == "bob@example.com"
    assert "there is no mapping 4711" in anna.get("/mappings/4711", status=404).one("main").text
    anna.get("/mappings/x", status=400)
    check_held_of_a_request(gateway)
    check_pinning(anna, silo)


def check_held_of_a_request(gateway):
    """Each request's own mail, however much else is held."""
    for number in (1, 2):
        ask_for(gateway, number)
    first, second = (row["id"] for row in gateway.ctl_json("mapping", "list", "--state", "requested")["mappings"])
    assert [row["from"] for row in gateway.ctl_json("held", "list", "--request", str(second))["held"]] == ["stranger2@example.com"]
    assert [row["request"] for row in gateway.ctl_json("held", "list", "--request", str(first), "--limit", "1")["held"]] == [first]
    assert len(gateway.ctl_json("held", "list")["held"]) == 2
    gateway.ctl("held", "list", "--request", "x", expect=2)


def check_pinning(anna, silo):
    """A silo with another certificate is told of first, and pinned by somebody who says that they have compared it."""
    assert not list(anna.get("/").all("form", id="silo-form")), "nothing to do while it is online"
    silo.stop()
    for name in ("certificate.pem", "key.pem"):
        os.unlink(os.path.join(silo.folder, "silo", name))
    silo.start()
    wait_until("it has stopped", lambda: anna.gateway.ctl_json("silo", "status")["state"] == "stopped")
    page = anna.get("/")
    refused = anna.gateway.ctl_json("silo", "status")["pin_refused"]
    first = next(page.one("ul", cls="attention").all("li"))
    assert "another certificate" in first.text and refused in first.text and next(first.all("a"))["href"] == "/#silo"
    assert "Not pinned" in anna.send(page, "repin-form", [("act", "repin")]).flash()
    stale = anna.send(page, "repin-form", [("act", "repin"), ("sure", "yes"), ("pin", "sha256:" + "0" * 64)])
    assert "yet another certificate" in stale.flash() and anna.gateway.ctl_json("silo", "status")["pin"] != refused
    assert "is pinned" in anna.send(page, "repin-form", [("act", "repin"), ("sure", "yes")]).flash()
    anna.gateway.wait_online()
    assert anna.gateway.ctl_json("silo", "status")["pin"] == refused
