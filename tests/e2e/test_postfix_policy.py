"""Postfix asks the gateway about pairs at RCPT, as docs/postfix.md shows; and both servers that it asks, spoken to directly."""
import os
import re
import smtplib
import socket

import pytest

from conftest import needs_root, run_instance
from documents import postfix_block
from mail import ALICE, BOB, make_mail, send
from postern import DOMAIN
from postfix import Front
from procs import PATIENCE, accepts_connections, free_port, wait_until
from test_postfix_transport import LMTP_TCP

MALLORY = "mallory@example.net"


@pytest.fixture
def asked_gateway(stopped_gateway):
    """A gateway with both servers of the document."""
    stopped_gateway.policy_port, stopped_gateway.map_port = free_port(), free_port()
    policy = postfix_block("# postern.conf: questions about pairs", _2528=stopped_gateway.policy_port)
    inner = re.search(r"\{(.*)\}", policy, re.DOTALL).group(1)
    stopped_gateway.extra = f"postfix {{ {inner}\n  socketmap = \"127.0.0.1:{stopped_gateway.map_port}\" }}\n"
    stopped_gateway.start()
    return stopped_gateway


@pytest.fixture
def front(asked_gateway, request):
    needs_root()
    front = Front(postfix_block(LMTP_TCP, _2424=asked_gateway.lmtp_port))
    front.configure(postfix_block("# main.cf: pairs are judged by Postern", _2528=asked_gateway.policy_port))
    yield from run_instance(front, request)


@pytest.fixture
def door(asked_gateway, alice):
    asked_gateway.introduce(alice, "alice")
    asked_gateway.open_door(BOB, alice)
    return asked_gateway


def rcpt(port, sender, recipient=ALICE, options=()):
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as connection:
        connection.ehlo()
        assert connection.mail(sender, list(options))[0] == 250
        code, text = connection.rcpt(recipient)
        return f"{code} {text.decode()}"


def test_pairs_are_refused_before_the_message_travels(front, door, alice):
    refusal = rcpt(front.port, MALLORY)
    assert refusal.startswith("550 5.7.1 ") and f"<{MALLORY}> is not authorised to write to <{ALICE}>" in refusal
    assert rcpt(front.port, BOB, f"nobody@{DOMAIN}").startswith("550 5.1.1 ")
    assert rcpt(front.port, BOB, "somebody@elsewhere.example").startswith("554 5.7.1 "), "Postfix relays for nobody"
    for sender in (BOB, "Bob@Example.COM", "bob+work@example.com", "prvs=4702f9df2b=bob@example.com",
                   "SRS0=1x2y=AB=example.com=bob@forward.example"):
        assert rcpt(front.port, sender).startswith("250 "), sender
    wait_until("nothing of these is left", front.queue_is_empty)   # Postfix begins a file at RCPT, and removes it after QUIT
    send(front.port, make_mail("Through the door", proven=False))
    alice.receive_mail("Through the door")
    with smtplib.SMTP("127.0.0.1", front.port, timeout=PATIENCE) as connection:
        connection.ehlo()
        connection.mail(MALLORY)
        connection.rcpt(ALICE)
        assert connection.docmd("DATA")[0] == 554, "no valid recipient is left"
    status = door.ctl_json("status")
    assert status["postfix_refused"] >= 3 and status["postfix_asked"] > status["postfix_refused"]
    assert f"event=postfix.refused sender={MALLORY} recipient={ALICE} code=550" in door.read_log()


def test_sender_that_is_not_ascii(front, door, alice):
    options = ["SMTPUTF8", "BODY=8BITMIME"]
    door.open_door("bøb@example.com", alice)

    def ask_postfix(sender):
        with smtplib.SMTP("127.0.0.1", front.port, timeout=PATIENCE) as connection:
            connection.ehlo()
            connection.command_encoding = "utf-8"
            assert connection.mail(sender, options)[0] == 250
            return connection.rcpt(ALICE)

    assert ask_postfix("bøb@example.com")[0] == 250
    assert ask_postfix("bøb+neu@example.com")[0] == 250
    code, text = ask_postfix("börje@example.com")
    assert code == 550 and "<börje@example.com> is not authorised" in text.decode()


def test_passing_is_not_believing(front, door, alice):
    """The envelope says Bob, the proven author is Mallory: the door still says no."""
    send(front.port, make_mail("Let me in", sender=MALLORY, proven=False), BOB)
    wait_until("Postfix is refused", lambda: front.statuses().get(ALICE) == ["bounced"])
    assert f"550 5.7.1 <{MALLORY}> is not authorised" in front.read_log()
    alice.receive(wait=1)
    assert not alice.mails()


def test_size_of_a_mapping_counts_before_the_message_travels(front, door, alice):
    door.ctl("mapping", "add", "small@example.com", alice.alias, "--max-size", "10K")
    assert rcpt(front.port, "small@example.com", options=["SIZE=10000"]).startswith("250 ")
    assert rcpt(front.port, "small@example.com", options=["SIZE=20000"]).startswith("552 5.3.4 ")


def test_stopped_gateway_is_no_refusal_for_good(front, door):
    door.stop()
    assert rcpt(front.port, BOB).startswith("451 ")
    assert rcpt(front.port, MALLORY).startswith("451 ")
    door.start()
    assert rcpt(front.port, BOB).startswith("250 ")


