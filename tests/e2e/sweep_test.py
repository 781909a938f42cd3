"""Sweeps with real processes: killed workers, a killed scheduler, the same trials and the same best.
Arguments: folder of programs, spec of a native job."""
import json
import os
import random
import signal
import time

from cluster import Cluster, JobFolder, expect, main, wait_until

TUNING = """\
trainingInput:
  scaleTier: CUSTOM
  masterType: standard
  hyperparameters:
    goal: MAXIMIZE
    hyperparameterMetricTag: score
    maxTrials: 8
    maxParallelTrials: 3
    params:
      - parameterName: x
        type: INTEGER
        minValue: 1
        maxValue: 6
        scaleType: UNIT_LINEAR_SCALE
      - parameterName: opt
        type: CATEGORICAL
        categoricalValues: [sgd, adam]
"""
# Small enough for the cluster's workers of one CPU.
SMALL = ["--cpus", "1", "--memory", "64MiB"]


def sweep(cluster, work, file, *words):
    found = cluster.baton("sweep", f"{work.path}/{file}", *words).stdout.strip()
    expect(len(found.split()) == 1, f"sweep prints the id alone, got {found!r}")
    return found


def write(work, name, text):
    with open(f"{work.path}/{name}", "w") as file:
        file.write(text if isinstance(text, str) else json.dumps(text))
    return name


def params_of(trials):
    return sorted(json.dumps(t["params"], sort_keys=True) for t in trials["trials"])


def outcome(cluster, found, code=0, limit_s=240):
    done = cluster.baton("wait", found, check=False, limit_s=limit_s)
    expect(done.returncode == code, f"wait: {done.returncode}: {done.stdout}{done.stderr}")
    return cluster.json("trials", found)


def best_is_best(trials):
    worth = {t["id"]: t["metric"] for t in trials["trials"] if t["state"] == "SUCCEEDED"}
    best = max(sorted(worth), key=lambda index: worth[index])
    expect(trials["best"] == best, f"best is {trials['best']}, not {best}: {worth}")
    chosen = next(t for t in trials["trials"] if t["id"] == best)["params"]
    expect(worth[best] == -((chosen["x"] - 3) ** 2) - (0.5 if chosen["opt"] == "sgd" else 0) - 0.1,
           f"the last value is that of the trial: {worth[best]} of {chosen}")


def calm_run(cluster, work):
    write(work, "tuning.yml", TUNING)
    found = sweep(cluster, work, "tuning.yml", "--entry", f"{work.path}/trial.py", "--name", "calm",
                  *SMALL)
    trials = outcome(cluster, found)
    expect(trials["state"] == "SUCCEEDED" and len(trials["trials"]) == 8, f"{trials}")
    expect(len(set(params_of(trials))) == 8, f"distinct: {params_of(trials)}")
    expect(all(t["state"] == "SUCCEEDED" and t["steps"] == 10 for t in trials["trials"]),
           f"{trials['trials']}")
    best_is_best(trials)
    text = cluster.baton("trials", found).stdout
    expect(f"best: trial {trials['best']}" in text and "score" in text, text)
    listed = next(s for s in cluster.json("sweeps") if s["id"] == found)
    expect(listed["best"] == trials["best"] and listed["trials_made"] == 8, f"{listed}")
    jobs = [j for j in cluster.json("jobs") if j.get("sweep") == found]
    expect(sorted(j["trial"] for j in jobs) == list(range(1, 9)), f"{jobs}")
    expect({j["name"] for j in jobs} == {f"calm-{i}" for i in range(1, 9)}, f"{jobs}")
    shown = cluster.json("trials", "calm")
    expect(shown["id"] == found, "found by its name too")
    return params_of(trials), trials["best"]


def restart_scheduler(cluster):
    os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
    time.sleep(0.5)
    cluster.up()


def wild_run(cluster, work, calm):
    found = sweep(cluster, work, "tuning.yml", "--entry", f"{work.path}/trial.py", "--name", "wild",
                  "--flag", "step_s=0.3", *SMALL)
    running = wait_until(lambda: [(w, t) for w in cluster.status()["workers"] for t in w["tasks"]],
                         "a trial runs")
    worker = running[0][0]
    time.sleep(1)
    os.kill(worker["pid"], signal.SIGKILL)
    restart_scheduler(cluster)
    wait_until(lambda: any(t["state"] == "SUCCEEDED" for t in cluster.json("trials", found)["trials"]),
               "one has ended", 120)
    restart_scheduler(cluster)
    trials = outcome(cluster, found)
    expect(params_of(trials) == calm[0], f"other trials than the calm run's: {params_of(trials)}")
    expect(trials["best"] == calm[1], f"another best: {trials['best']}, not {calm[1]}")
    expect(all(t["state"] == "SUCCEEDED" for t in trials["trials"]), f"{trials['trials']}")
    expect(sum(t["preemptions"] for t in trials["trials"]) >= 1, "one was preempted")
    best_is_best(trials)


