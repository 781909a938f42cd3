"""The row of software environments: a lost node's job on a fresh one, beside its first setup."""
import os
import signal
import sys
import time

from measure import PROGRAMS, ROOT, Figure, build, number, say
from recovery import wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from cluster import Cluster  # noqa: E402  (one harness for tests and bench)

SIZE_MIB = 2560
LIMIT_S = 1800
SETTLED_S = 60  # a store of 2.5 GiB on a slow disk, per GiB

# Fills an environment as large as PyTorch's with CUDA: four fifths in libraries of 64 MiB, of which
# nothing can be compressed, one fifth in files of 1 to 40 KiB, half of it text.
MAKE = """import os, random, sys
chance, top = random.Random(7), os.environ["BATON_ENVIRONMENT_DIR"]
left = int(sys.argv[1]) << 20
small = left // 5
at = 0
while left > small:
    size = min(64 << 20, left - small)
    os.makedirs(f"{top}/lib/part{at}", exist_ok=True)
    with open(f"{top}/lib/part{at}/lib.so", "wb") as file:
        file.write(chance.randbytes(size))
    left, at = left - size, at + 1
at = 0
while left > 0:
    size = min(chance.randrange(1 << 10, 40 << 10), left)
    folder = f"{top}/lib/package{at % 300}/module{at % 7}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/file{at}.py", "wb") as file:
        file.write(chance.randbytes(size // 2) + b"def function(value): return value\\n" * (size // 68))
    left, at = left - size, at + 1
"""
SCRIPT = """import os, time
print("step", os.environ["BATON_ATTEMPT"], time.time(), flush=True)
while True:
    time.sleep(0.1)
"""


def write_job(cluster, mib):
    work = f"{cluster.top}/large"
    os.makedirs(work)
    for name, text in (("make.py", MAKE), ("script.py", SCRIPT),
                       ("baton.yml", f"entry: script.py\nsetup:\n- python3 make.py {mib}\n")):
        with open(f"{work}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return work


def step_of(cluster, job, attempt):
    """When the first step of an attempt was, by its own clock."""
    for line in cluster.baton("logs", job, check=False).stdout.splitlines():
        words = line.split()
        if words[-3:-1] == ["step", str(attempt)]:  # behind the attempt and the rank
            return float(words[-1])
    return None


def stored(cluster, worker):
    folder = f"{cluster.folder}/workers/{worker}/environments"
    names = [name for name in os.listdir(folder) if name.endswith(".stored")]
    return os.stat(f"{folder}/{names[0]}").st_mtime if names else None


def environment(mib=SIZE_MIB):
    build("baton", "baton-scheduler", "baton-worker", "baton-keeper")
    limit_s = LIMIT_S + SETTLED_S * mib // 1024
    with Cluster(PROGRAMS, workers="spot,on-demand", cpus=1) as cluster:
        write_job(cluster, mib)
        submitted = time.time()
        job = cluster.baton("train", "large/script.py").stdout.strip()
        first = wait_for(lambda: step_of(cluster, job, 1), "the first step", limit_s) - submitted
        built = cluster.show(job)["environment"]
        say(f"set up in {built['setup_ms'] / 1000:.1f} s, first step after {first:.1f} s")
        (worker, _), = cluster.tasks(job)
        whole = wait_for(lambda: stored(cluster, worker["name"]), "it is stored", limit_s)
        beside = whole - submitted - first
        say(f"stored {beside:.1f} s after the first step")
        killed = time.time()
        os.kill(worker["pid"], signal.SIGKILL)
        again = wait_for(lambda: step_of(cluster, job, 2), "the next node's step", limit_s) - killed
        restored = cluster.show(job)["environment"]
        cluster.baton("cancel", job)
        cluster.baton("wait", job, check=False)
    what = f"an environment of {mib} MiB"
    yield Figure(f"{what}: first setup, submit to first step", f"{number(first)} s",
                 f"its commands {number(built['setup_ms'] / 1000)} s")
    yield Figure(f"{what}: in the store, after the first step", f"{number(beside)} s")
    yield Figure(f"{what}: kill -9 of its worker to the next node's first step",
                 f"{number(again)} s", f"{restored['from']} in {number(restored['setup_ms'] / 1000)} s",
                 "restored, no second setup", restored["from"] == "restored")
