"""Every command that the documents have is run, and every block in them is looked at.

Blocks of `sh` are run as they stand, document by document, on a machine of their own (machine.py) where what the document takes for
granted is there. Configuration of posternd is tested by posternd. What can't be either is in COVERED, with the test that runs it, or in
TEXT, if there is nothing to run. Every `posternctl ...` in any document or manual page is said to a gateway that runs, which must
understand it.
"""
import glob
import os
import re
import shlex

import pytest

from conftest import needs_root
from documents import blocks
from machine import Machine
from procs import RELEASE, ROOT, run
from terminal import Terminal

DOCUMENTS = ["README.md", *sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "docs", "*.md")))]
PAGES = [os.path.relpath(path, ROOT) for path in sorted(glob.glob(os.path.join(ROOT, "docs", "*.[158]")))]
PACKAGE = "tests/packages/life.py"

# Blocks that another test runs or reads, by their first line. The test must be there, and say the words.
COVERED = {
    ("README.md", "./demo"): ("tests/e2e/test_demo.py", "def test_demo_succeeds_and_cleans_up"),
    ("README.md", "scripts/install-packages scripts/packages-build.txt scripts/packages-deb.txt"): ("tests/packages/package.py", "build-deb"),
    ("README.md", "posternctl setup "): ("tests/e2e/test_setup.py", "def test_answers_at_a_terminal"),
    ("docs/QUICKSTART.md", "scripts/install-packages scripts/packages-build.txt scripts/packages-deb.txt"): ("tests/packages/package.py", "build-deb"),
    ("docs/QUICKSTART.md", "posternctl setup\n"): ("tests/e2e/test_setup.py", "def test_answers_at_a_terminal"),
    ("docs/SETUP.md", "posternctl setup\n"): ("tests/e2e/test_setup.py", "def test_answers_at_a_terminal"),
    ("docs/SETUP.md", "posternctl setup --domain"): ("tests/e2e/test_setup.py", "def test_a_first_run_and_a_second"),
    ("docs/INSTALLING.md", "scripts/install-packages scripts/packages-build.txt"): ("tests/e2e/test_install.py", "--install"),
    ("docs/API.md", "$ "): ("tests/e2e/test_web.py", '"API.md"'),
    ("docs/API.md", "export POSTERN="): ("tests/e2e/test_web.py", "POSTERN"),
    ("docs/APPROVALS.md", "Subject: {member}"): ("tests/e2e/test_invitations.py", "{member}"),
    ("docs/CONTENT.md", "cmake --build --preset dev --target convert_show"): ("tests/corpora/render", "convert_show"),
    ("docs/CONTRIBUTING.md", "scripts/install-packages"): ("tests/check.py", "cmake"),
    ("docs/CONTRIBUTING.md", "./check --quick"): ("tests/check.py", '"--quick"'),
    ("docs/CONTRIBUTING.md", "ctest --test-dir"): ("tests/check.py", "ctest"),
    ("docs/DNS.md", "silo.example.org. IN"): ("tests/e2e/test_setup.py", "def check_dns"),
    ("docs/DNS.md", "postern._domainkey"): ("tests/e2e/test_setup.py", "def check_dns"),
    ("docs/DNS.md", "_dmarc.silo"): ("tests/e2e/test_setup.py", "def check_dns"),
    ("docs/METRICS.md", "rule_files:"): ("tests/e2e/test_metrics.py", "promtool"),
    ("docs/PACKAGING.md", "cmake --preset release"): ("tests/e2e/test_install.py", "DESTDIR"),
    ("docs/PACKAGING.md", "scripts/install-packages"): ("tests/packages/package.py", "build-deb"),
    ("docs/PACKAGING.md", "podman build"): ("tests/packages/container.py", "Containerfile"),
    ("docs/PACKAGING.md", "tests/packages/run"): ("tests/check.py", "packages"),
    ("docs/RELAYS.md", "openssl s_client"): ("tests/e2e/test_manual.py", "def test_fingerprint_of_a_relay"),
    ("docs/RELAYS.md", "s2026._domainkey"): ("tests/e2e/test_dkim.py", "s2026._domainkey"),
    ("docs/UPGRADES.md", "apt-get install ./postern_NEW"): (PACKAGE, "upgrade"),
    ("docs/WEB.md", "server {"): ("tests/e2e/nginx.py", "tested: nginx"),
}
# Nothing to run, and no program that reads it is here.
TEXT = {("docs/SECURITY.md", " outside "), ("README.md", "              authorised?"), ("docs/CONTENT.md", "_Also to:"), ("docs/EVENTS.md", "2026-"), ("docs/WEB.md", "postern.example.org {"),
        ("docs/APPROVALS.md", "# /etc/cron.d/")}