def storm(cluster, work, calm):
    """The scheduler is killed again and again, at moments that a printed seed draws."""
    seed = int(os.environ.get("BATON_SEED", time.time_ns() % 1_000_000))
    print(f"  storm: BATON_SEED={seed}")
    rng = random.Random(seed)
    found = sweep(cluster, work, "tuning.yml", "--entry", f"{work.path}/trial.py", "--name", "storm",
                  "--flag", "step_s=0.1", *SMALL)
    for _ in range(6):
        time.sleep(rng.uniform(0, 1.2))
        os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
        cluster.up()
    trials = outcome(cluster, found)
    expect(params_of(trials) == calm[0], f"other trials than the calm run's: {params_of(trials)}")
    expect(trials["best"] == calm[1], f"another best: {trials['best']}, not {calm[1]}")
    expect([t["id"] for t in trials["trials"]] == list(range(1, 9)), f"{trials['trials']}")
    expect(all(t["state"] == "SUCCEEDED" for t in trials["trials"]), f"{trials['trials']}")
    best_is_best(trials)


def a_grid_and_failures(cluster, work):
    file = write(work, "grid.json", {
        "metric": "score", "goal": "maximize", "algorithm": "grid", "parallel_trials": 2,
        "params": {"x": [1, 2, 9], "opt": ["adam"]}, "entry": "trial.py", "name": "grid",
        "flags_as": "arguments", "flags": {"fail_above": 8, "step_s": 0.01}, "retries": 0,
        "cpus": 1, "memory": "64MiB"})
    trials = outcome(cluster, sweep(cluster, work, file))
    expect([t["params"]["x"] for t in trials["trials"]] == [1, 2, 9], f"{trials['trials']}")
    expect([t["state"] for t in trials["trials"]] == ["SUCCEEDED", "SUCCEEDED", "FAILED"],
           f"{trials['trials']}")
    expect(trials["best"] == 2 and trials["max_trials"] == 3, f"{trials}")


def a_hopeless_one_ends(cluster, work):
    file = write(work, "hopeless.json", {
        "metric": "acc", "goal": "maximize", "max_trials": 50, "parallel_trials": 1,
        "params": {"x": {"min": 0, "max": 1000}, "opt": ["adam"]}, "entry": "trial.py",
        "name": "hopeless", "flags_as": "arguments", "flags": {"step_s": 0.01}, "cpus": 1,
        "memory": "64MiB"})
    trials = outcome(cluster, sweep(cluster, work, file), code=1)
    expect(trials["state"] == "FAILED" and trials["best"] is None, f"{trials}")
    expect(len(trials["trials"]) == 3, f"it tried {len(trials['trials'])}")
    expect("it told score" in trials["reason"], f"what the metric may be called: {trials['reason']}")


def a_cancel_ends_all(cluster, work):
    file = write(work, "long.json", {
        "metric": "score", "goal": "maximize", "max_trials": 50, "parallel_trials": 2,
        "params": {"x": {"min": 1, "max": 1000}, "opt": ["adam"]}, "entry": "trial.py",
        "name": "long", "flags_as": "arguments", "flags": {"step_s": 60}, "cpus": 1,
        "memory": "64MiB"})
    found = sweep(cluster, work, file)
    wait_until(lambda: any(t["state"] == "RUNNING" for t in cluster.json("trials", found)["trials"]),
               "one runs")
    early = cluster.baton("delete", "long", check=False)
    expect(early.returncode == 2 and "baton cancel" in early.stderr, f"it still runs: {early}")
    cluster.baton("cancel", found)
    trials = outcome(cluster, found, code=4)
    expect(trials["state"] == "CANCELLED", f"{trials}")
    expect(all(t["state"] == "CANCELLED" for t in trials["trials"]), f"{trials['trials']}")
    again = cluster.baton("cancel", found, check=False)
    expect(again.returncode == 2 and "has ended" in again.stderr, f"{again}")
    trial = trials["trials"][0]["job"]
    retried = cluster.baton("retry", trial, check=False)
    expect(retried.returncode == 2 and "is trial 1 of sweep long" in retried.stderr, f"{retried}")
    what_a_name_means_twice_is_not_deleted(cluster, work, found)
    delete_with_its_jobs(cluster, found, [t["job"] for t in trials["trials"]])


def what_a_name_means_twice_is_not_deleted(cluster, work, found):
    job = cluster.baton("train", "--name", "long", "--memory", "64MiB", "--folder", work.path, "--",
                        "true").stdout.strip()
    cluster.baton("wait", job)
    unclear = cluster.baton("delete", "long", "--yes", check=False)
    expect(unclear.returncode == 2 and job in unclear.stderr and found in unclear.stderr, f"{unclear}")
    cluster.baton("delete", job, "--yes")


