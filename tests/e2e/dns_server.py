"""A name server for tests, on a loopback port: it answers as a resolver would, from what the test adds, and misbehaves on request.

    with DnsServer() as dns:
        dns.add('''example.com TXT "v=spf1 mx -all"
                   example.com MX 10 mx.example.com
                   mx.example.com 60 A 192.0.2.1''')
        dns.behave("slow.example", "late", seconds=2)
        ... resolver = dns.address ...
        assert dns.count("example.com", "TXT") == 1

Names that are not there are NXDOMAIN, and CNAMEs are followed, as far as they go. The records of all zones lie in one heap;
what is below a name given to sign() is signed. (This file is not called dns.py: that is dnspython's name, on which it stands.)

Behaviours, of a name and all below it (or of "." for everything), of one type or all:
    servfail refused notimp     that answer
    nxdomain                    says that there is nothing
    silent                      no answer
    late                        the answer, after `seconds`
    truncated                   over UDP a cut answer, over TCP the whole
    truncated-for-ever          over TCP nothing
    wrong-id wrong-question     an answer to something else (over and over; the right one never comes)
    first-lie                   an answer with a wrong id and other data, then the right one
    garbage empty               no DNS message
    lame                        NOERROR, with nothing in it, not even who says so
    forged                      data that differs from what was signed
    unsigned                    no signatures, where there should be
"""
import collections
import socket
import socketserver
import struct
import threading
import time

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.NSEC
import dns.rdtypes.ANY.SOA
import dns.rrset

CHAIN_MAX = 20
WIRE_MAX = 65535
TTL = 300
NEGATIVE_TTL = 60
RCODES = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED, "notimp": dns.rcode.NOTIMP, "nxdomain": dns.rcode.NXDOMAIN}
NOTHING = {"silent", "truncated-for-ever"}
IN = dns.rdataclass.IN


def to_name(text):
    return dns.name.from_text(text) if isinstance(text, str) else text


class Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    block_on_close = False
    max_packet_size = WIRE_MAX


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class Key:
    """The one key of a zone, made when it is first signed."""

    def __init__(self, zone):
        from cryptography.hazmat.primitives.asymmetric import ed25519   # only who signs needs it
        self.zone = zone
        self.private = ed25519.Ed25519PrivateKey.generate()
        self.public = dns.dnssec.make_dnskey(self.private.public_key(), dns.dnssec.Algorithm.ED25519, flags=257)

    def sign(self, rrset):
        now = int(time.time())
        rrsig = dns.dnssec.sign(rrset, self.private, self.zone, self.public, inception=now - 3600, expiration=now + 86400)
        return dns.rrset.from_rdata(rrset.name, rrset.ttl, rrsig)


