"""The systems that run tasks: how each is started with two workers, asked, and how much memory it has when nothing happens."""

import json
import os
import pathlib
import shutil
import signal
import tempfile
import time

from bed import HOST, ROOT, Missing, ask, call, free_port, listens, wait_for

HERE = pathlib.Path(__file__).resolve().parent
CLUSTER = ROOT / "scenarios/clusters/compute.toml"
WORKERS = 2
# Tasks before anything is measured: workers have begun, and Seedbed's hub has seen enough of them to trust them.
WARM = 1_000
# How long a system is left alone before its memory is looked at, in seconds.
REST = 2.0
# In KiB.
MIB = 1024


class System:
    """Begins anew in each turn, so that those which rest cost the others nothing."""

    name = ""
    # How many tasks to ask for at once: fewer where they would take long.
    tasks = 100_000
    # How many to ask for one after another.
    singles = 1_000

    def __init__(self, place):
        self.place = place
        self.log = place.data / f"{self.name.replace(' ', '-')}.log"

    def start(self, *command, **options):
        return self.place.processes.start(*command, log=self.log, **options)

    def begin(self):
        """Starts hub and workers; the process of the hub."""
        raise NotImplementedError

    def ask(self, operation, tasks):
        """What the client saw."""
        raise NotImplementedError

    def end(self):
        self.place.processes.stop_all()

    def turn(self):
        """Memory in MiB, tasks a second, and the waits of single tasks in ms."""
        hub = self.begin()
        try:
            time.sleep(REST)
            seen = {"idle": resident(hub.pid) / MIB}
            self.ask("throughput", WARM)
            seen |= self.ask("latency", self.singles)
            return seen | self.ask("throughput", self.tasks)
        finally:
            self.end()

    def in_python(self, script, *words):
        environment = {**os.environ, "PEER_AT": f"redis://{HOST}:{self.port}/0", "RAY_USAGE_STATS_ENABLED": "0"}
        said = call(self.place.python / "python", HERE / script, *words, env=environment)
        return json.loads(said.splitlines()[-1])

    def in_rust(self, peer, operation, tasks, *words):
        program = self.place.target / "examples/tasks_load"
        return json.loads(call(program, peer, operation, tasks, "--at", f"{HOST}:{self.port}", *words))

    def worker_in_rust(self, kind):
        return self.start(self.place.target / "examples/tasks_plain", kind, f"{HOST}:{self.port}")


