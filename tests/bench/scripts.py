"""Rows of users' own scripts: the way to their first line, their log's way back, what Baton costs
them, and a lost rank of PyTorch's data parallelism."""
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time

from measure import (DEBIAN_PYTHON, PROGRAMS, ROOT, Figure, Missing, build, debian_torch_or_missing,
                     folder, number, one_thread, say, spread)
from recovery import processes, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from cluster import Cluster  # noqa: E402  (one harness for tests and bench)

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER_MIB = 100
FOLDER_ROUNDS = 3
AGAIN_S = 1.0
LATENCY_S = 10
LATENCY_MS = 50
FLOOD_MIB = 256
OVERHEAD_ROUNDS = 5
OVERHEAD = 1.01
KILLS = 8
RANKS = 2

# Prints the time now and then.
CLOCK = f"""import sys, time
time.sleep(2)  # the follower is there first
end = time.time() + {LATENCY_S}
while time.time() < end:
    print("at", time.time(), flush=True)
    time.sleep(0.02)
"""
FLOOD = f"""import sys
line = "x" * 127 + "\\n"
for _ in range({FLOOD_MIB} * 8):
    sys.stdout.write(line * 1024)
print("the end", flush=True)
"""
# A fixed amount of work, with a line and a metric now and then; says how long it took.
WORK = """import json, os, time
begin, total = time.monotonic(), 0.0
metrics = open(os.environ.get("BATON_METRICS_FILE", os.devnull), "a")
for step in range(1, 101):
    for i in range(400_000):
        total += (i * step) % 7
    print("step", step, total, flush=True)
    metrics.write(json.dumps({"step": step, "loss": total}) + "\\n")
    metrics.flush()
print("took", time.monotonic() - begin, flush=True)
"""


def build_all():
    build("baton", "baton-scheduler", "baton-worker", "baton-keeper", "baton-trainer")


def script_of(cluster, name, text, **fields):
    work = f"{cluster.top}/{name}"
    os.makedirs(work)
    with open(f"{work}/script.py", "w", encoding="utf-8") as file:
        file.write(text)
    with open(f"{work}/job.yaml", "w", encoding="utf-8") as file:
        json.dump({"name": name, "command": [DEBIAN_PYTHON, "script.py"], **fields}, file)
    return f"{work}/job.yaml"


