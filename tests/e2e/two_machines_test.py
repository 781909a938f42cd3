"""Two machines, as two network namespaces with addresses of their own: the README's walk-through.

    tests/e2e/two_machines_test.py BIN LENET_SPEC

A scheduler off loopback, people by tokens, workers by the line that `baton join` prints; a gang that
waits until the machines reach each other, and then is over both, of Baton's trainer and of PyTorch's
by torchrun; the second one cut off in the middle; the same weights as of an undisturbed run; a port of
the task on this side.
"""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from cluster import Failed, expect, wait_until

BIN, LENET = (os.path.abspath(word) for word in sys.argv[1:3])
del sys.argv[1:3]
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
PORT = 7070
# Rank 0 also serves a port of its node's loopback, as TensorBoard would.
SERVING = """import http.server, os, runpy, threading
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        super().do_GET()
        open("served", "w").close()
if os.environ["RANK"] == "0":
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("serving", server.server_port, flush=True)
runpy.run_path("ddp.py", run_name="__main__")
"""
LEASE_MS = 2000


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Machine:
    """A namespace with one end of the cable."""

    def __init__(self, name, number):
        self.name, self.address = name, f"10.77.31.{number}"
        self.data_address = f"10.77.32.{number}"  # of ranks, on the same cable
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def plug(self):
        for address in (self.address, self.data_address):
            run("ip", "-n", self.name, "address", "add", address + "/24", "dev", "cable")
        self.cable("up")

    def cable(self, state):
        run("ip", "-n", self.name, "link", "set", "cable", state)

    def cut_off(self, other, how):
        """The other one's data address is out of reach from here ("add"), or no more ("del")."""
        run("ip", "-n", self.name, "route", how, "unreachable", other.data_address + "/32")

    def start(self, words, log, env=None, shell=False):
        command = ["ip", "netns", "exec", self.name]
        command += ["sh", "-c", words] if shell else words
        with open(log, "ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, env=env,
                                    start_new_session=True)


