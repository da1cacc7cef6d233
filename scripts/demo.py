"""The body of ./demo: silo, gateway, a member, an email in, a reply out, each step checked."""
import argparse
import email.message
import email.policy
import email.utils
import glob
import json
import os
import shlex
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
PROGRAMS = os.path.join(ROOT, "build", "release", "bin")
PATIENCE = 20   # seconds for anything to happen; all of it together takes two or three

MEMBER = "Alice Member"
CORRESPONDENT = "bob@example.com"
SUBJECT = "Drawings for the new gate"
BODY = "Dear Alice,\n\nhere are the drawings that you asked for.\nWhich of the two do you like better?\n\nBob"
ATTACHMENT_NAME = "gate plan.txt"
ATTACHMENT = b"".join(b"%04d  +--||--+  +--||--+\n" % row for row in range(400))
REPLY = "Hello Bob, the **second** one, please. Alice"

CONFIGURATION = """\
state_dir = "{folder}/gateway"
domain    = "silo.example.org"
hostname  = "gw.example.org"

silo {{
  address = "={silo}"
  alias   = "Email Gateway"
  echo    = yes
}}

listen smtp {{
  address  = "127.0.0.1:{port}"
  protocol = smtp
  tls      = none
  # Only for a demonstration on the loopback interface: whoever connects is believed to be who they say.
  assume_authenticated = yes
  clients = {{ "127.0.0.1" }}
}}

relay {{
  url = "maildir:{folder}/mail-out"
}}

admin {{
  socket = "{folder}/gateway/control"
}}

log {{
  level = info
}}
"""


class Wrong(Exception):
    """Something that the demonstration shows is not as it should be."""


def title(number, text):
    print(f"\n{number}. {text}", flush=True)


def show(text, mark="   | "):
    for line in text.rstrip().splitlines():
        print(mark + line)
    sys.stdout.flush()


def expect(condition, what):
    if not condition:
        raise Wrong(what)
    print(f"   ok: {what}", flush=True)


