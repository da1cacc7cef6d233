"""kill -9 at any moment: the member gets each mail once, the outside each reply at least once, nothing is missing."""
import contextlib
import os
import random
import re
import threading
import time

from mail import BOB, make_mail, plain_text, send
from procs import wait_until

KILLS = 20
MAILS_PER_KILL = 5
TOKEN = re.compile(r"token-\d+-\d+")


def send_mails(port, tokens):
    for token in tokens:
        send(port, make_mail(f"Mail {token}", f"The word is {token}.\n", proven=False))


class AnsweringMember(threading.Thread):
    """Receives all the time, and answers each mail once with the token that was in it."""

    def __init__(self, member):
        super().__init__(daemon=True)
        self.member = member
        self.stopping = threading.Event()
        self.received = []   # tokens, with repetitions if there should be any
        self.error = None

    def run(self):
        try:
            while not self.stopping.is_set():
                for item in self.member.receive(wait=1, count=1):
                    self.answer(item)
        except AssertionError as error:
            self.error = error

    def answer(self, item):
        if item["op"] == "delivery" and TOKEN.search(item["body"]):
            token = TOKEN.search(item["body"]).group()
            self.received.append(token)
            self.member.post(BOB, f"answer to {token}", thread=item["threadid"])

    def stop(self):
        self.stopping.set()
        self.join()


def test_kill_at_twenty_random_moments(mx, smarthost, gateway, bob_to_alice):
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    member = AnsweringMember(bob_to_alice)
    member.start()
    tokens = set()
    for kill in range(KILLS):
        batch = [f"token-{kill}-{number}" for number in range(MAILS_PER_KILL)]
        tokens.update(batch)
        feeder = threading.Thread(target=send_mails, args=(mx.port, batch))
        feeder.start()
        time.sleep(moments.uniform(0, 0.6))   # in the middle of receiving, converting, posting, acking, relaying, or of nothing
        gateway.kill()
        gateway.start()
        feeder.join()

    deadline = time.monotonic() + 150
    answered = {}
    while set(answered) != tokens or set(member.received) != tokens or not mx.queue_is_empty():
        assert member.error is None, member.error
        assert time.monotonic() < deadline, (f"not received: {sorted(tokens - set(member.received))}; "
                                             f"not answered: {sorted(tokens - set(answered))}")
        time.sleep(0.2)
        answered = answers(smarthost)
    gateway.wait_settled()

    # The silo delivers in order: when this one is there, so is whatever was posted twice before it.
    send_mails(mx.port, ["token-99-0"])
    while "token-99-0" not in member.received:
        assert time.monotonic() < deadline and member.error is None, member.error
        time.sleep(0.1)
    member.stop()
    assert member.error is None, member.error
    wait_until("the workers of the killed daemons are gone", lambda: not orphans(gateway))

    repeated = sorted(token for token in tokens if member.received.count(token) != 1)
    assert not repeated, f"received more than once: {repeated}"
    for token, message_ids in answers(smarthost).items():
        assert len(set(message_ids)) == 1, f"{token}: a repeated reply has another Message-ID: {message_ids}"


def orphans(gateway):
    """Processes of posternd in this test's folder that are neither the gateway nor below it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                ours = os.path.basename(os.readlink(f"/proc/{name}/exe")) == "posternd"
                parents[int(name)] = (parent, ours and os.readlink(f"/proc/{name}/cwd") == gateway.folder)

    def below_gateway(pid):
        while pid in parents and pid != gateway.process.pid:
            pid = parents[pid][0]
        return pid == gateway.process.pid

    return [pid for pid, (_, ours) in parents.items() if ours and not below_gateway(pid)]


def answers(smarthost):
    """token -> Message-IDs of the replies with it that reached the outside."""
    found = {}
    for mail in smarthost.mails():
        token = TOKEN.search(plain_text(mail))
        found.setdefault(token.group(), []).append(mail["Message-ID"])
    return found