def follow(cluster, job):
    """Lines of the job's log as a terminal gets them, each with the time of its arrival."""
    with subprocess.Popen([cluster.programs + "/baton", "logs", "-f", job],
                          env=cluster.environment(), cwd=cluster.top, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        for line in process.stdout:
            yield line, time.time()


def first_line(cluster, spec):
    """Seconds from the command to the script's first line."""
    begin = time.time()
    job = cluster.train(spec)
    _, arrived = next(follow(cluster, job))
    cluster.baton("wait", job)
    return arrived - begin


def folders():
    """A folder of random bytes, then the same one with another script."""
    build_all()
    firsts, seconds = [], []
    with Cluster(PROGRAMS, workers="on-demand", cpus=1) as cluster:
        for at in range(FOLDER_ROUNDS):
            spec = script_of(cluster, f"large{at}", "print('first', flush=True)\n")
            for i in range(10):
                with open(f"{os.path.dirname(spec)}/part{i}", "wb") as file:
                    file.write(os.urandom(FOLDER_MIB * (1 << 20) // 10))
            firsts.append(first_line(cluster, spec))
            with open(f"{os.path.dirname(spec)}/script.py", "a", encoding="utf-8") as file:
                file.write("# another line\n")
            seconds.append(first_line(cluster, spec))
            say(f"first line after {firsts[-1]:.2f} s, then after {seconds[-1]:.2f} s")
    yield Figure(f"a script in a folder of {FOLDER_MIB} MiB: submit to its first line",
                 spread(firsts, "s"))
    yield Figure("the same again, with another script in it", spread(seconds, "s"), "",
                 f"{AGAIN_S:.0f} s", statistics.median(seconds) <= AGAIN_S)


def logs():
    """A follower that is there before the script begins."""
    build_all()
    with Cluster(PROGRAMS, workers="on-demand", cpus=1) as cluster:
        job = cluster.train(script_of(cluster, "clock", CLOCK))
        late = sorted((arrived - float(line.split()[-1])) * 1000
                      for line, arrived in follow(cluster, job) if b"at " in line)
        begin = time.time()
        flood = cluster.train(script_of(cluster, "flood", FLOOD))
        size = sum(len(line) for line, _ in follow(cluster, flood))
        rate = size / (1 << 20) / (time.time() - begin)
    p50 = statistics.median(late)
    yield Figure("a printed line to the follower's terminal",
                 f"p50 {number(p50)} ms, p99 {number(late[len(late) * 99 // 100])} ms "
                 f"({len(late)} lines)", "", f"p50 {LATENCY_MS} ms", p50 <= LATENCY_MS)
    yield Figure(f"{FLOOD_MIB} MiB of log to the follower, from the submit on",
                 f"{number(rate)} MiB/s", f"{number(size / (1 << 20))} MiB arrived")


def overhead():
    """The script's own time for its work, under Baton and alone in turn."""
    build_all()
    alone, under = [], []
    with Cluster(PROGRAMS, workers="on-demand", cpus=1) as cluster:
        spec = script_of(cluster, "work", WORK)
        for _ in range(OVERHEAD_ROUNDS):
            done = subprocess.run([DEBIAN_PYTHON, f"{os.path.dirname(spec)}/script.py"], check=True,
                                  capture_output=True, text=True)
            alone.append(float(done.stdout.split()[-1]))
            job = cluster.train(spec)
            cluster.baton("wait", job)
            under.append(float(cluster.baton("logs", job).stdout.split()[-1]))
            say(f"alone {alone[-1]:.2f} s, under Baton {under[-1]:.2f} s")
    ratios = [b / a for a, b in zip(alone, under)]
    yield Figure("a script's own wall time under Baton, by that alone", spread(ratios, "x"),
                 f"alone {spread(alone, 's')}", f"{OVERHEAD} x",
                 statistics.median(ratios) <= OVERHEAD)


class Stamps:
    """What the ranks of torch_ddp.py wrote: where their steps ended."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path)
        os.chmod(path, 0o777)  # a worker's task is another user

    def pids(self):
        """{rank: pid} of the ranks that run."""
        return {int(variables["RANK"]): pid for pid, variables in processes(self.path)
                if variables.get("STAMPS") == self.path and "RANK" in variables and
                self.steps(int(variables["RANK"]), pid)}

    def steps(self, rank, pid=None, other_than=None):
        """Times of the steps of a rank's process; or of any other than that."""
        try:
            with open(f"{self.path}/rank-{rank}", encoding="utf-8") as file:
                rows = [line.split() for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [float(at) for who, _, at in rows
                if (pid is None or int(who) == pid) and int(who) != other_than]

    def kill(self, chance):
        """Seconds from the SIGKILL of a rank to the next finished step of one that took its
        place."""
        ranks = wait_for(lambda: (lambda pids: pids if len(pids) == RANKS else None)(self.pids()),
                         "a step of every rank")
        time.sleep(chance.uniform(1.0, 3.0))
        rank = chance.randrange(RANKS)
        killed = time.time()
        os.kill(ranks[rank], signal.SIGKILL)
        def later():
            times = [at for at in self.steps(rank, other_than=ranks[rank]) if at > killed]
            return min(times, default=None)
        return wait_for(later, "a step of the next process") - killed


def torch_kills(torch, chance, *flags):
    with folder("ddp") as work:
        stamps = Stamps(f"{work}/stamps")
        with open(f"{work}/log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [torch.python, "-m", "torch.distributed.run", f"--nproc_per_node={RANKS}",
                 "--max_restarts=1000", "--redirects=1", "--tee=1", "--standalone", *flags,
                 f"{HERE}/torch_ddp.py"], env={**one_thread(), "STAMPS": stamps.path}, stdout=log,
                stderr=log, cwd=work, start_new_session=True)
        try:
            return [stamps.kill(chance) for _ in range(KILLS)]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pid in stamps.pids().values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def baton_kills(chance):
    build_all()
    with Cluster(PROGRAMS, workers=",".join(["on-demand"] * (RANKS + 1)), cpus=1) as cluster:
        stamps = Stamps(f"{cluster.top}/stamps")
        spec = script_of(cluster, "ddp", "", ranks=RANKS, retries=1000, checkpoints=["ckpt.pt"],
                         env={"STAMPS": stamps.path, "OMP_NUM_THREADS": "1"})
        shutil.copy2(f"{HERE}/torch_ddp.py", f"{os.path.dirname(spec)}/script.py")
        job = cluster.train(spec)
        seconds = [stamps.kill(chance) for _ in range(KILLS)]
        cluster.baton("cancel", job)
        cluster.baton("wait", job, check=False)
    return seconds


def ddp():
    """The same script, killed by the same seed."""
    seed = random.randrange(1 << 32)
    say(f"seed {seed}")
    seconds = baton_kills(random.Random(seed))
    say(f"baton: {spread(seconds, 's')}")
    beside, best = "", None
    try:
        torch = debian_torch_or_missing()
        plain = torch_kills(torch, random.Random(seed))
        quick = torch_kills(torch, random.Random(seed), "--monitor_interval=0.1")
        best = min(statistics.median(plain), statistics.median(quick))
        beside = (f"torchrun {spread(plain, 's')}; with --monitor_interval=0.1 "
                  f"{spread(quick, 's')} ({torch.name})")
    except Missing as error:
        beside = str(error)
    yield Figure(f"DDP script: kill -9 of one of {RANKS} ranks to the next finished step, "
                 f"{KILLS} kills", spread(seconds, "s"), beside, "not slower than torchrun's best",
                 None if best is None else statistics.median(seconds) <= best)