SECTIONS = ("state_dir", "admin", "content", "dkim", "hold", "invitation", "limits", "listen", "log", "mail", "metrics", "policy", "postfix", "relay", "retry", "silo", "user",
            "verify")

# ---- the machines ----

ZONE = """silo.example.org MX 10 gw.example.org
gw.example.org A 192.0.2.25
25.2.0.192.in-addr.arpa PTR gw.example.org
silo.example.org TXT "v=spf1 mx a:gw.example.org -all"
_dmarc.silo.example.org TXT "v=DMARC1; p=none"
smtp.example.net A 127.0.0.1
example.com TXT "v=spf1 -all"
"""
NAMES = """
ip address add 192.0.2.25/32 dev lo
echo "127.0.0.1 localhost
192.0.2.25 gw.example.org" > /etc/hosts
setsid /usr/bin/python3 -c '
import sys, time
sys.path.insert(0, sys.argv[1] + "/tests/e2e")
from dns_server import DnsServer
with DnsServer("127.0.0.1", 53) as dns:
    dns.add(open("/tmp/zone").read())
    print("ready", flush=True)
    time.sleep(3600)
' {root} > /tmp/dns.log 2>&1 < /dev/null &
until grep -q ready /tmp/dns.log; do sleep 0.05; done
"""


def quick_start(first, last):
    """These of the blocks that make a gateway, a member and mail, counted from 1."""
    shell = [text for tag, text in blocks("docs/QUICKSTART.md") if tag == "sh"]
    return "\n".join(shell[first:last + 1])   # the first one installs


MEMBER = quick_start(1, 3)      # a silo, a gateway, Alice
MAIL = quick_start(1, 7)        # and Bob, a mail each way, and what became of them
USER = "useradd --system --home-dir /var/lib/postern --no-create-home --shell /usr/sbin/nologin postern"
REQUEST = MEMBER + """
tmtp ping --account alice.json --to "Email Gateway" "invite bob@example.com"
until posternctl mapping list --state requested | grep -q bob@example.com; do sleep 0.05; done
"""
# Listens on port 25, where the MX leads, and signs with the key that the DNS has.
PUBLIC = """
posternctl setup --domain silo.example.org --hostname gw.example.org --silo =127.0.0.1:4433 --mail direct --listen 0.0.0.0:25 --relay maildir:/var/lib/postern/out \\
    --dkim postern --admin none --first-admin-alias none --no-checks > /tmp/setup.out
systemctl start postern
"""
PUBLISH = """
key=$(openssl pkey -in /etc/postern/dkim-postern.pem -pubout -outform DER | base64 -w0)
echo "postern._domainkey.silo.example.org TXT \\"v=DKIM1; k=rsa; p=${key:0:200}\\" \\"${key:200}\\"" >> /tmp/zone
"""

