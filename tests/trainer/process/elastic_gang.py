"""A gang of real trainers under a coordinator that plays the workers and the scheduler's core: each
task has a socket that speaks the rendezvous of common/contract.h and a membership file of its own;
the coordinator decides generations as elastic gangs are promised to."""

import json
import os
import signal
import socket
import struct
import threading
import time

WAIT_FOR_REPORTS_S = 1.0  # after the first that says a member is lost


class Task:
    """One process and what its worker has for it."""

    def __init__(self, gang, number):
        self.gang = gang
        self.number = number
        self.folder = gang.path(f"task-{number}")
        os.makedirs(self.folder)
        self.membership = os.path.join(self.folder, "membership.json")
        self.file_generation = 0
        self.ready = False
        self.code = None
        self.process = None
        self.connections = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(os.path.join(self.folder, "s"))
        self.server.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def name(self):
        return f"task {self.number}"

    def start(self, flags):
        self.process = self.gang.test.start(
            ["--spec", self.gang.spec, "--output", os.path.join(self.folder, "out"),
             "--rank", str(self.number), "--rendezvous", "unix:" + os.path.join(self.folder, "s"),
             "--membership", self.membership, "--address", "127.0.0.1", "--threads", "1",
             "--metrics", os.path.join(self.folder, "metrics"),
             "--deadline-file", os.path.join(self.folder, "deadline"), *flags],
            log=f"{self.gang.name}-{self.number}.log")

    def write_membership(self, generation, members):
        ranks = [{"rank": rank, "address": "127.0.0.1", "task": task}
                 for rank, task in enumerate(members)]
        text = json.dumps({"generation": generation, "world_size": len(ranks), "ranks": ranks})
        with open(self.membership + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(self.membership + ".new", self.membership)
        self.file_generation = generation

    def progress(self):
        """(step, unix_ms, save_wait_ms, generation, generation_step), zeros before the first."""
        try:
            with open(os.path.join(self.folder, "metrics.progress"), "rb") as record:
                return struct.unpack("<5q", record.read(40))
        except (FileNotFoundError, struct.error):
            return (0, 0, 0, 0, 0)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)

    def _accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        writing = threading.Lock()

        def answer(fields):
            with writing:
                try:
                    connection.sendall((json.dumps(fields) + "\n").encode())
                except OSError:
                    pass

        try:
            for line in connection.makefile("r", encoding="utf-8"):
                self.gang.request(self, json.loads(line), answer)
        except (OSError, ValueError):
            pass
        self.gang.hang_up(answer)
        connection.close()

    def hang_up_all(self):
        """As a worker that dies."""
        self.server.close()
        os.unlink(os.path.join(self.folder, "s"))
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.server.close()


