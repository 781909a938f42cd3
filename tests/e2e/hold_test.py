"""Jobs that are held, continued, forked and deleted. Arguments: folder of programs, spec of a native
job."""
import os
import signal
import subprocess
import time

from cluster import Cluster, JobFolder, expect, main, wait_until


def held(cluster, job):
    return wait_until(lambda: (s := cluster.show(job))["state"] == "HELD" and s, "it is held")


def still_waits(cluster, job):
    try:
        cluster.baton("wait", job, check=False, limit_s=2)
    except subprocess.TimeoutExpired:
        return True
    return False


def resumed_steps(cluster, job):
    log = cluster.baton("logs", job).stdout
    return [int(line.split()[-1]) for line in log.splitlines() if "resumed at " in line]


def pause_and_resume_keep_the_bytes(cluster, work, spec):
    words = ["--set", "epochs=6", "--ranks", "1"]
    calm = cluster.model(cluster.train(spec, *words, "--name", "calm"))
    job = cluster.train(spec, *words, "--name", "paused")
    steps = wait_until(lambda: cluster.show(job)["steps_total"], "the number of steps")
    wait_until(lambda: cluster.show(job)["step"] > steps // 5, "it runs")
    cluster.baton("pause", job)
    shown = held(cluster, job)
    expect(shown["attempts"][-1]["end_cause"] == "paused", f"{shown['attempts']}")
    expect(shown["held_by"] == "person" and "paused by" in shown["reason"] and
           f"baton resume {job}" in shown["reason"], f"who, and what to do: {shown['reason']}")
    expect(shown["state_since"] >= shown["attempts"][-1]["start"], "since when")
    expect(shown["retries_left"] == 3 and shown["preemptions"] == 0, "it cost nothing")
    expect(0 < shown["step"] < steps and not cluster.tasks(job), "it runs no more")
    listed = next(j for j in cluster.json("jobs") if j["id"] == job)
    expect(listed["state"] == "HELD" and "paused" in listed["reason"], f"{listed}")
    expect(still_waits(cluster, job), "who waits goes on to wait while it is paused")
    cluster.baton("resume", job)
    expect(cluster.model(job) == calm, "other bytes than the run that was never paused")
    shown = cluster.show(job)
    expect(shown["steps_lost"] == 0 and len(shown["attempts"]) == 2, f"{shown['attempts']}")
    expect(shown["phases"]["idle_s"] > 1, f"the time on hold is idle: {shown['phases']}")
    refused = cluster.baton("resume", job, check=False)
    expect(refused.returncode == 2 and "HELD" in refused.stderr, f"{refused}")


def a_queued_job_is_held_at_once(cluster, work, spec):
    job = cluster.train(work.spec("greedy", ["true"], resources={"gpus": 4}), "--queue-anyway")
    cluster.baton("pause", job)
    expect(cluster.show(job)["state"] == "HELD", "held at once")
    cluster.baton("resume", job)
    expect(cluster.show(job)["state"] == "QUEUED", "and waits again")
    cluster.baton("pause", job)
    cluster.baton("cancel", job)
    expect(cluster.baton("wait", job, check=False).returncode == 4, "a held job can be cancelled")


def who_never_saves_is_not_repeated_for_ever(cluster, work, spec):
    job = cluster.train(work.spec("forgetful", ["sleep", "600"], capacity="spot"))
    for number in (1, 2):
        wait_until(lambda: cluster.show(job)["attempts"][number - 1:] and cluster.tasks(job),
                   f"attempt {number} runs")
        worker, _ = cluster.tasks(job)[0]
        os.kill(worker["pid"], signal.SIGKILL)
        wait_until(lambda: cluster.show(job)["attempts"][number - 1]["end"], "its end is seen", 40)
    done = cluster.baton("wait", job, check=False)
    expect(done.returncode == 5, f"wait tells that the scheduler holds it: {done}")
    shown = cluster.show(job)
    expect(shown["state"] == "HELD" and shown["held_by"] == "no-progress", f"{shown}")
    for word in ("2 attempts in a row", "lost", "$", "checkpoints", "capacity: auto",
                 f"baton resume {job}"):
        expect(word in shown["reason"], f"`{word}` is not in: {shown['reason']}")
    expect(shown["exit"]["cause"] == "node-lost" and shown["exit"]["code"] is None and
           "was lost" in shown["exit"]["evidence"], f"{shown['exit']}")
    cluster.up()
    cluster.baton("resume", job)
    wait_until(lambda: cluster.tasks(job), "a person's word lets it run again")
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)