# What a document takes for granted, what is typed, and what must be shown.
MACHINES = {
    "docs/QUICKSTART.md": ("", [], ["ready =127.0.0.1:4433", "Friday is fine.", "Does Friday suit you?", "< 550 5.7.1 <eve@example.net> is not authorised to write to", "was refused", "Mail from bob@example.com to Alice Member was delivered.",
                                    "A message from Alice Member to bob@example.com was delivered."]),
    "docs/APPROVALS.md": (REQUEST, [], ["requested", "approved", "a supplier"]),
    "docs/BACKUP.md": (MAIL, [("Put it back?", "yes")], ["not_in_it", "set aside"]),
    "docs/DNS.md": (quick_start(1, 1) + PUBLIC + PUBLISH, [], ["10 gw.example.org.", "192.0.2.25", "v=spf1 mx", "v=DKIM1", "v=DMARC1", "0 failures"]),
    "docs/EVENTS.md": (MAIL, [], ["event=mail.decided", "message=in1"]),
    "docs/INSTALLING.md": ("", [], []),
    "docs/PRIVACY.md": (MAIL, [], ["bob@example.com", "Alice Member", "settled", "revoked"]),
    "docs/RELAYS.md": (USER, [], ["MII"]),
    "docs/SETUP.md": (quick_start(1, 2), [], ["silo", "Alice Member", "approved"]),
    "docs/TROUBLESHOOTING.md": (MAIL, [], ["silo_state", "online"]),
    "docs/UPGRADES.md": (MAIL, [], ["0.1.0", "failure"]),
    "docs/WEB.md": (quick_start(1, 2), [("assword", "a long and quiet password"), ("once more", "a long and quiet password")], []),
    "docs/postfix.md": (USER, [], []),
}
# A test has neither the Internet nor a clock that anybody sets: doctor says so, with exit status 1.
MAY_FAIL = "posternctl doctor"


def lookup(table, document, text):
    return next((value for (name, start), value in table.items() if name == document and text.startswith(start)), None)


def is_configuration(text):
    if text.startswith("# ") and not text.startswith("# postern.conf"):
        return False
    words = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).split()
    return bool(words) and words[0] in SECTIONS


def test_every_block_is_looked_at():
    """By this test or by one that is named, and is there."""
    sources = "".join(open(path, encoding="utf-8").read() for path in glob.glob(os.path.join(ROOT, "tests", "e2e", "*.py")))
    used = set()
    for document in DOCUMENTS:
        for tag, text in blocks(document):
            first = text.split("\n", 1)[0]
            covered = lookup(COVERED, document, text)
            if covered:
                path, words = covered
                with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                    assert words in file.read(), f"{document}: {first}: there is no {words!r} in {path}"
                used.add((document, next(start for name, start in COVERED if name == document and text.startswith(start))))
                continue
            if tag == "sh":
                assert document in MACHINES, f"{document}: {first}: nobody runs this"
                continue
            assert tag == "", f"{document}: {first}: what is {tag}?"
            is_text = any(name == document and text.startswith(start) for name, start in TEXT)
            assert is_text or is_configuration(text) or f'"{first}"' in sources or f'"{first.split(":")[0]}: ' in sources, f"{document}: {first}: nobody looks at this"
    assert used == set(COVERED), f"there is no such block: {set(COVERED) - used}"


@pytest.mark.parametrize("document", sorted(MACHINES))
def test_commands_do_what_is_said(document):
    needs_root()
    prepare, typed, wanted = MACHINES[document]
    typed = list(typed)
    shown = ""
    with Machine() as machine:
        machine.must(f"cat > /tmp/zone <<'END'\n{ZONE}END\n{prepare}")
        if any(MAY_FAIL in text for _, text in blocks(document)):
            machine.must(NAMES.format(root=ROOT))
        for tag, text in blocks(document):
            if tag != "sh" or lookup(COVERED, document, text):
                continue
            for part in statements(text):
                status, output = run_part(machine, part, typed)
                shown += f"$ {part}\n{output}"
                assert status == 0 or part.startswith(MAY_FAIL), f"{document} says:\n{part}\nwhich exited {status}. All of it:\n{shown}"
                assert not part.startswith(MAY_FAIL) or re.search(r"^\d+ failures?, \d+ warnings?", output, re.MULTILINE), shown
    assert not typed, f"{document}: nobody has asked {typed}"
    for words in wanted:
        assert words in shown, f"{document}: {words!r} was not shown:\n{shown}"


