"""The web page's foundation: signing in, sessions, forms, what all answers have, the API. Without a browser; one gateway for all."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pty
import re
import shlex
import shutil
import socket
import sqlite3
import ssl
import struct
import tempfile
import threading
import time
import urllib.parse

import pytest

from conftest import show_logs
from nginx import Nginx
from postern import Gateway
from procs import ROOT, free_port, sanitizer_reports, wait_until

PASSWORD = "correct horse battery"
ORIGIN = "https://postern.example.org"
FORM = "application/x-www-form-urlencoded"


class Door(Gateway):
    """A gateway with a web page, whose silo is away."""

    def __init__(self, folder):
        super().__init__(folder, free_port())
        self.http_port = free_port()
        self.admin_extra = f'http = "127.0.0.1:{self.http_port}" origin = "{ORIGIN}"'

    def add(self, name, password=PASSWORD):
        self.ctl("admin", "add", name, stdin=password + "\n")
        return Browser(self, name)

    def ask(self, method, path, body=None, **headers):
        """headers: with "_" for "-". A dict as body is a form."""
        headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers["Content-Type"] = FORM
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer
        finally:
            connection.close()

    def raw(self, octets):
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=30) as conversation:
            conversation.sendall(octets)
            got = b""
            while b"\r\n\r\n" not in got:
                piece = conversation.recv(65536)
                if not piece:
                    break
                got += piece
            return got.decode()

    def audit(self, action):
        return [row for row in self.ctl_json("audit", "list", "--limit", "1000")["audit"] if row["action"] == action]


class Browser:
    def __init__(self, door, name):
        self.door, self.name, self.cookie, self.known = door, name, None, None

    def sign_in(self, password=PASSWORD, code="", status=303, **headers):
        answer = self.door.ask("POST", "/login", {"name": self.name, "password": password, "code": code}, **headers)
        assert status in (answer.status, None), answer.text
        if status == 303:
            self.cookie, self.known = (cookie.partition(";")[0] for cookie in answer.headers.get_all("Set-Cookie"))
        return answer

    def get(self, path, **headers):
        return self.door.ask("GET", path, Cookie=self.cookie, **headers)

    def csrf(self):
        return re.search(r'name="csrf" value="(\w+)"', self.get("/account").text).group(1)

    def post(self, path, fields, csrf=None, **headers):
        return self.door.ask("POST", path, {"csrf": csrf or self.csrf(), **fields}, Cookie=self.cookie, **headers)

    def is_in(self):
        return self.get("/account").status == 200


def totp(secret, step):
    """RFC 6238 by its text."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


@pytest.fixture(scope="module")
def door():
    folder = tempfile.mkdtemp(prefix="postern-e2e-")
    server = Door(folder)
    try:
        server.start()
        yield server
    except BaseException:
        show_logs(folder)
        raise
    finally:
        if server.process is not None:
            server.stop()
        reports = sanitizer_reports(folder)
        shutil.rmtree(folder, ignore_errors=True)
    assert not reports, "a sanitizer found something:\n" + "\n".join(reports)


