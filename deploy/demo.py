#!/usr/bin/env python3
"""The quickstart after its packages: build, local cluster, training with losses, comparison.

    deploy/demo.py [--data DIR]     called by deploy/quickstart.sh

Ctrl-C, SIGTERM and any failure end the build or the cluster and leave nothing running. After a
success the cluster stays up, so that its job can be looked at.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import demo_view

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATON = os.path.join(ROOT, "build/release/bin/baton")
FOLDER = "runs/quickstart"  # of the cluster; made anew each time
SPEC = "trainer/specs/lenet.yaml"
POLL_S = 0.2


class Interrupted(Exception):
    pass


class Failed(Exception):
    pass


class Interrupt:
    """A signal only asks to stop; the next call or pause obeys. So no command of ours is ever cut
    in half: a worker that `local up` has started but not yet written down would outlive us."""

    asked = False

    @classmethod
    def ask(cls, _number, _frame):
        cls.asked = True

    @classmethod
    def obey(cls):
        if cls.asked:
            raise Interrupted()


def pause(seconds):
    Interrupt.obey()
    time.sleep(seconds)


def baton(*arguments, check=True):
    """Runs the command line in a session of its own, where the terminal's Ctrl-C does not reach."""
    Interrupt.obey()
    return run_baton(arguments, check)


def run_baton(arguments, check):
    done = subprocess.run([BATON, *arguments], cwd=ROOT, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, start_new_session=True, check=False)
    if check and done.returncode != 0:
        raise Failed(f"baton {' '.join(arguments)} ended with {done.returncode}:\n"
                     f"{done.stdout}{done.stderr}")
    return done


def baton_json(*arguments):
    return json.loads(baton(*arguments, "-o", "json").stdout)


class Screen:
    """One line of progress that is redrawn on a terminal; elsewhere one line in five seconds."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.shown_at = 0.0

    def event(self, text):
        stamp = time.strftime("%H:%M:%S")
        self.line(f"  {stamp}  {text}")

    def line(self, text):
        print(("\r\033[K" if self.live else "") + text, flush=True)

    def progress(self, text):
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + text[:width], end="", flush=True)
        elif time.monotonic() - self.shown_at > 5:
            self.shown_at = time.monotonic()
            print(text, flush=True)


class Follower:
    """Polls one job, draws it, and reports attempts as they end and begin."""

    def __init__(self, job_id, epochs, screen):
        self.job_id, self.epochs, self.screen = job_id, epochs, screen
        self.losses, self.points, self.attempts = [], [], []
        self.losses_told = 0  # of members that the gang has survived

    def poll(self):
        """The job, or None while the scheduler is away."""
        done = baton("show", self.job_id, "-o", "json", check=False)
        if done.returncode != 0:
            return None
        job = json.loads(done.stdout)
        loss = demo_view.metric(job, "loss")
        if loss is not None and (not self.losses or self.losses[-1] != loss):
            self.losses.append(loss)
        self.points = self.points[-50:] + [(time.monotonic(), job["step"])]
        (t0, s0), (t1, s1) = self.points[0], self.points[-1]
        rate = (s1 - s0) / (t1 - t0) if t1 > t0 else 0
        self.report(job)
        self.screen.progress(demo_view.progress(job, self.epochs, self.losses, rate))
        return job

    def report(self, job):
        for before, now in zip(self.attempts, job["attempts"]):
            if before["end"] is None and now["end"] is not None:
                self.screen.event(demo_view.ended_attempt(now))
        for attempt in job["attempts"][len(self.attempts):]:
            if attempt["end"] is not None:
                self.screen.event(demo_view.ended_attempt(attempt))
            else:
                self.screen.event(f"attempt {attempt['number']} on {', '.join(attempt['nodes'])}")
        for loss in job["losses"][self.losses_told:]:
            self.screen.event(demo_view.survived(loss))
        self.losses_told = len(job["losses"])
        self.attempts = job["attempts"]

    def until(self, wanted, what, limit_s=600):
        """Polls until `wanted(job)` holds; a job that ends before is a failure."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            job = self.poll()
            if job and wanted(job):
                return job
            if job and job["state"] in ("FAILED", "CANCELLED", "SUCCEEDED"):
                raise Failed(f"the job is {job['state']} ({job['reason']}) before {what}")
            pause(POLL_S)
        raise Failed(f"waited {limit_s} s in vain for {what}")