def reconfigure(gateway, old, new, expect=0):
    with open(gateway.config, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(gateway.config, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return gateway.ctl("reload", expect=expect)


def test_strictness_is_reloaded(door):
    """And addresses are not: they would need a restart."""
    assert ask(door, MALLORY).startswith("action=550 ")
    assert ask(door, "someone.else@mail.example.com").startswith("action=550 ")
    reconfigure(door, "policy_match = address", "policy_match = domain")
    assert ask(door, MALLORY).startswith("action=550 ")
    assert ask(door, "someone.else@mail.example.com") == "action=DUNNO\n\n"
    reconfigure(door, "policy_match = domain", "policy_match = none")
    assert ask(door, MALLORY) == "action=DUNNO\n\n"
    refusal = reconfigure(door, f"127.0.0.1:{door.policy_port}", f"127.0.0.1:{free_port()}", expect=1)
    assert "needs a restart: postfix.policy" in refusal


# The servers, spoken to directly.


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_all(connection):
    """What comes until the end."""
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def request(sender, recipient=ALICE, state="RCPT"):
    return (f"request=smtpd_access_policy\nprotocol_state={state}\nprotocol_name=ESMTP\nclient_address=192.0.2.1\n"
            f"sender={sender}\nrecipient={recipient}\nsize=0\nccert_subject=\n\n").encode()


def ask(gateway, sender, recipient=ALICE):
    with connect(gateway.policy_port) as connection:
        connection.sendall(request(sender, recipient))
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection).decode()


def netstring(text):
    return f"{len(text)}:{text},".encode()


OK, NOTFOUND = netstring(f"OK {ALICE}"), netstring("NOTFOUND ")


def test_many_questions_at_once_are_answered_in_order(door):
    questions = b"".join(netstring(f"recipient {name}@{DOMAIN}") for name in ("alice", "nobody") * 2000)
    with connect(door.map_port) as connection:
        connection.sendall(questions)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == (OK + NOTFOUND) * 2000
    with connect(door.policy_port) as connection:
        connection.sendall((request(BOB) + request(MALLORY)) * 500)
        connection.shutdown(socket.SHUT_WR)
        answers = read_all(connection).decode().split("\n\n")
    assert len(answers) == 1001 and answers[-1] == ""
    assert set(answers[0:1000:2]) == {"action=DUNNO"}
    assert all(answer.startswith("action=550 5.7.1") for answer in answers[1:1000:2])


def test_questions_in_pieces(door):
    with connect(door.map_port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in netstring(f"recipient {ALICE}"):
            connection.sendall(bytes([byte]))
        assert connection.recv(1000) == OK


def test_who_does_not_read_holds_up_nobody(door):
    """Answers wait in bounded memory, and questions in the kernel, while others are served."""
    with connect(door.map_port) as deaf:
        deaf.settimeout(2)
        question = netstring(f"recipient {ALICE}") * 1000
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                sent += deaf.send(question)
        with connect(door.map_port) as other:
            other.sendall(netstring(f"recipient {ALICE}"))
            assert other.recv(1000) == OK
        with open(f"/proc/{door.process.pid}/status", encoding="ascii") as file:
            resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        assert resident < 700_000, "kB, with the sanitizers' overhead"


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", b"99999:", b"\0" * 100, b"x" * 100000],
                         ids=["web", "length", "zeros", "long"])
def test_nonsense_closes_the_connection(door, nonsense):
    for port in (door.map_port, door.policy_port):
        with connect(port) as connection:
            try:
                connection.sendall(nonsense + b"\n")
                connection.shutdown(socket.SHUT_WR)
                assert read_all(connection) == b""
            except TimeoutError:
                raise
            except OSError:   # it was closed before all was sent
                pass
        assert accepts_connections(port)
    assert ask(door, BOB) == "action=DUNNO\n\n"


def test_connections_are_bounded(door):
    """The 501st is turned away, and one that ends makes room."""
    connections = [connect(door.map_port) for _ in range(500)]
    wait_until("all are in", lambda: door.ctl_json("status")["postfix_socketmap_connections"] == 500)
    with connect(door.map_port) as late:
        assert late.recv(10) == b""
    assert ask(door, BOB) == "action=DUNNO\n\n", "the other server has places of its own"
    connections.pop().close()
    wait_until("there is room", lambda: door.ctl_json("status")["postfix_socketmap_connections"] == 499)
    with connect(door.map_port) as next_one:
        next_one.sendall(netstring(f"recipient {ALICE}"))
        assert next_one.recv(1000) == OK
    for connection in connections:
        connection.close()


def test_only_listed_clients_are_answered(stopped_gateway):
    port = free_port()
    stopped_gateway.extra = f'postfix {{ socketmap = "0.0.0.0:{port}"  clients = {{ "127.0.0.2" }} }}\n'
    stopped_gateway.start()
    with connect(port) as connection:
        assert connection.recv(10) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=("127.0.0.2", 0)) as connection:
        connection.sendall(netstring(f"recipient {ALICE}"))
        assert connection.recv(1000) == NOTFOUND


def test_questions_through_a_socket(stopped_gateway):
    path = os.path.join(stopped_gateway.state, "map")
    stopped_gateway.extra = f'postfix {{ socketmap = "unix:{path}" }}\n'
    stopped_gateway.start()
    assert os.stat(path).st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        connection.sendall(netstring(f"recipient {ALICE}"))
        assert connection.recv(1000) == NOTFOUND
    stopped_gateway.stop()
    assert not os.path.exists(path)


def test_address_in_use_is_told_at_the_start(stopped_gateway):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stopped_gateway.extra = f'postfix {{ policy = "127.0.0.1:{taken.getsockname()[1]}" }}\n'
        stopped_gateway.write_config()
        stopped_gateway.launch(stopped_gateway.command())
        assert stopped_gateway.process.wait(30) == 1
        stopped_gateway.process = None
    assert "for policy: " in stopped_gateway.read_log()