def test_signing_in_and_out(door):
    anna = door.add("anna")
    first = door.ask("GET", "/mappings")
    assert (first.status, first.getheader("Location")) == (303, "/login?to=%2Fmappings")
    wrong = anna.sign_in("something else entirely", status=401)
    assert "Name, password or code is wrong" in wrong.text and not wrong.getheader("Set-Cookie")
    nobody = Browser(door, "nobody-here").sign_in(status=401)
    assert nobody.text.replace(nobody.getheader("Date"), "").count("is wrong") == 1
    answer = anna.sign_in()
    session, known = (cookie.split("; ") for cookie in answer.headers.get_all("Set-Cookie"))
    assert session[0].startswith("postern=") and session[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert known[0].startswith("postern-known=") and known[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=7776000"]
    assert anna.is_in() and "anna" in anna.get("/").text
    # The place that was wanted, but no other host's.
    for place, leads_to in (("/mappings", "/mappings"), ("//evil.example/", "/"), ("https://evil.example/", "/"), ("/\\evil.example", "/")):
        answer = door.ask("POST", "/login", {"name": "Anna ", "password": PASSWORD, "to": place})
        assert answer.getheader("Location") == leads_to
    out = anna.post("/logout", {})
    assert out.status == 303 and "Max-Age=0" in out.getheader("Set-Cookie")
    assert not anna.is_in()
    assert "You have signed out" in door.ask("GET", out.getheader("Location")).text
    assert "You have signed out" not in door.ask("GET", out.getheader("Location")).text   # once
    assert [row["actor"] for row in door.audit("web.sign-in")][0] == "anna"
    assert [(row["actor"], row["after"]) for row in door.audit("web.sign-out")] == [("anna", "from 127.0.0.1")]
    assert len(door.audit("web.sign-in-failed")) == 1   # of several failures: strangers don't fill the log


def test_a_session_is_new_and_ends(door):
    """Fixation: a cookie that somebody else has planted is not the one that is signed in."""
    beth = door.add("beth")
    beth.cookie = "postern=" + "a" * 52
    answer = beth.sign_in()
    first = beth.cookie
    assert first != "postern=" + "a" * 52
    answer = door.ask("POST", "/login", {"name": "beth", "password": PASSWORD}, Cookie=first)
    beth.cookie = answer.getheader("Set-Cookie").partition(";")[0]
    assert beth.cookie != first and beth.is_in()
    assert door.ask("GET", "/account", Cookie=first).status == 303   # what this browser had is over
    other = Browser(door, "beth")
    other.sign_in()
    assert len(door.ctl_json("admin", "sessions", "beth")["sessions"]) == 2
    assert beth.post("/account", {"act": "sign-out"}).getheader("Location").startswith("/login")
    assert not beth.is_in() and not other.is_in()
    for end in (lambda: door.ctl("admin", "sign-out", "beth"), lambda: door.ctl("admin", "remove", "beth")):
        beth.sign_in()
        assert beth.is_in()
        end()
        assert not beth.is_in()
    beth.sign_in(status=401)


def test_a_new_password_ends_the_other_sessions(door):
    cleo, other = door.add("cleo"), Browser(door, "cleo")
    cleo.sign_in()
    other.sign_in()
    change = {"act": "password", "current": PASSWORD, "new": "another long one", "again": "another long one"}
    for wrong, said in (({"current": "not the one"}, "That is not your password"), ({"again": "another lung one"}, "The two new passwords differ"),
                        ({"new": "short", "again": "short"}, "the password is shorter than 12 characters")):
        answer = cleo.post("/account", {**change, **wrong})
        assert said in cleo.get(answer.getheader("Location")).text
        assert cleo.is_in() and other.is_in()
    answer = cleo.post("/account", change)
    cleo.cookie = answer.getheader("Set-Cookie").partition(";")[0]
    assert "Your password is changed" in cleo.get(answer.getheader("Location")).text
    assert cleo.is_in() and not other.is_in()
    cleo.sign_in(status=401)
    cleo.sign_in("another long one")


def test_forms_of_others_change_nothing(door):
    dora, eve = door.add("dora"), door.add("eve")
    dora.sign_in()
    eve.sign_in()
    sign_out = {"act": "sign-out"}
    ours = f"http://127.0.0.1:{door.http_port}"
    for answer in (door.ask("POST", "/account", sign_out, Cookie=dora.cookie),
                   dora.post("/account", sign_out, csrf="a" * 52),
                   dora.post("/account", sign_out, csrf=eve.csrf()),
                   dora.post("/account", sign_out, csrf=dora.csrf()[:-1]),
                   dora.post("/account", sign_out, Origin="https://evil.example"),
                   dora.post("/account", sign_out, Origin="null"),
                   dora.post("/account", sign_out, Origin=ORIGIN),
                   dora.post("/account", sign_out, Sec_Fetch_Site="cross-site"),
                   dora.post("/account", sign_out, Sec_Fetch_Site="same-site"),
                   dora.sign_in(status=403, Origin="https://evil.example")):
        assert answer.status == 403 and "Nothing was changed" in answer.text
    assert door.ask("POST", "/account", sign_out).status == 401   # nobody
    assert dora.is_in()
    for _ in range(5):   # strangers don't fill the log
        Browser(door, "x").sign_in(status=403, Origin="https://evil.example")
    assert 1 <= len(re.findall("event=web.foreign_form path=/login", door.read_log())) <= 2
    # GET changes nothing, whatever it says.
    assert dora.get(f"/account?act=sign-out&csrf={dora.csrf()}").status == 200
    assert (dora.get("/logout").status, dora.get("/logout").getheader("Allow")) == (405, "POST")
    assert dora.is_in()
    assert dora.post("/account", sign_out, Origin=ours, Sec_Fetch_Site="same-origin").status == 303


def test_what_every_answer_has(door):
    fay = door.add("fay")
    fay.sign_in()
    token = door.ctl_json("admin", "token", "add", "headers")["token"]
    answers = [fay.get(path) for path in ("/", "/account", "/login", "/nothing-here", "/static/style.css", "/static/none", "/logout")]
    answers += [door.ask("GET", "/"), door.ask("GET", "/api/v1/version"), door.ask("GET", "/api/v1/version", Authorization=f"Bearer {token}"),
                door.ask("PUT", "/"), door.ask("GET", "/", Host="evil.example"), door.ask("POST", "/login", {"name": "x"})]
    assert {answer.status for answer in answers} == {200, 303, 400, 401, 404, 405, 421}
    for answer in answers:
        assert answer.getheader("Content-Security-Policy") == (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Referrer-Policy") == "same-origin"
        assert answer.getheader("Cross-Origin-Opener-Policy") == "same-origin"
        assert answer.getheader("X-Frame-Options") == "DENY"
        assert answer.getheader("Server") is None
        if "static" not in (answer.getheader("ETag") or "static"):
            continue
        assert answer.getheader("Cache-Control") == "no-store"
    style = re.search(r'href="(/static/style.css\?v=\w+)"', fay.get("/").text).group(1)
    kept = fay.get(style)
    assert "immutable" in kept.getheader("Cache-Control") and kept.getheader("Content-Type").startswith("text/css")
    assert fay.get("/static/style.css").getheader("Cache-Control") == "no-cache"
    assert fay.get("/static/style.css", If_None_Match=kept.getheader("ETag")).status == 304
    head, page = door.ask("HEAD", "/login"), door.ask("GET", "/login")
    assert head.status == 200 and head.text == "" and head.getheader("Content-Length") == page.getheader("Content-Length")
    assert " style=" not in fay.get("/").text and "<script>" not in fay.get("/").text


def test_whom_it_answers(door):
    """DNS rebinding; and the public address, by which cookies are for TLS only."""
    for host in ("evil.example", "127.0.0.1", f"evil.example:{door.http_port}", "postern.example.org.evil.example"):
        assert door.ask("GET", "/login", Host=host).status == 421
    gina = door.add("gina")
    public = {"Host": "postern.example.org", "Origin": ORIGIN}
    answer = gina.sign_in(X_Forwarded_For="203.0.113.9, 198.51.100.7", User_Agent="Mozilla/5.0 (test)", **public)
    session, known = (cookie.split("; ") for cookie in answer.headers.get_all("Set-Cookie"))
    assert session[0].startswith("__Host-postern=") and session[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]
    assert known[0].startswith("__Host-postern-known=") and known[1:5] == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]
    assert gina.get("/account", Host="postern.example.org").status == 200
    assert gina.get("/account").status == 303   # not by the other address
    session, = door.ctl_json("admin", "sessions", "gina")["sessions"]
    assert (session["from"], session["browser"]) == ("198.51.100.7", "Mozilla/5.0 (test)")
    # One socket for both kinds, in front: else all of IPv4 were one network.
    gina.sign_in(X_Forwarded_For="::ffff:198.51.100.8", **public)
    assert "198.51.100.8" in {session["from"] for session in door.ctl_json("admin", "sessions", "gina")["sessions"]}
    # Some servers in front add a field of their own behind what the client has written.
    form = urllib.parse.urlencode({"name": "gina", "password": PASSWORD}).encode()
    assert door.raw(b"POST /login HTTP/1.1\r\nHost: postern.example.org\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.9\r\n"
                    b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (FORM.encode(), len(form), form)).startswith("HTTP/1.1 303 ")
    assert "198.51.100.9" in {session["from"] for session in door.ctl_json("admin", "sessions", "gina")["sessions"]}
    # Who asks directly is not believed.
    gina.sign_in(X_Forwarded_For="198.51.100.7")
    assert {session["from"] for session in door.ctl_json("admin", "sessions", "gina")["sessions"]} == {
        "198.51.100.7", "198.51.100.8", "198.51.100.9", "127.0.0.1"}


def test_behind_nginx(door):
    """As docs/WEB.md has it: what a browser sees there, and whom the gateway believes."""
    rita = door.add("rita")
    server = Nginx(door.folder, door.http_port)
    context = ssl.create_default_context(cafile=server.certificate.file)
    server.start()
    try:
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=30)) as plain:
            connection = http.client.HTTPSConnection("postern.example.org", timeout=30)
            connection.sock = context.wrap_socket(plain, server_hostname="postern.example.org")
            form = urllib.parse.urlencode({"name": "rita", "password": PASSWORD})
            connection.request("POST", "/login", form, {"Content-Type": FORM, "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin",
                                                        "X-Forwarded-For": "203.0.113.5"})
            answer = connection.getresponse()
            answer.read()
            rita.cookie = answer.headers.get_all("Set-Cookie")[0].partition(";")[0]
            assert answer.status == 303 and rita.cookie.startswith("__Host-postern=")
            assert answer.getheader("Location") == "/" and answer.getheader("Strict-Transport-Security")
            connection.request("GET", "/account", headers={"Cookie": rita.cookie})   # the same connection
            answer = connection.getresponse()
            assert answer.status == 200 and "Your account" in answer.read().decode()
    finally:
        server.stop()
    session, = door.ctl_json("admin", "sessions", "rita")["sessions"]
    assert session["from"] == "127.0.0.1"   # whom nginx has seen, not whom the client names