def is_training(job):
    """An attempt is alive and has finished a step of its own."""
    attempts = job["attempts"]
    return (job["state"] == "RUNNING" and attempts and attempts[-1]["end"] is None
            and job["step"] > attempts[-1]["first_step"] > 0)


def reached(share):
    return lambda job: is_training(job) and job["step"] >= share * job["steps_total"]


def mid_epoch(share, epochs):
    """Past `share` of the steps, and in the middle half of an epoch."""
    def holds(job):
        per_epoch = job["steps_total"] / epochs
        return reached(share)(job) and 0.25 < job["step"] % per_epoch / per_epoch < 0.75
    return holds


def worker_of(job_id):
    """The worker that runs the first rank of the job, from the processes themselves."""
    ranks = [(task["rank"], worker)
             for worker in baton_json("local", "status", "--dir", FOLDER)["workers"]
             for task in worker["tasks"] if task["job"] == job_id]
    if not ranks:
        raise Failed(f"no worker holds a rank of job {job_id}")
    return min(ranks, key=lambda pair: pair[0])[1]


def replace_the_dead():
    baton("local", "up", "--dir", FOLDER)


def take_by_notice(follower, screen):
    job = follower.until(reached(0.12), "the notice")
    worker = worker_of(job["id"])
    screen.event(f"{worker['name']}  NOTICE: SIGTERM to the worker of rank 0, pid {worker['pid']}")
    os.kill(worker["pid"], signal.SIGTERM)
    wait_for_return(follower, job, "the job to go on after the notice")


def take_by_kill(follower, screen):
    job = follower.until(mid_epoch(0.4, follower.epochs), "the kill of a worker")
    worker = worker_of(job["id"])
    screen.event(f"{worker['name']}  KILLED (kill -9) at step {demo_view.grouped(job['step'])}, "
                 f"pid {worker['pid']}")
    os.kill(worker["pid"], signal.SIGKILL)
    wait_for_return(follower, job, "the job to go on after the kill")


def wait_for_return(follower, before, what):
    """Until a later attempt, or a later generation of the gang, has finished a step; then a new
    machine takes the lost one's place."""
    stood = demo_view.place(before)
    job = follower.until(lambda now: demo_view.place(now) > stood and is_training(now), what)
    recoveries = job["recoveries_s"][len(before["recoveries_s"]):]
    if recoveries:
        follower.screen.event(f"training again after {recoveries[-1]:.1f} s, "
                              f"{job['steps_lost'] - before['steps_lost']} steps repeated")
    replace_the_dead()


def take_the_scheduler(follower, screen):
    before = follower.until(reached(0.65), "the kill of the scheduler")
    jobs = {job["id"] for job in baton_json("jobs")}
    status = baton_json("local", "status", "--dir", FOLDER)
    tasks = {task["pid"] for worker in status["workers"] for task in worker["tasks"]}
    os.kill(status["scheduler"]["pid"], signal.SIGKILL)
    killed = time.monotonic()
    screen.event(f"scheduler  KILLED (kill -9), pid {status['scheduler']['pid']}")
    baton("local", "up", "--dir", FOLDER)
    lost = jobs - {job["id"] for job in baton_json("jobs")}
    away = time.monotonic() - killed
    status = baton_json("local", "status", "--dir", FOLDER)
    still = {task["pid"] for worker in status["workers"] for task in worker["tasks"]}
    went_on = "training went on" if tasks and tasks <= still else "the tasks did not outlive it"
    screen.event(f"scheduler  back after {away:.1f} s, {len(lost)} jobs lost; {went_on}")
    follower.until(lambda job: is_training(job) and job["step"] > before["step"],
                   "a step after the scheduler's return")


def submit(spec, name, ranks):
    done = baton("train", spec, "--name", name, "--ranks", ranks)
    return done.stdout.strip().splitlines()[-1]


def finish(follower):
    """Follows to the end; the job, which must have succeeded."""
    while True:
        job = follower.poll()
        if job and job["state"] == "SUCCEEDED":
            return job
        if job and job["state"] in ("FAILED", "CANCELLED"):
            raise Failed(f"{job['name']} is {job['state']}: {job['reason']}\n"
                         f"See: baton logs {job['name']}")
        pause(POLL_S)


