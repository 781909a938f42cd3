"""A rank that makes no step any more is named, ended and started again.

Arguments: folder of programs, spec.
"""
import os
import signal

from cluster import Cluster, expect, main, wait_until

SCRIPT = """import json, os, time
with open(os.environ["BATON_METRICS_FILE"], "a") as file:
    for step in range(1, 6):
        file.write(json.dumps({"step": step, "loss": 1 / step}) + "\\n")
        file.flush()
        time.sleep(0.1)
if os.environ["BATON_ATTEMPT"] == "1":
    time.sleep(1000)
"""


def a_script_that_waits_for_ever(cluster):
    os.mkdir(cluster.top + "/script")
    with open(cluster.top + "/script/stuck.py", "w") as file:
        file.write(SCRIPT)
    job = cluster.baton("train", "--hang-after", "2s", cluster.top + "/script/stuck.py").stdout.strip()
    done = cluster.baton("wait", job, check=False, limit_s=60)
    expect(done.returncode == 0, f"it succeeds once started again: {done.stdout}{done.stderr}")
    first, second = cluster.show(job)["attempts"]
    expect(first["end_cause"] == "crashed" and "hung: no step for 2 s" in first["end_detail"],
           f"{first}")
    expect(second["end_cause"] == "succeeded", f"{second}")


def a_training_that_is_frozen(cluster, spec):
    words = ["--set", "epochs=6", "--ranks", "1", "--set", "hang_after=3s"]
    calm = cluster.train(spec, *words, "--name", "calm")
    bytes_of_calm = cluster.model(calm)
    job = cluster.train(spec, *words, "--name", "frozen")
    wait_until(lambda: cluster.show(job)["checkpoints"], "a checkpoint", 30)
    (_, task), = cluster.tasks(job)
    os.kill(task["pid"], signal.SIGSTOP)
    expect(cluster.model(job) == bytes_of_calm, "the same bytes as without the freeze")
    shown = cluster.show(job)
    expect("hung: no step for 3 s" in shown["attempts"][0]["end_detail"], f"{shown['attempts']}")
    expect("hung" in cluster.baton("why", job).stdout, "why says it")


def test(programs, spec):
    with Cluster(programs, "spot,spot") as cluster:
        a_script_that_waits_for_ever(cluster)
        a_training_that_is_frozen(cluster, spec)


main(test)