class ElasticGang:
    """`test` is a TrainerTest; `ranks` founders."""

    def __init__(self, test, name, ranks, flags=(), per_task=None):
        self.test = test
        self.name = name
        self.spec = test.spec
        self.flags = list(flags)
        self.per_task = per_task or {}
        self.lock = threading.RLock()
        self.generation = 1
        self.members = list(range(ranks))
        self.tasks = {}
        self.keys = {}
        self.waits = []  # (answer, id, generation, key, task)
        self.reports = {}  # reporter -> lost tasks, of the present generation
        self.first_report = 0.0
        self.wanted = set()  # joiners that are to come in
        self.hooks = []  # called with each request, under the lock
        self.losses = 0
        self.stopping = False
        self.over = False
        os.makedirs(self.path())
        for number in range(ranks):
            self._add(number)
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def path(self, *names):
        return self.test.path(self.name, *names)

    def _add(self, number):
        task = Task(self, number)
        self.tasks[number] = task
        task.write_membership(self.generation, self.members)
        task.start([*self.flags, *self.per_task.get(number, ())])
        return task

    # What tests do.

    def join(self):
        """Starts a joiner; it comes in when it is ready."""
        with self.lock:
            number = max(self.tasks) + 1
            self.wanted.add(number)
            return self._add(number)

    def let_go(self, number):
        """As for a node that was told to go: the others go on without it."""
        with self.lock:
            task = self.tasks[number]
            self._form([member for member in self.members if member != number])
            task.kill(signal.SIGTERM)

    def stop_all(self):
        with self.lock:
            self.stopping = True
            for number in self.members:
                self.tasks[number].kill(signal.SIGTERM)

    def member(self, rank):
        with self.lock:
            return self.tasks[self.members[rank]]

    def alive(self):
        with self.lock:
            return [self.tasks[number] for number in self.members if self.tasks[number].alive()]

    def step(self):
        with self.lock:
            return max(self.tasks[number].progress()[0] for number in self.members)

    def formed(self):
        """The newest generation in which a member finished a step, and when, in unix ms."""
        newest = (0, 0)
        with self.lock:
            for number in self.members:
                step, unix_ms, _, generation, generation_step = self.tasks[number].progress()
                if step > generation_step:
                    newest = max(newest, (generation, -unix_ms))
        return newest[0], -newest[1]

    def wait_for(self, condition, what, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.over or time.monotonic() > deadline:
                self.test.fail(f"{what}: {self.describe()}")
            time.sleep(0.002)

    def wait_for_step(self, step):
        self.wait_for(lambda: self.step() >= step, f"no step {step}")

    def wait_for_generation(self, generation):
        self.wait_for(lambda: self.formed()[0] >= generation, f"no generation {generation}")

    def finish(self, timeout_s=120):
        """Waits for the members' end; their exit codes by task number."""
        self.watcher.join(timeout_s)
        if not self.over:
            self.test.fail(f"it does not end: {self.describe()}")
        with self.lock:
            return {number: self.tasks[number].process.wait() for number in self.members}

    def model(self):
        return self.test.model(os.path.join(self.name, f"task-{self.members[0]}", "out"))

    def describe(self):
        with self.lock:
            lines = [f"generation {self.generation}, members {self.members}, step {self.step()}"]
            for number, task in self.tasks.items():
                lines.append(f"-- task {number}: {task.process.poll()} {task.progress()}")
                lines.append(self.test.log(f"{self.name}-{number}.log")[-1500:])
            return "\n".join(lines)

    def close(self):
        self.over = True
        with self.lock:
            for task in self.tasks.values():
                if task.alive():
                    task.kill()
                task.process.wait()
                task.close()

    # The workers' side.

    def request(self, task, request, answer):
        with self.lock:
            op, generation = request["op"], request["generation"]
            for hook in list(self.hooks):
                hook(task, request)
            if generation > task.file_generation:
                answer({"id": request["id"], "error": f"generation {generation} is not there yet"})
                return
            if op == "wait":
                self.waits.append((answer, request["id"], generation, request["key"], task))
                self._answer_waits()
                return
            answer({"id": request["id"], "ok": True})
            if op == "set":
                self.keys[(generation, request["key"])] = request["value"]
                self._answer_waits()
            elif op == "ready":
                task.ready = True
            elif op == "lost" and generation == self.generation:
                self.first_report = self.first_report or time.monotonic()
                lost = self.members[request["rank"]]
                self.reports.setdefault(task.number, set()).add(lost)

    def hang_up(self, answer):
        with self.lock:
            self.waits = [wait for wait in self.waits if wait[0] is not answer]

    def _answer_waits(self):
        left = []
        for wait in self.waits:
            answer, number, generation, key, task = wait
            if (generation, key) in self.keys:
                answer({"id": number, "value": self.keys[(generation, key)]})
            elif task.file_generation > generation:
                answer({"id": number, "stale": task.file_generation})
            else:
                left.append(wait)
        self.waits = left

    # The core's side.

    def _form(self, members):
        self.generation += 1
        self.members = sorted(members)
        self.reports = {}
        self.first_report = 0.0
        for task in self.tasks.values():
            if task.alive():
                task.write_membership(self.generation, self.members)
        self._answer_waits()

    def _watch(self):
        while not self.over:
            with self.lock:
                self._look()
            time.sleep(0.002)

    def _look(self):
        gone, left = [], []
        for number in self.members:
            task = self.tasks[number]
            task.code = task.process.poll()
            if task.code is None or task.code in (0, 75):
                left.append(number)
            else:
                gone.append(number)
        codes = [self.tasks[number].code for number in self.members]
        if not left or all(code is not None for code in codes):
            self.over = True
            return
        if 0 in codes or 75 in codes:
            return  # it ends
        if gone:
            self.losses += len(gone)
            self._form(left)
            return
        if self.reports:
            self._judge_reports()
        ready = [number for number in self.wanted if self.tasks[number].ready]
        self.wanted = {number for number in self.wanted if self.tasks[number].alive()}
        if ready and len(ready) == len(self.wanted) and not self.stopping:
            self.wanted.clear()
            self._form(self.members + ready)

    def _judge_reports(self):
        accused = set().union(*self.reports.values())
        waited_for = [number for number in self.members
                      if number not in accused and number not in self.reports]
        if waited_for and time.monotonic() - self.first_report < WAIT_FOR_REPORTS_S:
            return
        left = [number for number in self.members
                if number in self.reports or number not in accused]
        kept = max(self._connected(left), key=lambda some: (len(some), -min(some)))
        for number in set(self.members) - set(kept):
            self.losses += 1
            self.tasks[number].kill()
        self._form(kept)

    def _connected(self, members):
        """All sets of members in which nobody accuses another; few members, so all are tried."""
        def agree(some):
            return not any(self.reports.get(a, set()) & set(some) for a in some)

        sets = [[member for bit, member in enumerate(members) if mask >> bit & 1]
                for mask in range(1, 1 << len(members))]
        return [some for some in sets if agree(some)]