def collect(job, folder):
    """The path and SHA-256 of the job's model."""
    baton("collect", job["id"], "--to", folder)
    path = os.path.join(folder, "model.safetensors")
    with open(os.path.join(ROOT, path), "rb") as file:
        return path, hashlib.sha256(file.read()).hexdigest()


def spec_for(data):
    """The spec as shipped, or a copy that names the full set's files in `data`."""
    if data is None:
        return SPEC

    def elsewhere(match):
        path = os.path.join(data, match.group(2))
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        return f"{match.group(1)}{path}\n{match.group(3)}{digest}"

    with open(os.path.join(ROOT, SPEC), encoding="utf-8") as file:
        text = file.read()
    text, count = re.subn(r"(uri: )mnist-small/(\S+)\n(\s*sha256: )\w+", elsewhere, text)
    if count != 4:
        raise Failed(f"{SPEC} names {count} files of mnist-small, 4 were expected")
    path = os.path.join(ROOT, FOLDER, "lenet-full.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def epochs_of(spec):
    with open(os.path.join(ROOT, spec), encoding="utf-8") as file:
        return int(re.search(r"(?m)^epochs: (\d+)", file.read()).group(1))


def build():
    print("[2/4] build", flush=True)
    process = subprocess.Popen(["deploy/build.sh", "release", "baton", "baton-scheduler",
                                "baton-worker", "baton-trainer"], cwd=ROOT,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        while process.poll() is None:
            pause(POLL_S)
    except Interrupted:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if process.returncode != 0:
        raise Failed("the build failed; its messages stand above")


def start_cluster():
    print(f"[3/4] baton local up --dir {FOLDER} --workers spot,spot,on-demand", flush=True)
    if os.path.exists(os.path.join(ROOT, FOLDER)):
        baton("local", "down", "--dir", FOLDER, check=False)
        shutil.rmtree(os.path.join(ROOT, FOLDER))
    os.makedirs(os.path.join(ROOT, FOLDER))
    baton("local", "up", "--dir", FOLDER, "--workers", "spot,spot,on-demand")
    status = baton_json("local", "status", "--dir", FOLDER)
    os.environ["BATON_ADDRESS"] = status["address"]
    workers = ", ".join(f"{worker['name']} ({worker['pid']})" for worker in status["workers"])
    print(f"scheduler {status['address']} ({status['scheduler']['pid']}), workers {workers}")


def train(data):
    spec = spec_for(data)
    epochs = epochs_of(spec)
    print(f"[4/4] baton train {spec} --name lenet --ranks 1..2", flush=True)
    screen = Screen()
    begin = time.monotonic()
    follower = Follower(submit(spec, "lenet", "1..2"), epochs, screen)
    take_by_notice(follower, screen)
    take_by_kill(follower, screen)
    take_the_scheduler(follower, screen)
    job = finish(follower)
    wall_s = time.monotonic() - begin
    screen.line("      the same seed, undisturbed, on one rank: "
                f"baton train {spec} --name lenet-undisturbed --ranks 1")
    calm = finish(Follower(submit(spec, "lenet-undisturbed", "1"), epochs, screen))
    model, digest = collect(job, "runs/lenet")
    _, calm_digest = collect(calm, "runs/lenet-undisturbed")
    screen.line("")
    images = 2000 if data is None else 10000
    for line in demo_view.summary(job, wall_s, digest, calm_digest, model, images):
        print(line)
    if len(calm["attempts"]) != 1:
        raise Failed("the undisturbed run was disturbed: it proves nothing")
    if digest != calm_digest:
        raise Failed("the two models differ: this is a bug, please report it")


def next_commands():
    print(f"""  logs, metrics  runs/lenet
The cluster still runs. Next, with {os.path.dirname(BATON)} in your PATH:
  baton why lenet
  baton train {SPEC} --set lr=0.02 --follow
  baton local down --dir {FOLDER}""")


def stop_cluster():
    if os.path.exists(BATON) and os.path.exists(os.path.join(ROOT, FOLDER)):
        print("\nstopping the local cluster", flush=True)
        run_baton(("local", "down", "--dir", FOLDER), check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="the four files of the full MNIST")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, Interrupt.ask)
    try:
        build()
        start_cluster()
        train(options.data)
        next_commands()
        return 0
    except Interrupted:
        stop_cluster()
        print("Interrupted. Nothing is left running.")
        return 130
    except (Failed, OSError) as error:
        stop_cluster()
        print(f"\nquickstart: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
