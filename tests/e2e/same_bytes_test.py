"""The test of the name: a baton handed on many times carries the same bytes.

One seed trains undisturbed on one rank, undisturbed on three, and on one to three while a worker,
a trainer and the scheduler are killed with -9 and a node is drained, at random steps. The three
models are the same bytes. Arguments: folder of programs, spec, number of shards, [seed].
"""
import os
import random
import signal
import time

from cluster import Cluster, expect, main, wait_until

EPOCHS = 10


def live_attempt(cluster, job):
    shown = cluster.show(job)
    attempts = shown["attempts"]
    expect(shown["state"] not in ("SUCCEEDED", "FAILED", "CANCELLED"),
           f"the job is {shown['state']} ({shown['reason']}) before all faults came")
    return attempts[-1] if attempts and attempts[-1]["end"] is None else None


def running(cluster, job, step):
    """The live attempt and its tasks once it has passed `step` with every rank alive."""
    def ready():
        attempt = live_attempt(cluster, job)
        if not attempt or attempt["first_step"] == 0 or cluster.show(job)["step"] < step:
            return None
        tasks = cluster.tasks(job)
        return (attempt, tasks) if len(tasks) == attempt["world_size"] else None
    return wait_until(ready, f"{job} runs at step {step}", 120)


def place(attempt, shown):
    """Where a gang stands: a fault moves it on to a later generation or a later attempt."""
    return attempt["number"], shown["generation"]


def kill_worker(cluster, job, step, rng):
    attempt, tasks = running(cluster, job, step)
    stood = place(attempt, cluster.show(job))
    worker, _ = rng.choice(tasks)
    os.kill(worker["pid"], signal.SIGKILL)
    print(f"  step {step}: kill -9 of worker {worker['name']} ({len(tasks)} ranks)")
    return stood, worker["name"], ("node-lost",), ("connection", "peers", "exit")


def kill_trainer(cluster, job, step, rng):
    attempt, tasks = running(cluster, job, step)
    stood = place(attempt, cluster.show(job))
    worker, task = rng.choice(tasks)
    os.kill(task["pid"], signal.SIGKILL)
    print(f"  step {step}: kill -9 of rank {task['rank']} on {worker['name']}")
    # A node that is lost soon after makes it a preemption: peers die of that too.
    return (stood, worker["name"], ("crashed", "peer-lost", "node-lost", "preempted"),
            ("exit", "peers"))


def drain(cluster, job, step, rng):
    cluster.up()
    attempt, tasks = running(cluster, job, step)
    stood = place(attempt, cluster.show(job))
    worker = rng.choice(tasks)[0]["name"]
    rest = [w["name"] for w in cluster.status()["workers"] if w["name"] != worker]
    # What is left makes another world size than before.
    kept = rest[:1] if attempt["world_size"] > 1 else rest
    for name in [worker, *rest]:
        if name not in kept:
            cluster.baton("drain", name)
    print(f"  step {step}: drain of {worker}, {kept} left")
    return stood, worker, ("preempted",), ("notice",)


def kill_scheduler(cluster, job, step, rng):
    attempt, tasks = running(cluster, job, step)
    pids = {task["pid"] for _, task in tasks}
    os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
    print(f"  step {step}: kill -9 of the scheduler")
    time.sleep(rng.uniform(0, 0.5))
    cluster.up()
    shown = cluster.show(job)["attempts"][-1]
    expect(shown["number"] == attempt["number"], "the attempt went on without its scheduler")
    there = {task["pid"] for _, task in cluster.tasks(job)}
    expect(pids & there or not there, f"with the same processes: {pids}, now {there}")
    return None, None, (), ()


def moved_on(cluster, job, stood):
    """Once a step was finished in a later generation or attempt than `stood`."""
    shown = cluster.show(job)
    attempt = live_attempt(cluster, job)
    if not attempt or attempt["first_step"] == 0 or place(attempt, shown) <= stood:
        return False
    return shown["state"] == "RUNNING"


