"""Figures, health and readiness of a daemon that works; alerts and dashboard about figures that there are; the document that has them all."""
import json
import os
import re
import smtplib
import urllib.parse

import pytest

from documents import ROOT
from figures import PROMTOOL, ask, figures, health, promtool
from mail import ALICE, BOB, make_mail, send
from procs import free_port, wait_until
from web_visitor import Visitor

RULES = os.path.join(ROOT, "packaging", "prometheus", "postern.rules.yml")
DASHBOARD = os.path.join(ROOT, "packaging", "grafana", "postern.json")
EVE = "eve@example.net"


def documented():
    """{name: (type, {label: its values}, words)} of docs/METRICS.md; no values: those are of the configuration."""
    with open(os.path.join(ROOT, "docs", "METRICS.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \|$", file.read(), re.MULTILINE)
    return {name: (kind, {label: set(values.split(", ")) - {""} for label, values in re.findall(r"`(\w+)`(?: \(([^)]*)\))?", labels)}, words)
            for name, kind, labels, words in rows}


def names_in(expression):
    return {re.sub("_(bucket|sum|count)$", "", name) if not name.endswith("_total") else name
            for name in re.findall(r"\b(?:postern|process)_\w+", expression)}


def wrong_values(expression, book):
    """What an expression asks of labels that no figure has: it would never be true."""
    wrong = []
    for name, matchers in re.findall(r"\b(postern_\w+)\{([^}]*)\}", expression):
        labels = book[name if name in book else re.sub("_(bucket|sum|count)$", "", name)][1]
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            if label not in ("instance", "job") and (label not in labels or labels[label] and not set(values.split("|")) <= labels[label]):
                wrong.append((name, label, values))
    return wrong


def refused(port, sender, recipient, message=None):
    """The reply's code of what is refused."""
    with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused)) as caught:
        send(port, message or make_mail("No", sender=sender), sender=sender, recipients=[recipient])
    error = caught.value
    return error.recipients[recipient][0] if isinstance(error, smtplib.SMTPRecipientsRefused) else error.smtp_code


def check_counts(gateway, port):
    """Against what the test below has sent."""
    seen = figures(port)
    assert seen.by("result", "postern_mail_total") == {"accepted": 2, "held": 0, "repeated": 1, "rejected": 2, "deferred": 0}
    assert seen.by("result", "postern_recipients_refused_total") == {"rejected": 1, "deferred": 0}
    assert seen.get("postern_posts_total", kind="mail") == 2
    assert seen.get("postern_post_latency_seconds_count") == 2
    assert 0 < seen.get("postern_post_latency_seconds_sum") < 120
    assert seen.get("postern_messages_total", result="accepted") == 1
    assert seen.by("outcome", "postern_deliveries_total") == {"delivered": 1, "retried": 0, "failed": 0, "parked": 0}
    assert seen.get("postern_delivery_latency_seconds_count") == 1
    assert sum(seen.by("relay", "postern_relay_delivered_total").values()) == 1
    assert sum(seen.by("state", "postern_silo_state").values()) == 1 and seen.get("postern_silo_state", state="online") == 1
    assert sum(seen.by("state", "postern_relay_state").values()) == 1
    assert seen.get("postern_silo_logins_total") == 1
    assert seen.by("result", "postern_web_sign_ins_total") == {"signed_in": 0, "wrong": 1, "limited": 0}
    assert seen.get("postern_ready") == 1 and seen.get("postern_paused") == 0
    # Six sessions, of which one got no further than RCPT: who may not write to whom is known when the content is.
    replies = seen.by("class", "postern_smtp_replies_total", listener="smtp")
    assert replies["5xx"] == 3 and replies["3xx"] == 5 and replies["2xx"] >= 6 * 4
    # posternctl and the tests' look whether somebody listens come and go without a word.
    assert seen.get("postern_smtp_sessions_total", listener="smtp") >= 6
    assert seen.get("postern_smtp_session_duration_seconds_count", listener="smtp") >= 5
    assert seen.get("postern_store_commit_seconds_count") <= seen.get("postern_store_batch_operations_count")
    assert seen.get("postern_store_batch_operations_sum") == seen.get("postern_store_operations_total")
    assert seen.get("process_resident_memory_bytes") > 2**20 and seen.get("process_open_fds") > 10
    assert seen.get("postern_disk_free_bytes") > seen.get("postern_disk_reserve_bytes")
    [step] = gateway.ctl_json("history", "--hours", "1", "--step", "24h")["steps"]
    told = {key: step[key] for key in ("accepted", "repeated", "rejected", "posted", "messages", "delivered", "failed")}
    assert told == {"accepted": 2, "repeated": 1, "rejected": 3, "posted": 2, "messages": 1, "delivered": 1, "failed": 0}
    gateway.ctl("history", "--hours", "169", expect=2)
    gateway.ctl("history", "--step", "7m", expect=2)
    assert 0 < step["posted_median_ms"] <= step["posted_p95_ms"]
    return seen