def run_part(machine, part, typed):
    """As it stands; when something is to be typed, and may be asked for, then at a terminal. Exit status, and what was shown."""
    if not typed or not re.search(r"^posternctl (restore [^-]*|admin add .*)$", part, re.MULTILINE):
        result = machine.run(part)
        return result.returncode, result.stdout
    with Terminal(machine.command(part), ROOT) as terminal:
        while typed:
            terminal.answer(*typed.pop(0))
        return terminal.finish(), terminal.shown


def statements(text):
    """A block, but what may fail for reasons of the test alone."""
    rest = []
    for line in text.splitlines():
        if line.startswith(MAY_FAIL):
            yield "\n".join(rest)
            yield line
            rest = []
        else:
            rest.append(line)
    yield "\n".join(rest)


# ---- configuration ----

BASE = {"state_dir": 'state_dir = "/var/lib/postern"', "domain": 'domain = "silo.example.org"', "hostname": 'hostname = "gw.example.org"',
        "silo": 'silo { address = "=127.0.0.1:4433" alias = "Email Gateway" }', "listen": 'listen base { address = "127.0.0.1:2600" }',
        "relay": 'relay { url = "smtp://127.0.0.1:25" }'}
FILES = """
openssl genrsa -out /etc/postern/dkim-rsa.pem 2048 2> /dev/null
openssl genpkey -algorithm ed25519 -out /etc/postern/dkim-ed25519.pem
chmod 600 /etc/postern/dkim-*
(umask 077; echo secret > /etc/postern/relay-password)
openssl req -x509 -newkey ed25519 -nodes -subj /CN=gw.example.org -days 30 -out /etc/postern/tls.crt -keyout /etc/postern/tls.key 2> /dev/null
chown postern: /etc/postern/*
printf 'Subject: {member}\\n\\n{guest} {address} {remove}\\n' > /etc/postern/invitation
chmod 644 /etc/postern/invitation
"""


def configurations():
    for document in DOCUMENTS:
        yield from ((document, text) for tag, text in blocks(document) if tag == "" and is_configuration(text))
    for name in ("postern.conf.5", "posternd.8"):
        yield from ((name, text) for text in examples_in(name) if re.match(r"(domain|\w+ \{)", text))


def test_configuration_is_valid():
    """Each block of postern.conf, with what it lacks of a whole one. A line that belongs into a section of its own has a test elsewhere."""
    needs_root()
    seen = 0
    with Machine() as machine:
        machine.must(USER + FILES)
        for document, text in configurations():
            whole = "\n".join([*(line for key, line in BASE.items() if not re.search(rf"^{key}\b", text, re.MULTILINE)), text])
            result = machine.run(f"cat > /etc/postern/postern.conf <<'END'\n{whole}\nEND\nposternd -t")
            assert result.returncode == 0, f"{document}:\n{text}\n{result.stdout}"
            seen += 1
    assert seen > 10


def test_fingerprint_of_a_relay():
    """docs/RELAYS.md: what openssl says is what `fingerprint` takes."""
    needs_root()
    command = next(text for _, text in blocks("docs/RELAYS.md") if text.startswith("openssl s_client"))
    with Machine() as machine:
        machine.must(f"cat > /tmp/zone <<'END'\n{ZONE}END\n{USER}\n{FILES}")
        machine.must(NAMES.format(root=ROOT))
        relay = """state_dir = "/tmp" domain = "x.example" hostname = "gw.example.org" silo { address = "=127.0.0.1:1" alias = "Email Gateway" } relay { url = "maildir:/tmp/out" }
user = "postern" admin { socket = "/tmp/control" }
listen mx { address = "0.0.0.0:587" tls = may certificate = "/etc/postern/tls.crt" key = "/etc/postern/tls.key" }"""
        machine.must(f"echo '{relay}' > /etc/postern/postern.conf\nsetsid posternd > /tmp/log 2>&1 < /dev/null &\nuntil posternctl version; do sleep 0.05; done > /dev/null 2>&1")
        digits = machine.must(command).strip()
        assert re.fullmatch(r"[0-9a-f]{64}", digits), digits
        machine.must(f"""sed -i 's|relay {{ url.*}}|relay {{ url = "smtp://smtp.example.net:587" tls = verify fingerprint = "sha256:{digits}" }}|' /etc/postern/postern.conf
grep -q fingerprint /etc/postern/postern.conf && posternd -t""")


