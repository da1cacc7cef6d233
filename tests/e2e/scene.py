"""One silo, gateway and member for many tests of the way out."""
import shutil
import tempfile

from bare import BareMember
from postern import Gateway, Silo, close_quietly
from procs import DEV, free_port, sanitizer_reports, wait_until
from sink import Sink

BOB, CAROL = "bob@example.com", "carol@example.net"
BODY = "Grüße aus Köln: 1 € = 100 ¢\n"


class Scene:
    """One silo, gateway and member for many tests. The relay's port is free until a test starts a sink there."""
    healthy = ()              # options of a sink that works
    addresses = (BOB, CAROL)  # whom the member may write to
    programs = DEV
    gateway_kind = Gateway

    def __init__(self, scheme="smtp"):
        self.folder = tempfile.mkdtemp(prefix="postern-e2e-")
        self.port = free_port()
        self.silo = Silo(self.folder, self.programs)
        self.gateway = self.gateway_kind(self.folder, self.silo.port, self.programs)
        self.gateway.relay = f"{scheme}://127.0.0.1:{self.port}"
        self.member = None
        self.entries = 0
        self.notices = 0   # that were expected so far

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.member = BareMember(self.silo.port, "Alice Member")
        self.gateway.introduce(self.member, "alice")
        for address in self.addresses:
            self.gateway.ctl("mapping", "add", address, "Alice Member")
        wait_until("the member knows them all", lambda: set(self.addresses) <= set(self.member.uids))

    def stop(self):
        """What has gone wrong since is found here: a sanitizer's report, or somebody who was told twice."""
        try:
            self.member.stop()
            self.gateway.stop()
            told = [second["Subject"] for _, second, _ in self.member.deliveries]
            assert len(told) == self.notices, f"{self.notices} notices were expected: {told}"
            reports = sanitizer_reports(self.folder)
            assert not reports, "a sanitizer found something:\n" + "\n".join(reports)
        finally:
            close_quietly(self.gateway, self.silo)
            shutil.rmtree(self.folder, ignore_errors=True)

    def sink(self, *options):
        return Sink(self.folder, self.port, *options)

    def post(self, *recipients, subject="Hello Köln", body=BODY):
        """The queue's name of the message, once it is there."""
        self.member.post(list(recipients or [BOB]), subject, body)
        self.entries += 1
        name = f"out{self.entries}"
        wait_until("the gateway has taken it", lambda: self.exists(name))
        return name

    def exists(self, name):
        return f"message={name} " in self.gateway.read_log()

    def is_relaying(self, name):
        return any("event=relay.state" in line and f"message={name} " in line and "is=relaying" in line for line in self.gateway.read_log().splitlines())

    def results(self, name):
        """What the log says of each attempt, in order."""
        return [line for line in self.gateway.read_log().splitlines() if "event=relay.result" in line and f"message={name} " in line]

    def wait_for(self, name, outcome, times=1):
        wait_until(f"{name} is {outcome}", lambda: sum(f"outcome={outcome} " in line for line in self.results(name)) >= times)

    def notice(self):
        self.notices += 1
        wait_until("the member is told", lambda: len(self.member.deliveries) >= self.notices)
        return self.member.deliveries[self.notices - 1][2].decode()

    def expect_nobody_told(self):
        assert len(self.member.deliveries) == self.notices

    def deliver(self, name, before=()):
        """The relay works again. Once more it is sent, with the octets of the attempts before."""
        with self.sink(*self.healthy) as sink:
            self.gateway.ctl("queue", "retry", name)
            self.wait_for(name, "delivered")
            self.expect_one(sink, before)

    def expect_one(self, sink, before=()):
        dumps = sink.dumps()
        assert len(dumps) == 1, f"it was delivered {len(dumps)} times"
        for dump in before:
            assert dump.content == dumps[0].content, "an attempt had other octets"
        assert self.gateway.queue("out") == []
        return dumps[0]


def run_scene(scene):
    """The body of a fixture."""
    try:
        scene.start()
        yield scene
    finally:
        scene.stop()


def clean_up_after(scene, request):
    """Shows the end of the gateway's log when a test has failed, and takes what it has left in the queue."""
    if getattr(request.node, "failed_in_call", True):
        print(scene.gateway.read_log()[-6000:])
        scene.notices = len(scene.member.deliveries)
        for entry in scene.gateway.queue("out"):
            scene.gateway.ctl("queue", "drop", entry["id"], "--reason", "the test failed")
        wait_until("the member is told of what was dropped", lambda: not scene.gateway.queue("in"))
        scene.notices = len(scene.member.deliveries)
