"""A town: a real Postfix in front, a silo, a gateway that is ended again and again and one that never is, a real Postfix behind, and
members: two who talk by themselves (BareMember) and one whose client is `tmtp receive`. What the long soak runs in.

Each part can be ended with kill -9 and in order, and comes back with all that it had.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from bare import BareMember
from postern import DOMAIN, Gateway, Member, Silo, close_quietly
from postfix import ONE_MAILDIR, Front, Postfix, make_maildir_folder
from procs import RELEASE, Server, free_port, run, wait_until

STEADY_DOMAIN = "steady.example.org"
BOB, CAROLS_FRIEND, EVE = "bob@example.com", "fred@example.com", "eve@example.net"
GHOST = "ghost@bounces.example"      # the server behind the relay knows nobody there
STRANGER = "mallory@unproven.example"
HELD_DOMAIN = "held.example"         # strangers who are held until somebody decides
GROUP = "Soak Team"
GROUP_ADDRESS = f"soak.team@{DOMAIN}"

# More than comes, but counted all the same.
WIDE_LIMITS = "limits {" + "".join(f' {key} = "1000000/h"' for key in (
    "in_correspondent", "in_domain", "in_member", "in_overall", "out_member", "out_correspondent", "out_domain", "out_overall",
)) + ' in_correspondent_size = "64G/d" in_domain_size = "64G/d" out_member_size = "64G/d" }\n'


def family_of(root_pid):
    """A process and all that have come from it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8") as file:
                parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
    family = [root_pid]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family


