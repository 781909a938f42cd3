"""A local cluster for the tests of whole programs: real processes, real sockets, real disks.

Every worker runs as a user of its own below a folder that only it can read, so that nothing can
travel by a folder that two workers happen to share. Killed means SIGKILL of a pid that
`baton local status` gives.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jobs")
# One user per worker name; the wrapper makes the worker's folder before it gives up root.
WRAPPER = """#!/bin/sh
for word; do [ "$previous" = --dir ] && folder=$word; previous=$word; done
user=$((30000 + $(printf %s "$folder" | cksum | cut -d' ' -f1) % 20000))
mkdir -p "$folder" && chown -R $user:$user "$folder" && chmod 700 "$folder"
exec setpriv --reuid $user --regid $user --clear-groups -- {worker} "$@"
"""


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


def wait_until(condition, what, limit_s=60):
    """The first true value of `condition`, polled."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failed(f"after {limit_s} s still not: {what}")


class Cluster:
    """`with Cluster(bin_folder) as cluster:` has three workers; all is gone afterwards."""

    def __init__(self, programs, workers="spot,spot,on-demand", cpus=1):
        expect(os.geteuid() == 0, "these tests run as root: each worker is a user of its own")
        self.top = tempfile.mkdtemp(prefix="baton-e2e-")
        os.chmod(self.top, 0o711)
        self.folder = self.top + "/cluster"
        self.programs = self._isolating(os.path.abspath(programs))
        self.shape = ["--workers", workers, "--cpus", str(cpus)]

    def _isolating(self, programs):
        """A folder of programs in which baton-worker becomes another user first."""
        folder = self.top + "/bin"
        os.mkdir(folder)
        shutil.copy2(programs + "/baton", folder)  # finds its siblings beside itself
        os.symlink(programs + "/baton-scheduler", folder + "/baton-scheduler")
        with open(folder + "/baton-worker", "w") as file:
            file.write(WRAPPER.format(worker=programs + "/baton-worker"))
        os.chmod(folder + "/baton-worker", 0o755)
        return folder

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            self.tell_logs()
        down = self.baton("local", "down", "--dir", self.folder, check=False)
        left = self.leftovers()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.top, ignore_errors=True)
        if error is None:
            expect(down.returncode == 0, f"local down: {down.stderr}")
            expect(not left, f"processes are left over: {left}")

    def tell_logs(self):
        logs = self.folder + "/log"
        for name in sorted(os.listdir(logs)) if os.path.isdir(logs) else []:
            with open(f"{logs}/{name}", errors="replace") as file:
                print(f"--- {name}\n{''.join(file.readlines()[-25:])}", file=sys.stderr)

    def leftovers(self):
        """Processes that still name the cluster's folder in their arguments or environment."""
        found = []
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    text = file.read()
                with open(f"/proc/{pid}/environ", "rb") as file:
                    text += file.read() if pid != os.getpid() else b""
            except OSError:
                continue
            if (self.folder + "/").encode() in text and pid != os.getpid():
                found.append(pid)
        return found

    def environment(self):
        home = self.top + "/home"
        env = {**os.environ, "HOME": home, "XDG_STATE_HOME": home, "NO_COLOR": "1"}
        env.pop("BATON_ADDRESS", None)
        return env

    def baton(self, *words, check=True, limit_s=120):
        done = subprocess.run([self.programs + "/baton", *words], env=self.environment(),
                              cwd=self.top, capture_output=True, text=True, timeout=limit_s)
        if check:
            expect(done.returncode == 0, f"baton {' '.join(words)}: {done.returncode}\n{done.stderr}")
        return done

    def json(self, *words):
        return json.loads(self.baton(*words, "-o", "json").stdout)

    def up(self):
        self.baton("local", "up", "--dir", self.folder, *self.shape)

    def status(self):
        return self.json("local", "status", "--dir", self.folder)

    def train(self, spec, *words):
        job = self.baton("train", os.path.abspath(spec), *words).stdout.strip()
        expect(len(job.split()) == 1, f"train prints the id alone, got {job!r}")
        return job

    def show(self, job):
        return self.json("show", job)

    def tasks(self, job):
        """(worker, task) pairs of the job that run right now."""
        return [(worker, task) for worker in self.status()["workers"]
                for task in worker["tasks"] if task["job"] == job]

    def collect(self, job):
        folder = f"{self.top}/collected-{job}"
        self.baton("collect", job, "--to", folder)
        return folder

    def model(self, job):
        """The bytes of the trained model of a job that succeeded."""
        done = self.baton("wait", job, check=False, limit_s=600)
        expect(done.returncode == 0, f"{job} did not succeed: {done.stdout}{done.stderr}")
        with open(self.collect(job) + "/model.safetensors", "rb") as file:
            return file.read()

    def others_folder_is_closed(self):
        """The test's own promise: a worker can't read its sibling's folder."""
        first, second = [f"{self.folder}/workers/{w['name']}" for w in self.status()["workers"][:2]]
        user = os.stat(second).st_uid
        expect(os.stat(first).st_uid != user, "workers share a user")
        look = subprocess.run(["setpriv", "--reuid", str(user), "--clear-groups", "ls", first],
                              capture_output=True)
        expect(look.returncode != 0, f"user {user} can read {first}")


class JobFolder:
    """A working folder with the test programs and a spec per job."""

    def __init__(self, cluster):
        self.path = cluster.top + "/work"
        shutil.copytree(JOBS, self.path)

    def spec(self, name, command, **fields):
        path = f"{self.path}/{name}.yaml"
        with open(path, "w") as file:
            json.dump({"name": name, "command": command, **fields}, file)
        return path


def main(test):
    """Runs `test(programs, *words)` of the command line and says what failed."""
    try:
        test(*sys.argv[1:])
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")
    print("ok")