# ---- every posternctl ----

# What is written for what differs. By what comes before it, if that makes a difference.
PLACES = {"mapping ID": "1", "held ID": "in1", "ID": "in1", "ALIAS": "Alice Member", "MEMBER": "Alice Member", "ADDRESS": "bob@example.com", "GID": "Sales Team", "FILE": "/tmp/file.tar",
          "NAME": "robot", "MESSAGE-ID": "<1@example.com>", "SESSION-ID": "abc-1", "NETWORK": "192.0.2.0/24", "OLD-ADDRESS": "=127.0.0.1:1", "TMTP-MSGID": "18eb9e30e3dffa05",
          "LEVEL": "info", "T": "a reason", "TYPES": "pdf", "…": "a reason",
          "4711:3f0a…": "1:" + 64 * "0"}
LAST = ("stop", "restore", "member remove", "silo moved", "reload")   # what others could not be said after


def words_of(text):
    """A command line as its words, without what the shell would do besides; None when it is only a beginning."""
    text = re.split(r"\s(?:\||>|&&|#|2>)", text)[0].strip()
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    return words


def examples_in(name):
    """The blocks of a manual page."""
    return [text.replace("\\e\n", "\\\n") for text in re.findall(r"^\.Bd .*\n(.*?)^\.Ed$", page(name), re.MULTILINE | re.DOTALL)]


def commands_of_page(name):
    for example in examples_in(name):
        for line in example.replace("\\\n", " ").splitlines():
            if line.startswith("posternctl "):
                yield words_of(line)
    for line in re.findall(r"^\.(?:Dl) (posternctl [a-z-].*?)(?: [.,:;)]+)?$", page(name), re.MULTILINE):
        yield words_of(line)


def commands_in(document):
    """(where, words) of each posternctl, with its name or without."""
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        text = file.read()
    for _, block in blocks(document):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"\s*(?:\$ |until |\S+ +\S+ +\S+ +\S+ +\S+ +postern +)?(posternctl [a-z-].*)$", line)
            if found:
                yield "block", words_of(found[1].split(";")[0])
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`]+)`", prose.replace("\n", " ")):
        words = words_of(code)
        if words and words[0] == "posternctl":
            yield "inline", words
        elif words and len(words) > 1 and (words[0], words[1]) in PAIRS:
            yield "inline", ["posternctl", *words]


