"""Tab completion: what bash offers, with Debian's bash-completion loaded, for a command line that is being typed."""
import os
import pty
import select
import shlex
import time

from postern import Gateway
from procs import DEV, ROOT, run

SCRIPT = os.path.join(ROOT, "packaging", "completion", "posternctl")
OFFER = """
source /usr/share/bash-completion/bash_completion
source {script}
PATH={programs}:$PATH
COMP_WORDS=({words}) COMP_CWORD={last} COMP_LINE={line} COMP_POINT={point} COMP_TYPE=9
_posternctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def offered(folder, *words):
    line = " ".join(("posternctl", *words))
    script = OFFER.format(script=shlex.quote(SCRIPT), programs=DEV, words=" ".join(map(shlex.quote, ("posternctl", *words))), last=len(words),
                          line=shlex.quote(line), point=len(line))
    result = run(["bash", "--norc", "-c", script], folder)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return [word for word in result.stdout.split("\n") if word]


def test_commands_options_and_words_are_offered(folder):
    """Without a daemon: these are known."""
    verbs = offered(folder, "")
    assert len(verbs) == len(set(verbs)) and {"status", "mapping", "backup", "restore", "doctor"} <= set(verbs)
    for words, wanted in ((("map",), ["mapping"]),
                          (("mapping", "s"), ["show", "suspend"]),
                          (("admin", "token", ""), ["add", "list", "remove"]),
                          (("mapping", "list", "--st"), ["--state"]),
                          (("mapping", "list", "--state", "re"), ["requested", "revoked"]),
                          (("mapping", "list", "--state", "approved", "--st"), []),
                          (("queue", "list", "--direction", ""), ["in", "out"]),
                          (("mapping", "import", "x.csv", "--dry-run", ""), ["yes", "no"]),
                          (("log-level", "w"), ["warning"]),
                          (("-", ), ["-c", "-s", "-t", "--json", "--help"]),
                          (("nonsense", ""), []),
                          (("status", ""), [])):
        assert offered(folder, *words) == wanted, words
    for name in ("one.tar", "other.tar"):
        with open(os.path.join(folder, name), "w", encoding="ascii"):
            pass
    assert sorted(offered(folder, "restore", "o")) == ["one.tar", "other.tar"]
    assert offered(folder, "-c", "one") == ["one.tar"]


def test_names_and_ids_are_asked_of_the_daemon(gateway: Gateway, folder):
    gateway.wait_online()
    for alias in ("Alice Member", "Carol's \u00e9lan", "Mal$(id);reboot"):
        gateway.ctl("member", "add", alias)
    gateway.ctl("mapping", "add", "bob@example.com", "Alice Member")
    gateway.ctl("mapping", "add", "carol@example.com", "Alice Member")
    gateway.ctl("mapping", "suspend", "2")
    config = ("-c", gateway.config)
    assert offered(folder, *config, "member", "show", "") == ["Alice Member", "Carol's \u00e9lan", "Mal$(id);reboot"]
    assert offered(folder, *config, "member", "show", "Alice\\ M") == ["Alice Member"]
    assert offered(folder, *config, "member", "show", "'Alice M") == ["Alice Member"]
    assert offered(folder, *config, "mapping", "add", "x@example.com", "") == ["Alice Member", "Carol's \u00e9lan", "Mal$(id);reboot", "all"]
    assert offered(folder, *config, "mapping", "show", "") == ["1", "2"]
    assert offered(folder, *config, "mapping", "resume", "") == ["2"]
    assert offered(folder, *config, "mapping", "suspend", "") == ["1"]
    assert offered(folder, *config, "queue", "retry", "") == ["all"]
    assert typed(folder, f"posternctl -c {gateway.config} member show Al\t", "Alice\\ Member")
    # A name is no command: members choose theirs.
    assert typed(folder, f"posternctl -c {gateway.config} member show Mal\t", "Mal$\\(id)\\;reboot")


def typed(folder, keys, wanted):
    """Is that shown by an interactive bash at whose terminal these keys are hit?"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(PATH=f"{DEV}:{os.environ['PATH']}", PS1="ready$ ", TERM="dumb", HISTFILE="")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    seen = ""

    def await_text(text):
        nonlocal seen
        deadline = time.monotonic() + 30
        while text not in seen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 4096).decode(errors="replace")
        return text in seen

    try:
        assert await_text("ready$ "), seen
        os.write(terminal, f"source /usr/share/bash-completion/bash_completion; source {SCRIPT}; echo so'urced'\n".encode())
        assert await_text("sourced\r\n"), seen
        os.write(terminal, keys.encode())
        return await_text(wanted)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
