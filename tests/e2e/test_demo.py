"""./demo does what it says, tells when something is wrong, and leaves nothing behind."""
import os
import signal
import subprocess
import threading

from procs import ROOT

DEMO = os.path.join(ROOT, "demo")


def test_demo_succeeds_and_cleans_up(folder):
    result = subprocess.run([DEMO], env={**os.environ, "TMPDIR": folder}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All of it was right." in result.stdout
    assert os.listdir(folder) == []


# As a shell does for what it starts in the background.
IGNORING_SIGINT = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]


def test_demo_keep_runs_until_interrupted(folder):
    with subprocess.Popen([*IGNORING_SIGINT, DEMO, "--keep"], env={**os.environ, "TMPDIR": folder}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as demo:
        watchdog = threading.Timer(200, demo.kill)
        watchdog.start()
        try:
            printed = []
            for line in demo.stdout:
                printed.append(line)
                if line.startswith("Ctrl-C"):
                    break
            assert any("mapping add" in line for line in printed), "".join(printed)
            assert os.listdir(folder) != []
            os.killpg(demo.pid, signal.SIGINT)   # what Ctrl-C does
            rest = demo.stdout.read()
            assert demo.wait() == 0, rest
        finally:
            watchdog.cancel()
            if demo.poll() is None:
                demo.kill()
    assert os.listdir(folder) == []