def test_guessing_is_slowed_down(door):
    hana = door.add("hana")
    hana.sign_in()
    public = {"Host": "postern.example.org", "Origin": ORIGIN}

    def guess(browser, first, free=5):
        """Fails until that takes a wait; each failure doubles it, so however slow this machine is it comes to that."""
        for number in range(12):
            answer = door.ask("POST", "/login", {"name": browser.name, "password": f"guess number {number}"},
                              X_Forwarded_For=f"198.51.{first + number}.1", **public)
            if answer.status == 429:
                assert number >= free and re.search("Try again in [1-9][0-9]* seconds", answer.text)
                return
            assert answer.status == 401
        raise AssertionError("nothing was slowed down")

    # It keeps nobody out whose browser was in before; what that has is of this account and this password only.
    known = hana.known
    guess(hana, 0)
    hana.sign_in(status=429, Cookie=known[:-1] + ("a" if known[-1] != "a" else "b"))
    hana.sign_in(Cookie=known)
    ivan = Browser(door, "no such name")   # there is no difference
    guess(ivan, 100)
    ivan.sign_in(status=429, Cookie=known)
    # Nor does it keep who is in from another password.
    csrf = hana.csrf()
    guess(hana, 200, free=0)
    assert "Set up one-time codes" in hana.post("/account", {"act": "totp-begin", "current": PASSWORD}, csrf=csrf).text


