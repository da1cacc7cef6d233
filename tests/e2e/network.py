"""A network of its own for the tests of bad ones: Postfix, gateway, silo and relay each in a namespace, joined by links that treat
packets as they are told to (bad_link.c). Real packets, real TCP; nothing of it reaches this machine's network.

        front ------- gateway ------- silo (and its members)
                         |
                       relay
"""
import concurrent.futures
import ctypes
import os
import smtplib
import subprocess
import time

import pytest

from bare import BareMember
from conftest import needs_root
from lane import TOKEN, Lane
from mail import make_mail
from postern import DOMAIN, Gateway, Silo, close_quietly
from postfix import Front
from procs import DEV, PATIENCE, accepts_connections, free_port, wait_until
from sink import Dump, Sink

BAD_LINK = os.path.join(DEV, "postern_bad_link")
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
# Postfix would wait ten minutes for an answer that was lost.
POSTFIX_PATIENCE = "".join(f"lmtp_{step}_timeout = 20s\n" for step in ("connect", "lhlo", "mail", "rcpt", "data_init", "data_xfer", "data_done"))


def needs_namespaces():
    needs_root()
    if subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("network namespaces are not allowed here")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("there is no /dev/net/tun")


class Place:
    """A network namespace, as long as its process lives, which ends with us."""

    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", f"{name}: no namespace"
        self.path = f"/proc/{self.process.pid}/ns/net"
        self.prefix = ("nsenter", f"--net={self.path}", "--")

    def run(self, script):
        result = subprocess.run([*self.prefix, "sh", "-ec", script], capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{self.name}: {script}: {result.stderr}"
        return result.stdout

    def enter(self):
        """For the rest of the calling thread's life."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns to {self.name}")
        finally:
            os.close(descriptor)

    def call(self, function, *arguments):
        """As if we were there: in a thread that is."""
        with concurrent.futures.ThreadPoolExecutor(1, initializer=self.enter) as executor:
            return executor.submit(function, *arguments).result()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Link:
    """Between two places. `a` and `b` are the addresses of its ends."""
    count = 0

    def __init__(self, left, right, seed):
        Link.count += 1
        number = Link.count % 250
        self.name = f"{left.name}-{right.name}"
        self.a, self.b = f"10.77.{number}.1", f"10.77.{number}.2"
        devices = (f"to{right.name}"[:15], f"to{left.name}"[:15])
        self.process = subprocess.Popen([BAD_LINK, left.path, devices[0], right.path, devices[1], str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout.readline() == "ready\n", f"{self.name}: no link"
        for place, device, own, other in ((left, devices[0], self.a, self.b), (right, devices[1], self.b, self.a)):
            place.run(f"ip address add {own} peer {other} dev {device}; ip link set {device} up")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().strip()

    def treat(self, direction="both", **manners):
        """See bad_link.c. What is not named is off from now on; without anything, the link is good."""
        words = " ".join([direction, *(f"{name}={value}" for name, value in manners.items())])
        assert self.ask(words) == "ok", words

    def counted(self):
        return {name: int(value) for name, value in (word.split("=") for word in self.ask("count").split())}

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


# What runs there.

class PlacedSilo(Silo):
    def __init__(self, place, folder, programs):
        super().__init__(folder, programs)
        self.place = place

    def launch(self, command):
        super().launch([*self.place.prefix, *(f"0.0.0.0:{self.port}" if word == f"127.0.0.1:{self.port}" else word for word in command)])

    def listens(self):
        assert self.running(), f"the silo ended:\n{self.read_log()}"
        return self.place.call(accepts_connections, self.port)


class PlacedGateway(Gateway):
    def __init__(self, place, *arguments):
        super().__init__(*arguments)
        self.place = place

    def listener(self, name, port, protocol, lines):
        """Everybody on the links is a mail server of ours."""
        return super().listener(name, port, protocol, f'clients = {{ "10.77.0.0/16", "127.0.0.1" }}\n  {lines}').replace("127.0.0.1:", "0.0.0.0:")

    def launch(self, command):
        super().launch([*self.place.prefix, *command])

    def listens(self):
        assert self.running(), f"the gateway ended:\n{self.read_log()}"
        return self.place.call(accepts_connections, self.lmtp_port) and self.answers()


class PlacedMember(BareMember):
    def __init__(self, place, *arguments):
        self.place = place
        super().__init__(*arguments)

    def run(self):
        self.place.enter()
        super().run()


class PlacedFront(Front):
    def __init__(self, place, *arguments):
        super().__init__(*arguments)
        self.place, self.prefix = place, place.prefix

    def listens(self):
        return self.place.call(accepts_connections, self.port)


class PlacedSink(Sink):
    def __init__(self, place, *arguments):
        super().__init__(*arguments)
        self.place = place

    def command(self):
        return [*self.place.prefix, *super().command()[:-2], f"0.0.0.0:{self.port}", "100"]

    def listens(self):
        return self.place.call(accepts_connections, self.port)


class Network(Lane):
    """All of it. `links` by the name of what is at the far end: front, silo, relay."""

    def __init__(self, folder, seed, programs=DEV, echo=True):
        self.folder = os.path.join(folder, f"network{seed}")
        os.makedirs(self.folder)
        self.name = f"seed {seed}"
        self.places = {name: Place(name) for name in ("gateway", "front", "silo", "relay")}
        self.links = {}
        self.bob, self.alice, self.member_name = f"bob{seed}@example.com", "alice", "Alice Member"
        self.relay_port = free_port()
        self.silo = PlacedSilo(self.places["silo"], self.folder, programs)
        self.gateway = PlacedGateway(self.places["gateway"], self.folder, self.silo.port, programs)
        for number, name in enumerate(("front", "silo", "relay")):
            self.links[name] = Link(self.places["gateway"], self.places[name], 1000 * seed + number)
        self.front = PlacedFront(self.places["front"], f"relay_domains = {DOMAIN}\nsmtpd_relay_restrictions = reject_unauth_destination\n{POSTFIX_PATIENCE}"
                                 f"transport_maps = inline:{{ {DOMAIN}=lmtp:inet:{self.links['front'].a}:{self.gateway.lmtp_port} }}\n")
        self.sink = PlacedSink(self.places["relay"], self.folder, self.relay_port)
        self.gateway.silo_host = f"={self.links['silo'].b}"
        self.gateway.silo_extra = 'retry_longest = "1s"'
        self.gateway.relay = f"smtp://{self.links['relay'].b}:{self.relay_port}"
        self.gateway.log_level = "info"
        self.gateway.echo = echo
        self.member = None
        self.padding = ""
        self.reset_counts()
        self.counted_dumps = set()
        self.contents = {}      # token -> the octets that the relay has
        self.repeated_out = 0   # messages that the relay has got again, with the same octets

    def start(self):
        self.silo.start()
        self.sink.start()
        self.front.start()
        self.gateway.start()
        self.member = PlacedMember(self.places["silo"], self.silo.port, self.member_name)
        self.gateway.introduce(self.member, self.alice)
        self.gateway.ctl("mapping", "add", self.bob, self.member_name)
        wait_until("the member knows the correspondent", lambda: self.bob in self.member.uids)

    def stop(self):
        self.heal()
        self.member.stop()
        self.member.check()
        self.gateway.stop()

    def close(self):
        """For teardown, whatever happened."""
        if self.member:
            self.member.stopping = True
        self.heal()
        close_quietly(self.gateway, self.silo)
        if self.sink.process:
            self.sink.stop()
        try:
            self.front.stop()
        except AssertionError:   # it may not have got as far as running
            pass
        self.front.remove()
        for part in (*self.links.values(), *self.places.values()):
            part.end()

    def treat(self, name=None, direction="both", **manners):
        """One link, or all of them."""
        for link in self.links.values() if name is None else (self.links[name],):
            link.treat(direction, **manners)

    def heal(self):
        self.treat()

    def send_mails(self, tokens):
        """To Postfix, which has to bring them to the gateway."""
        self.places["front"].call(self.hand_to_front, list(tokens))

    def hand_to_front(self, tokens):
        with smtplib.SMTP("127.0.0.1", self.front.port, timeout=PATIENCE) as connection:
            for token in tokens:
                self.sent_in.add(token)
                recipient = f"{self.alice}@{DOMAIN}"
                mail = make_mail(f"Mail {token}", f"The word is {token}.\n{self.padding}", sender=self.bob, recipient=recipient,
                                 proven=False, message_id=f"<{token}@example.com>")
                connection.sendmail(self.bob, [recipient], mail.as_bytes())

    def count_maildir(self):
        """What the relay has. It may get a message again if its answer to the last octet was lost: the same octets."""
        for path in self.sink.paths():
            if path in self.counted_dumps or not self.sink.is_whole(path):
                continue
            content = Dump(path).content
            if not content.rstrip().endswith(b"--"):   # of the last boundary: it is still coming, or was cut off
                continue
            self.counted_dumps.add(path)
            token = TOKEN.search(content).group().decode()
            if token in self.contents:
                assert self.contents[token] == content, f"{token} came again with other octets"
                self.repeated_out += 1
            self.contents[token] = content
            self.relayed[token] = 1
            self.ids[token].append(os.path.basename(path))

    def links_counted(self):
        """Of all links together."""
        totals = {}
        for link in self.links.values():
            for name, value in link.counted().items():
                totals[name] = totals.get(name, 0) + value
        return totals

    def is_complete(self):
        if not super().is_complete():
            self.flush_front()
            return False
        return self.front.queue_is_empty()

    def flush_front(self):
        """Postfix leaves a mail alone for minutes if it comes at the wrong moment (Postfix.drain())."""
        if not self.front.queue_is_empty():
            self.front.postfix("postqueue", "-f")
            time.sleep(0.5)

    def silo_events(self):
        return [line for line in self.gateway.read_log().splitlines() if "event=tmtp.link" in line]
