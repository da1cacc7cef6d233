"""The image of packaging/container/Containerfile: made by buildah on a base of our own, since no registry is asked; its program run."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

from life import CONFIGURATION, Root
from package import note, run
from procs import PATIENCE, accepts_connections, free_port, wait_until

BASE = "localhost/postern-test-base"
IMAGE = "localhost/postern-test"


class Buildah:
    """buildah with a storage of its own, which goes with the folder; no runtime of containers and no daemon is needed."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *arguments):
        return run(["nice", "buildah", "--root", f"{self.folder}/storage", "--runroot", f"{self.folder}/run", "--storage-driver", "vfs",
                    *arguments], env={**os.environ, "BUILDAH_ISOLATION": "chroot"}).strip()


def make_base(place, buildah):
    base = place.base or Root.make_base(place)
    container = buildah("from", "scratch")
    buildah("add", container, base, "/")
    buildah("commit", container, BASE)
    buildah("rm", container)


def check_container(place):
    run([os.path.join(place.tree, "scripts", "install-packages"), os.path.join(place.tree, "scripts", "packages-container.txt")])
    folder = place.folder("container")
    buildah = Buildah(folder)
    mounted = None
    try:
        make_base(place, buildah)
        note("the base is there")
        buildah("build", "--format", "docker", "--network", "host", "--build-arg", f"BASE={BASE}", "-t", IMAGE,
                "-f", os.path.join(place.tree, "packaging/container/Containerfile"), place.tree)
        note("the image is built")
        container = buildah("from", "--pull-never", IMAGE)
        config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        check_config(config)
        mounted = buildah("mount", container)
        check_tree(mounted)
        use(mounted, config)
    finally:
        if mounted:
            subprocess.run(["umount", "--recursive", os.path.join(mounted, "proc")], check=False, capture_output=True)
        if not place.keep:
            shutil.rmtree(folder, ignore_errors=True)


def check_config(config):
    assert config["User"] == "25025:25025", config
    assert config["Entrypoint"] == ["/usr/sbin/posternd"] and not config.get("Cmd"), config
    assert set(config["Volumes"]) == {"/etc/postern", "/var/lib/postern"}, config
    assert config["Healthcheck"]["Test"] == ["CMD", "posternctl", "version"], config
    assert config.get("StopSignal") in ("SIGTERM", "15"), config


def check_tree(mounted):
    for program in ("usr/sbin/posternd", "usr/bin/posternctl"):
        assert os.access(os.path.join(mounted, program), os.X_OK), program
    assert not os.path.exists(os.path.join(mounted, "source")), "the source is in the image"
    assert not os.path.exists(os.path.join(mounted, "usr/bin/gcc")), "the compiler is in the image"
    assert not os.path.exists(os.path.join(mounted, "usr/bin/systemctl")), "systemd is in the image"
    for folder, mode in (("var/lib/postern", 0o700), ("etc/postern", 0o750)):
        status = os.stat(os.path.join(mounted, folder))
        assert status.st_gid == 25025 and status.st_mode & 0o7777 == mode, folder


def as_in_it(mounted, config, *command):
    """The words of the image, without a runtime of containers: its root, its user, no capabilities, its environment."""
    user, group = config["User"].split(":")
    environment = dict(variable.split("=", 1) for variable in config["Env"])
    return (["chroot", mounted, "setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs", "--inh-caps=-all",
             "--bounding-set=-all", *command], environment)


def use(mounted, config):
    """It starts, is healthy by its own measure, and stops when it is told to."""
    smtp = free_port()
    path = os.path.join(mounted, "etc/postern/postern.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(silo=free_port(), smtp=smtp))
    os.chown(path, 0, 25025)
    os.chmod(path, 0o640)
    os.makedirs(os.path.join(mounted, "run/postern"), exist_ok=True)
    os.chown(os.path.join(mounted, "run/postern"), 25025, 25025)
    run(["mount", "-t", "proc", "proc", os.path.join(mounted, "proc")])
    command, environment = as_in_it(mounted, config, *config["Entrypoint"])
    with open(os.path.join(os.path.dirname(mounted), "posternd.log"), "wb") as log:
        daemon = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until("the gateway listens", lambda: daemon.poll() is not None or accepts_connections(smtp))
        healthy, environment = as_in_it(mounted, config, *config["Healthcheck"]["Test"][1:])

        def is_healthy():
            assert daemon.poll() is None, "it ended"
            return subprocess.run(healthy, env=environment, capture_output=True, check=False).returncode == 0

        wait_until("it is healthy", is_healthy)
        started = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE) == 0
        note(f"healthy, and stopped within {time.monotonic() - started:.1f} s")
        assert subprocess.run(healthy, env=environment, capture_output=True, check=False).returncode != 0, "healthy without a daemon"
    finally:
        with contextlib.suppress(ProcessLookupError):
            daemon.kill()
        daemon.wait()