def test_a_flood_keeps_nobody_out_who_was_in(door):
    """More strangers than there are places, each of a network and a name of their own. Who waits among them, and is signed out meanwhile, changes nothing."""
    sara, uma = door.add("sara"), door.add("uma")
    sara.sign_in()
    uma.sign_in()
    csrf = uma.csrf()
    statuses, known, late = [], [], []

    def knock(number):
        while 503 not in statuses:
            statuses.append(Browser(door, f"stranger-{number}").sign_in(
                status=None, Host="postern.example.org", Origin=ORIGIN, X_Forwarded_For=f"203.0.{number}.1").status)

    crowd = [threading.Thread(target=knock, args=(number,)) for number in range(9)]
    for one in crowd:
        one.start()
    while 503 not in statuses:
        time.sleep(0.01)
    for target in (lambda: known.append(sara.sign_in(status=None, Cookie=sara.known).status),
                   lambda: late.append(uma.post("/account", {"act": "totp-begin", "current": PASSWORD}, csrf=csrf).status)):
        crowd.append(threading.Thread(target=target))
        crowd[-1].start()
    door.ctl("admin", "sign-out", "uma")
    for one in crowd:
        one.join()
    assert set(statuses) == {401, 503} and known == [303] and late == [401]


def test_one_time_codes(door):
    jana = door.add("jana")
    jana.sign_in()
    assert "That is not your password" in jana.get(jana.post("/account", {"act": "totp-begin", "current": "wrong"}).getheader("Location")).text
    page = jana.post("/account", {"act": "totp-begin", "current": PASSWORD}).text
    secret = re.search(r'id="totp-secret">(\w+)<', page).group(1)
    assert f"otpauth://totp/gw.example.org:jana?secret={secret}&amp;" in page
    jana.sign_in()   # nobody is asked for a code before one was confirmed
    step = int(time.time()) // 30
    page = jana.post("/account", {"act": "totp-confirm", "code": totp(secret, step)}).text
    recovery = re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", page)
    assert len(recovery) == 10
    jana.sign_in(status=401)
    jana.sign_in(code=totp(secret, step), status=401)   # it was used
    jana.sign_in(code=totp(secret, step + 1))
    jana.sign_in(code=totp(secret, step + 1), status=401)
    jana.sign_in(code=recovery[3].upper().replace("-", " "))
    jana.sign_in(code=recovery[3], status=401)
    accounts = {account["name"]: account for account in door.ctl_json("admin", "list")["accounts"]}
    assert (accounts["jana"]["totp"], accounts["jana"]["recovery_codes"]) == ("on", 9)
    door.ctl("admin", "totp", "off", "jana")
    jana.sign_in()
    assert [row["after"] for row in door.audit("admin.totp")] == ["on", "off"]


