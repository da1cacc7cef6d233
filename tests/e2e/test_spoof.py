"""Nobody passes for another: every mail of tests/corpora/spoof, once to a gateway that refuses mail of unknown authors, once to one that holds it."""
import pytest

from dns_server import DnsServer
from procs import free_port
from spoof import Keys, bring, publish, read_cases, read_scene

ATTACKS_MIN, CONTROLS_MIN = 60, 12


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def door(stopped_gateway, keys, alice):
    """A gateway with a listener of each kind; `door.ports` are theirs. Alice's correspondents are the scene's."""
    scene = read_scene()
    with DnsServer() as names:
        publish(names, scene, keys)
        gateway = stopped_gateway
        gateway.names = names
        gateway.ports = {name: free_port() for name in ("own", "plain", "inside", "trusted", "others")}
        lines = {"own": 'xclient = { "127.0.0.1" }', "plain": "", "inside": 'xforward = { "127.0.0.1" }',
                 "trusted": 'assume_authenticated = yes\n  clients = { "127.0.0.1" }',
                 "others": 'assume_authenticated = yes\n  clients = { "192.0.2.1" }'}
        gateway.extra = f'\nverify {{\n  resolver = {{ "{names.address}" }}\n  dns_timeout = "5s"\n}}\nlimits {{ guesses = 0 }}\n'
        for name, port in gateway.ports.items():
            gateway.extra += gateway.listener(name, port, "lmtp" if name == "inside" else "smtp", "tls = none\n  " + lines[name])
        gateway.ports["upstream"] = gateway.smtp_port
        sealers = " ".join(f'"{each}",' for each in scene["sealers"])
        gateway.sealers = f"trust_arc_sealers = {{ {sealers[:-1]} }}"
        gateway.policy_extra = gateway.sealers
        gateway.start()
        gateway.introduce(alice, "alice")
        for address in scene["mappings"]:
            gateway.ctl("mapping", "add", address, "Alice Member")
        gateway.scene = scene
        yield gateway


def judge(case, reply, is_open=False):
    """None, or what is wrong. is_open: mail of anybody may be held, so that what makes no difference elsewhere is checked."""
    if reply.startswith(case["reply"]) and case["says"] in reply or (is_open and reply.startswith("550 5.7.26")):
        return None
    return f"{case.name} ({case['about']}): expected {case['reply']} ... {case['says']} ..., was answered {reply!r}"


def test_nobody_passes_for_another(door, keys):
    cases = read_cases(keys)
    attacks = [case for case in cases if case.is_attack()]
    assert len(attacks) >= ATTACKS_MIN and len(cases) - len(attacks) >= CONTROLS_MIN
    wrong = [judge(case, bring(case, door.ports)) for case in cases]
    assert not any(wrong), "\n".join(filter(None, wrong))

    # Where mail of unknown authors is held it is held as theirs, and all else is refused as before.
    door.policy_extra = door.sealers + "\n  unknown_senders = hold\n  hold_sender_messages = 1000"
    door.write_config()
    door.ctl("reload")
    wrong, expected = [], []
    for case in attacks:
        reply = bring(case, door.ports)
        if "held_as" in case.expect and reply.startswith("250 2.6.0 held for approval"):
            expected.append(case["held_as"])
        else:
            wrong.append(judge(case, reply, is_open=True))
    held = [entry["from"] for entry in door.ctl_json("held", "list")["held"]]
    assert not any(wrong), "\n".join(filter(None, wrong))
    assert sorted(held) == sorted(expected) and not set(held) & set(door.scene["mappings"])
    assert len(expected) == sum("held_as" in case.expect for case in attacks)
