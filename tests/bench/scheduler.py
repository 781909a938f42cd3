"""Rows of the scheduler alone: durable submits, a long queue, the time of a decision."""
import contextlib
import json
import os
import signal
import statistics
import subprocess
import time

from measure import BENCHES, PROGRAMS, Figure, build, folder, number, say, spread, sync_rate

ROUNDS = 3
SLICES = 4  # of a round: the disk alone, then the submits
SLICE_S = 1
# (name, flags of submit_bench, jobs per second expected on a disk that syncs 300 times a second)
SHAPES = [
    ("1 client, 1 call in flight", ["--clients", "1"], None),
    ("16 clients, 4 calls in flight each", ["--clients", "16", "--in-flight", "4"], 5_000),
    ("16 clients, 1 call in flight each, of 64 jobs", ["--clients", "16", "--batch", "64"], 20_000),
]
# jobs, flags of submit_bench, words, MiB and seconds expected
QUEUES = [
    (100_000, [], "each its own parameters", None, None),
    (1_000_000, [], "each its own parameters", 1024, 8),
    (1_000_000, ["--alike"], "alike but for names", 1024, 8),
]
START_LIMIT_S = 120
DECISION_MS = 50


class Scheduler:
    """baton-scheduler with all it keeps in `path`; killed at the end of the `with`."""

    def __init__(self, path):
        self.path = path
        self.process = None
        self.address = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Until it answers; returns the seconds that this took."""
        address = f"{self.path}/data/address"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        begin = time.monotonic()
        with open(f"{self.path}/log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAMS + "/baton-scheduler", "--data-dir", f"{self.path}/data", "--listen",
                 "127.0.0.1:0"], stdout=log, stderr=log)
        while not (os.path.exists(address) and os.path.getsize(address)):
            if self.process.poll() is not None or time.monotonic() - begin > START_LIMIT_S:
                with open(f"{self.path}/log", encoding="utf-8") as log:
                    raise RuntimeError(f"the scheduler does not start:\n{log.read()[-2000:]}")
            time.sleep(0.005)
        with open(address, encoding="utf-8") as file:
            self.address = file.read().strip()
        self.submit("--probe")
        return time.monotonic() - begin

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def submit(self, *flags):
        done = subprocess.run([BENCHES + "/submit_bench", "--address", self.address, *flags],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    def cpu_s(self):
        """User and system seconds so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS in /proc")


def submits():
    """Each round a new store; the disk alone and the submits take turns within the same seconds,
    since a shared disk changes from one minute to the next."""
    build("baton-scheduler", "submit_bench")
    for name, flags, expected in SHAPES:
        rates, syncs, latencies, cpu_us = [], [], [], []
        for _ in range(ROUNDS):
            with folder("submit") as work, Scheduler(work) as scheduler:
                raw, slices, begin_s = [], [], scheduler.cpu_s()
                for _ in range(SLICES):
                    raw.append(sync_rate(work, SLICE_S / 2))
                    slices.append(scheduler.submit(*flags, "--seconds", str(SLICE_S)))
                cpu_us.append((scheduler.cpu_s() - begin_s) * 1e6 / sum(s["jobs"] for s in slices))
            syncs.append(statistics.mean(raw))
            rates.append(sum(s["jobs"] for s in slices) / sum(s["seconds"] for s in slices))
            latencies.append(max(s["p99_ms"] for s in slices))
            say(f"{name}: {number(rates[-1])} jobs/s, disk {number(syncs[-1])} syncs/s, "
                f"p99 {number(latencies[-1])} ms, {number(cpu_us[-1])} us of scheduler's CPU a job")
        wanted, met = "", None
        if expected is not None:
            # A slower disk than the expectation's own gets its share of it.
            wanted = f"{number(expected)} jobs/s at 300 syncs/s"
            met = statistics.median(rates) >= expected * min(1, statistics.median(syncs) / 300)
        yield Figure(f"durable submits: {name}", f"{spread(rates)} jobs/s",
                     f"disk {spread(syncs)} syncs/s, call p99 {number(max(latencies))} ms, "
                     f"scheduler {number(statistics.median(cpu_us))} us CPU a job", wanted, met)


def queue():
    """Memory and restart after kill -9 with many jobs in the queue."""
    build("baton-scheduler", "submit_bench")
    for jobs, flags, words, mib_max, seconds_max in QUEUES:
        with folder("queue") as work, Scheduler(work) as scheduler:
            done = scheduler.submit("--clients", "4", "--in-flight", "2", "--batch", "100",
                                    "--jobs", str(jobs), *flags)
            grown = scheduler.resident_mib()
            scheduler.kill()
            seconds = scheduler.start()
            have = scheduler.submit("--probe")["jobs"]
            if have != done["jobs"]:
                raise RuntimeError(f"{done['jobs']} jobs were accepted, {have} are there")
            fresh = scheduler.resident_mib()
        say(f"{jobs} jobs in {done['seconds']:.1f} s, {grown:.0f} MiB; restart {seconds:.2f} s, "
            f"{fresh:.0f} MiB")
        name = f"{number(jobs)} queued jobs, {words}"
        yield Figure(f"memory: {name}", f"{number(grown)} MiB resident",
                     f"{number(fresh)} MiB after a restart",
                     "" if mib_max is None else f"{number(mib_max)} MiB",
                     None if mib_max is None else max(grown, fresh) <= mib_max)
        yield Figure(f"restart: kill -9 to the first answer, {name}", f"{seconds:.2f} s",
                     f"all {number(have)} jobs there",
                     "" if seconds_max is None else f"{seconds_max} s",
                     None if seconds_max is None else seconds <= seconds_max)


def decision():
    """The core alone; the slowest kind of event and the slowest event decide."""
    build("decision_bench")
    for kinds, words in (("50", "50 kinds of jobs"), ("0", "no two jobs alike")):
        done = json.loads(subprocess.run(
            [BENCHES + "/decision_bench", "--nodes", "10000", "--jobs", "100000", "--events",
             "5000", "--kinds", kinds], capture_output=True, text=True, check=True).stdout)
        events = {name: value for name, value in done.items() if isinstance(value, dict)}
        worst = max(events, key=lambda name: events[name]["max_ms"])
        p99 = max(value["p99_ms"] for value in events.values())
        yield Figure(f"decision: 10 000 nodes, 100 000 queued, {words}",
                     f"slowest {number(events[worst]['max_ms'])} ms ({worst})",
                     f"a task's end: median {number(events['exit']['p50_ms'])} ms; "
                     f"p99 of the slowest kind {number(p99)} ms",
                     f"{DECISION_MS} ms", events[worst]["max_ms"] < DECISION_MS)
