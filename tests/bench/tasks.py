"""Rows of small jobs on a local cluster: the way to a task's first instruction, and no-op jobs."""
import json
import os
import statistics
import subprocess
import sys

from measure import BENCHES, PROGRAMS, ROOT, Figure, build, number, say, spread, sync_rate

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from cluster import Cluster  # noqa: E402  (one harness for tests and bench)

ROUNDS = 3
FIRST_ROUNDS = 20
SLOTS = 8
NOOPS = 1000
DEEP = 20_000
DEEP_S = 10
NOOP_RATE = 500
# Of the rate at a short queue, at least.
FLAT = 0.8


def task_bench(cluster, *words):
    done = subprocess.run([BENCHES + "/task_bench", *words, "--address",
                           cluster.status()["address"]], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def build_all():
    build("baton", "baton-scheduler", "baton-worker", "baton-keeper", "baton-trainer",
          "task_bench", "task_stamp")


def first():
    """One idle worker, one job at a time."""
    build_all()
    medians, syncs, least = [], [], []
    with Cluster(PROGRAMS, workers="on-demand", cpus=1) as cluster:
        stamps = cluster.top + "/stamps"
        os.mkdir(stamps)
        os.chmod(stamps, 0o777)  # the task is another user
        for _ in range(ROUNDS):
            before = sync_rate(cluster.top, 0.7)
            done = task_bench(cluster, "first", "--stamp", BENCHES + "/task_stamp", "--folder",
                              stamps, "--rounds", str(FIRST_ROUNDS))
            syncs.append((before + sync_rate(cluster.top, 0.7)) / 2)
            medians.append(done["p50_ms"])
            least.append(done["min_ms"])
            say(f"first instruction after {medians[-1]:.1f} ms, disk {syncs[-1]:.0f} syncs/s")
    allowed_ms = 2 * 1000 / statistics.median(syncs) + 5
    yield Figure("submit to first instruction, idle worker",
                 f"{spread(medians, 'ms')}, least {number(min(least))} ms",
                 f"disk {spread(syncs)} syncs/s", f"two syncs + 5 ms = {allowed_ms:.1f} ms",
                 statistics.median(medians) <= allowed_ms)


def noop():
    """Real processes on 8 local slots; then the same with a deep queue behind them."""
    build_all()
    rates = []
    for _ in range(ROUNDS):
        with Cluster(PROGRAMS, workers="on-demand", cpus=SLOTS) as cluster:
            rates.append(task_bench(cluster, "noop", "--jobs", str(NOOPS))["jobs_per_s"])
            say(f"{NOOPS} no-op jobs: {rates[-1]:.0f} jobs/s")
    with Cluster(PROGRAMS, workers="on-demand", cpus=SLOTS) as cluster:
        deep = task_bench(cluster, "drain", "--jobs", str(DEEP), "--seconds", str(DEEP_S))
        say(f"with {DEEP} queued: {deep}")
    short = statistics.median(rates)
    yield Figure(f"no-op jobs: {number(NOOPS)} on {SLOTS} local slots",
                 f"{spread(rates)} jobs/s", "", f"{NOOP_RATE} jobs/s", short >= NOOP_RATE)
    yield Figure(f"no-op jobs: with {number(deep['queued_before'])} queued",
                 f"{number(deep['jobs_per_s'])} jobs/s", f"short queue {number(short)} jobs/s",
                 f"flat: {FLAT} x the short queue's", deep["jobs_per_s"] >= FLAT * short)