def wait_for(what, probe):
    """Asks again and again until probe() returns something true; that is the result."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Wrong(f"{what}: nothing within {PATIENCE} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    """Owns the temporary folder and the two servers in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-demo-")
        self.servers = []
        self.port = None
        self.account = "alice.account"   # in the folder, as all that follows
        self.configuration = "postern.conf"

    def start(self, name, *arguments, stdout=None):
        """Starts a server in a session of its own, so that Ctrl-C reaches it through us, in order."""
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            server = subprocess.Popen([os.path.join(PROGRAMS, arguments[0]), *arguments[1:]], stdin=subprocess.DEVNULL,
                                      stdout=stdout or log, stderr=log, cwd=self.folder, start_new_session=True)
        self.servers.append((name, server))
        return server

    def stop(self):
        for _, server in reversed(self.servers):
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            if server.stdout:
                server.stdout.close()
        self.servers.clear()

    def check_servers(self):
        for name, server in self.servers:
            if server.poll() is not None:
                raise Wrong(f"{name} ended with exit code {server.returncode}")

    def run(self, *command, quiet=False):
        """Runs one of our programs, shows the command, returns what it printed."""
        self.check_servers()
        if not quiet:
            show(shlex.join(command), "   $ ")
        result = subprocess.run([os.path.join(PROGRAMS, command[0]), *command[1:]], stdin=subprocess.DEVNULL, cwd=self.folder,
                                capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        if result.returncode != 0:
            raise Wrong(f"{command[0]} exited {result.returncode}: {result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def control(self, *command, quiet=False):
        return self.run("posternctl", "-c", self.configuration, *command, quiet=quiet)

    def control_json(self, *command):
        return json.loads(self.control("--json", *command, quiet=True))

    def receive_until(self, what, wanted, *options):
        """Receives one message at a time, which is what --json prints, until one is wanted."""
        command = ["tmtp", "receive", "--account", self.account, "--wait", str(PATIENCE), "--json", *options]
        show(shlex.join(command), "   $ ")

        def look():
            printed = self.run(*command, "--count", "1", quiet=True)
            messages = [json.loads(line) for line in printed.splitlines()]
            return next((message for message in messages if wanted(message)), None)

        return wait_for(what, look)


def start_servers(demo):
    title(1, "The silo and the gateway start")
    silo = demo.start("silo", "tmtp", "silo", "--listen", "127.0.0.1:0", "--state", os.path.join(demo.folder, "silo"),
                      "--name", "Demo Silo", stdout=subprocess.PIPE)
    ready = silo.stdout.readline().decode().split()
    if len(ready) != 2 or ready[0] != "ready":
        raise Wrong("the silo did not start")
    silo_address = ready[1].lstrip("=")
    print(f"   folder:  {demo.folder}\n   silo:    {silo_address}")

    demo.port = free_port()
    os.mkdir(os.path.join(demo.folder, "gateway"), 0o700)
    with open(os.path.join(demo.folder, demo.configuration), "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(folder=demo.folder, silo=silo_address, port=demo.port))
    demo.start("posternd", "posternd", "-c", demo.configuration)

    def greeted():
        demo.check_servers()
        try:
            with socket.create_connection(("127.0.0.1", demo.port), timeout=5) as connection:
                return connection.recv(512).decode().strip()
        except ConnectionRefusedError:
            return None

    greeting = wait_for("the gateway's greeting", greeted)
    print(f"   gateway: 127.0.0.1:{demo.port}")
    expect(greeting.startswith("220 gw.example.org"), f"the gateway greets: {greeting}")
    return silo_address


def introduce_member(demo, silo_address):
    title(2, f"{MEMBER} joins the silo and makes herself known to the gateway")
    demo.run("tmtp", "register", "--silo", "=" + silo_address, "--alias", MEMBER, "--account", demo.account)
    demo.control("member", "add", MEMBER, "--address", "alice")
    demo.run("tmtp", "ping", "--account", demo.account, "--to", "Email Gateway", "Hello, this is Alice.")
    expect(wait_for("the gateway learns who she is", lambda: learned_member(demo)), "the gateway knows her account now")
    show(demo.control("member", "list"))


def learned_member(demo):
    return demo.control_json("member", "show", MEMBER)["uid"]


def refuse_stranger(demo):
    title(3, "A stranger writes to her, and is turned away")
    try:
        with smtplib.SMTP("127.0.0.1", demo.port, timeout=PATIENCE) as smtp:
            smtp.sendmail("mallory@example.net", "alice@silo.example.org", b"Subject: Hello\r\n\r\nOpen up!\r\n")
    except smtplib.SMTPRecipientsRefused as refusal:
        code, text = next(iter(refusal.recipients.values()))
    except smtplib.SMTPResponseException as refusal:
        code, text = refusal.smtp_code, refusal.smtp_error
    else:
        raise Wrong("the stranger was let in")
    show(f"{code} {text.decode()}")
    expect(code == 550 and b"5.7.1" in text, "nobody gets in without a mapping")


def open_mapping(demo):
    title(4, f"An administrator lets {CORRESPONDENT} in, and she is told")
    demo.control("mapping", "add", CORRESPONDENT, MEMBER, "--note", "supplier of gates")
    show(demo.control("mapping", "list"))
    ping = demo.receive_until("the ping from the new alias", lambda message: message.get("op") == "ping"
                              and message.get("alias") == CORRESPONDENT)
    show(f"{ping['alias']}: {ping['body']}")
    expect(True, f"she has a ping from the alias {CORRESPONDENT}")


def make_email():
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Bob <{CORRESPONDENT}>"
    message["To"] = f"{MEMBER} <alice@silo.example.org>"
    message["Subject"] = SUBJECT
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="example.com")
    message.set_content(BODY + "\n")
    message.add_attachment(ATTACHMENT, maintype="text", subtype="plain", filename=ATTACHMENT_NAME)
    return message


def deliver_email(demo):
    title(5, "Bob sends her an email with an attachment")
    message = make_email()
    with smtplib.SMTP("127.0.0.1", demo.port, timeout=PATIENCE) as smtp:
        smtp.send_message(message)
    for name in ("From", "To", "Subject", "Message-ID"):
        show(f"{name}: {message[name]}")
    print(f"   ok: accepted by SMTP on port {demo.port}")
    return message


def read_email(demo):
    title(6, "She sees a thread in her silo")
    message = demo.receive_until("Bob's email", lambda message: message.get("op") == "delivery", "--save", "alice-files")
    show(f"from     {message['alias']}\nsubject  {message['subject']}\nthread   {message['threadid']}")
    for attachment in message["attach"]:
        show(f"file     {attachment['name']} ({attachment['size']} bytes)")
    show("\n" + message["body"])
    expect(message["alias"] == CORRESPONDENT, f"it comes from {CORRESPONDENT}")
    expect(message["subject"] == SUBJECT, "the subject is Bob's")
    expect("Which of the two do you like better?" in message["body"], "so is the text")
    saved = [read_bytes(os.path.join(demo.folder, attachment["path"])) for attachment in message["attach"]]
    expect(saved == [ATTACHMENT], "the attachment arrived byte for byte")
    return message


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def send_reply(demo, received):
    title(7, "She answers in the thread")
    demo.run("tmtp", "post", "--account", demo.account, "--thread", received["threadid"], "--to", CORRESPONDENT, REPLY)


def read_reply(demo, original):
    title(8, "Bob gets an ordinary email")
    new = os.path.join(demo.folder, "mail-out", "new", "*")
    paths = wait_for("the reply in the maildir", lambda: glob.glob(new))
    raw = read_bytes(paths[0])
    reply = email.message_from_bytes(raw, policy=email.policy.default)
    show(raw.decode("utf-8", "replace"))
    expect(len(paths) == 1, "exactly one email left")
    expect(CORRESPONDENT in reply["To"], f"it goes to {CORRESPONDENT}")
    expect("alice@silo.example.org" in reply["From"], "it comes from her address")
    expect(SUBJECT in reply["Subject"], "the subject is that of the thread")
    expect(original["Message-ID"] in reply["In-Reply-To"], "it answers Bob's message (In-Reply-To)")
    expect("please" in reply.get_body(("plain",)).get_content(), "the text is hers")
    expect("<strong>second</strong>" in reply.get_body(("html",)).get_content(), "and so is the emphasis, in the HTML part")


def explain(demo, original):
    title(9, "The gateway can tell the whole story")
    story = demo.control("why", original["Message-ID"])
    show(story)
    expect(CORRESPONDENT in story, "posternctl why knows the message")


def run_steps(demo):
    silo_address = start_servers(demo)
    introduce_member(demo, silo_address)
    refuse_stranger(demo)
    open_mapping(demo)
    original = deliver_email(demo)
    received = read_email(demo)
    send_reply(demo, received)
    read_reply(demo, original)
    explain(demo, original)
    return received


def print_suggestions(demo, received):
    print(f"""
Everything keeps running. Try, in another terminal:

    cd {demo.folder}; PATH={PROGRAMS}:$PATH

 - see how the gateway is:
     posternctl -c postern.conf status
 - write to her as Bob (swaks is in the Debian package of that name):
     swaks --server 127.0.0.1:{demo.port} --from {CORRESPONDENT} --to alice@silo.example.org --header 'Subject: Another one'
 - see what she sees:
     tmtp receive --account alice.account --wait 5
 - answer as her; the email lands in mail-out/new:
     tmtp post --account alice.account --thread {received["threadid"]} --to {CORRESPONDENT} 'Thanks!'
 - let somebody else in:
     posternctl -c postern.conf mapping add carol@example.net '{MEMBER}'
 - watch the gateway's log:
     tail -f posternd.log

Ctrl-C ends it all and removes the folder.""", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="demo", description="Shows an email reach a silo's member, and her reply leave as email.")
    parser.add_argument("--keep", action="store_true", help="leave everything running and print what to try")
    keep = parser.parse_args().keep

    def stop_on_signal(*_):
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop_on_signal)
    signal.signal(signal.SIGHUP, stop_on_signal)
    signal.signal(signal.SIGINT, signal.default_int_handler)   # a shell starts what is in the background with it ignored
    started = time.monotonic()
    demo = None
    try:
        demo = Demo()
        received = run_steps(demo)
        print(f"\nAll of it was right. ({time.monotonic() - started:.1f} s)")
        if keep:
            print_suggestions(demo, received)
            while True:
                signal.pause()
    except Wrong as wrong:
        print(f"\n   WRONG: {wrong}")
        for name, _ in demo.servers:
            print(f"\n   The last lines of {name}.log:")
            show(read_bytes(os.path.join(demo.folder, name + ".log")).decode("utf-8", "replace")[-3000:])
        return 1
    except KeyboardInterrupt:
        print("\nStopping ...")
        return 0 if keep else 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)   # nothing interrupts the cleaning up
        if demo:
            demo.stop()
            shutil.rmtree(demo.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
