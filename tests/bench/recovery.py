"""Rows of recovery: seconds from SIGKILL of a rank to the next finished step."""
import contextlib
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import time

from measure import (PROGRAMS, ROOT, SPECS, Figure, Missing, build, debian_torch_or_missing, folder,
                     lenet_variant, number, one_thread, say, spread)

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from cluster import Cluster  # noqa: E402  (one harness for tests and bench)

HERE = os.path.dirname(os.path.abspath(__file__))
RANKS = 2
KILLS = 100
TORCH_KILLS = 6
RECOVERY_S = 0.2  # the median; all but one in a hundred within WORST_S
WORST_S = 1.0
START_LIMIT_S = 60


def wait_for(look, what, limit_s=START_LIMIT_S):
    """The first value of `look` that is not None, looked for every 5 ms."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = look()
        if value is not None:
            return value
        time.sleep(0.005)
    raise TimeoutError(f"after {limit_s} s still not: {what}")


def processes(word):
    """(pid, environment) of all processes with `word` in their environment or arguments."""
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read()
        except OSError:
            continue
        if word.encode() in environ or word.encode() in words:
            pairs = (pair.partition("=") for pair in environ.decode(errors="replace").split("\0"))
            yield pid, {name: value for name, _, value in pairs if name}


class TorchGang:
    """torchrun with two ranks of torch_lenet.py; ended at the end of the `with`."""

    def __init__(self, torch, work, *flags):
        self.torch = torch
        self.work = work
        self.flags = flags

    def __enter__(self):
        with open(f"{self.work}/log", "w", encoding="utf-8") as log:
            # Python 3.11 with torch 1.13 hangs in the redirection of streams without these two.
            self.process = subprocess.Popen(
                [self.torch.python, "-m", "torch.distributed.run", f"--nproc_per_node={RANKS}",
                 "--max_restarts=1000", "--redirects=1", "--tee=1", "--standalone", *self.flags,
                 f"{HERE}/torch_lenet.py", f"{SPECS}/mnist-small", "--work", self.work],
                env=one_thread(), stdout=log, stderr=log, cwd=self.work, start_new_session=True)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        for pid in self.ranks().values():
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ranks(self):
        """{rank: pid} of the processes that train."""
        return {int(variables["LOCAL_RANK"]): pid for pid, variables in processes(self.work)
                if "LOCAL_RANK" in variables}

    def finished(self, rank):
        """(step, unix time) of the rank's last finished step; None before its first."""
        try:
            with open(f"{self.work}/steps-{rank}", "rb") as file:
                data = file.read(16)
        except FileNotFoundError:
            return None
        return struct.unpack("<qd", data) if len(data) == 16 else None

    def kill(self, rank):
        """Seconds from the SIGKILL of `rank` to the first step of the process that replaces it."""
        pid = self.ranks()[rank]
        # The dying process keeps writing into the removed file, the next one makes a new one.
        os.unlink(f"{self.work}/steps-{rank}")
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        return wait_for(lambda: self.finished(rank), "a step of the restarted rank")[1] - killed


def torch_recoveries(torch, seed, *flags):
    chance, seconds = random.Random(seed), []
    with folder("torchrun") as work, TorchGang(torch, work, *flags) as gang:
        for _ in range(TORCH_KILLS):
            wait_for(lambda: all(gang.finished(r) for r in range(RANKS)) or None, "a first step")
            time.sleep(chance.uniform(1.0, 3.0))
            seconds.append(gang.kill(chance.randrange(RANKS)))
            say(f"torchrun {' '.join(flags)}: next step after {seconds[-1]:.2f} s")
    return seconds