def delete_with_its_jobs(cluster, found, jobs):
    cluster.baton("delete", jobs[0], "--yes")  # one alone before
    unsure = cluster.baton("delete", found, check=False)
    expect(unsure.returncode == 2 and "--yes" in unsure.stderr, f"{unsure}")
    gone = cluster.json("delete", found, "--yes")
    expect(gone == {"id": found, "name": "long", "deleted": True, "jobs": len(jobs) - 1}, f"{gone}")
    os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
    cluster.up()
    expect(not {j["id"] for j in cluster.json("jobs")} & set(jobs), "its trials are no more")
    expect(found not in {s["id"] for s in cluster.json("sweeps")}, "nor is it")
    for words in (["trials", found], ["delete", found, "--yes"], ["logs", jobs[-1]]):
        again = cluster.baton(*words, check=False)
        expect(again.returncode == 3, f"{words}: {again}")


def an_unknown_label_is_told(cluster, work):
    file = write(work, "moon.json", {
        "metric": "score", "goal": "maximize", "max_trials": 2, "params": {"x": {"min": 1, "max": 9}},
        "entry": "trial.py", "name": "moon", "cpus": 1, "memory": "64MiB"})
    done = cluster.baton("sweep", f"{work.path}/{file}", "--require", "site=moon")
    expect("no known node has the label site=moon" in done.stderr
           and "its trials wait for such a node" in done.stderr, done.stderr)
    cluster.baton("cancel", done.stdout.strip())


def a_native_job(cluster, work, spec):
    file = write(work, "native.json", {
        "metric": "loss", "goal": "minimize", "algorithm": "grid", "name": "native",
        "params": {"optimizer.lr": [0.00001, 0.05]}, "job": spec, "ranks": 1, "epochs": 1})
    trials = outcome(cluster, sweep(cluster, work, file))
    expect([t["state"] for t in trials["trials"]] == ["SUCCEEDED", "SUCCEEDED"], f"{trials}")
    losses = [t["metric"] for t in trials["trials"]]
    expect(losses[1] < losses[0] and trials["best"] == 2, f"the rate reached the trainer: {losses}")


def mistakes_have_their_lines(cluster, work):
    def refused(name, text, *needles):
        write(work, name, text)
        done = cluster.baton("sweep", f"{work.path}/{name}", "--dry-run", check=False)
        expect(done.returncode == 2, f"{done}")
        for needle in needles:
            expect(needle in done.stderr, f"no {needle!r} in {done.stderr}")
    refused("bad.yml", TUNING.replace("minValue: 1\n", "minValue: 9\n"), "bad.yml:12", "above")
    refused("bad.yml", TUNING.replace("maxTrials", "maxTrails"), "bad.yml:7", "maxTrials")
    spec = json.dumps({"metric": "loss", "goal": "minimize", "params": {"optimizer.lrr": [1]},
                       "job": "native-spec.yaml"})
    write(work, "native-spec.yaml", open(cluster.native).read())
    refused("bad.json", spec, "optimizer.lrr", "optimizer.lr")


def a_dry_run_tells_all(cluster, work):
    file = write(work, "dry.json", {
        "metric": "score", "goal": "maximize", "algorithm": "grid", "parallel_trials": 2,
        "params": {"x": [1, 2, 9], "rate": {"min": 0.5, "max": 1.5, "steps": 3}},
        "entry": "trial.py", "name": "dry", "gpus": 1, "disk": "5GiB", "flags_as": "arguments"})
    told = cluster.json("sweep", f"{work.path}/{file}", "--dry-run", "--master-type", "standard_gpu",
                        "--seed", "5", "--cpus", "3")
    expect(told["name"] == "dry" and told["command"][-1] == "trial.py", f"{told}")
    expect(told["sweep"]["max_trials"] == 9 and told["sweep"]["seed"] == 5, f"{told}")
    expect([p["name"] for p in told["sweep"]["params"]] == ["x", "rate"], f"{told}")
    expect("cpus: 3," in told["spec"] and f"gpu_memory: {11 << 30}" in told["spec"],
           f"the machine that was typed, and a flag over it: {told['spec']}")
    expect(f"disk: {5 << 30}" in told["spec"], f"its disk is the job's, whatever the machine: {told}")
    expect("dry" not in {s["name"] for s in cluster.json("sweeps")}, "nothing was sent")


def test(programs, spec):
    with Cluster(programs) as cluster:
        cluster.native = os.path.abspath(spec)
        work = JobFolder(cluster)
        calm = calm_run(cluster, work)
        wild_run(cluster, work, calm)
        storm(cluster, work, calm)
        a_grid_and_failures(cluster, work)
        a_hopeless_one_ends(cluster, work)
        a_cancel_ends_all(cluster, work)
        an_unknown_label_is_told(cluster, work)
        a_native_job(cluster, work, cluster.native)
        mistakes_have_their_lines(cluster, work)
        a_dry_run_tells_all(cluster, work)


if __name__ == "__main__":
    main(test)
