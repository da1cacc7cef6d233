"""The list at the door, as administrators keep it: one gateway, from the command line."""
import datetime

from mail import ALICE, BOB
from procs import wait_until


def show(gateway, identity):
    return gateway.ctl_json("mapping", "show", str(identity))


def test_subjects_are_told_as_people_write_them(gateway, bob_to_alice):
    added = gateway.ctl_json("mapping", "add", "Jürgen@BÜCHER.example", "all", "--direction", "in")
    assert (added["address"], added["subject"], added["member"]) == ("Jürgen@bücher.example".lower(), "jürgen@xn--bcher-kva.example", "all")
    listed = gateway.ctl_json("mapping", "list", "--address", "jürgen@xn--bcher-kva.example")["mappings"]
    assert [row["id"] for row in listed] == [added["id"]]
    assert gateway.ctl_json("mapping", "list", "--member", "all")["mappings"] == listed
    for wrong in ("bob@exam\u00adple.com", "*@*", "*@[192.0.2.1]", "bob", "bob@☃.example"):
        gateway.ctl("mapping", "add", wrong, bob_to_alice.alias, expect=2)
    assert "top-level" in gateway.ctl("mapping", "add", "*@*.example", bob_to_alice.alias, expect=1)
    pattern = gateway.ctl_json("mapping", "add", "*@*.Partner.example", bob_to_alice.alias)
    assert pattern["subject"] == "*@*.partner.example"
    assert "mapping %d (*@*.partner.example for %s) is approved" % (pattern["id"], bob_to_alice.alias) in \
        gateway.ctl("mapping", "add", "*@*.partner.example", bob_to_alice.alias, expect=1)
    gateway.ctl("mapping", "add", "*@partner.example", bob_to_alice.alias, "--subaddresses", "yes", expect=1)


def test_limits_change_and_the_history_tells_it(gateway, bob_to_alice):
    identity = gateway.ctl_json("mapping", "list", "--address", BOB)["mappings"][0]["id"]
    gateway.ctl("mapping", "change", str(identity), expect=2)
    gateway.ctl("mapping", "change", str(identity), "--daily", "no", expect=2)
    changed = gateway.ctl_json("mapping", "change", str(identity), "--daily", "20", "--max-size", "10M", "--proof", "dkim",
                               "--subaddresses", "yes", "--reason", "as agreed")
    assert (changed["daily"], changed["max_size"], changed["proof"], changed["subaddresses"]) == (20, 10 * 1024 * 1024, "dkim", True)
    assert changed["direction"] == "both" and changed["state"] == "approved"
    assert gateway.ctl_json("mapping", "change", str(identity), "--daily", "none")["daily"] is None
    history = show(gateway, identity)["history"]
    assert [row["action"] for row in history] == ["mapping.add", "mapping.change", "mapping.change"]
    assert {row["channel"] for row in history} == {"cli"} and history[1]["reason"] == "as agreed"
    assert "20 a day, at most 10485760 octets, proof: dkim, with subaddresses" in history[1]["became"]
    gateway.ctl("mapping", "revoke", str(identity), "--reason", "moved on")
    refused = gateway.ctl("mapping", "change", str(identity), "--daily", "1", expect=1)
    assert "is revoked, by " in refused and "(moved on)" in refused, refused


def test_a_block_is_a_decision_of_its_own(gateway, bob_to_alice):
    first = gateway.ctl_json("mapping", "list", "--address", BOB)["mappings"][0]["id"]
    assert gateway.ctl_json("mapping", "block", BOB, bob_to_alice.alias)["id"] == first
    assert show(gateway, first)["state"] == "revoked"
    blocked = gateway.ctl_json("mapping", "block", "*@*.example", "all", "--reason", "nobody from there")
    assert blocked["state"] == "denied" and blocked["reason"] == "nobody from there"
    assert [row["id"] for row in gateway.ctl_json("mapping", "list", "--state", "denied")["mappings"]] == [blocked["id"]]
    for verb in ("approve", "deny", "suspend", "resume", "revoke"):
        assert "is denied" in gateway.ctl("mapping", verb, str(blocked["id"]), expect=1)
    again = gateway.ctl_json("mapping", "add", BOB, bob_to_alice.alias)
    assert again["id"] != first and show(gateway, first)["superseded"] is True
    page = gateway.ctl_json("mapping", "list", "--limit", "1")
    assert [row["id"] for row in page["mappings"]] == [first] == [page["more_after"]]
    assert "more_after" not in gateway.ctl_json("mapping", "list", "--after", str(first))


def test_what_would_happen_is_explained(gateway, bob_to_alice):
    def ask(*words):
        return gateway.ctl_json("mapping", "test", *words)
    own = gateway.ctl_json("mapping", "list", "--address", BOB)["mappings"][0]["id"]
    domain = gateway.ctl_json("mapping", "add", "*@example.com", "all", "--direction", "in", "--max-size", "1M")["id"]
    assert (ask(BOB, ALICE)["verdict"], ask(BOB, ALICE)["decided_by"], ask(BOB, ALICE)["proof"]) == ("let through", own, "dmarc")
    assert [(row["id"], row["decides"]) for row in sorted(ask(BOB, ALICE)["looked_at"], key=lambda row: row["id"])] == [(own, True), (domain, False)]
    assert ask("eve@example.com", bob_to_alice.alias)["decided_by"] == domain
    assert "larger" in ask("eve@example.com", ALICE, "--size", "2M")["why"]
    assert "incoming" in ask("eve@example.com", ALICE, "--direction", "out")["why"]
    gateway.ctl("mapping", "revoke", str(own))
    told = ask(BOB.upper(), ALICE)
    assert (told["verdict"], told["decided_by"], told["why"]) == ("refused", own, "the mapping was revoked"), told
    assert "not authorised" in told["reply"]
    assert ask("eve@example.org", ALICE)["decided_by"] is None
    gateway.ctl("mapping", "test", BOB, "Nobody At All", expect=1)
    gateway.ctl("mapping", "test", "*@example.com", ALICE, expect=2)


def test_a_mapping_expires_by_itself(gateway, bob_to_alice):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
    soon = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    identity = gateway.ctl_json("mapping", "add", "eve@example.net", bob_to_alice.alias, "--expires", soon)["id"]
    wait_until("it expires", lambda: show(gateway, identity)["state"] == "expired")
    assert show(gateway, identity)["history"][-1]["actor"] == "gateway"
    gateway.ctl("mapping", "add", "eve@example.net", bob_to_alice.alias, "--expires", soon, expect=2)


def test_case_counts_only_where_it_is_asked_for(gateway, bob_to_alice):
    """Changing the setting lets nobody in who was kept out: what refuses does so in any case of letters."""
    def verdict(address):
        return gateway.ctl_json("mapping", "test", address, bob_to_alice.alias)["verdict"]
    gateway.ctl("mapping", "add", "*@example.com", "all")
    gateway.ctl("mapping", "block", "Eve@example.com", "all")
    assert [verdict(address) for address in ("BOB@example.com", "EVE@example.com")] == ["let through", "refused"]
    gateway.policy_extra = "local_parts = sensitive"
    gateway.write_config()
    gateway.ctl("reload")
    assert [verdict(address) for address in ("eve@example.com", "EVE@example.com", "Eve@example.com")] == ["refused"] * 3
    identity = gateway.ctl_json("mapping", "add", "Dave@example.net", bob_to_alice.alias)["id"]
    assert show(gateway, identity)["subject"] == "Dave@example.net"
    assert [verdict(address) for address in ("Dave@example.net", "dave@example.net")] == ["let through", "refused"]
