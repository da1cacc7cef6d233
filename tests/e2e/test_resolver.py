"""base/resolver through tests/tools/resolve, with and without sanitizers (that is, without and with its sandbox), against a name server
that is good, slow, silent, lying, or gone."""
import contextlib
import json
import os
import random
import re
import select
import signal
import subprocess
import time

import pytest

from conftest import needs_root
from dns_server import DnsServer
from procs import DEV, RELEASE, wait_until


class Resolve:
    """The tool: questions in, answers out, several at a time."""

    def __init__(self, build, *arguments):
        self.process = subprocess.Popen([os.path.join(build, "resolve"), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.stdout = b""

    def say(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())

    def hear(self, seconds=20):
        end = time.monotonic() + seconds
        while b"\n" not in self.stdout:
            assert select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0], "no answer"
            got = os.read(self.process.stdout.fileno(), 65536)
            assert got, "the tool has ended"
            self.stdout += got
        line, self.stdout = self.stdout.split(b"\n", 1)
        return json.loads(line)

    def ask(self, *questions):
        """All at once; answers in the order of the questions, if they have different names."""
        self.say(*questions)
        order = {question.rsplit(" ", 1)[0]: i for i, question in enumerate(questions)}
        return sorted((self.hear() for _ in questions), key=lambda answer: order.get(answer["name"], 0))

    def outcome(self, question):
        return self.ask(question)[0]["outcome"]

    def records(self, question):
        answer = self.ask(question)[0]
        assert answer["outcome"] == "found", answer
        return answer["records"]

    def counts(self):
        self.say("counts")
        return self.hear()

    def child(self):
        """The process that asks."""
        pid = self.process.pid
        children = f"/proc/{pid}/task/{pid}/children"
        with open(children, encoding="ascii") as file:
            return int(file.read().split()[0])

    def end(self):
        self.process.stdin.close()
        errors = self.process.stderr.read().decode()
        code = self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()
        assert code == 0, errors
        assert "Sanitizer" not in errors and "runtime error" not in errors, errors
        return errors


@pytest.fixture(params=[DEV, RELEASE], ids=["dev", "release"])
def build(request):
    return request.param


@pytest.fixture
def server():
    with DnsServer() as dns:
        yield dns


@contextlib.contextmanager
def resolving(build, *servers, arguments=(), milliseconds=2000):
    options = [option for server in servers for option in ("-s", server.address)]
    resolve = Resolve(build, *options, "-t", str(milliseconds), *arguments)
    try:
        yield resolve
    except BaseException:
        resolve.process.kill()
        print(resolve.process.communicate()[1].decode())
        raise
    resolve.errors = resolve.end()


ZONE = '''
    example.com TXT "v=spf1 mx -all"
    strings.example.com TXT "one" "" " two"
    example.com 120 MX 10 mx.example.com
    example.com MX 20 backup.example.com
    mx.example.com A 192.0.2.1
    mx.example.com A 192.0.2.2
    mx.example.com AAAA 2001:db8::1
    nullmx.example.com MX 0 .
    1.2.0.192.in-addr.arpa PTR mx.example.com
    9.1.168.192.in-addr.arpa PTR lan.example.com
    _dmarc.example.com TXT "v=DMARC1; p=reject"
    alias.example.com CNAME second.example.com
    second.example.com CNAME mx.example.com
    alias-to-nothing.example.com CNAME nothing.example.com
    loop1.example.com CNAME loop2.example.com
    loop2.example.com CNAME loop1.example.com
    self.example.com CNAME self.example.com
    test.test A 192.0.2.9
    *.wild.example.com TXT "any"
    odd\\\\046dot.example.com A 192.0.2.10
    pointer.example.com PTR odd\\\\046dot.example.com
'''.replace("\\\\", "\\")


def test_answers(build, server):
    server.add(ZONE)
    server.add_txt("large.example.com", "k" * 30000)
    server.add_txt("octets.example.com", bytes(range(256)))
    with resolving(build, server) as resolve:
        assert resolve.records("example.com TXT") == ["v=spf1 mx -all"]
        assert resolve.records("strings.example.com TXT") == ["one two"]
        assert sorted(resolve.records("example.com MX")) == [[10, "mx.example.com"], [20, "backup.example.com"]]
        assert resolve.ask("example.com MX")[0]["ttl"] in (119, 120)   # the lowest
        assert sorted(resolve.records("mx.example.com A")) == ["192.0.2.1", "192.0.2.2"]
        assert resolve.records("mx.example.com AAAA") == ["2001:db8::1"]
        assert resolve.records("nullmx.example.com MX") == [[0, ""]]
        assert resolve.records("1.2.0.192.in-addr.arpa PTR") == ["mx.example.com"]
        assert resolve.records("9.1.168.192.in-addr.arpa PTR") == ["lan.example.com"]
        assert resolve.records("_dmarc.example.com TXT") == ["v=DMARC1; p=reject"]
        assert sorted(resolve.records("alias.example.com A")) == ["192.0.2.1", "192.0.2.2"]
        assert resolve.records("test.test A") == ["192.0.2.9"]
        assert resolve.records("a.b.wild.example.com TXT") == ["any"]
        assert resolve.records("large.example.com TXT") == ["k" * 30000]   # over TCP
        assert resolve.records("octets.example.com TXT") == [bytes(range(256)).decode("latin-1")]
        assert resolve.records("pointer.example.com PTR") == ["odd\\046dot.example.com"]
        assert resolve.outcome("odd.dot.example.com A") == "no name"
        assert resolve.outcome("mx.example.com TXT") == "no data"
        assert resolve.outcome("com TXT") == "no data"   # is there because something is below it
        assert resolve.outcome("nothing.example.com TXT") == "no name"
        assert resolve.outcome("alias-to-nothing.example.com A") == "no name"
        assert resolve.outcome("alias.example.com TXT") == "no data"
        for loop in ("loop1", "self"):
            assert resolve.outcome(f"{loop}.example.com A") == "temporary"
        assert not any(answer["secure"] for answer in resolve.ask("example.com TXT", "mx.example.com A"))
        assert resolve.counts()["losses"] == 0
    assert "resolver" not in resolve.errors


def test_server_on_ip6(build):
    with DnsServer("::1") as server:
        server.add('example.com TXT "over IPv6"')
        server.add_txt("large.example.com", "k" * 5000)
        with resolving(build, server) as resolve:
            assert resolve.records("example.com TXT") == ["over IPv6"]
            assert resolve.records("large.example.com TXT") == ["k" * 5000]


def test_servers_of_the_system(build):
    """Without asking them: who may be there is not for a test to know."""
    with resolving(build) as resolve:
        assert resolve.records("localhost A") == ["127.0.0.1"]
        assert resolve.counts()["losses"] == 0


def test_servers_of_the_system_change(build, folder):
    """The file names nobody before the network is there."""
    needs_root()
    host = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
    path = os.path.join(folder, "resolv.conf")
    with DnsServer(host, 53) as server, resolving(build, arguments=("-f", path)) as resolve:
        server.add('example.com TXT "x"')
        resolve.ask("localhost A")   # a process that would ask 127.0.0.1
        first = resolve.child()
        with open(path, "w", encoding="ascii") as file:
            file.write(f"search example.com\nnameserver {host}\n")
        assert resolve.records("example.com TXT") == ["x"]
        second = resolve.child()
        assert second != first
        assert resolve.outcome("other.example.com TXT") == "no name"
        assert resolve.child() == second
        assert resolve.counts()["losses"] == 0
    assert "event=resolver.renewed" in resolve.errors


def test_names_that_cannot_be_are_not_asked_for(build, server):
    names = ["a..b", ".", "..", "a.", ".a", "x" * 64 + ".example", ".".join(["x" * 49] * 6), "a b.example", "ä.example", "\\.example", '"']
    with resolving(build, server) as resolve:
        outcomes = [resolve.ask(f"{name} A")[0]["outcome"] for name in names]
    assert set(outcomes) == {"no name"}
    assert {name for name, _, _ in server.questions} == {"a", "a\\032b.example", "\\195\\164.example", "\\\\.example", '\\"'}


def test_cache_answers_what_was_asked_before(build, server):
    server.add('example.com TXT "once"\nshort.example.com 1 TXT "one"')
    with resolving(build, server) as resolve:
        for question in ("example.com TXT", "EXAMPLE.com. TXT", "gone.example.com TXT", "example.com MX"):
            answers = [resolve.ask(question)[0]["outcome"] for _ in range(3)]
            assert len(set(answers)) == 1
        assert server.count("example.com", "TXT") == 1
        assert server.count("example.com", "MX") == 1
        assert server.count("gone.example.com") == 1
        resolve.ask("short.example.com TXT")
        server.remove("short.example.com")
        server.add('short.example.com 1 TXT "two"')
        wait_until("the record's time is over", lambda: resolve.records("short.example.com TXT") == ["two"], 5)


def test_same_question_at_once_is_asked_once(build, server):
    server.add('example.com TXT "once"')
    server.behave("example.com", "late", seconds=0.3)
    with resolving(build, server) as resolve:
        answers = resolve.ask(*["example.com TXT", "Example.COM. TXT"] * 20)
        assert [answer["records"] for answer in answers] == [["once"]] * 40
        assert server.count() == 1


TROUBLE = [("servfail", "temporary"), ("refused", "temporary"), ("notimp", "temporary"), ("silent", "temporary"),
           ("truncated", "found"), ("truncated-for-ever", "temporary"), ("wrong-id", "temporary"),
           ("wrong-question", "temporary"), ("first-lie", "found"), ("garbage", "temporary"), ("empty", "temporary")]


def test_trouble(build, server):
    """None of it is a "no", none is taken for an answer, and none spoils the answers to other questions."""
    for kind, _ in TROUBLE:
        server.add(f'{kind}.example.com TXT "true"')
        server.behave(f"{kind}.example.com", kind)
    server.add('good.example.com TXT "good"')
    with resolving(build, server, milliseconds=2000) as resolve:
        started = time.monotonic()
        answers = resolve.ask(*[f"{kind}.example.com TXT" for kind, _ in TROUBLE], "good.example.com TXT")
        assert time.monotonic() - started < 5
        assert [(kind, answer["outcome"]) for (kind, _), answer in zip(TROUBLE, answers)] == TROUBLE
        assert all(answer["records"] in ([], ["true"]) for answer in answers[:-1])
        assert answers[-1]["records"] == ["good"]
        counts = resolve.counts()
        assert counts["losses"] == 0 and counts["waiting"] == 0
        assert 1 <= counts["timed_out"] <= 6


def test_answers_that_are_too_large(build, server):
    server.add_txt("large.example.com", "x" * 57 * 1024)
    for i in range(101):
        server.add(f"many.example.com A 192.0.2.{i}\n" + (f"enough.example.com A 192.0.2.{i}" if i < 100 else ""))
    with resolving(build, server) as resolve:
        assert resolve.outcome("large.example.com TXT") == "temporary"
        assert resolve.outcome("many.example.com A") == "temporary"
        assert len(resolve.records("enough.example.com A")) == 100
    assert len(re.findall(r"event=resolver.answer_too_large name=\S+ type=\d+", resolve.errors)) == 2


def test_answers_that_are_malformed(build, server):
    """Neither taken for something else nor the end of the process."""
    octets = {("half", "TXT"): b"\x05ab", ("none", "TXT"): b"", ("short", "A"): b"\xc0\0\2", ("long", "AAAA"): b"x" * 17,
              # 126 octets of a name become more as text than a name may have
              ("unprintable", "PTR"): (b"\x3f" + b"\0" * 63) * 2 + b"\0"}
    for (name, kind), data in octets.items():
        server.add_octets(f"{name}.example.com", kind, data)
    server.add('good.example.com TXT "good"')
    with resolving(build, server) as resolve:
        for name, kind in octets:
            assert resolve.outcome(f"{name}.example.com {kind}") == "temporary", name
        assert resolve.records("good.example.com TXT") == ["good"]
        assert resolve.counts()["losses"] == 0
    assert "event=resolver.answer_malformed name=unprintable.example.com" in resolve.errors


def test_second_server_answers_when_the_first_does_not(build, server):
    with DnsServer() as broken:
        server.add('example.com TXT "from the second"')
        broken.behave(".", "silent")
        with resolving(build, broken, server, milliseconds=5000) as resolve:
            assert resolve.records("example.com TXT") == ["from the second"]


def test_server_that_was_away_is_heard_again(build, server):
    """Whatever is remembered about a server that did not answer, it is asked again soon."""
    server.behave(".", "silent")
    server.add('later.example.com TXT "back"')
    with resolving(build, server, milliseconds=300) as resolve:
        for i in range(6):
            assert resolve.outcome(f"{i}.example.com TXT") == "temporary"
        server.behave(".", None)
        wait_until("an answer", lambda: resolve.outcome("later.example.com TXT") == "found", 20)
        assert resolve.counts()["timed_out"] >= 5
    assert "event=resolver.silent" in resolve.errors
    assert "event=resolver.answers_again" in resolve.errors


def test_more_questions_than_allowed(build, server):
    server.behave(".", "silent")
    with resolving(build, server, milliseconds=500) as resolve:
        resolve.say(*[f"{i}.example.com A" for i in range(300)])
        answers = [resolve.hear() for _ in range(300)]
        assert {answer["outcome"] for answer in answers} == {"temporary"}
        assert sorted(int(answer["name"].split(".")[0]) for answer in answers[:44]) == list(range(256, 300))   # at once
        assert resolve.counts()["refused"] == 44
        server.clear()
        server.add('fine.example.com TXT "fine"')
        wait_until("an answer", lambda: resolve.outcome("fine.example.com TXT") == "found", 20)


def test_process_that_dies_is_replaced(build, server):
    server.add('example.com TXT "x"')
    server.behave("silent.example.com", "silent")
    with resolving(build, server, milliseconds=20000) as resolve:
        assert resolve.records("example.com TXT") == ["x"]
        first = resolve.child()
        resolve.say(*[f"{i}.silent.example.com A" for i in range(10)])
        wait_until("the question", lambda: server.count("9.silent.example.com") > 0, 10)
        os.kill(first, signal.SIGKILL)
        assert {resolve.hear()["outcome"] for _ in range(10)} == {"temporary"}   # long before their time
        wait_until("an answer", lambda: resolve.outcome("example.com TXT") == "found", 10)
        assert resolve.child() != first
        assert resolve.counts()["losses"] == 1
    assert "event=resolver.lost" in resolve.errors


def test_process_that_hangs_is_replaced(build, server):
    """And not one that only waits for a name server."""
    server.add('example.com TXT "x"')
    server.behave("silent.example.com", "silent")
    with resolving(build, server, milliseconds=500) as resolve:
        assert resolve.records("example.com TXT") == ["x"]
        first = resolve.child()
        for i in range(2):
            assert resolve.outcome(f"{i}.silent.example.com A") == "temporary"
        assert resolve.records("example.com TXT") == ["x"]
        assert resolve.child() == first
        os.kill(first, signal.SIGSTOP)
        assert resolve.outcome("later.example.com TXT") == "temporary"
        wait_until("an answer", lambda: resolve.outcome("example.com TXT") == "found", 20)
        assert resolve.child() != first
        assert resolve.counts()["losses"] == 1
    assert 'event=resolver.lost' in resolve.errors and "does not answer" in resolve.errors


def test_process_dies_with_who_started_it(build, server):
    resolve = Resolve(build, "-s", server.address)
    server.add('example.com TXT "x"')
    assert resolve.records("example.com TXT") == ["x"]
    child = resolve.child()
    resolve.process.kill()
    resolve.process.communicate()
    wait_until("its end", lambda: not os.path.exists(f"/proc/{child}/stat"), 10)


def test_process_is_locked_in(server):
    """As the kernel tells it, for all its threads."""
    server.add('example.com TXT "x"')
    with resolving(RELEASE, server) as resolve:
        resolve.ask("example.com TXT")
        child = resolve.child()
        threads = os.listdir(f"/proc/{child}/task")
        assert len(threads) == 2
        for thread in threads:
            with open(f"/proc/{child}/task/{thread}/status", encoding="ascii") as file:
                status = file.read()
            for expected in ("NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"):
                assert expected in status
        with open(f"/proc/{child}/limits", encoding="ascii") as file:
            limits = file.read()
        assert re.search(r"Max core file size +0 +0 ", limits)
        assert re.search(r"Max file size +0 +0 ", limits)
        with open(f"/proc/{child}/environ", "rb") as file:
            assert {word for word in file.read().rstrip(b"\0").split(b"\0") if not word.startswith(b"JOURNAL_STREAM=")} == {b"LC_ALL=C.UTF-8", b"TZ=UTC0"}
        files = [os.readlink(f"/proc/{child}/fd/{fd}") for fd in os.listdir(f"/proc/{child}/fd")]
        assert all(os.readlink(f"/proc/{child}/fd/{fd}") == "/dev/null" for fd in range(3)), "it can write into our log"
        assert all(re.match(r"/dev/null$|socket:|pipe:|anon_inode:", file) for file in files), files


def test_signed_zone(build, server, folder):
    server.add('''signed.example TXT "true"
                  signed.example MX 10 mx.signed.example
                  tampered.signed.example A 192.0.2.1
                  stripped.signed.example A 192.0.2.1
                  denied.signed.example A 192.0.2.1
                  plain.example TXT "unsigned zone"''')
    anchors = os.path.join(folder, "anchors")
    with open(anchors, "w", encoding="ascii") as file:
        file.write(server.sign("signed.example"))
    server.behave("tampered.signed.example", "forged")
    server.behave("stripped.signed.example", "unsigned")
    server.behave("denied.signed.example", "nxdomain")
    with resolving(build, server, arguments=("-a", anchors), milliseconds=5000) as resolve:
        for question in ("signed.example TXT", "signed.example MX", "signed.example A"):
            answer = resolve.ask(question)[0]
            assert answer["secure"], answer
            assert answer["outcome"] == ("no data" if question.endswith(" A") else "found")
        for name in ("tampered", "stripped", "denied"):
            answer = resolve.ask(f"{name}.signed.example A")[0]
            assert answer["outcome"] == "bogus" and answer["records"] == [], (name, answer)
        answer = resolve.ask("plain.example TXT")[0]
        assert answer["outcome"] == "found" and not answer["secure"]
        assert resolve.counts()["bogus"] == 3
    assert resolve.errors.count("event=resolver.answer_bogus") == 3


@pytest.mark.parametrize("text", [None, "", "rubbish\n", "example. IN DNSKEY 257 3 8 !!!\n"], ids=["missing", "empty", "rubbish", "bad"])
def test_trust_anchor_that_is_none_lets_nothing_pass_unvalidated(server, folder, text):
    anchors = os.path.join(folder, "anchors")
    if text is not None:
        with open(anchors, "w", encoding="ascii") as file:
            file.write(text)
    server.add('example.com TXT "x"')
    with resolving(DEV, server, arguments=("-a", anchors)) as resolve:
        for _ in range(3):
            assert resolve.outcome("example.com TXT") == "temporary"
        assert resolve.counts()["losses"] > 0
    assert server.count() == 0
    assert "event=resolver.failed" in resolve.errors
