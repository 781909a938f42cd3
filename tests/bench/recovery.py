"""Rows of recovery: seconds from SIGKILL of a rank to the next finished step."""
import contextlib
import os
import random
import signal
import statistics
import struct
import subprocess
import time

from measure import (DEBIAN_PYTHON, SPECS, Figure, Missing, folder, one_thread, say, spread,
                     torch_or_missing)

HERE = os.path.dirname(os.path.abspath(__file__))
RANKS = 2
TORCH_KILLS = 6
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


class TorchGang:
    """torchrun with two ranks of torch_lenet.py; ended at the end of the `with`."""

    def __init__(self, work, *flags):
        self.work = work
        self.flags = flags

    def __enter__(self):
        with open(f"{self.work}/log", "w", encoding="utf-8") as log:
            # Python 3.11 with torch 1.13 hangs in the redirection of streams without these two.
            self.process = subprocess.Popen(
                [DEBIAN_PYTHON, "-m", "torch.distributed.run", f"--nproc_per_node={RANKS}",
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
        found = {}
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                with open(f"/proc/{pid}/environ", "rb") as file:
                    pairs = dict(pair.split(b"=", 1) for pair in file.read().split(b"\0")
                                 if b"=" in pair)
            except OSError:
                continue
            if self.work.encode() in words and b"LOCAL_RANK" in pairs:
                found[int(pairs[b"LOCAL_RANK"])] = pid
        return found

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


def torch_recoveries(seed, *flags):
    chance, seconds = random.Random(seed), []
    with folder("torchrun") as work, TorchGang(work, *flags) as gang:
        for _ in range(TORCH_KILLS):
            wait_for(lambda: all(gang.finished(r) for r in range(RANKS)) or None, "a first step")
            time.sleep(chance.uniform(1.0, 3.0))
            seconds.append(gang.kill(chance.randrange(RANKS)))
            say(f"torchrun {' '.join(flags)}: next step after {seconds[-1]:.2f} s")
    return seconds


def recovery():
    """Kills at random times, the seed is printed."""
    seed = random.randrange(1 << 32)
    say(f"seed {seed}")
    torch_or_missing()
    default = torch_recoveries(seed)
    best = torch_recoveries(seed, "--monitor_interval=0.1")
    beside = (f"torchrun --max_restarts: {spread(default, 's')}; "
              f"with --monitor_interval=0.1: {spread(best, 's')}")
    yield Figure("recovery: kill -9 of a rank to the next finished step, 2 ranks", "", beside)