class Kills:
    """For an instance of Postfix: the end without a word, of all its processes."""

    def master_pid(self):
        with open(os.path.join(self.folder, "queue", "pid", "master.pid"), encoding="ascii") as file:
            return int(file.read())

    def kill(self):
        for pid in family_of(self.master_pid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until("its port is free", self.port_is_free)

    def port_is_free(self):
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", self.port))
                return True
        return False

    def flush(self):
        """As an operator does when a neighbour is back: Postfix leaves some of what failed alone for 5 minutes, whatever its settings say."""
        subprocess.run(["postqueue", "-c", self.etc, "-f"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=60, check=False)


class TownFront(Kills, Front):
    """The MX of both gateways, which hands on by LMTP, and tells senders of what was refused."""

    def __init__(self, ports, relay_port):
        transports = ", ".join(f"{domain}=lmtp:inet:127.0.0.1:{port}" for domain, port in ports.items())
        super().__init__(f"""
relay_domains = {" ".join(ports)}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_rate_limit = 0
transport_maps = inline:{{ {transports} }}
default_transport = smtp:[127.0.0.1]:{relay_port}
lmtp_send_xforward_command = no
""")


class TownRelay(Kills, Postfix):
    """Delivers into a maildir; a server behind it knows nobody at bounces.example, and what comes of that goes to the MX."""

    def __init__(self):
        self.far_port = free_port()
        super().__init__(f"""
myhostname = relay.test
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
default_transport = virtual
{ONE_MAILDIR}""", f"""\
127.0.0.1:{self.far_port} inet n - n - 100 smtpd
    -o myhostname=far.test -o smtpd_relay_restrictions=permit_mynetworks,reject
    -o smtpd_recipient_restrictions=check_recipient_access,texthash:$config_directory/far,permit_mynetworks,reject
""")
        self.write("far", f"{GHOST} 550 5.1.1 nobody of that name\n")
        self.maildir = make_maildir_folder(self)

    def know_front(self, port):
        self.configure(f"transport_maps = inline:{{ bounces.example=smtp:[127.0.0.1]:{self.far_port}, "
                       f"{DOMAIN}=smtp:[127.0.0.1]:{port}, {STEADY_DOMAIN}=smtp:[127.0.0.1]:{port} }}")


class TownGateway(Gateway):
    """With a domain of its own, a web page and figures."""
    domain = DOMAIN

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.web_port, self.metrics_port = free_port(), free_port()
        self.log_level = "info"
        self.silo_extra = 'retry_longest = "2s"'
        self.policy_extra = "unknown_senders = hold\n  hold_domain_messages = 1000"
        self.admin_extra = f'http = "127.0.0.1:{self.web_port}"'
        self.extra = f'metrics {{ http = "127.0.0.1:{self.metrics_port}" }}\n' + WIDE_LIMITS
        self.is_away = False   # somebody is about to end it, or has
        self.ends = 0

    def write_config(self):
        super().write_config()
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace(f'domain    = "{DOMAIN}"', f'domain    = "{self.domain}"'))

    def running_ctl(self, *arguments, stdin=""):
        """(exit status, output), whatever it is: the gateway may be away."""
        result = run([os.path.join(self.programs, "posternctl"), "-c", self.config, *arguments], self.folder, 120, stdin=stdin)
        return result.returncode, result.stdout + result.stderr


class TownMember(BareMember):
    """Hands each message that others have sent to somebody, and remembers which threads it has begun."""

    def __init__(self, port, alias, take):
        self.thread_of = {}   # id -> the key of the post
        self.invited = False
        super().__init__(port, alias)
        self.deliveries = take

    def take_push(self, operation, head, content):
        if operation == "invite":
            self.invited = True
        if operation == "delivery" and head["from"] == self.uid:
            second = json.loads(content[:head.get("datahead", 0)] or b"{}")
            if second.get("PosternKey"):
                self.thread_of[head["id"]] = second["PosternKey"]
        super().take_push(operation, head, content)

    def crash(self):
        """Its connection is gone, in the middle of whatever it was doing."""
        with contextlib.suppress(OSError, AttributeError):
            with socket.socket(fileno=os.dup(self.connection.fileno())) as below:   # TLS is not told
                below.shutdown(socket.SHUT_RDWR)


class Taker:
    """What a TownMember calls its deliveries."""

    def __init__(self, take):
        self.append = lambda delivery: take(*delivery)


class Client(Server):
    """`tmtp receive` of a member, with a file of its own for what each run prints."""

    def __init__(self, member):
        super().__init__(member.folder, "client")
        self.member = member
        self.runs = []   # [path, octets read]
        self.stopping = False

    def start(self):
        self.log = os.path.join(self.folder, f"client-{len(self.runs)}.out")
        self.runs.append([self.log, 0])
        self.launch([self.member.program, "receive", "--account", self.member.account, "--wait", "100000", "--json",
                     "--save", self.member.files])

    def keep_running(self):
        """It ends by itself when the silo is away for long, or still knows its last connection."""
        if not self.stopping and self.process is not None and self.process.poll() is not None:
            self.process = None
            self.start()

    def end(self, number):
        process, self.process = self.process, None
        if process:
            process.send_signal(number)
            process.wait(30)

    def lines(self):
        """Whole lines that have come since the last call, as JSON. What was cut off is sent again, to the next run."""
        for one in self.runs:
            if os.path.getsize(one[0]) == one[1]:
                continue
            with open(one[0], "rb") as file:
                file.seek(one[1])
                data = file.read()
            data = data[:data.rfind(b"\n") + 1]
            one[1] += len(data)
            for line in data.splitlines():
                with contextlib.suppress(ValueError):
                    yield json.loads(line)
        self.runs = [one for one in self.runs if one[0] == self.log or os.path.getsize(one[0]) != one[1] or os.path.getmtime(one[0]) > time.time() - 60]


class Town:
    """take_from_silo(who, id, second header, content behind it): hears of each delivery to the two who talk by themselves."""

    def __init__(self, folder, take_from_silo):
        self.folder = folder
        self.take = take_from_silo
        self.silo = Silo(folder, RELEASE)
        self.relay = TownRelay()
        self.gateways = {}
        for name, domain in (("restless", DOMAIN), ("steady", STEADY_DOMAIN)):
            place = os.path.join(folder, name)
            os.makedirs(place)
            gateway = TownGateway(place, self.silo.port, RELEASE)
            gateway.domain = domain
            gateway.alias = f"Gateway {name}"
            gateway.relay = f"smtp://127.0.0.1:{self.relay.port}"
            self.gateways[name] = gateway
        self.restless, self.steady = self.gateways["restless"], self.gateways["steady"]
        self.front = TownFront({gateway.domain: gateway.lmtp_port for gateway in self.gateways.values()}, self.relay.port)
        self.relay.know_front(self.front.port)
        self.alice = self.carol = self.dave = self.client = None

    def start(self):
        for part in (self.silo, self.relay, self.front, self.restless, self.steady):
            part.start()
        self.alice = self.new_member("Alice Member")
        self.carol = self.new_member("Carol Colleague")
        self.dave = Member(self.folder, self.silo, "Dave Member", RELEASE)
        for gateway in self.gateways.values():
            gateway.introduce(self.alice, "alice")
        self.restless.introduce(self.carol, "carol")
        self.restless.introduce(self.dave, "dave")
        self.make_group()
        for gateway, address, who in ((self.restless, BOB, self.alice), (self.restless, BOB, self.carol), (self.restless, BOB, self.dave),
                                      (self.restless, GHOST, self.alice), (self.steady, EVE, self.alice)):
            gateway.ctl("mapping", "add", address, who.alias)
        self.restless.ctl("mapping", "add", CAROLS_FRIEND, GROUP)
        wait_until("they know whom they may write to", lambda: {BOB, GHOST, EVE} <= set(self.alice.uids) and BOB in self.carol.uids)
        self.carol.uids[CAROLS_FRIEND] = wait_until("the group's correspondent has an alias", lambda: self.alice.uids.get(BOB))
        self.client = Client(self.dave)
        self.client.start()

    def new_member(self, alias):
        return TownMember(self.silo.port, alias, Taker(lambda *delivery: self.take(alias, *delivery)))

    def make_group(self):
        """Alice makes it, the gateway joins, then Carol does."""
        self.alice.invite_to_group(GROUP, self.restless.alias)
        wait_until("the gateway has joined", lambda: any(group["gid"] == GROUP and group["state"] == "joined"
                                                         for group in self.restless.ctl_json("group", "list")["groups"]))
        self.alice.invite_to_group(GROUP, self.carol.alias)
        wait_until("Carol is invited", lambda: self.carol.invited)
        self.carol.join_group(GROUP)
        wait_until("the gateway has seen her", lambda: any(
            one["alias"] == self.carol.alias and one["state"] == "joined" for one in self.restless.ctl_json("group", "show", GROUP)["members_seen"]))

    def members(self):
        return (self.alice, self.carol)

    def check(self):
        """Nothing that should run has ended by itself."""
        for member in self.members():
            member.check()
        assert self.steady.running(), f"the gateway that nobody ends has ended:\n{self.steady.read_log()[-5000:]}"

    def stop(self):
        """In order, each with a good end."""
        for member in self.members():
            member.stop()
            member.check()
        self.client.stopping = True
        self.client.end(signal.SIGKILL)
        for gateway in self.gateways.values():
            gateway.stop(60)

    def close(self):
        """For teardown, whatever happened."""
        for member in filter(None, self.members()):
            member.stopping = True
        if self.client:
            self.client.stopping = True
        for postfix in (self.front, self.relay):
            with contextlib.suppress(Exception):
                postfix.stop()
            with contextlib.suppress(OSError):
                postfix.kill()
            postfix.remove()
        close_quietly(*([self.client] if self.client else []), *self.gateways.values(), self.silo)