def check_hits(cluster, job, hits):
    """Each fault ended the attempt that it was aimed at, or was survived, for the reason it gave."""
    for (number, generation), node, causes, detectors in hits:
        def explained():
            shown = cluster.show(job)
            end = next(a for a in shown["attempts"] if a["number"] == number)["end_cause"]
            survived = [loss for loss in shown["losses"]
                        if loss["node"] == node and loss["detector"] in detectors]
            return end in causes or survived
        # A crash is told from a lost peer or node once the verdict is in.
        wait_until(explained, f"attempt {number}, generation {generation}: {node} by one of "
                              f"{causes} or {detectors}, not {cluster.show(job)['losses']}", 30)


def check_facts(cluster, job):
    """What the scheduler tells is what can be counted from outside."""
    shown = cluster.show(job)
    attempts = shown["attempts"]
    lost = sum(max(0, before["last_step"] - (after["first_step"] - 1))
               for before, after in zip(attempts, attempts[1:])
               if before["first_step"] and after["first_step"])
    lost += sum(loss["steps_lost"] for loss in shown["losses"])
    expect(shown["steps_lost"] == lost, f"steps_lost {shown['steps_lost']}, counted {lost}")
    survived = [loss for loss in shown["losses"] if loss["recovery_s"] is not None]
    expect(all(0 <= loss["recovery_s"] < 30 and loss["steps_lost"] <= 1 for loss in survived),
           f"a loss costs a step and no more: {survived}")
    wall = shown["ended_at"] - shown["submitted_at"]
    phases = sum(shown["phases"].values())
    expect(abs(wall - phases) < 0.01, f"phases add up to {phases}, the job took {wall}")
    dearest = max(node["price_usd_per_hour"] for node in cluster.json("nodes"))
    most = sum((a["end"] - a["start"]) / 3600 * dearest * 3 for a in attempts)
    expect(0 < shown["cost_usd"] <= most, f"cost {shown['cost_usd']}, at most {most}")
    expect(len(attempts) > 1 or shown["generation"] > 1, "the gang never changed")


def disturbed(cluster, job, rng, steps):
    faults = [kill_worker, kill_trainer, drain, kill_scheduler]
    rng.shuffle(faults)
    at = sorted(rng.randint(int(steps * 0.05), int(steps * 0.7)) for _ in faults)
    hits = []
    for fault, step in zip(faults, at):
        stood, *hit = fault(cluster, job, step, rng)
        if stood is not None:
            if fault is kill_worker:
                cluster.up()  # the dead one may have been the only one
            wait_until(lambda: moved_on(cluster, job, stood), f"it goes on after {stood}", 60)
            hits.append((stood, *hit))
        # The only worker that was not drained may be the dead one.
        if rng.random() < 0.5:
            cluster.up()
        wait_until(lambda: live_attempt(cluster, job), "a live attempt", 60)
    return hits


def test(programs, spec, shards, seed=None):
    seed = int(seed or os.environ.get("BATON_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}; replay: BATON_SEED={seed} python3 {__file__} {programs} {spec} {shards}")
    rng = random.Random(seed)
    words = ["--set", f"shards={shards}", "--set", f"epochs={EPOCHS}"]
    with Cluster(programs) as cluster:
        cluster.others_folder_is_closed()
        one = cluster.train(spec, *words, "--ranks", "1", "--name", "one")
        steps = wait_until(lambda: cluster.show(one)["steps_total"], "the number of steps")
        calm = cluster.model(one)
        three = cluster.train(spec, *words, "--ranks", "3", "--name", "three")
        expect(cluster.model(three) == calm, f"three ranks gave other bytes than one (V={shards})")
        expect(cluster.show(three)["attempts"][0]["world_size"] == 3, "three ranks ran")

        stormy = cluster.train(spec, *words, "--ranks", "1..3", "--name", "stormy")
        hits = disturbed(cluster, stormy, rng, steps)
        expect(cluster.model(stormy) == calm, f"the disturbed run gave other bytes (V={shards})")
        check_hits(cluster, stormy, hits)
        cluster.up()
        check_facts(cluster, stormy)


main(test)