def back_to_an_earlier_checkpoint(cluster, work, spec):
    job = cluster.train(work.spec("count", ["python3", "contract.py", "5000"]))
    wait_until(lambda: len(cluster.show(job)["checkpoints"]) > 1, "it has saved twice")
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)
    steps = [c["step"] for c in cluster.show(job)["checkpoints"]]
    unknown = cluster.baton("retry", job, "--from", "7", check=False)
    expect(unknown.returncode != 0 and str(steps[0]) in unknown.stderr, f"lists them: {unknown}")
    cluster.baton("retry", job, "--from", str(steps[0]))
    wait_until(lambda: len(resumed_steps(cluster, job)) == 2, "it runs again")
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)
    cluster.baton("retry", job, "--from", "scratch")
    wait_until(lambda: len(resumed_steps(cluster, job)) == 3, "and again")
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)
    expect(resumed_steps(cluster, job) == [0, steps[0], 0], f"{resumed_steps(cluster, job)}")


def fork_and_delete(cluster, work, spec):
    first = cluster.train(work.spec("first", ["python3", "contract.py", "130"]))
    cluster.baton("wait", first)
    steps = [c["step"] for c in cluster.show(first)["checkpoints"]]
    fork = work.spec("fork", ["python3", "contract.py", "150"])
    unknown = cluster.baton("train", fork, "--from", f"{first}@7", check=False)
    expect(unknown.returncode == 2 and str(steps[-1]) in unknown.stderr, f"lists them: {unknown}")
    refused = cluster.baton("delete", first, check=False)
    expect(refused.returncode == 2 and "--yes" in refused.stderr, f"{refused}")
    paused = cluster.train(work.spec("paused", ["sleep", "600"]), "--from", f"{first}@{steps[0]}")
    running = cluster.baton("delete", paused, "--yes", check=False)
    expect(running.returncode == 2 and "baton cancel" in running.stderr, f"{running}")
    cluster.baton("pause", paused)
    second = cluster.train(fork, "--from", first)
    cluster.baton("wait", second)
    expect(resumed_steps(cluster, second) == [steps[-1]], f"{resumed_steps(cluster, second)}")
    shown = cluster.show(second)
    expect(shown["from"]["job"] == first and shown["steps_lost"] == 0, f"{shown['from']}")
    expect(shown["exit"] == {"code": 0, "signal": None, "cause": "succeeded",
                             "evidence": "all ranks exited with code 0"}, f"{shown['exit']}")
    cluster.baton("delete", first, "--yes")
    for verb in ("show", "logs", "why"):
        gone = cluster.baton(verb, first, check=False)
        expect(gone.returncode == 3, f"{verb} finds nothing: {gone}")
    expect(first not in {j["id"] for j in cluster.json("jobs")}, "no list has it")
    os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
    cluster.up()
    expect(cluster.baton("show", first, check=False).returncode == 3, "nor after a restart")
    kept = [c["step"] for c in cluster.show(held(cluster, paused)["id"])["checkpoints"]]
    expect(kept == [steps[0]], f"a fork keeps what it began with: {kept}")
    cluster.baton("cancel", paused)


def a_crash_loop_goes_back(cluster, work, spec):
    """Crashes whenever it begins with its second checkpoint."""
    script = ("import os,sys\nr=os.environ['BATON_RESUME_DIR']; d=os.environ['BATON_CHECKPOINT_DIR']\n"
              "s=open(r+'/state').read() if r else '0'\nprint('resumed at',s,flush=True)\n"
              "def save(n):\n os.mkdir(d+'/%d.tmp'%n); open(d+'/%d.tmp/state'%n,'w').write(str(n))\n"
              " os.rename(d+'/%d.tmp'%n,d+'/%d'%n)\n"
              "import time\n"
              "if s=='0': save(1); time.sleep(1); save(2); time.sleep(2); sys.exit(9)\n"
              "if s=='2': sys.exit(9)\n")
    job = cluster.train(work.spec("loop", ["python3", "-c", script]))
    expect(cluster.baton("wait", job, check=False).returncode == 0, f"{cluster.show(job)}")
    expect(resumed_steps(cluster, job) == [0, 2, 2, 1], f"{resumed_steps(cluster, job)}")
    codes = {note["code"] for note in cluster.json("why", job)["notes"]}
    expect("checkpoint-given-up" in codes, f"{codes}")
    details = [a["end_detail"] for a in cluster.show(job)["attempts"]]
    expect("is given up" in details[2], f"{details}")


def test(programs, spec):
    with Cluster(programs) as cluster:
        work = JobFolder(cluster)
        for part in (pause_and_resume_keep_the_bytes, a_queued_job_is_held_at_once,
                     back_to_an_earlier_checkpoint, fork_and_delete, a_crash_loop_goes_back,
                     who_never_saves_is_not_repeated_for_ever):
            began = time.monotonic()
            part(cluster, work, spec)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main(test)
