"""posternctl doctor: a gateway with which all is well, then each thing that can be wrong with it, once, and the advice about it."""
import base64
import contextlib
import json
import os
import random
import shutil
import socket
import socketserver
import subprocess
import threading

import pytest

from certificates import Certificate
from dns_server import DnsServer
from postern import DOMAIN, Gateway, Member, Silo
from procs import DEV, PATIENCE, free_port, run, wait_until

LOOPBACK = f"127.{random.SystemRandom().randrange(1, 255)}.{random.SystemRandom().randrange(255)}"   # whoever else runs this test has others
MX_ADDRESS = f"{LOOPBACK}.25"   # where this test's MX listens on port 25
OUR_ADDRESS = "198.18.0.7"  # nothing is ever sent there. Resolvers know the names of 127.0.0.1 and of examples' addresses by themselves
REVERSE = "7.0.18.198.in-addr.arpa"
WHATEVER = ("clock", "user")   # a container's clock is whose? The tests run as root
FAR = ("warning", "hostname", "not one of this machine", "translates addresses")
SELECTOR = "s1"


class Greeter:
    """Answers each line by its first word; what it was asked is kept."""

    def __init__(self, host, port, **replies):
        self.replies = {"": "220 relay.example ESMTP", "EHLO": "250-relay.example\r\n250 PIPELINING", "MAIL": "250 Ok", "RCPT": "250 Ok",
                        "QUIT": "221 Bye", "RSET": "250 Ok", **replies}
        self.said = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    outer.talk(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server((host, port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def talk(self, connection):
        connection.wfile.write(self.replies[""].encode() + b"\r\n")
        for line in connection.rfile:
            self.said.append(line.decode().strip())
            connection.wfile.write(self.replies.get(line.decode().split()[0].upper(), "502 What?").encode() + b"\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Scene:
    """A gateway that has all it needs, and a doctor for it."""

    def __init__(self, folder):
        self.folder = folder
        self.dns = DnsServer()
        self.mx = Greeter(MX_ADDRESS, 25)
        self.relay = Greeter("127.0.0.1", 0)
        self.silo = Silo(folder)
        self.silo.start()
        self.certificate = Certificate(folder, "gw.example.org", names=["gw.example.org"], days=(-1, 90))
        self.key = os.path.join(folder, "dkim.pem")
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        for path in (self.key, self.certificate.key_file):
            os.chmod(path, 0o600)
        self.gateway = self.make_gateway()
        self.alice = Member(folder, self.silo, "Alice Member")
        self.publish()

    def make_gateway(self):
        gateway = Gateway(self.folder, self.silo.port)
        gateway.relay = f"smtp://127.0.0.1:{self.relay.port}"
        gateway.relay_extra = "tls = none"
        gateway.policy_extra = 'admins = { "Alice Member" }'
        gateway.listen_extra = f'tls = may\n  certificate = "{self.certificate.file}"\n  key = "{self.certificate.key_file}"'
        gateway.extra = (f'dkim {{ selector = "{SELECTOR}" key = "{self.key}" }}\n'
                         f'verify {{ resolver = {{ "{self.dns.address}" }} dns_timeout = "2s" }}\n'
                         f'postfix {{ policy = "127.0.0.1:{free_port()}" }}')
        return gateway

    def public_key(self):
        """By another program than ours."""
        der = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        return base64.b64encode(der[-32:]).decode()

    def publish(self):
        self.dns.clear()
        self.dns.add(f"""{DOMAIN} MX 10 mx.example.org
                         mx.example.org A {MX_ADDRESS}
                         gw.example.org A {OUR_ADDRESS}
                         {REVERSE} PTR gw.example.org""")
        self.dns.add_txt(DOMAIN, "v=spf1 a:gw.example.org -all")
        self.dns.add_txt("_dmarc.example.org", "v=DMARC1; p=reject; sp=quarantine")
        self.dns.add_txt(f"{SELECTOR}._domainkey.{DOMAIN}", f"v=DKIM1; k=ed25519; p={self.public_key()}")

    def start(self):
        self.gateway.start()
        os.chmod(self.gateway.config, 0o640)
        self.gateway.introduce(self.alice, "alice")

    def look(self, *arguments, config=None, expect=None):
        """What it finds, as rows."""
        command = [os.path.join(DEV, "posternctl"), "-c", config or self.gateway.config, "-s", f"{self.gateway.state}/control", "--json"]
        result = run([*command, "doctor", *arguments], self.folder)
        found = json.loads(result.stdout)
        assert result.stderr == ""
        assert result.returncode == (1 if found["failures"] else 0), result
        assert expect is None or found["result"] == expect, found
        return found["checks"]

    @contextlib.contextmanager
    def changed(self, *pairs):
        """A configuration in which something is another one."""
        with open(self.gateway.config, encoding="utf-8") as file:
            text = file.read()
        for old, new in pairs:
            assert old in text, f"{old} is not in the configuration"
            text = text.replace(old, new)
        path = os.path.join(self.folder, "changed.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o640)
        yield path

    def stop(self):
        if self.gateway.process is not None:
            self.gateway.stop()
        self.silo.stop()
        for each in (self.mx, self.relay):
            each.__exit__()
        self.dns.stop()


@pytest.fixture
def scene(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can listen on port 25")
    made = Scene(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def expect(rows, *wanted):
    """Each of `wanted` (level, check, words, words of the advice) is there; nothing else is worse than ok."""
    left = [row for row in rows if row["level"] in ("warning", "failure") and row["check"] not in WHATEVER]
    for level, check, words, advice in wanted:
        found = [row for row in left if row["level"] == level and row["check"] == check and words in row["what"]]
        assert len(found) == 1, f"{level} {check} \"{words}\": {rows}"
        assert advice in found[0]["advice"], found
        left.remove(found[0])
    assert not left, json.dumps(left, indent=1)


def all_is_well(scene):
    rows = scene.look()
    expect(rows, FAR)
    ok = {row["check"] for row in rows if row["level"] == "ok"}
    assert ok >= {"file", "mode", "secrets", "certificates", "directory", "disk", "database", "open files", "kernel", "daemon", "version", "queues",
                  "admins", "silo", "certificate", "listeners", "relay", "resolver", "MX", "SPF", "DKIM", "DMARC", "hostname"}
    # The relay was asked, and no mail was sent.
    assert scene.relay.said == ["EHLO gw.example.org", f"MAIL FROM:<bounces@{DOMAIN}>", "RCPT TO:<postmaster@example.com>", "QUIT"]
    shown = scene.gateway.ctl("doctor")
    assert "\x1b" not in shown and "0 failures" in shown and f"mail for {DOMAIN} goes to mx.example.org, which answers" in shown


def nothing_is_in_the_dns(scene):
    scene.dns.clear()
    scene.dns.add("elsewhere.example A 127.0.0.1")
    expect(scene.look("--only", "dns"),
           ("failure", "MX", "has no MX record: nobody can write to us", f"add: {DOMAIN}. IN MX 10 gw.example.org."),
           ("failure", "DKIM", "has no record", "setup --dns"),
           ("warning", "DMARC", "no DMARC record", "v=DMARC1; p=none"),
           ("warning", "hostname", "has no address", "add an A or AAAA record"))


def the_dns_says_something_else(scene):
    scene.dns.clear()
    scene.dns.add(f"{DOMAIN} MX 10 nowhere.example.org\n{DOMAIN} MX 20 refuses.example.org\nrefuses.example.org A {LOOPBACK}.26\n"
                  f"gw.example.org A {OUR_ADDRESS}\n{REVERSE} PTR localhost.example")
    scene.dns.add_txt(DOMAIN, "v=spf1 ip4:192.0.2.1 -all")
    scene.dns.add_txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=perhaps")
    scene.dns.add_txt(f"{SELECTOR}._domainkey.{DOMAIN}", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    expect(scene.look("--only", "dns"),
           ("warning", "MX", "the MX nowhere.example.org of silo.example.org has no address", "add an A or AAAA record"),
           ("failure", "MX", "Connection refused", "a mail server listens on port 25"),
           ("failure", "SPF", f"does not let {OUR_ADDRESS} send for it (fail", f"add to the record: ip4:{OUR_ADDRESS}"),
           ("failure", "DKIM", "our signatures fail", "the right key"),
           ("warning", "DMARC", "can't be made out", "p=none"),
           ("warning", "hostname", "whose name is localhost.example", "name it gw.example.org"),
           FAR)


def more_that_the_dns_may_say(scene):
    scene.dns.clear()
    scene.dns.add(f"{DOMAIN} MX 0 .\ngw.example.org A {OUR_ADDRESS}\n{REVERSE} PTR gw.example.org")
    scene.dns.add_txt(DOMAIN, "v=spf1 include:")
    scene.dns.add_txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=none")
    for key in ("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", scene.public_key()):
        scene.dns.add_txt(f"{SELECTOR}._domainkey.{DOMAIN}", f"v=DKIM1; k=ed25519; p={key}")
    expect(scene.look("--only", "dns"),
           ("failure", "MX", "takes no mail (RFC 7505)", "replace it"),
           ("failure", "SPF", "is wrong", "mend it"),
           ("failure", "DKIM", "has 2 records", "leave only"),
           FAR)


def a_domain_without_spf(scene):
    scene.publish()
    scene.dns.remove(DOMAIN, "TXT")
    expect(scene.look("--only", "dns"), ("warning", "SPF", "has no SPF record", "v=spf1 mx a:gw.example.org -all"), FAR)


def the_dns_is_silent(scene):
    scene.dns.behave(".", "servfail")
    rows = scene.look("--only", "dns")
    expect(rows, ("failure", "resolver", "do not answer", "verify.resolver"))
    assert [row["check"] for row in rows if row["level"] == "unseen"] == ["MX", "SPF", "DKIM", "DMARC", "hostname"]
    scene.dns.behave(".", None)


def relays_that_refuse(scene):
    port = scene.relay.port
    with Greeter("127.0.0.1", 0, RCPT="554 5.7.1 Relay access denied") as closed, Greeter("127.0.0.1", 0, MAIL="550 5.1.8 Bad sender") as choosy, \
            Greeter("127.0.0.1", 0, RCPT="450 4.2.1 Later") as later, \
            scene.changed((f'relay {{\n  url = "smtp://127.0.0.1:{port}"\n  tls = none\n}}',
                           "".join(f'relay {{ url = "smtp://127.0.0.1:{each}" {more} }}\n' for each, more in
                                   ((closed.port, "tls = none"), (choosy.port, "tls = none"), (later.port, "tls = none"), (free_port(), "tls = none"),
                                    (port, "tls = require"))))) as config:
        rows = scene.look("--only", "mail", config=config)
    expect(rows,
           ("failure", "relay", "at rcpt: 554 5.7.1 Relay access denied", "mynetworks"),
           ("failure", "relay", "at mail: 550 5.1.8 Bad sender", "refuses our domain"),
           ("warning", "relay", "at rcpt: 450 4.2.1 Later", "mynetworks"),
           ("failure", "relay", "Connection refused", "relay.url"),
           ("failure", "relay", "at starttls", "relay.tls = may"))


def a_relay_that_is_a_folder(scene):
    port = scene.relay.port
    with scene.changed((f"smtp://127.0.0.1:{port}", "maildir:/nowhere/at/all")) as config:
        expect(scene.look("--only", "mail", config=config), ("failure", "relay", "the daemon can't write into /nowhere/at", "install -d -m 0700"))


def listeners_that_are_others(scene):
    gateway = scene.gateway
    with Greeter("127.0.0.1", 0) as other, \
            scene.changed((f"127.0.0.1:{gateway.lmtp_port}", f"127.0.0.1:{other.port}"), ("listen lmtp", "listen renamed"),
                          ("policy = \"127.0.0.1:", "policy = \"127.0.9.9:")) as config:
        expect(scene.look("--only", "mail", config=config),
               ("failure", "listeners", "somebody else answers", "stop that program"),
               ("failure", "listeners", "postfix.policy: 127.0.9.9:", "restart the daemon"))


def postfix_in_front(scene):
    """What postconf would say."""
    folder = os.path.join(scene.folder, "path")
    os.makedirs(folder)
    program = os.path.join(folder, "postconf")
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{before}"
    rows = ((f"mydestination = localhost, {DOMAIN}", [("failure", "for its own", "out of mydestination")]),
            (f"relay_domains = {DOMAIN}\nmessage_size_limit = 99000000\ntransport_maps =",
             [("warning", "larger mail is bounced", "message_size_limit = "), ("failure", "no transport_maps", "lmtp:inet:")]),
            (f"relay_domains = {DOMAIN}\nmessage_size_limit = 36000000\ntransport_maps = inline:{{ {DOMAIN}=lmtp:inet:127.0.0.1:2424 }}", []))
    try:
        for text, wanted in rows:
            with open(program, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\n[ \"$1\" = -x ] || exit 1   # values, not the names of others\ncat << 'END'\n{text}\nEND\n")
            os.chmod(program, 0o755)
            found = scene.look("--only", "mail")
            expect(found, *((level, "Postfix", words, advice) for level, words, advice in wanted))
    finally:
        os.environ["PATH"] = before


def files_that_are_open_to_others(scene):
    state = scene.gateway.state
    modes = {scene.gateway.config: 0o666, state: 0o755, f"{state}/postern.db": 0o640, f"{state}/control": 0o666, f"{state}/content": 0o755}
    before = {path: os.stat(path).st_mode for path in modes}
    for path, mode in modes.items():
        os.chmod(path, mode)
    expect([row for row in scene.look() if row["topic"] in ("configuration", "state")],
           ("failure", "mode", "can be changed by others", "chmod 0640"),
           ("failure", "directory", f"{state} (mode 0755) is open to others", "chmod 0700"),
           ("failure", "directory", "postern.db (mode 0640)", "chmod 0600"),
           ("failure", "directory", "content (mode 0755)", "chmod 0700"),
           ("failure", "directory", "everybody on this machine can give orders", "chmod 0660"))
    for path, mode in before.items():
        os.chmod(path, mode)


def keys_and_certificates(scene):
    old = Certificate(scene.folder, "old", names=["gw.example.org"], days=(-20, -2.5))
    soon = Certificate(scene.folder, "soon", names=["other.example"], days=(-20, 3.5))
    os.chmod(old.key_file, 0o644)
    with scene.changed((scene.certificate.file, old.file), (scene.certificate.key_file, old.key_file)) as config:
        expect(scene.look("--only", "configuration", config=config),
               ("failure", "secrets", f"listen.key: {old.key_file} (mode 0644) is open to others", "chmod g-w,o="),
               ("failure", "certificates", "old.crt ended 2 days ago", "renew it"))
    with scene.changed(("tls = none\n}\n\npolicy", f'tls = verify ca_file = "{old.file}"\n}}\n\npolicy')) as config:
        expect(scene.look("--only", "configuration", config=config), ("failure", "certificates", "old.crt ended 2 days ago", "renew it"))
    with scene.changed((scene.certificate.file, old.file)) as config:
        expect(scene.look("--only", "configuration", config=config), ("failure", "file", "key values mismatch", "posternd -t"))
    os.chmod(soon.key_file, 0o600)
    with scene.changed((scene.certificate.file, soon.file), (scene.certificate.key_file, soon.key_file)) as config:
        expect(scene.look("--only", "configuration", config=config),
               ("warning", "certificates", "soon.crt ends in 3 days", "renew it"),
               ("warning", "certificates", "is for other.example, and not for gw.example.org", "have one made"))


def a_configuration_with_mistakes(scene):
    with scene.changed((f'domain    = "{DOMAIN}"', 'domain = "not a domain"\nnonsense = 1')) as config:
        rows = scene.look(config=config)
    found = [row for row in rows if row["check"] == "file"]
    assert [row["level"] for row in found] == ["failure", "failure"] and "changed.conf:3: unknown key" in found[1]["what"]
    assert {row["level"] for row in rows if row["check"] in ("relay", "resolver", "silo")} == {"unseen"}
    assert any(row["check"] == "daemon" and row["level"] == "ok" for row in rows)   # it was asked nevertheless


def an_admin_whom_nobody_knows(scene):
    with scene.changed(('admins = { "Alice Member" }', 'admins = { "Alice Member", "Zoe Unknown" }')) as config:
        expect(scene.look("--only", "daemon", config=config), ("warning", "admins", "Zoe Unknown has not answered", "Email Gateway"))


def the_silo_is_another_one(scene):
    shutil.copytree(os.path.join(scene.folder, "silo"), os.path.join(scene.folder, "silo-before"))
    scene.silo.stop()
    rows = wait_until("it is seen", lambda: [row for row in scene.look("--only", "silo") if row["level"] == "failure"])
    expect(rows, ("failure", "silo", "not logged in at =127.0.0.1", ""), ("failure", "certificate", "Connection refused", "silo.address is right"))
    pem = [name for name in os.listdir(os.path.join(scene.folder, "silo")) if name.endswith((".pem", ".crt", ".key"))]
    assert pem
    for name in pem:
        os.unlink(os.path.join(scene.folder, "silo", name))
    scene.silo.process = None
    scene.silo.start()
    rows = [row for row in scene.look("--only", "silo") if row["check"] == "certificate"]
    expect(rows, ("failure", "certificate", "certificate pin mismatch", "posternctl silo repin"))


def no_daemon(scene):
    gateway = scene.gateway
    gateway.stop()
    with socket.create_server(("127.0.0.1", gateway.smtp_port)):
        rows = [row for row in scene.look() if row["topic"] in ("daemon", "mail", "system")]
    expect(rows, ("failure", "daemon", "not running", "systemctl enable --now postern"),
           ("failure", "listeners", f"smtp: 127.0.0.1:{gateway.smtp_port} is in use, by ", "stop that program"))
    assert f"process {os.getpid()})" in " ".join(row["what"] for row in rows)
    assert {row["check"] for row in rows if row["level"] == "unseen"} >= {"version", "queues", "admins", "open files"}
    # Nothing that the daemon could not open was left behind by looking.
    assert not os.path.exists(f"{gateway.state}/postern.db-wal")


def a_damaged_database(scene):
    path = f"{scene.gateway.state}/postern.db"
    with open(path, "r+b") as file:
        file.seek(8192)
        file.write(os.urandom(60000))
    rows = [row for row in scene.look("--only", "state") if row["check"] == "database"]
    assert [(row["level"], "restore your last backup" in row["advice"]) for row in rows] == [("failure", True)], rows


def a_daemon_that_hangs(scene):
    """It is asked for some seconds only. Somebody who never answers has taken its socket."""
    path = f"{scene.gateway.state}/control"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(path)
        server.listen()
        expect(scene.look("--only", "daemon"), ("failure", "daemon", "no answer in time", "systemctl restart postern"))
        with socket.create_server(("127.0.0.1", scene.gateway.smtp_port)):   # its own, which nobody should be told to stop
            rows = [row for row in scene.look("--only", "mail") if row["check"] == "listeners"]
        assert {row["level"] for row in rows} == {"unseen"} and "a daemon that does not answer" in rows[0]["what"], rows


def who_may_not_read_the_configuration(scene):
    """Is told that, and not to write a new one."""
    for path in (scene.folder, os.path.dirname(scene.gateway.config)):
        os.chmod(path, 0o755)
    command = [os.path.join(DEV, "posternctl"), "-c", scene.gateway.config, "--json", "doctor", "--only", "configuration"]
    result = subprocess.run(command, user="nobody", group="nogroup", extra_groups=[], cwd="/", env={"ASAN_OPTIONS": "detect_leaks=0"},
                            capture_output=True, check=False, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    expect(json.loads(result.stdout)["checks"], ("failure", "file", "nobody may not read it", "run this as root"))


def test_each_thing_that_can_be_wrong(scene):
    """In one gateway's life: starting one for each would take minutes."""
    for step in (all_is_well, nothing_is_in_the_dns, the_dns_says_something_else, more_that_the_dns_may_say, a_domain_without_spf, the_dns_is_silent,
                 relays_that_refuse, a_relay_that_is_a_folder, listeners_that_are_others, postfix_in_front, files_that_are_open_to_others,
                 keys_and_certificates, a_configuration_with_mistakes, an_admin_whom_nobody_knows, the_silo_is_another_one, no_daemon,
                 a_damaged_database, a_daemon_that_hangs, who_may_not_read_the_configuration):
        step(scene)


def test_what_it_is_asked_is_checked(folder):
    for arguments in (["--only", "nonsense"], ["--only"], ["more"]):
        result = run([os.path.join(DEV, "posternctl"), "doctor", *arguments], folder, PATIENCE)
        assert result.returncode == 2 and "TOPIC  one of: configuration, state" in result.stderr
