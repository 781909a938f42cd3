"""The proof of a run: `baton verify` repeats a preempted training on another number of ranks and
finds the same hash chain; one whose chain was tampered with it tells where it differs. Arguments:
folder of programs, spec.
"""
import json
import os
import signal
import time

from cluster import Cluster, JobFolder, expect, main, wait_until

WORDS = ["--set", "shards=4", "--set", "epochs=4"]


def verify(cluster, *words, code=0):
    done = cluster.baton("verify", *words, "-o", "json", check=False, limit_s=240)
    expect(done.returncode == code,
           f"verify {words}: {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout else done.stderr


def rows(cluster, job):
    return cluster.json("metrics", job)


def preempted(cluster, spec):
    """A job whose node was lost at about step 250, and that went on on another number of ranks."""
    job = cluster.train(spec, *WORDS, "--ranks", "1..2", "--name", "lenet")
    wait_until(lambda: cluster.show(job)["step"] >= 250, "step 250")
    worker, _ = cluster.tasks(job)[0]
    os.kill(worker["pid"], signal.SIGKILL)
    wait_until(lambda: cluster.show(job)["losses"] or len(cluster.show(job)["attempts"]) > 1,
               "it goes on without the node")
    cluster.up()
    cluster.model(job)
    return job


def the_whole_run(cluster, job):
    shown = cluster.show(job)
    heads = {row["step"]: row["chain"] for row in rows(cluster, job)
             if "chain" in row and "event" not in row}
    expect(sorted(heads)[:3] == [100, 200, 300], f"a head each 100 steps: {sorted(heads)}")
    expect(shown["chain_step"] == max(heads) == shown["steps_total"], f"{shown['chain_step']}")
    expect(shown["chain_head"] == heads[max(heads)], "the receipt is the last head")
    expect(f"hash chain  {shown['chain_head']}" in cluster.baton("show", job).stdout, "for people")
    told = verify(cluster, job)
    expect(told["same"] == told["entries"] == len(heads), f"{told}")
    expect(told["ranks"] == 1 and told["began_with"] is None, f"{told}")
    replay = cluster.show(told["replay"])
    expect(replay["name"] == "verify-lenet" and replay["state"] == "SUCCEEDED", f"{replay['name']}")
    expect(replay["chain_head"] == shown["chain_head"], "the replay has the same receipt")
    expect("model.safetensors" not in os.listdir(cluster.collect(told["replay"])), "and no model")


def a_part_of_it(cluster, job):
    kept = cluster.show(job)["checkpoints"]
    begin = kept[0]["step"]
    told = verify(cluster, job, "--from", str(begin + 1), "--ranks", "3")
    expect(told["began_with"] == kept[0]["name"] and told["ranks"] == 3, f"{told}")
    expect(told["from"] > begin and told["same"] == told["entries"] > 0, f"{told}")
    told = verify(cluster, job, "--to", "150")
    expect(told["to"] == 100 and told["entries"] == told["same"] == 1, f"{told}")


def tampered(cluster, spec):
    """Somebody writes a head of his own into the metrics of a task that runs."""
    job = cluster.train(spec, *WORDS, "--ranks", "1", "--name", "other")
    wait_until(lambda: cluster.show(job)["step"] >= 120, "step 120")
    _, task = cluster.tasks(job)[0]
    with open(f"/proc/{task['pid']}/environ", encoding="utf-8") as file:
        variables = dict(v.split("=", 1) for v in file.read().split("\0") if "=" in v)
    with open(variables["BATON_METRICS_FILE"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 300, "chain": "f" * 64, "time": time.time()}) + "\n")
    cluster.model(job)
    told = verify(cluster, job, code=1)
    expect(told["same"] == told["entries"] - 1 > 2, f"{told}")
    expect(told["ranks"] == 2, "one rank is repeated on two")
    expect(told["first_difference"]["step"] == 300, f"{told}")
    expect(told["first_difference"]["recorded"] == "f" * 64, f"{told}")
    text = cluster.baton("verify", job, "--to", "300", check=False)
    expect(text.returncode == 1 and "the first that differs is of step 300" in text.stdout,
           text.stdout)


def what_is_none(cluster, job):
    expect("reaches step" in verify(cluster, job, "--to", "1000000000", code=2), "too far")
    expect("each rank needs one" in verify(cluster, job, "--ranks", "5", code=2), "too many ranks")
    command = cluster.train(JobFolder(cluster).spec("echo", ["true"]))
    cluster.baton("wait", command)
    expect("only native training" in verify(cluster, command, code=2), "a command")


def test(programs, spec):
    with Cluster(programs) as cluster:
        job = preempted(cluster, spec)
        the_whole_run(cluster, job)
        a_part_of_it(cluster, job)
        what_is_none(cluster, job)
        tampered(cluster, spec)


main(test)
