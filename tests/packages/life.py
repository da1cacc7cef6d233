"""The life of the package on a Debian system of its own: installed, used, upgraded, removed, installed again, purged."""
import email.message
import email.policy
import json
import os
import re
import shutil
import smtplib
import subprocess

from package import note, run
from procs import PATIENCE, accepts_connections, free_port, wait_until

BOB = "bob@example.com"
ALICE = "Alice Member"
CONFIGURATION = """\
domain   = "silo.example.org"
hostname = "gw.example.org"
user     = "postern"
silo {{ address = "=127.0.0.1:{silo}"  alias = "Email Gateway" }}
listen smtp {{
  address  = "127.0.0.1:{smtp}"
  tls      = none
  clients  = {{ "127.0.0.1" }}
  assume_authenticated = yes
}}
verify {{ resolver = {{ "127.0.0.1:1" }} }}
relay  {{ url = "maildir:/var/lib/postern/out" }}
retry  {{ first = "1s"  longest = "2s" }}
admin  {{ socket = "/run/postern/control" }}
"""


class Root:
    """A minimal Debian in a folder. Mounts in it are those of this process alone (tests/packages/run sees to it)."""

    def __init__(self, place, name):
        self.path = os.path.join(place.temporary, name)
        self.keep = place.keep
        self.servers = []
        base = place.base or self.make_base(place)
        run(["cp", "-a", "--reflink=auto", base, self.path])
        run(["mount", "-t", "proc", "proc", self.inside("/proc")])
        shutil.copy("/etc/resolv.conf", self.inside("/etc/resolv.conf"))
        os.makedirs(self.inside("/srv/packages"), exist_ok=True)

    @staticmethod
    def make_base(place):
        base = os.path.join(place.work, "base")
        if not os.path.exists(base):
            note("debootstrap makes a minimal Debian, once")
            release = re.search(r"(?m)^VERSION_CODENAME=(\w+)", open("/etc/os-release", encoding="utf-8").read()).group(1)
            run(["debootstrap", "--variant=minbase", release, base + ".new"])
            os.rename(base + ".new", base)
        return base

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            if server.poll() is None:
                server.kill()
                server.wait()
        subprocess.run(["umount", "--recursive", self.inside("/proc")], check=False)
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)

    def inside(self, path):
        return os.path.join(self.path, path.lstrip("/"))

    def environment(self):
        return {**{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

    def run(self, *command, expect=0):
        done = subprocess.run(["chroot", self.path, *command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env=self.environment())
        assert done.returncode == expect, f"{command} exited {done.returncode}: {(done.stdout + done.stderr)[-6000:]}"
        return done.stdout + done.stderr

    def apt(self, *arguments):
        return self.run("apt-get", "-y", "-q", "--no-install-recommends", *arguments)

    def bring(self, path):
        shutil.copy(path, self.inside("/srv/packages"))
        return "/srv/packages/" + os.path.basename(path)

    def start(self, *command, log):
        """chroot and setpriv turn into the command itself, so that its process is ours to signal."""
        with open(self.inside(f"/srv/{log}.log"), "ab") as file:
            server = subprocess.Popen(["chroot", self.path, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                      env=self.environment(), start_new_session=True)
        self.servers.append(server)
        return server

    def log(self, name):
        with open(self.inside(f"/srv/{name}.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def account(self, name):
        """(uid, gid) by the root's own passwd."""
        with open(self.inside("/etc/passwd"), encoding="utf-8") as file:
            return next((tuple(map(int, line.split(":")[2:4])) for line in file if line.startswith(name + ":")), None)

    def status(self, path):
        """(owner, group, mode)"""
        found = os.stat(self.inside(path))
        return found.st_uid, found.st_gid, oct(found.st_mode & 0o7777)


class Site:
    """A silo, a member and the gateway in a root, the gateway as its unit says."""

    def __init__(self, root):
        self.root = root
        self.silo_port, self.smtp_port = free_port(), free_port()
        self.silo = self.gateway = None
        self.sent = []
        self.seen = []

    def configure(self):
        path = self.root.inside("/etc/postern/postern.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(silo=self.silo_port, smtp=self.smtp_port))
        os.chown(path, 0, self.root.account("postern")[1])
        os.chmod(path, 0o640)

    def start_silo(self):
        os.makedirs(self.root.inside("/srv/silo"), exist_ok=True)
        self.silo = self.root.start("tmtp", "silo", "--listen", f"127.0.0.1:{self.silo_port}", "--state", "/srv/silo", "--name", "Silo",
                                    log="silo")
        wait_until("the silo listens", lambda: accepts_connections(self.silo_port))

    def stop_silo(self):
        self.silo.terminate()
        self.silo.wait(PATIENCE)

    def unit(self):
        with open(self.root.inside("/lib/systemd/system/postern.service"), encoding="utf-8") as file:
            return dict(re.findall(r"(?m)^(\w+)=(.*)$", file.read()))

    def start_gateway(self):
        """systemd is not running here: this does what it would do, by the words of the unit."""
        unit = self.unit()
        user = self.root.account(unit["User"])
        for folder, mode in (("/var/lib/" + unit["StateDirectory"], unit["StateDirectoryMode"]),
                             ("/run/" + unit["RuntimeDirectory"], unit["RuntimeDirectoryMode"])):
            os.makedirs(self.root.inside(folder), exist_ok=True)
            os.chown(self.root.inside(folder), *user)
            os.chmod(self.root.inside(folder), int(mode, 8))
        self.gateway = self.root.start("setpriv", "--reuid", unit["User"], "--regid", unit["Group"], "--init-groups", "--no-new-privs",
                                       "--inh-caps=-all", "--bounding-set=-all", *unit["ExecStart"].split(), log="posternd")

        def greets():
            assert self.gateway.poll() is None, self.root.log("posternd")
            return accepts_connections(self.smtp_port) and os.path.exists(self.root.inside("/run/postern/control"))

        wait_until("the gateway listens", greets)

    def stop_gateway(self):
        self.gateway.terminate()
        assert self.gateway.wait(PATIENCE) == 0, self.root.log("posternd")

    def ctl(self, *arguments):
        return self.root.run("posternctl", *arguments)

    def ctl_json(self, *arguments):
        return json.loads(self.root.run("posternctl", "--json", *arguments))

    def tmtp(self, verb, *arguments):
        return self.root.run("tmtp", verb, "--account", "/srv/alice.account", *arguments)

    def wait_online(self):
        wait_until("the gateway is online", lambda: self.ctl_json("status")["silo_state"] == "online")

    def open_door(self):
        self.tmtp("register", "--silo", f"=127.0.0.1:{self.silo_port}", "--alias", ALICE)
        self.wait_online()
        self.ctl("member", "add", ALICE, "--address", "alice")
        self.tmtp("ping", "--to", "Email Gateway", "Hello")
        wait_until("the gateway knows the member", lambda: self.ctl_json("member", "show", ALICE).get("uid"))
        self.ctl("mapping", "add", BOB, ALICE)

    def send(self, subject, size=0):
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["From"], message["To"], message["Subject"] = BOB, "alice@silo.example.org", subject
        message["Date"], message["Message-ID"] = "Thu, 26 Nov 2026 12:00:00 +0000", f"<{subject.replace(' ', '.')}@example.com>"
        message.set_content("Good day.\n")
        if size:
            message.add_attachment(os.urandom(size), maintype="application", subtype="octet-stream", filename="noise.bin")
        with smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="client.test", timeout=PATIENCE) as smtp:
            smtp.send_message(message)
        self.sent.append(subject)

    def receive_all(self):
        """What was sent has arrived, each mail once."""
        def look():
            printed = self.tmtp("receive", "--wait", "1", "--json")
            self.seen += [item["subject"] for item in map(json.loads, printed.splitlines()) if item["op"] == "delivery"]
            return len(self.seen) >= len(self.sent) and not self.ctl_json("queue", "list")["queue"]

        wait_until(f"{self.sent} arrive ({self.seen} did)", look)
        assert sorted(self.seen) == sorted(self.sent)

    def reply(self, text):
        before = self.outgoing()
        self.tmtp("post", "--subject", text, "--to", BOB, text)
        wait_until("her mail leaves", lambda: len(self.outgoing()) == len(before) + 1)

    def outgoing(self):
        folder = self.root.inside("/var/lib/postern/out/new")
        return os.listdir(folder) if os.path.isdir(folder) else []


def check_life(place):
    first, later = place.package(), place.package(later=True)
    with Root(place, "life") as root:
        root.apt("update")
        site = Site(root)
        check_installed(root, root.apt("install", root.bring(first)))
        note("installed")
        use(site)
        note("used")
        upgrade(site, root.bring(later), f"{place.version()}+1")
        note("upgraded with mail waiting and the daemon running")
        remove_and_return(site, later)
        note("removed and installed again")
        purge(site)
        note("purged")


def check_installed(root, said):
    """Nothing runs, nothing fails, and who installed it reads what comes next."""
    assert "/etc/postern/postern.conf" in said and "README.Debian" in said, said
    user = root.account("postern")
    assert user, "no user"
    assert root.status("/etc/postern") == (0, user[1], "0o750")
    assert root.status("/var/lib/postern") == (*user, "0o700")
    assert os.listdir(root.inside("/etc/postern")) == [] and os.listdir(root.inside("/var/lib/postern")) == []
    wants = root.inside("/etc/systemd/system/multi-user.target.wants/postern.service")
    assert os.path.islink(wants), "the service is not enabled"
    assert not os.path.exists(root.inside("/etc/systemd/system/sockets.target.wants/postern-smtp.socket")), "port 25 is taken"
    with open(root.inside("/lib/systemd/system/postern.service"), encoding="utf-8") as file:
        assert "ConditionPathExists=/etc/postern/postern.conf\n" in file.read()
    if os.path.exists(root.inside("/usr/bin/systemd-analyze")):
        root.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/postern.service",
                 "/lib/systemd/system/postern-smtp.socket", "/lib/systemd/system/postern-lmtp.socket")
    root.run("posternd", "-t", expect=78)
    assert "not found" not in root.run("ldd", "/usr/sbin/posternd")


def set_up(site):
    """What README.Debian says to do first. It finds the user and the folders of the package, and leaves them as they are."""
    root = site.root
    folders = [root.status(path) for path in ("/etc/postern", "/var/lib/postern")]
    root.run("posternctl", "setup", "--domain", "silo.example.org", "--hostname", "gw.example.org", "--silo", f"=127.0.0.1:{site.silo_port}",
             "--mail", "postfix", "--relay", "maildir:/var/lib/postern/out", "--dkim", "none", "--first-admin-alias", "none",
             "--admin", "none", "--resolver", "127.0.0.1:1", "--yes", "--no-checks", "--no-account")
    assert root.status("/etc/postern/postern.conf") == (0, root.account("postern")[1], "0o640")
    assert [root.status(path) for path in ("/etc/postern", "/var/lib/postern")] == folders
    root.run("posternd", "-t")


def use(site):
    set_up(site)
    site.configure()   # with a listener that believes everybody, since nobody here can prove anything
    site.root.run("posternd", "-t")
    site.start_silo()
    site.start_gateway()
    site.open_door()
    site.send("the first mail")
    site.receive_all()
    site.reply("the first answer")


def upgrade(site, package, version):
    root = site.root
    with open(root.inside("/etc/postern/postern.conf"), encoding="utf-8") as file:
        configuration = file.read()
    status = root.status("/etc/postern/postern.conf")
    site.stop_silo()
    site.send("waits for the silo")
    site.send("waits and is large", 600_000)
    assert len(site.ctl_json("queue", "list", "--direction", "in")["queue"]) == 2
    root.apt("install", package)
    assert root.run("dpkg-query", "-W", "-f", "${Version}", "postern") == version
    assert site.gateway.poll() is None, root.log("posternd")
    site.send("comes while the old daemon runs on")   # its workers are made anew from a file that is gone
    site.stop_gateway()
    with open(root.inside("/etc/postern/postern.conf"), encoding="utf-8") as file:
        assert file.read() == configuration
    assert root.status("/etc/postern/postern.conf") == status
    site.start_gateway()
    site.start_silo()
    site.wait_online()
    site.receive_all()
    site.send("the first mail to the new one")
    site.receive_all()
    site.reply("the second answer")


def remove_and_return(site, package):
    root = site.root
    site.stop_gateway()
    before = site.root.run("find", "/var/lib/postern", "/etc/postern", "-type", "f", "-printf", "%p %s %m %u\n")
    root.apt("remove", "postern")
    assert not os.path.exists(root.inside("/usr/sbin/posternd"))
    assert root.run("find", "/var/lib/postern", "/etc/postern", "-type", "f", "-printf", "%p %s %m %u\n") == before
    # The silo of the test has lost its program, but runs on.
    root.apt("install", root.bring(package))
    site.start_gateway()
    site.wait_online()
    assert BOB in site.ctl("mapping", "list")
    site.send("the first mail after the return")
    site.receive_all()
    site.stop_gateway()


def purge(site):
    root = site.root
    site.stop_silo()
    for name in ("posternd.log", "silo.log", "alice.account"):
        os.remove(root.inside("/srv/" + name))
    with open(root.inside("/etc/postern/gw.key"), "w", encoding="utf-8"):
        pass
    said = root.apt("purge", "postern")
    assert "/var/lib/postern" in said and "mail that was not delivered yet" in said and "gw.key" in said, said
    assert not os.path.exists(root.inside("/var/lib/postern")) and not os.path.exists(root.inside("/run/postern"))
    assert os.listdir(root.inside("/etc/postern")) == ["gw.key"]
    shutil.rmtree(root.inside("/etc/postern"))
    left = root.run("find", "/", "-xdev", "-name", "*postern*", "-not", "-path", "/proc/*", "-not", "-path", "/srv/packages/*").split()
    assert left == [], left
    assert "postern" not in root.run("dpkg", "-l"), "dpkg still knows it"
