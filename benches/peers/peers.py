"""The peers: how each is started, and asked."""

import json
import re
import shutil

from bed import HOST, ROOT, Missing, ask, call, free_port, listens, wait_for

CLUSTER = ROOT / "scenarios/clusters/documents.toml"
# Documents that are read, and handed over.
DOCUMENTS = 10_000


class Peer:
    """Something that answers requests of `peers_load`."""

    def __init__(self, name, load, port, token_file=None):
        self.name, self.load, self.port, self.token_file = name, load, port, token_file
        # Documents written so far, so that each write is of a new one.
        self.written = 0

    def run(self, operation, connections, *options, counts=1):
        words = [self.load, self.name, operation, "--at", f"{HOST}:{self.port}", "--connections", connections, *options]
        if operation != "read":
            words += ["--first", self.written]
        else:
            words += ["--documents", DOCUMENTS]
        if self.token_file:
            words += ["--token-file", self.token_file]
        result = json.loads(call(*words))
        if operation != "read":
            self.written += result["documents"]
        return result

    def seconds(self, operation, connections, seconds):
        return self.run(operation, connections, "--seconds", seconds)["per_second"]

    def requests(self, operation, requests):
        return self.run(operation, 1, "--requests", requests)["per_second"]


class Bench:
    """Where programs are, where they keep what they write, and what runs."""

    def __init__(self, scratch, target, processes):
        self.data = scratch / "data"
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        self.target, self.processes = target, processes
        self.load = target / "examples/peers_load"

    def redis(self, program, environment):
        folder, port = self.data / "redis", free_port()
        folder.mkdir()
        self.processes.start(program, "--port", port, "--bind", HOST, "--dir", folder, "--save", "", "--appendonly", "yes",
                             "--appendfsync", "always", log=self.data / "redis.log", env=environment)
        wait_for("Redis", lambda: listens(port))
        return Peer("redis", self.load, port)

    def plain(self):
        port = free_port()
        self.processes.start(self.target / "examples/peers_plain", f"{HOST}:{port}", log=self.data / "plain.log")
        wait_for("the plain handler", lambda: listens(port))
        return Peer("plain", self.load, port)

    def pouchdb(self, program, name):
        folder, port = self.data / name, free_port()
        folder.mkdir()
        process = self.processes.start(program, "--port", port, "--host", HOST, "--dir", folder / "data", "--no-stdout-logs",
                             log=self.data / f"{name}.log", cwd=folder)
        wait_for("pouchdb-server", lambda: process.poll() is not None or listens(port))
        if process.poll() is not None:
            raise Missing(f"pouchdb-server ended; see {self.data / name}.log")
        return Peer("pouchdb", self.load, port)

    def seedbed(self, name, nodes, *settings):
        return Seedbed(self, name, nodes, settings)


class Seedbed:
    """Replicas of documents as `seedbed up` sets them up, each a process."""

    def __init__(self, bench, name, nodes, settings):
        self.bench, self.home = bench, bench.data / name
        self.program = bench.target / "seedbed"
        settings = [word for setting in (f"nodes={nodes}", "api_port=0", *settings) for word in ("--set", setting)]
        said = call(self.program, "up", CLUSTER, "--dir", self.home, *settings, "--detach")
        call(self.program, "down", CLUSTER, "--dir", self.home)
        ports = [line.rsplit(":", 1)[1] for line in said.splitlines() if "http://" in line]
        token = self.home / "token"
        self.token = token.read_text().strip()
        self.nodes = [Peer("seedbed", bench.load, int(port), token) for port in ports]
        self.running = {}

    def node_file(self, node):
        return self.home / f"n{node}" / "NODE.toml"

    def start(self, node):
        log = self.home / f"n{node}" / "log"
        self.running[node] = self.bench.processes.start(self.program, "node", self.node_file(node), log=log)

    def ready(self, node):
        def is_ready():
            if self.running[node].poll() is not None:
                raise Missing(f"node {node} ended; see {self.home}/n{node}/log")
            try:
                return ask(self.nodes[node].port, "GET", "/readyz")[0] == 200
            except OSError:
                return False
        wait_for(f"node {node}", is_ready, pause=0.002)

    def stop(self, node):
        self.bench.processes.stop(self.running.pop(node))

    def create(self, node):
        status, said = ask(self.nodes[node].port, "PUT", "/api/v1/collections/load", token=self.token)
        if status != 201:
            raise Missing(f"no collection: {said}")

    def status(self, node):
        try:
            return ask(self.nodes[node].port, "GET", "/api/v1/status")[1]
        except OSError:
            return {}

    def documents(self, node):
        return int(self.status(node).get("facts", {}).get("documents", 0))

    def address(self, node, peer):
        """The port at which a node looks for a peer."""
        text = self.node_file(node).read_text()
        return int(re.search(rf'index = {peer}\naddress = "[^"]*:(\d+)"', text).group(1))

    def forget(self, node):
        """Leaves nothing of what the node keeps."""
        shutil.rmtree(self.node_file(node).parent / "data", ignore_errors=True)

    def size(self, node, number):
        """Bytes of a document as its writer sent it: `id` in load.rs says what it is called."""
        name = f"019a0000-{number >> 48:04x}-7000-8000-{number & 0xffff_ffff_ffff:012x}"
        _, document = ask(self.nodes[node].port, "GET", f"/api/v1/collections/load/documents/{name}")
        document.pop("_id")
        return len(json.dumps(document, separators=(",", ":")))