def resident(pid):
    """What a process and those that it started have in memory, in KiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    own = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(resident(child) for child in children)


class Celery(System):
    """Tasks and results in Redis, which writes nothing to disk."""

    name, tasks = "Celery + Redis", 5_000

    def begin(self):
        program, environment = self.place.redis
        self.port = free_port()
        hub = self.start(program, "--port", self.port, "--bind", HOST, "--dir", self.place.data, "--save", "", "--appendonly",
                         "no", env=environment)
        wait_for("Redis", lambda: listens(self.port))
        environment = {**os.environ, "PEER_AT": f"redis://{HOST}:{self.port}/0"}
        self.start(self.place.python / "celery", "-A", "with_celery", "worker", "--concurrency", WORKERS, "--loglevel", "warning",
                   cwd=HERE, env=environment)
        return hub

    def ask(self, operation, tasks):
        return self.in_python("with_celery.py", operation, tasks)


class Ray(System):
    """Tasks, not actors."""

    name, tasks = "Ray", 10_000

    def begin(self):
        # Its sockets lie there, and their names must be short.
        self.folder = tempfile.mkdtemp(prefix="ray")
        self.port = free_port()
        self.hub = self.start(self.place.python / "ray", "start", "--head", "--block", "--num-cpus", WORKERS, "--port", self.port,
                              "--node-ip-address", HOST, "--include-dashboard", "false", "--temp-dir", self.folder,
                              env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"})
        wait_for("Ray", lambda: b"Ray runtime started" in self.log.read_bytes())
        return self.hub

    def ask(self, operation, tasks):
        return self.in_python("with_ray.py", operation, tasks, f"{HOST}:{self.port}")

    def end(self):
        super().end()
        try:
            os.killpg(self.hub.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)


class Nats(System):
    """NATS core, its clients in Python."""

    name, kind, settings = "NATS core", "core", ""

    def begin(self):
        self.port = free_port()
        shutil.rmtree(self.place.data / "nats", ignore_errors=True)
        file = self.place.data / "nats.conf"
        file.write_text(f"listen: {HOST}:{self.port}\n{self.settings.format(folder=self.place.data / 'nats')}")
        hub = self.start(self.place.python / "nats-server", "-c", file)
        wait_for("NATS", lambda: listens(self.port))
        self.work()
        return hub

    def work(self):
        for nth in range(WORKERS):
            log = self.place.data / f"nats-worker-{nth}.log"
            log.unlink(missing_ok=True)
            self.place.processes.start(self.place.python / "python", HERE / "with_nats.py", self.kind, "worker", 0,
                                       f"nats://{HOST}:{self.port}", log=log)
            wait_for("a worker of NATS", lambda: b"ready" in log.read_bytes())

    def ask(self, operation, tasks):
        return self.in_python("with_nats.py", self.kind, operation, tasks, f"nats://{HOST}:{self.port}")


class JetStream(Nats):
    """A message is acknowledged when it is on disk."""

    name, kind, tasks, singles = "JetStream, sync always", "jetstream", 5_000, 300
    settings = 'jetstream {{ store_dir: "{folder}", sync_interval: always }}\n'


class NatsInRust(Nats):
    """NATS core, its clients hand-written in Rust."""

    name = "NATS core, clients in Rust"

    def work(self):
        for _ in range(WORKERS):
            self.worker_in_rust("nats")

    def ask(self, operation, tasks):
        return self.in_rust("nats", operation, tasks)


class Plain(System):
    name = "plain hub"

    def begin(self):
        self.port = free_port()
        hub = self.worker_in_rust("hub")
        wait_for("the plain hub", lambda: listens(self.port))
        for _ in range(WORKERS):
            self.worker_in_rust("worker")
        # It deals to those who are there.
        time.sleep(0.2)
        return hub

    def ask(self, operation, tasks):
        return self.in_rust("plain", operation, tasks)


class Seedbed(System):
    """Hub and workers as `seedbed up` sets them up.

    Its validation is `credibility` as it comes: an answer must be right with a probability of 0.99, and a fifth of all workers
    are taken for saboteurs. So both workers answer each task until they have passed enough spot-checks; then one does, and
    gets a spot-check in place of a task one time in ten.
    """

    name, is_durable = "Seedbed, volatile", False
    validation = "credibility"
    limits = []
    # Copies that a worker may have at a time: of tasks that do nothing as many as keep it busy.
    cores = 128

    def begin(self):
        self.home = self.place.data / "seedbed"
        shutil.rmtree(self.home, ignore_errors=True)
        program = self.place.target / "seedbed"
        settings = [f"nodes={WORKERS + 1}", "api_port=0", f"params.durable={str(self.is_durable).lower()}",
                    f'params.validation="{self.validation}"', f"params.worker=[{{ cores = {self.cores} }}]",
                    *self.limits]
        words = [word for setting in settings for word in ("--set", setting)]
        said = call(program, "up", CLUSTER, "--dir", self.home, *words, "--detach")
        call(program, "down", CLUSTER, "--dir", self.home)
        self.port = int(next(line.rsplit(":", 1)[1] for line in said.splitlines() if "http://" in line))
        self.token = (self.home / "token").read_text().strip()
        # As `up` starts them: for the first time, and without pages of 2 MiB.
        environment = {**os.environ, "MIMALLOC_ALLOW_THP": "0"}
        self.nodes = []
        for node in range(WORKERS + 1):
            shutil.rmtree(self.home / f"n{node}" / "data", ignore_errors=True)
            self.nodes.append(self.start(program, "node", self.home / f"n{node}" / "NODE.toml", env=environment))
        wait_for("the workers", lambda: self.workers() == WORKERS)
        return self.nodes[0]

    def ask(self, operation, tasks):
        return self.in_rust("seedbed", operation, tasks, "--token-file", self.home / "token")

    def workers(self):
        """How many the hub knows of."""
        try:
            status, said = ask(self.port, "GET", "/api/v1/workers")
        except OSError:
            return 0
        return sum(worker["is_there"] for worker in said["workers"]) if status == 200 else 0


class DurableSeedbed(Seedbed):
    name, is_durable = "Seedbed, durable", True


class Recovery(DurableSeedbed):
    """How long a killed worker's tasks wait until the other worker begins them."""

    # Tasks of each worker when one is killed, and how long each takes: none ends before.
    copies, work = 8, 3
    # Room for those of the other, too, and all of them run.
    cores = WORKERS * copies
    limits = [f"limits.jobs_max={cores}"]

    def turn(self):
        self.begin()
        try:
            tasks = [{"work": f"{self.work}s", "validation": "none"}] * (WORKERS * self.copies)
            status, said = ask(self.port, "POST", "/api/v1/tasks", tasks, self.token)
            if status != 201:
                raise Missing(f"no tasks taken: {said}")
            wait_for("all given out", lambda: len(self.given()) == len(tasks), pause=0.005)
            if WORKERS not in self.given():
                raise Missing("the worker that is to be killed has no task")
            begun = time.monotonic()
            self.place.processes.stop(self.nodes[WORKERS], signal.SIGKILL)
            wait_for("the lost tasks", lambda: self.validated() == len(tasks), pause=0.005)
            # The last has ended: it began so long before.
            return {"seconds": time.monotonic() - begun - self.work}
        finally:
            self.end()

    def given(self):
        """Who was given something, in order, as the hub's events tell."""
        _, text = ask(self.port, "GET", "/api/v1/events?follow=false")
        events = (json.loads(line[5:]) for line in str(text).splitlines() if line.startswith("data:"))
        told = (event.get("what") for event in events)
        return [what["Assigned"]["worker"] for what in told if isinstance(what, dict) and "Assigned" in what]

    def validated(self):
        _, said = ask(self.port, "GET", "/api/v1/summary")
        return said["validated"]


class Place:
    """Where programs are, where they keep what they write, and what runs."""

    def __init__(self, scratch, processes):
        self.data = scratch / "tasks"
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        self.processes = processes
        self.target = self.python = self.redis = None