class DnsServer:
    """Thread-safe. `questions` is a list of (name in lower case without final dot, type as text, "udp" or "tcp")."""

    def __init__(self, host="127.0.0.1", port=0):
        self.host = host
        self.lock = threading.RLock()
        self.records = collections.defaultdict(dict)     # name -> type -> rrset
        self.behaviours = {}                             # (name, type or None) -> (kind, seconds)
        self.keys = {}
        self.questions = []
        self.stopped = threading.Event()
        self.servers = self.listen(port)
        self.port = self.servers[0].server_address[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def listen(self, port):
        for _ in range(50):
            udp = self.make(Udp, port, lambda request: self.on_udp(*request))
            try:
                tcp = self.make(Tcp, udp.server_address[1], self.on_tcp)
            except OSError:   # the port is somebody else's over TCP
                udp.server_close()
                if port:
                    raise
                continue
            for server in (udp, tcp):
                threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            return udp, tcp
        raise OSError("no port is free for both UDP and TCP")

    def make(self, kind, port, handle):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                if isinstance(self.server, Udp):
                    handle((self.request[0], lambda wire: self.request[1].sendto(wire, self.client_address)))
                else:
                    handle(self.request)

        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        server_class = type("Server", (kind,), {"address_family": family})
        return server_class((self.host, port), Handler)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Nothing listens on the port any more."""
        self.stopped.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    # ---- what it knows ----

    def add(self, text):
        """Adds records, one a line: NAME [TTL] TYPE DATA, names whole (with or without final dot)."""
        for line in text.splitlines():
            words = line.split(None, 1)
            if not words:
                continue
            name, rest = words
            first, after = rest.split(None, 1)
            ttl, kind, data = (int(first), *after.split(None, 1)) if first.isdigit() else (TTL, first, after)
            self.add_data(name, kind, data, ttl)

    def add_data(self, name, kind, data, ttl=TTL):
        """One record, its data as in a zone file."""
        kind = dns.rdatatype.from_text(kind)
        rdata = dns.rdata.from_text(IN, kind, data, origin=dns.name.root, relativize=False)
        with self.lock:
            rrset = self.records[to_name(name)].setdefault(kind, dns.rrset.RRset(to_name(name), IN, kind))
            rrset.add(rdata, ttl)

    def add_txt(self, name, text, ttl=TTL):
        """A TXT record of any text (or octets) and length, cut into strings of 255 octets."""
        octets = text.encode() if isinstance(text, str) else text
        strings = [octets[at:at + 255] for at in range(0, len(octets), 255)] or [b""]
        quoted = " ".join('"' + "".join(f"\\{c:03d}" for c in each) + '"' for each in strings)
        self.add_data(name, "TXT", quoted, ttl)

    def add_octets(self, name, kind, octets, ttl=TTL):
        """One record whose data is these octets, however wrong for its type."""
        kind = dns.rdatatype.from_text(kind)
        with self.lock:
            rrset = self.records[to_name(name)].setdefault(kind, dns.rrset.RRset(to_name(name), IN, kind))
            rrset.add(dns.rdata.GenericRdata(IN, kind, octets), ttl)

    def remove(self, name, kind=None):
        with self.lock:
            if kind is None:
                self.records.pop(to_name(name), None)
            else:
                self.records[to_name(name)].pop(dns.rdatatype.from_text(kind), None)
                if not self.records[to_name(name)]:
                    del self.records[to_name(name)]

    def clear(self):
        """No records, no behaviours, no questions."""
        with self.lock:
            self.records.clear()
            self.behaviours.clear()
            self.questions.clear()

    def behave(self, name, kind, type=None, seconds=1.0):   # pylint: disable=redefined-builtin
        """See above; None: as others do."""
        key = (to_name(name), dns.rdatatype.from_text(type) if type else None)
        with self.lock:
            self.behaviours.pop(key, None)
            if kind is not None:
                self.behaviours[key] = (kind, seconds)

    def sign(self, zone):
        """Signs what is in this zone (with black lies for what is not). Returns a trust anchor, as a line of a file."""
        zone = to_name(zone)
        with self.lock:
            key = self.keys.setdefault(zone, Key(zone))
            self.records[zone][dns.rdatatype.DNSKEY] = dns.rrset.from_rdata(zone, TTL, key.public)
            self.records[zone].setdefault(dns.rdatatype.SOA, self.soa(zone))
        return f"{zone} IN DNSKEY {key.public.to_text()}\n"

    def count(self, name=None, type=None):   # pylint: disable=redefined-builtin
        """How often it was asked: for this name, this type, or at all."""
        wanted = name.rstrip(".").lower() if name else None
        with self.lock:
            return sum((wanted is None or each[0] == wanted) and (type is None or each[1] == type) for each in self.questions)

    # ---- answering ----

    def find_behaviour(self, name, kind):
        while True:
            for key in ((name, kind), (name, None)):
                if key in self.behaviours:
                    return self.behaviours[key]
            if name == dns.name.root:
                return None, 0
            name = name.parent()

    def find_zone(self, name):
        zones = [zone for zone in self.keys if name.is_subdomain(zone)]
        return max(zones, key=lambda zone: len(zone.labels)) if zones else None

    @staticmethod
    def soa(zone):
        return dns.rrset.from_text(zone, NEGATIVE_TTL, IN, dns.rdatatype.SOA, f". . 1 3600 600 86400 {NEGATIVE_TTL}")

    def add_signed(self, section, rrset, kind):
        section.append(rrset)
        zone = self.find_zone(rrset.name)
        if zone and kind != "unsigned":
            section.append(self.keys[zone].sign(rrset))

    def find(self, name):
        """The records of a name, or those of the wildcard that covers it."""
        if name in self.records:
            return self.records[name]
        parent = name
        while parent != dns.name.root:
            parent = parent.parent()
            wild = dns.name.Name((b"*",) + parent.labels)
            if wild in self.records:
                return {kind: dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset)) for kind, rrset in self.records[wild].items()}
            if self.exists(parent):
                break
        return {}

    def exists(self, name):
        return any(each.is_subdomain(name) for each in self.records)

    def fill(self, response, name, kind, lie):
        seen = set()
        while name not in seen and len(seen) < CHAIN_MAX:
            seen.add(name)
            found = self.find(name)
            rrset = found.get(kind)
            if rrset is not None:
                self.add_signed(response.answer, rrset, lie)
                return
            alias = found.get(dns.rdatatype.CNAME)
            if alias is None:
                self.deny(response, name, found, lie)
                return
            self.add_signed(response.answer, alias, lie)
            name = alias[0].target

    def deny(self, response, name, found, lie):
        zone = self.find_zone(name)
        if zone is None:
            if not found and not self.exists(name):
                response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(self.soa(dns.name.root))
            return
        self.add_signed(response.authority, self.soa(zone), lie)
        next_name = dns.name.Name((b"\0",) + name.labels)
        types = " ".join(sorted({"RRSIG", "NSEC"} | {dns.rdatatype.to_text(each) for each in found}))
        nsec = dns.rrset.from_text(name, NEGATIVE_TTL, IN, dns.rdatatype.NSEC, f"{next_name} {types}")
        self.add_signed(response.authority, nsec, lie)

    def respond(self, query, transport):
        """The answer as messages or octets, how it was to be given, and after how long."""
        question = query.question[0]
        with self.lock:
            kind, seconds = self.find_behaviour(question.name, question.rdtype)
            self.questions.append((question.name.to_text(omit_final_dot=True).lower(),
                                   dns.rdatatype.to_text(question.rdtype), transport))
            response = dns.message.make_response(query, recursion_available=True)
            if kind in RCODES:
                response.set_rcode(RCODES[kind])
            elif kind != "lame":
                self.fill(response, question.name, question.rdtype, kind)
            if kind == "forged":
                response.answer = [self.forge(rrset) for rrset in response.answer]
        if response.edns >= 0 and not query.ednsflags & dns.flags.DO:
            for section in (response.answer, response.authority):
                section[:] = [rrset for rrset in section if rrset.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC)]
        return response, kind, seconds

    @staticmethod
    def forge(rrset):
        data = {"A": "203.0.113.66", "AAAA": "2001:db8::66", "TXT": '"forged"', "MX": "1 forged.example.", "PTR": "forged.example."}
        kind = dns.rdatatype.to_text(rrset.rdtype)
        if kind not in data:
            return rrset
        return dns.rrset.from_text(rrset.name, rrset.ttl, IN, rrset.rdtype, data[kind])

    def on_udp(self, octets, send):
        try:
            query = dns.message.from_wire(octets)
        except dns.exception.DNSException:
            return
        response, kind, seconds = self.respond(query, "udp")
        limit = max(512, query.payload) if query.edns >= 0 else 512
        if kind == "late" and self.stopped.wait(seconds):
            return
        if kind in NOTHING and kind != "truncated-for-ever":
            return
        for wire in self.wires(response, kind, limit):
            try:
                send(wire)
            except OSError:
                return

    def wires(self, response, kind, limit):
        if kind == "garbage":
            return [b"\xff" * 40]
        if kind == "empty":
            return [b""]
        if kind in ("wrong-id", "first-lie"):
            lie = dns.message.from_wire(response.to_wire(max_size=WIRE_MAX))
            lie.id = response.id ^ 1
            lie.answer = [self.forge(rrset) for rrset in lie.answer]
            return [lie.to_wire()] * 3 + ([response.to_wire(max_size=WIRE_MAX)] if kind == "first-lie" else [])
        if kind == "wrong-question":
            lie = dns.message.from_wire(response.to_wire(max_size=WIRE_MAX))
            lie.question[0] = dns.rrset.RRset(to_name("other.example"), IN, lie.question[0].rdtype)
            return [lie.to_wire()]
        try:
            if kind not in ("truncated", "truncated-for-ever"):
                return [response.to_wire(max_size=limit)]
        except dns.exception.TooBig:
            pass
        cut = dns.message.from_wire(response.to_wire(max_size=WIRE_MAX))
        cut.flags |= dns.flags.TC
        cut.answer, cut.authority, cut.additional = [], [], []
        return [cut.to_wire()]

    def on_tcp(self, connection):
        connection.settimeout(10)
        file = connection.makefile("rb")
        try:
            while True:
                head = file.read(2)
                if len(head) < 2:
                    return
                query = dns.message.from_wire(file.read(struct.unpack("!H", head)[0]))
                response, kind, seconds = self.respond(query, "tcp")
                if kind == "late" and self.stopped.wait(seconds):
                    return
                if kind in NOTHING:
                    return
                for wire in [response.to_wire(max_size=WIRE_MAX)] if kind == "truncated" else self.wires(response, kind, WIRE_MAX):
                    connection.sendall(struct.pack("!H", len(wire)) + wire)
        except (OSError, dns.exception.DNSException):
            return