class TwoMachinesTest(unittest.TestCase):
    def setUp(self):
        expect(os.geteuid() == 0, "network namespaces take root")
        self.top = tempfile.mkdtemp(prefix="baton-two-")
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        mark = f"bt{os.getpid()}"
        self.first = Machine(mark + "a", 1)
        self.addCleanup(run, "ip", "netns", "del", self.first.name, check=False)
        self.second = Machine(mark + "b", 2)
        self.addCleanup(run, "ip", "netns", "del", self.second.name, check=False)
        run("ip", "link", "add", "cable", "netns", self.first.name, "type", "veth", "peer", "name",
            "cable", "netns", self.second.name)
        self.first.plug()
        self.second.plug()
        self.processes = []
        self.addCleanup(self.end)

    def end(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def path(self, *names):
        return os.path.join(self.top, *names)

    def log(self, name):
        with open(self.path(name + ".log"), errors="replace") as file:
            return file.read()

    def env(self, person, **more):
        home = self.path("home-" + person)
        os.makedirs(home, exist_ok=True)
        env = {**os.environ, "HOME": home, "PATH": BIN + ":" + os.environ["PATH"], "NO_COLOR": "1",
               **more}
        for name in ("BATON_ADDRESS", "BATON_TOKEN", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            if name not in more:
                env.pop(name, None)
        return env

    def baton(self, *words, person="admin", machine=None, code=0, **env):
        machine = machine or self.first
        done = subprocess.run(["ip", "netns", "exec", machine.name, BIN + "/baton", *words],
                              capture_output=True, text=True, env=self.env(person, **env),
                              cwd=self.top, timeout=150)
        self.assertEqual(done.returncode, code, f"baton {words}: {done.stdout}{done.stderr}")
        return done

    def json(self, *words, **more):
        return json.loads(self.baton(*words, "-o", "json", **more).stdout)

    def start_scheduler(self, name="scheduler", machine=None):
        machine = machine or self.first
        before = self.log(name).count("listening") if os.path.exists(self.path(name + ".log")) else 0
        process = machine.start(
            [BIN + "/baton-scheduler", "--data-dir", self.path(name), "--listen", f"0.0.0.0:{PORT}",
             "--lease-ms", str(LEASE_MS)], self.path(name + ".log"))
        self.processes.append(process)
        wait_until(lambda: self.log(name).count("listening") > before, "the scheduler listens", 30)
        return process

    def start_worker(self, name, machine, line):
        process = machine.start(f"exec env {line} --dir {self.path(name)} --name {name} --cpus 1 "
                                f"--data-address {machine.data_address}",
                                self.path(name + ".log"), env=self.env("worker"), shell=True)
        self.processes.append(process)
        return process

    def nodes(self):
        return {node["name"]: node["state"] for node in self.json("nodes")}

    def login(self, person="admin", token=None, name="scheduler", **more):
        address = f"{self.first.address}:{PORT}"
        token = token or self.path(name, "access", "admin.token")
        return self.baton("login", address, "--token-file", token, person=person, **more)

    def join(self, name, machine):
        line = self.baton("join").stdout.strip()
        self.assertRegex(line, rf"^BATON_JOIN=\S+ baton-worker --scheduler {self.first.address}:")
        process = self.start_worker(name, machine, line)
        wait_until(lambda: self.nodes().get(name) == "up", f"{name} has joined", 30)
        return process, line

    def model(self, job):
        folder = self.path("collected-" + job)
        self.baton("collect", job, "--to", folder)
        for at, _, names in os.walk(folder):
            if "model.safetensors" in names:
                with open(os.path.join(at, "model.safetensors"), "rb") as file:
                    return hashlib.sha256(file.read()).hexdigest()
        raise Failed(f"no model of {job}")

    def waits_until_they_reach_each_other(self):
        """Both speak with the scheduler, and not with each other."""
        self.baton("train", LENET, "--name", "apart", "--set", "epochs=1", "--ranks", "2")
        why = wait_until(lambda: "can't" in (said := self.baton("why", "apart").stdout) and said,
                         "a probe has failed", 20)
        self.assertRegex(why, r"but not on nodes that reach each other: node \w+ can't reach node "
                              r"\w+ at 10\.77\.32\.\d:\d+: (no route to host|connection timed out); "
                              "open TCP between nodes or set --data-address")
        self.assertEqual(self.json("show", "apart")["attempts"], [])
        self.second.cut_off(self.first, "del")
        self.baton("wait", "apart")
        attempts = self.json("show", "apart")["attempts"]
        self.assertEqual([sorted(attempt["nodes"]) for attempt in attempts], [["far", "near"]])

    def test_a_gang_over_two_machines_survives_the_loss_of_one(self):
        self.start_scheduler()
        self.login()
        self.second.cut_off(self.first, "add")
        self.join("near", self.first)
        self.assertFalse(os.path.exists(self.path("scheduler", "access", "admin.token")),
                         "the first admin's token lies around no longer than its login needs it")
        far, line = self.join("far", self.second)
        self.waits_until_they_reach_each_other()
        # Room for one rank each, so two are on both machines.
        self.baton("train", LENET, "--name", "torn", "--set", "epochs=24", "--set",
                   "checkpoint.every_steps=20", "--ranks", "1..2")
        wait_until(lambda: self.json("show", "torn")["step"] > 25, "it trains", 60)
        attempts = self.json("show", "torn")["attempts"]
        self.assertEqual(sorted(attempts[-1]["nodes"]), ["far", "near"])
        self.second.cable("down")
        lost = wait_until(lambda: self.json("show", "torn")["losses"], "it goes on where it can", 60)
        # Its peer notices after 2.5 s of silence, the scheduler at the end of its lease.
        self.assertEqual(lost[0]["node"], "far")
        self.assertIn(lost[0]["detector"], ("peers", "lease"))
        self.assertLess(lost[0]["delay_s"], 4)
        self.second.cable("up")
        wait_until(lambda: self.nodes()["far"] == "up", "the second machine is back", 60)
        self.baton("wait", "torn")
        show = self.json("show", "torn")
        self.assertEqual(show["state"], "SUCCEEDED")
        self.assertEqual([attempt["end_cause"] for attempt in show["attempts"]], ["succeeded"])
        self.baton("train", LENET, "--name", "calm", "--set", "epochs=24", "--set",
                   "checkpoint.every_steps=20", "--ranks", "1")
        self.baton("wait", "calm")
        self.assertEqual(self.model("torn"), self.model("calm"))

        # A worker that starts again needs no token, and its old one does no harm.
        os.killpg(far.pid, signal.SIGTERM)
        far.wait(timeout=30)
        self.start_worker("far", self.second, line)
        wait_until(lambda: "has joined already" in self.log("far"), "the token is not used", 30)
        wait_until(lambda: self.nodes()["far"] == "up", "the second machine is back", 30)
        # For another worker it is of no use.
        other = self.start_worker("other", self.second, line)
        self.assertEqual(other.wait(timeout=30), 6)
        self.assertIn("was used already", self.log("other"))

    def forwarded(self, job, path):
        """What the job's task serves there, through a port of the first machine."""
        port = re.findall(r"serving (\d+)", self.baton("logs", job).stdout)[-1]
        forward = subprocess.Popen(
            ["ip", "netns", "exec", self.first.name, BIN + "/baton", "forward", job, "0:" + port],
            stdout=subprocess.PIPE, text=True, env=self.env("admin"), start_new_session=True)
        self.processes.append(forward)
        self.addCleanup(forward.stdout.close)
        address = re.search(r"127\.0\.0\.1:\d+", forward.stdout.readline())[0]
        read = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
        return run("ip", "netns", "exec", self.first.name, sys.executable, "-c", read,
                   f"http://{address}/{path}").stdout

    def test_ddp_over_two_machines_goes_on_with_one(self):
        self.start_scheduler()
        self.login()
        self.join("near", self.first)
        self.join("far", self.second)
        folder = self.path("ddp")
        os.mkdir(folder)
        shutil.copy(os.path.join(SCRIPTS, "ddp.py"), folder)
        with open(os.path.join(folder, "train.py"), "w") as file:
            file.write(SERVING)
        # Debian's torchrun fails without the two options on its Python.
        self.baton("train", "--folder", folder, "--name", "ddp", "--nodes", "1..2", "--launch",
                   "node", "--checkpoint", "ckpt.pt", "--", "/usr/bin/torchrun", "--redirects=1",
                   "--tee=1", "train.py", "12", "4", "served")
        show = wait_until(lambda: (shown := self.json("show", "ddp"))["checkpoints"] and shown,
                          "it has saved", 60)
        self.assertEqual(sorted(show["attempts"][-1]["nodes"]), ["far", "near"])
        self.assertIn("rank 1 of 2 begins at 0", self.baton("logs", "ddp").stdout)
        self.second.cable("down")
        wait_until(lambda: "rank 0 of 1 begins at" in self.baton("logs", "ddp").stdout,
                   "it goes on with one node", 60)
        self.second.cable("up")
        wait_until(lambda: self.nodes()["far"] == "up", "the second machine is back", 60)
        self.assertIn("runpy", self.forwarded("ddp", "train.py"))
        self.baton("wait", "ddp")
        log = self.baton("logs", "ddp").stdout
        begun = int(re.search(r"rank 0 of 1 begins at (\d+)", log)[1])
        self.assertGreater(begun, 0, log)
        epochs = {int(epoch) for epoch in re.findall(r"epoch (\d+)", log)}
        self.assertEqual(epochs, set(range(1, 13)))
        show = self.json("show", "ddp")
        self.assertEqual([a["end_cause"] for a in show["attempts"]], ["node-lost", "succeeded"])
        self.assertEqual(show["attempts"][-1]["nodes"], ["near"])

    def test_people_come_in_by_tokens_and_may_what_their_role_says(self):
        scheduler = self.start_scheduler()
        address = f"{self.first.address}:{PORT}"
        self.assertIn("baton login", self.baton("--address", address, "jobs", code=2).stderr)
        self.assertEqual(self.login().stdout, f"admin at {address}, role admin\n")
        for role in ("viewer", "user"):
            with open(self.path(role + ".token"), "w") as file:
                file.write(self.baton("token", "create", "the-" + role, "--role", role).stdout)
            self.login(person=role, token=self.path(role + ".token"), machine=self.second)
        who = self.json("whoami", person="viewer", machine=self.second)
        self.assertEqual((who["name"], who["role"], who["tls"]), ("the-viewer", "viewer", True))
        self.baton("jobs", person="viewer")
        self.assertIn("needs the role user",
                      self.baton("train", LENET, person="viewer", code=2).stderr)
        self.baton("train", LENET, person="user")
        self.assertEqual(self.json("show", "latest", person="user")["owner"], "the-user")
        self.baton("data", "push", LENET, "--name", "spec", person="user")
        self.assertEqual(self.json("data", "ls", person="viewer")[0]["owner"], "the-user")
        self.assertIn("needs the role admin", self.baton("join", person="user", code=2).stderr)
        # Tokens outlive the scheduler; one that is revoked is of no more use.
        os.killpg(scheduler.pid, signal.SIGKILL)
        scheduler.wait()
        self.start_scheduler()
        self.baton("jobs", person="user")
        ids = {token["name"]: token["id"] for token in self.json("token", "ls")}
        self.baton("token", "revoke", ids["the-user"])
        self.assertIn("revoked", self.baton("jobs", person="user", code=2).stderr)
        self.assertIn("only admin", self.baton("token", "revoke", ids["admin"], code=2).stderr)
        self.baton("logout", person="viewer")
        self.assertEqual(self.json("context", "ls", person="viewer"), [])
        # What lies around holds no secret of theirs.
        with open(self.path("user.token")) as file:
            secret = re.search(r"-([0-9a-f]{32})-", file.read())[1]
        for at, _, names in os.walk(self.path("scheduler")):
            for name in names:
                with open(os.path.join(at, name), "rb") as file:
                    self.assertNotIn(secret.encode(), file.read(), os.path.join(at, name))
        self.assertNotIn(secret, self.log("scheduler"))

    def test_who_is_somebody_else_is_not_believed(self):
        self.start_scheduler()
        with open(self.path("token"), "w") as file:
            with open(self.path("scheduler", "access", "admin.token")) as admin:
                file.write(admin.read())
        self.login(token=self.path("token"))
        line = self.baton("join").stdout.strip()
        self.processes[-1].terminate()
        self.processes[-1].wait(timeout=30)
        # Another scheduler answers at the address of the first one.
        self.start_scheduler("impostor")
        self.assertIn("another certificate authority",
                      self.login(token=self.path("token"), person="late", code=2).stderr)
        self.baton("jobs", code=6)  # who knows the first one's authority hears nobody
        worker = self.start_worker("misled", self.second, line)
        self.assertEqual(worker.wait(timeout=90), 6)
        self.assertIn("another certificate authority", self.log("misled"))
        self.assertIn("no token of Baton", self.baton("login", f"{self.first.address}:{PORT}",
                                                      BATON_TOKEN="hunter2", code=2).stderr)
        self.assertNotIn("hunter2", self.log("impostor"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