class BatonGang:
    """A job of one or two ranks on three workers of one core each: one is to spare."""

    def __init__(self, cluster, spec):
        self.cluster = cluster
        self.job = cluster.train(spec, "--ranks", f"1..{RANKS}", "--set", f"shards={RANKS}",
                                 "--set", "retries=1000")

    def ranks(self):
        """{(attempt, task): (pid, progress)} of the processes that train: progress is (step, unix
        ms of its end, generation, its first state's step), None before the first step."""
        found = {}
        for pid, variables in processes(self.cluster.folder + "/"):
            if variables.get("BATON_JOB_ID") != self.job or "BATON_RANK" not in variables:
                continue
            key = int(variables["BATON_ATTEMPT"]), int(variables["BATON_RANK"])
            found[key] = pid, self.progress(variables["BATON_METRICS_FILE"] + ".progress")
        return found

    @staticmethod
    def progress(path):
        try:
            with open(path, "rb") as file:
                data = file.read(40)
        except OSError:
            return None
        if len(data) < 40:
            return None
        step, end_ms, _, generation, formed = struct.unpack("<qqqqq", data)
        return (step, end_ms, generation, formed) if step > formed else None

    def running(self):
        """All ranks, once they have finished a step of the same generation."""
        ranks = self.ranks()
        stands = {(attempt, progress[2] if progress else None)
                  for (attempt, _), (_, progress) in ranks.items()}
        done = len(ranks) == RANKS and len(stands) == 1 and None not in next(iter(stands))
        return ranks if done else None

    def next_step_ms(self, stood):
        """When a step of a later generation, or attempt, than `stood` was first finished."""
        times = [progress[1] for (attempt, _), (_, progress) in self.ranks().items()
                 if progress and (attempt, progress[2]) > stood]
        return min(times, default=None)

    def kill(self, chance):
        """Seconds from the SIGKILL of a rank to the next step that anyone has finished."""
        wait_for(self.running, "a step of every rank")
        time.sleep(chance.uniform(1.0, 3.0))
        ranks = wait_for(self.running, "a step of every rank")
        attempt, task = chance.choice(sorted(ranks))
        pid, progress = ranks[attempt, task]
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        stood = attempt, progress[2]
        next_ms = wait_for(lambda: self.next_step_ms(stood), "a step of the next generation")
        return next_ms / 1000 - killed


def baton_recoveries(seed):
    """Seconds as seen from outside, and as `baton show` counts them."""
    build("baton", "baton-scheduler", "baton-worker", "baton-keeper", "baton-trainer")
    chance, seconds = random.Random(seed), []
    workers = ",".join(["on-demand"] * (RANKS + 1))
    with folder("recovery") as work, Cluster(PROGRAMS, workers=workers, cpus=1) as cluster:
        gang = BatonGang(cluster, lenet_variant(f"{work}/lenet.yaml", epochs=100000))
        for _ in range(KILLS):
            seconds.append(gang.kill(chance))
            say(f"baton: next step after {seconds[-1]:.2f} s")
        own = cluster.show(gang.job)["recoveries_s"]
        cluster.baton("cancel", gang.job)
    return seconds, own


def recovery():
    """Kills of random ranks at random times; the seed is printed."""
    seed = random.randrange(1 << 32)
    say(f"seed {seed}")
    beside = []
    try:
        torch = debian_torch_or_missing()
        seen = torch_recoveries(torch, seed)
        beside.append(f"{torch.name}, torchrun --max_restarts {spread(seen, 's')}")
        best = torch_recoveries(torch, seed, "--monitor_interval=0.1")
        beside.append(f"with --monitor_interval=0.1 {spread(best, 's')}")
    except Missing as error:
        beside.append(str(error))
    seconds, own = baton_recoveries(seed)
    beside.append(f"`baton show` counts {spread(own, 's')}")
    worst = sorted(seconds)[int(0.99 * (len(seconds) - 1))]
    yield Figure(f"recovery: kill -9 of a rank to the next finished step, {RANKS} ranks, "
                 f"{KILLS} kills", f"{spread(seconds, 's')}, p99 {number(worst)} s",
                 "; ".join(beside), f"p50 {RECOVERY_S} s, p99 {WORST_S:.0f} s",
                 statistics.median(seconds) <= RECOVERY_S and worst <= WORST_S)
