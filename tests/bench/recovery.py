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
                     lenet_variant, one_thread, say, spread)

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from cluster import Cluster  # noqa: E402  (one harness for tests and bench)

HERE = os.path.dirname(os.path.abspath(__file__))
RANKS = 2
KILLS = 20
TORCH_KILLS = 6
RECOVERY_S = 1.0
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
    """A job of two ranks on three workers of one core each: one is to spare."""

    def __init__(self, cluster, spec):
        self.cluster = cluster
        self.job = cluster.train(spec, "--ranks", str(RANKS), "--set", "retries=1000")

    def ranks(self):
        """{(attempt, rank): (pid, progress file)} of the processes that train."""
        return {(int(variables["BATON_ATTEMPT"]), int(variables["BATON_RANK"])):
                (pid, variables["BATON_METRICS_FILE"] + ".progress")
                for pid, variables in processes(self.cluster.folder + "/")
                if variables.get("BATON_JOB_ID") == self.job and "BATON_RANK" in variables}

    def running(self, attempt_min):
        """The ranks, once all of an attempt from `attempt_min` on have finished a step."""
        ranks = {key: value for key, value in self.ranks().items() if key[0] >= attempt_min}
        newest = max((attempt for attempt, _ in ranks), default=0)
        ranks = {key: value for key, value in ranks.items() if key[0] == newest}
        done = len(ranks) == RANKS and all(self.stepped_ms(path) for _, path in ranks.values())
        return ranks if done else None

    @staticmethod
    def stepped_ms(path):
        """Unix milliseconds at the end of the last finished step; None before the first."""
        try:
            with open(path, "rb") as file:
                data = file.read(24)
        except OSError:
            return None
        return struct.unpack("<qqq", data)[1] if len(data) == 24 else None

    def next_step_ms(self, attempt_min):
        """When a rank of an attempt from `attempt_min` on was first seen to have finished a step."""
        times = [self.stepped_ms(path) for (attempt, _), (_, path) in self.ranks().items()
                 if attempt >= attempt_min]
        return min((time_ms for time_ms in times if time_ms), default=None)

    def kill(self, chance):
        """Seconds from the SIGKILL of a rank to the next step that anyone has finished."""
        ranks = wait_for(lambda: self.running(1), "a step of every rank")
        time.sleep(chance.uniform(1.0, 3.0))
        attempt, rank = chance.choice(sorted(ranks))
        killed = time.time()
        os.kill(ranks[attempt, rank][0], signal.SIGKILL)
        next_ms = wait_for(lambda: self.next_step_ms(attempt + 1), "a step of the next attempt")
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
    yield Figure(f"recovery: kill -9 of a rank to the next finished step, {RANKS} ranks, "
                 f"{KILLS} kills", spread(seconds, "s"), "; ".join(beside), f"{RECOVERY_S:.0f} s",
                 statistics.median(seconds) <= RECOVERY_S)