def totp_of(door, name):
    return {account["name"]: account["totp"] for account in door.ctl_json("admin", "list")["accounts"]}[name]


def test_one_time_codes_are_turned_off_with_the_password(door):
    tora = door.add("tora")
    tora.sign_in()
    secret = re.search(r'id="totp-secret">(\w+)<', tora.post("/account", {"act": "totp-begin", "current": PASSWORD}).text).group(1)
    tora.post("/account", {"act": "totp-confirm", "code": totp(secret, int(time.time()) // 30)})
    for current in ("", "wrong"):
        assert tora.post("/account", {"act": "totp-off", "current": current}).status == 303
        assert totp_of(door, "tora") == "on"
    answer = tora.post("/account", {"act": "totp-off", "current": PASSWORD})
    assert "One-time codes are off." in tora.get(answer.getheader("Location")).text
    assert totp_of(door, "tora") == "off"
    assert [row["after"] for row in door.audit("admin.totp") if row["actor"] == "tora"] == ["on", "off"]
    tora.sign_in()


def test_guesses_at_a_browser_that_was_left_open_get_slow(door):
    """Who knows the password has to wait as well; at the door they have not."""
    gunda = door.add("gunda")
    gunda.sign_in()
    csrf, said = gunda.csrf(), []
    while len(said) < 20 and not any("Too many attempts have failed" in page for page in said):
        said.append(gunda.get(gunda.post("/account", {"act": "totp-begin", "current": "wrong"}, csrf=csrf).getheader("Location")).text)
    assert 1 < len(said) < 20 and all("That is not your password" in page for page in said[:-1])
    answer = gunda.post("/account", {"act": "totp-begin", "current": PASSWORD}, csrf=csrf)
    assert answer.status == 303 and "Too many attempts have failed" in gunda.get(answer.getheader("Location")).text
    gunda.sign_in()


def test_the_api(door):
    full = door.ctl_json("admin", "token", "add", "full")["token"]
    reads = door.ctl_json("admin", "token", "add", "reads", "--read-only", "yes", "--expires", "90d")["token"]

    def ask(method, path, token=full, body=None):
        answer = door.ask(method, "/api/v1/" + path, json.dumps(body) if body is not None else None, Authorization=f"Bearer {token}")
        return answer.status, json.loads(answer.text)

    assert ask("GET", "version")[0] == ask("GET", "version", reads)[0] == ask("POST", "version", reads)[0] == 200
    assert ask("GET", "version", full[:-1])[0] == ask("GET", "version", "")[0] == 401
    assert ask("POST", "mapping/add", reads, {"args": ["kim@example.com", "all"]}) == (403, {"error": "this token may only read"})
    assert ask("GET", "mapping/add?arg=kim@example.com&arg=all")[0] == 405
    assert ask("GET", "mapping/list")[1] == {"mappings": []}
    status, added = ask("POST", "mapping/add", body={"args": ["kim@example.com", "all"], "options": {"note": "--reason"}})
    assert (status, added["note"], added["decided_by"]) == (200, "--reason", "full (token)")
    assert ask("GET", f"mapping/show?arg={added['id']}", reads)[1]["address"] == "kim@example.com"
    assert ask("GET", "mapping/list?state=requested")[1] == {"mappings": []}
    for path, body, wanted in (("nothing", None, 404), ("mapping", None, 404), ("mapping/list/more", None, 404), ("mapping/show", None, 400),
                               ("mapping/show?arg=1&arg=2", None, 400), ("mapping/list?colour=red", None, 400), ("mapping/list", {"options": {"state --member": "x"}}, 400),
                               ("mapping/list?limit=5001", None, 400), ("mapping/show?arg=77", None, 409),
                               ("mapping/list", [], 400), ("mapping/list", {"argv": []}, 400), ("mapping/show", {"args": [1]}, 400),
                               ("admin/remove", {"args": ["--session"]}, 409), ("admin/add", {"args": ["x"]}, 400),
                               ("admin/add", {"args": ["x"], "input": "short"}, 409)):
        status, answer = ask("POST" if body is not None else "GET", path, full, body)
        assert status == wanted and list(answer) == ["error"], (path, body, status, answer)
    # What curl -d says of a body that is none.
    answer = door.ask("POST", "/api/v1/mapping/change", json.dumps({"args": [str(added["id"])], "options": {"note": "100% sure & well"}}),
                      Authorization=f"Bearer {full}", Content_Type=FORM)
    assert answer.status == 200 and json.loads(answer.text)["note"] == "100% sure & well", answer.text
    assert door.ask("POST", "/api/v1/stop", "{", Authorization=f"Bearer {full}").status == 400
    assert door.ask("GET", "/api/v2/version", Authorization=f"Bearer {full}").status == 404
    # A browser's session is nothing here.
    lena = door.add("lena")
    lena.sign_in()
    assert lena.get("/api/v1/version").status == 401
    tokens = {token["name"]: token for token in door.ctl_json("admin", "token", "list")["tokens"]}
    assert tokens["reads"]["read_only"] and tokens["reads"]["expires"] and tokens["full"]["used"]
    door.ctl("admin", "token", "remove", "full")
    assert ask("GET", "version")[0] == 401
    assert full not in door.read_log() and reads not in door.read_log()


def test_sessions_end_with_time(door):
    nora = door.add("nora")
    nora.sign_in()
    hour = 3600 * 1000
    for column, ms in (("seen_at", hour), ("created_at", 12 * hour)):
        for more, is_in in ((-60 * 1000, True), (1000, False)):   # an hour since it was seen, twelve since it began; a minute less, a second more
            nora.sign_in() if not nora.is_in() else None
            with contextlib.closing(sqlite3.connect(os.path.join(door.state, "postern.db"), timeout=30)) as database, database:
                database.execute(f"UPDATE web_session SET {column} = ? WHERE account_id = (SELECT id FROM web_account WHERE name = 'nora')",
                                 (int(time.time() * 1000) - ms - more,))
            assert nora.get("/static/style.css").status == 200
            # What a page asks for by itself does not count as being seen.
            assert (nora.get("/account", Sec_Fetch_Dest="empty").status == 200) == is_in
    assert not nora.is_in()


def test_a_password_at_the_terminal(door):
    """Asked for twice, and not shown; ^C and two that differ do nothing."""
    def type_in(name, *lines):
        child, terminal = pty.fork()
        if child == 0:
            os.execv(os.path.join(door.programs, "posternctl"), ["posternctl", "-c", door.config, "admin", "add", name])
        shown = b""
        with contextlib.suppress(OSError):   # the terminal ends with the program
            for number, line in enumerate(lines, 1):
                while shown.count(b": ") < number:
                    shown += os.read(terminal, 1000)
                os.write(terminal, line)
            while piece := os.read(terminal, 1000):
                shown += piece
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()

    status, shown = type_in("olga", b"typed at a terminal\n", b"typed at a terminal\n")
    assert status == 0 and "typed" not in shown and "once more" in shown
    Browser(door, "olga").sign_in("typed at a terminal")
    status, shown = type_in("pia", b"typed at a terminal\n", b"typed at another one\n")
    assert status == 1 and "these differ" in shown
    status, shown = type_in("pia", b"typed at\x03")
    assert status == 1 and "no password was given" in shown
    assert "pia" not in door.ctl("admin", "list")


def test_what_is_too_large(door):
    assert door.ask("GET", "/login?" + "a" * 9000).status == 414
    assert door.raw(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"a" * 17000).startswith("HTTP/1.1 431 ")
    assert door.raw(b"POST /login HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 300000\r\n\r\n" % door.http_port).startswith("HTTP/1.1 413 ")
    assert door.ask("POST", "/login", {"name": "anna", "password": "a" * 1001}).status == 400
    assert door.ask("POST", "/login", "&".join("a=b" for _ in range(2001)), Content_Type=FORM).status == 400


def test_passwords_are_not_written_anywhere(door):
    log = door.read_log()
    assert PASSWORD not in log and "guess number" not in log
    assert PASSWORD not in door.ctl("audit", "list", "--limit", "1000")
    for name in ("", "-wal"):
        path = os.path.join(door.state, "postern.db" + name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                assert PASSWORD.encode() not in file.read()
    assert "is missing" in door.ctl("admin", "add", "--", "mona", expect=2)   # never among the words


def test_the_examples_of_the_api(door):
    """docs/API.md, but for curl, whose options are few there; what stands below an example must be in its answer."""
    with open(os.path.join(ROOT, "docs", "API.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```\n(\$ .*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    token = door.ctl_json("admin", "token", "add", "examples")["token"]
    own = str(1 + len(door.ctl_json("mapping", "list")["mappings"]))   # the examples speak of the first mapping
    shown = 0
    for block in blocks:
        command, *lines = block.splitlines()
        words = shlex.split(command[2:].replace("$TOKEN", token).replace("$POSTERN", ""))
        if words[0] == "posternctl":
            output = door.ctl(*words[1:])
        else:
            options = dict(zip(words[2:-1:2], words[3:-1:2]))
            assert words[:2] == ["curl", "-s"] and set(options) <= {"-H", "-d"}
            path = re.sub(r"arg=1$", f"arg={own}", words[-1])
            body = options["-d"].replace('["1"]', f'["{own}"]') if "-d" in options else None
            authorization = options["-H"].partition(": ")[2] if "-H" in options else None
            output = door.ask("POST" if body else "GET", path, body, Authorization=authorization).text.replace(f'"id":{own},', '"id":1,')
            shown += 1
        for line in lines:
            assert line in output, (command, output)
    assert shown >= 7


def test_when_the_database_fails(door):
    """Nobody is let in, nobody is told that something was refused for good, and then all is as before."""
    full = door.ctl_json("admin", "token", "add", "patient")["token"]
    tina = door.add("tina")
    tina.sign_in()

    def rename(was, now):
        with contextlib.closing(sqlite3.connect(os.path.join(door.state, "postern.db"), timeout=30)) as database, database:
            database.execute(f"ALTER TABLE {was} RENAME TO {now}")

    rename("web_session", "away")
    try:
        assert tina.get("/account").status == 503
        tina.sign_in(status=503)
        answer = door.ask("POST", "/api/v1/admin/sign-out", json.dumps({"args": ["tina"]}), Authorization=f"Bearer {full}")
        assert answer.status == 503 and "the database could not be used" in json.loads(answer.text)["error"]
        assert "the database could not be used" in door.ctl("admin", "sign-out", "tina", expect=1)
    finally:
        rename("away", "web_session")
    assert tina.is_in()


def test_a_stop_while_somebody_signs_in(door):
    """The last one: whoever is there is answered, as what was done for them."""
    seen = []
    door.add("zoe")

    def sign_in():
        try:
            seen.append(door.ask("POST", "/login", {"name": "zoe", "password": PASSWORD}, Host="postern.example.org", Origin=ORIGIN,
                                 X_Forwarded_For="203.0.113.77").status)
        except (http.client.HTTPException, OSError) as error:
            seen.append(type(error).__name__)

    threads = [threading.Thread(target=sign_in) for _ in range(6)]
    before = door.read_log().count("event=web.signed_in")
    for thread in threads:
        thread.start()
    wait_until("one has signed in", lambda: 303 in seen)
    door.stop()
    for thread in threads:
        thread.join()
    assert seen == 6 * [303] and door.read_log().count("event=web.signed_in") - before == 6