def test_figures_match_what_was_sent(stopped_gateway, silo, alice):
    gateway, port, web_port = stopped_gateway, free_port(), free_port()
    gateway.admin_extra = f'http = "127.0.0.1:{web_port}"'
    gateway.extra = f'metrics {{ http = "127.0.0.1:{port}" }}\n'
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    first = make_mail("One")
    for mail in (first, make_mail("Two"), first):
        send(gateway.smtp_port, mail)
    assert refused(gateway.smtp_port, BOB, "nobody@silo.example.org") == 550
    assert refused(gateway.smtp_port, EVE, ALICE) == 550
    assert refused(gateway.smtp_port, BOB, ALICE, make_mail("Forged", proven=False)) == 550
    alice.post(BOB, "Hello Bob\n", subject="Out")
    with pytest.raises(AssertionError, match="^401"):
        Visitor(web_port).sign_in("mallory", "a wrong password")
    wait_until("all has left", lambda: figures(port).by("outcome", "postern_deliveries_total")["delivered"] == 1
               and figures(port).get("postern_posts_total", kind="mail") == 2)
    started = figures(port).get("process_start_time_seconds")
    seen = check_counts(gateway, port)

    # The output is as Prometheus wants it, and the document has each family, with its type and labels.
    code, words = promtool("check", "metrics", stdin=seen.text)
    assert code == 0 and not words.strip(), words
    book = documented()
    assert set(seen.types) == set(book)
    for name, (kind, labels, words) in book.items():
        assert (seen.types[name], seen.helps[name]) == (kind, words), name
        assert set(seen.labels.get(name, labels)) == set(labels), name
        for label, values in labels.items():
            assert not values or seen.labels[name][label] == values, (name, label)
    # Of nobody is anything in it.
    for secret in (BOB, EVE, "alice", "127.0.0.1", "One", "Out"):
        assert secret not in re.sub(r'relay="[^"]*"', "", seen.text), secret

    check_pages(gateway, port)
    silo.stop()
    wait_until("it is degraded", lambda: health(port, "/readyz")[:2] == (200, "degraded"))
    assert any("silo" in reason for reason in health(port, "/readyz")[2])
    assert health(port, "/healthz") == (200, "healthy", [])
    wait_until("the figures say so", lambda: figures(port).get("postern_silo_state", state="online") == 0)
    assert figures(port).get("process_start_time_seconds") == started, "PosternRestarts counts how often that changes"

    # While it stops, it says so; and what it has counted is there after a restart.
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port) as session:
        session.ehlo()
        session.mail(BOB)
        gateway.ctl("stop")
        status, word, reasons = health(port, "/readyz")
        assert (status, word) == (503, "unready") and "the daemon is stopping" in reasons
    gateway.stop()
    gateway.start()
    [step] = gateway.ctl_json("history", "--hours", "1", "--step", "24h")["steps"]
    assert (step["accepted"], step["posted"], step["rejected"]) == (2, 2, 3)
    assert figures(port).get("postern_posts_total", kind="mail") == 0


def check_pages(gateway, port):
    assert health(port, "/readyz") == (200, "ready", [])
    assert ask(port, "/metrics", "HEAD")[2] == ""
    assert ask(port, "/")[0] == 404
    assert ask(port, "/metrics", "POST", **{"Content-Length": "0"})[0] == 405
    assert ask(port, "/metrics", Host="evil.example")[0] == 421, "a page that a browser has open may not ask"
    gateway.extra = gateway.extra.replace(" }", ' clients = { "192.0.2.0/24" } }')
    gateway.write_config()
    gateway.ctl("reload")
    assert ask(port, "/metrics")[0] == 403
    gateway.extra = gateway.extra.replace("192.0.2.0/24", "127.0.0.0/8")
    gateway.write_config()
    gateway.ctl("reload")
    assert ask(port, "/metrics")[0] == 200


def test_alerts_and_dashboard_are_about_figures_that_there_are():
    book = documented()
    known = set(book)
    with open(RULES, encoding="utf-8") as file:
        rules = file.read()
    used = set().union(*(names_in(line) for line in re.findall(r"^\s*expr: (.*)$", rules, re.MULTILINE)))
    assert len(used) > 20 and used <= known, used - known
    assert not wrong_values(rules, book)
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    shown = set()
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            shown |= names_in(target["expr"])
            assert not wrong_values(target["expr"], book)
    assert len(shown) > 20 and shown <= known, shown - known
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_alerts_fire_when_they_should():
    assert os.path.exists(PROMTOOL), "scripts/unpack-packages build/neighbours scripts/packages-unpacked.txt"
    code, words = promtool("check", "rules", RULES)
    assert code == 0, words
    code, words = promtool("test", "rules", RULES.replace(".yml", ".test.yml"))
    assert code == 0, words
    with open(RULES, encoding="utf-8") as file:
        rules = file.read()
    with open(RULES.replace(".yml", ".test.yml"), encoding="utf-8") as file:
        tested = set(re.findall(r'alertname="(\w+)"', file.read()))
    with open(os.path.join(ROOT, "docs", "METRICS.md"), encoding="utf-8") as file:
        chapters = {line[4:].strip() for line in file if line.startswith("### ")}
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert set(alerts) == tested, "each has a case in which it fires"
    assert re.findall(r"runbook: (\S+)", rules) == [f"docs/METRICS.md#{urllib.parse.quote(name.lower())}" for name in alerts]
    assert set(alerts) <= chapters, "each has a chapter that says what to do"


def test_dashboard_queries_can_be_read(folder):
    """By promtool, as the expressions of rules: Grafana's own words are put in first."""
    with open(DASHBOARD, encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    queries = [target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*") for panel in panels for target in panel.get("targets", [])]
    path = os.path.join(folder, "queries.yml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": [{"record": f"query:{index}", "expr": query} for index, query in enumerate(queries)]}]}, file)
    code, words = promtool("check", "rules", path)
    assert code == 0, words