def usages():
    """verb and what follows of it -> its usage, of all commands that the daemon and posternctl have."""
    sources = ""
    for path in ("gateway/admin_command.c", "gateway/ctl_main.c", "gateway/ctl_state.h", "gateway/ctl_mapping.h", "gateway/ctl_completion.h"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            sources += file.read()
    macros = dict(re.findall(r"#define (\w+)\s+((?:\\?\s*\"[^\"]*\"\s*)+)", sources))
    for name, value in macros.items():
        macros[name] = "".join(re.findall(r'"([^"]*)"', value))
    limits = re.search(r"#define MAPPING_LIMITS_USAGE((?:\s*\\?\s*\"[^\"]*\")+)", sources)
    macros["MAPPING_LIMITS_USAGE"] = "".join(re.findall(r'"([^"]*)"', limits[1]))
    table = {}
    for row in re.findall(r'^    \{ ("\w[\w-]*", (?:NULL|"[^"]*"), .*?)\},?$', sources, re.MULTILINE | re.DOTALL):
        row = re.sub(r"\b(MAPPING_STATES|MAPPING_LIMITS_USAGE|CTL_\w+_USAGE)\b", lambda name: f'"{macros[name[1]]}"', row)
        joined = re.sub(r'"\s*"', "", row)
        verb, sub = re.match(r'"([\w-]+)", (?:NULL|"([^"]*)")', joined).groups()
        usage = next(text for text in re.findall(r'"([^"]*)"', joined)[1:] if text.startswith(f"{verb} {sub}" if sub else verb) and text.strip() != sub)
        table.setdefault(f"{verb} {sub}" if sub else verb, set()).update([usage])
    return table


USAGES = usages()
PAIRS = {tuple(name.split()[:2]) for name in USAGES if " " in name}


def placed(words):
    """Its placeholders replaced."""
    out = []
    for word in words:
        if word in ("...", "…") and not out[-1].startswith("--"):
            continue
        out.append(PLACES.get(f"{words[1]} {word}", PLACES.get(word, word)))
    return out


def is_name(words, document):
    """A command's name, or the beginning of several, perhaps with an option, that is only named: what it needs is not said."""
    while words and words[-1].startswith("--") and words[-1] != "--json":
        option = words[-1]
        words = words[:-1]
        name = next((name for name in sorted(USAGES, reverse=True) if words[:len(name.split())] == name.split()), "")
        assert name == "setup" or any(option in usage for usage in USAGES.get(name, ())), f"{document}: {' '.join(words)} has no {option}"
        if words == [*name.split(), "ID"]:
            return True
    words = [word for word in words if word != "--json"]
    return any(name.split()[:len(words)] == words for name in USAGES)


def test_usages_were_found():
    assert len(USAGES) > 60 and "mapping add" in USAGES and "backup" in USAGES and "admin token add" in USAGES


def test_the_daemon_understands_every_command():
    needs_root()
    found = {}
    for document in DOCUMENTS:
        for where, words in commands_in(document):
            if words is None or len(words) < 2 or words[1] in ("-c", "--help"):
                continue
            if where == "inline" and is_name(words[1:], document):
                continue
            if len(placed(words)) > 1:
                found.setdefault(tuple(placed(words)), document)
    for name in PAGES:
        found.update({tuple(words): name for words in commands_of_page(os.path.basename(name))})
    assert len(found) > 80
    order = sorted(found, key=lambda words: next((1 + LAST.index(last) for last in LAST if " ".join(words[1:]).startswith(last)), 0))
    lines = []
    for number, words in enumerate(order):
        words = list(words) + (["--dry-run"] if words[1] == "setup" and "--dns" not in words and "--postfix" not in words else [])
        lines.append(f"timeout 40 {shlex.join(words)} > /tmp/said 2>&1 < /dev/null; status=$?; echo \"{number} $status $(tail -n 1 /tmp/said)\"")
    with Machine() as machine:
        machine.must(f"cat > /tmp/zone <<'END'\n{ZONE}END\n{MAIL}")
        machine.must(NAMES.format(root=ROOT))
        said = machine.run("set +e\n" + "\n".join(lines), patience=120).stdout
    results = dict(re.findall(r"^(\d+) (\d+) .*$", said, re.MULTILINE))
    assert len(results) == len(order), said
    wrong = [f"{found[words]}: {shlex.join(words)}: {next(line for line in said.splitlines() if line.startswith(f'{number} '))}"
             for number, words in enumerate(order) if results[str(number)] in ("2", "124", "139", "69")]
    assert not wrong, "\n".join(wrong)


# ---- the pages of the programs ----

def page(name):
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as file:
        return file.read()


def plain(line):
    """A line of mdoc without its macros."""
    return " ".join(word for word in line.replace("\\&", "").split()
                    if word not in ("Ic", "Cm", "Ar", "Op", "Oo", "Oc", "Fl", "Ns", "Xo", "Xc", "Li", "|", ","))


def test_posternctl_1_has_every_command_and_option():
    text = page("posternctl.1")
    items = [line[4:] for line in text.replace("\\\n", " ").splitlines() if line.startswith(".It ")]
    documented = {plain(item): item for item in items}
    for name, texts in USAGES.items():
        own = [item for shown, item in documented.items() if shown == name or shown.startswith(name + " ")]
        assert own, f"posternctl.1 does not have {name}"
        options = {option for usage in texts for option in re.findall(r"--([\w-]+)", usage)}
        shown = set(re.findall(r"Fl -([\w-]+)", " ".join(own)))
        if "Ar limits" in " ".join(own):
            shown |= {option for item in items for option in re.findall(r"^Fl -([\w-]+)", item)}
        hidden = {"address", "limit", "after"} if name == "mapping export" else set()   # between program and daemon
        assert options - hidden - {"option"} <= shown, f"posternctl.1: {name} lacks {sorted(options - shown)}"
        if "Ar limits" not in " ".join(own) and name not in ("setup",):
            assert shown <= options, f"posternctl.1: {name} has {sorted(shown - options)}, which there is not"


def test_posternctl_1_has_every_option_of_setup():
    with open(os.path.join(ROOT, "gateway", "ctl_setup.c"), encoding="utf-8") as file:
        source = file.read()
    options = set(re.findall(r'^    \{ "([\w-]+)",', source, re.MULTILINE)) | {name[2:] for name in re.findall(r'\{ "(--[\w-]+)", &', source)}
    assert len(options) > 20
    for option in options - {"help"}:
        assert re.search(rf"Fl -{option}\b", page("posternctl.1")), f"posternctl.1 does not have setup --{option}"


def options_of(words, folder):
    result = run([os.path.join(RELEASE, words[0]), *words[1:]], folder)
    return set(re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", result.stdout + result.stderr))


def test_pages_have_what_the_programs_say_of_themselves(folder):
    for words, name in ((["posternd", "-h"], "posternd.8"), (["tmtp", "--help"], "tmtp.1"), (["posternctl", "--help"], "posternctl.1")):
        said = options_of(words, folder)
        assert said, words
        text = page(name)
        known = {f"-{word}" for word in re.findall(r"\bFl (-?[\w-]+)", text)}
        known |= {f"-{letter}" for letters in re.findall(r"Fl ([A-Za-z]{2,8})\b", text) for letter in letters}
        assert said <= known, f"{name} lacks {sorted(said - known)}"


def test_posternctl_help_has_every_verb(folder):
    said = run([os.path.join(RELEASE, "posternctl"), "--help"], folder).stdout
    for name in USAGES:
        assert re.search(rf"\b{name.split()[0]}\b", said), f"posternctl --help lacks {name.split()[0]}"


def test_examples_of_tmtp_1():
    """In their order; what a person would have to look up (a thread's id) is looked up."""
    needs_root()
    with Machine() as machine:
        machine.must(quick_start(1, 2))
        machine.must("echo report > report.pdf; echo Fine. > answer.md\ntmtp register --silo =127.0.0.1:4433 --alias 'Dave Member' --account dave.json")
        thread = ""
        for example in examples_in("tmtp.1"):
            if "tmtp silo" in example:   # it runs already, as it stands there
                example = "".join(example.splitlines(keepends=True)[1:])
            if "Dave Member" in example:
                machine.must("tmtp ping --account dave.json --to 'Alice Member' Hello; tmtp receive --account alice.json; tmtp receive --account carol.json\n"
                             "(sleep 0.5; tmtp post --account carol.json --to 'Alice Member' --subject Other Yes.) > /dev/null 2>&1 &")
                post, wait, forward = re.split(r"^(?=tmtp)", example, flags=re.MULTILINE)[1:]
                machine.must(post)
                thread = machine.must("sed -n 's/.*\"threadid\": *\"\\([0-9a-f]*\\)\".*/\\1/p' thread.jsonl | head -n 1").strip()
                machine.must(wait + forward.replace("18ea9c9dd92d7f0a", thread))
                continue
            if "--wait 60" in example:
                machine.must("tmtp post --account carol.json --to 'Alice Member' --subject More --json Yes.")
            if "Email Gateway" in example and "Yes, please" in example:
                machine.must("posternctl member add 'Alice Member'")
            shown = machine.must(example.replace("18ea9c9dd92d7f0a", thread))
            found = re.search(r"^posted (\w+)$", shown, re.MULTILINE)
            thread = found[1] if found and "--subject" in example else thread
