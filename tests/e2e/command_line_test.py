"""The command line beside running jobs: signals, names that are wrong, a store that is damaged, and
folders that hold something already. Argument: folder of programs."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

from cluster import Cluster, expect, main, wait_until


def spec(cluster, name, script, **fields):
    folder = cluster.top + "/work"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/{name}.yaml"
    with open(path, "w") as file:
        json.dump({"name": name, "command": ["sh", "-c", script], **fields}, file)
    return path


def read(*parts):
    with open(os.path.join(*parts)) as file:
        return file.read()


def told(done, code, *parts):
    """The command ended with `code`, and its error says all of `parts`."""
    expect(done.returncode == code and all(part in done.stderr for part in parts),
           f"{done.args[1:]}: {done.returncode}, expected {code} and {parts}\n{done.stderr}")


def signals_say_that_jobs_go_on(cluster):
    job = cluster.train(spec(cluster, "long", "echo hi; sleep 600"))
    cluster.baton("train", spec(cluster, "quick", "true"))
    wait_until(lambda: cluster.show(job)["state"] == "RUNNING", "it runs")
    for words, number in ((("wait", job), signal.SIGINT), (("wait", job), signal.SIGTERM),
                          (("logs", "-f", job), signal.SIGINT)):
        watcher = subprocess.Popen([cluster.programs + "/baton", *words], text=True,
                                   env=cluster.environment(), stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        time.sleep(1)
        watcher.send_signal(number)
        _, error = watcher.communicate(timeout=20)
        expect(watcher.returncode == 128 + number and "on, come back with: baton" in error,
               f"{words}, signal {number}: {watcher.returncode} {error}")
    expect(cluster.show(job)["state"] == "RUNNING", "the job goes on")
    told(cluster.baton("wait", job, "nosuch", check=False, limit_s=20), 3, "nosuch")
    told(cluster.baton("logs", job, "--attempt", "7", check=False), 3, "no attempt 7", "had 1")
    told(cluster.baton("logs", job, "--rank", "5", check=False), 3, "no rank 5", "had 0")
    told(cluster.baton("logs", "-f", job, "--rank", "5", check=False, limit_s=20), 3, "no rank 5")
    names = cluster.baton("__complete", "logs", "").stdout.split()
    expect(names[0] == "latest" and {"long", "quick"} <= set(names), f"completion: {names}")
    expect(cluster.baton("__complete", "drain", "on").stdout == "on-demand-a\n", "and of nodes")
    expect("long" not in cluster.baton("__complete", "collect", "--to", "").stdout, "not of flags")
    full = subprocess.run([cluster.programs + "/baton", "jobs", "-o", "json"],
                          env=cluster.environment(), stdout=open("/dev/full", "w"),
                          stderr=subprocess.PIPE, text=True)
    told(full, 6, "could not write the output")
    cluster.baton("cancel", job)


def a_hanging_scheduler_does_not_hang_the_shell(cluster):
    pid = cluster.status()["scheduler"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        cluster.baton("__complete", "show", "")
        took = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(took < 2, f"completion took {took:.1f} s")


def metrics_have_names(cluster):
    line = json.dumps({"step": 3, "accuracy": 0.5, "lr": 0.1})
    job = cluster.train(spec(cluster, "measured", f"echo '{line}' >> $BATON_METRICS_FILE"))
    cluster.baton("wait", job)
    plot = cluster.baton("metrics", job).stdout
    expect(plot.strip() == "accuracy  0.5 at step 3", f"a single value is told: {plot}")
    expect("lr  0.1" in cluster.baton("metrics", job, "--metric", "lr").stdout, "when asked for")
    told(cluster.baton("metrics", job, "--metric", "nosuch", check=False), 3, "nosuch", "accuracy")


def collect_keeps_jobs_apart(cluster):
    first = cluster.train(spec(cluster, "clash", "cd $BATON_OUTPUT_DIR; echo log; mkdir logs;"
                               "echo mine | tee job.json logs/attempt-1-rank-0.log > only-first"))
    second = cluster.train(spec(cluster, "second", "cd $BATON_OUTPUT_DIR; echo 2 > model"))
    nothing = cluster.train(spec(cluster, "nothing", "true"))
    cluster.baton("wait", first, second, nothing)
    folder = cluster.top + "/out"
    done = cluster.baton("collect", first, "--to", folder)
    told(done, 0, "job.json is in", "outputs/job.json")
    expect(json.loads(read(folder, "job.json"))["id"] == first, "job.json is Baton's")
    expect(read(folder, "logs/attempt-1-rank-0.log") == "log\n", "the log is Baton's")
    for name in ("outputs/job.json", "outputs/logs/attempt-1-rank-0.log", "only-first"):
        expect(read(folder, name) == "mine\n", f"{name} is the job's")
    with open(folder + "/notes.txt", "w") as file:
        file.write("of a person\n")
    told(cluster.baton("collect", second, "--to", folder), 0, f"held job {first}")
    expect(json.loads(read(folder, "job.json"))["id"] == second, "now it holds the second")
    expect(sorted(name for name in os.listdir(folder) if name[0] != ".") ==
           ["job.json", "logs", "metrics.csv", "metrics.jsonl", "model", "notes.txt"],
           f"nothing of the first: {os.listdir(folder)}")
    done = cluster.baton("collect", nothing, "--to", cluster.top + "/nothing")
    expect("it left no output" in done.stdout, f"what is true: {done.stdout}")
    told(cluster.baton("collect", first, "--to", folder + "/notes.txt", check=False), 2, "--to")
    told(cluster.baton("replay", "--save", "/nope/x", check=False), 2, "give another --save")


CHECKPOINTS = """cd $BATON_CHECKPOINT_DIR
for step in 1 2; do
  mkdir .$step; head -c 5000 /dev/urandom > .$step/weights
  echo "{\\"step\\": $step}" > .$step/checkpoint.json; mv .$step step-$step; sleep 1
done
sleep 3; exit 1"""


def a_damaged_checkpoint_is_told_and_the_older_taken(cluster):
    job = cluster.train(spec(cluster, "saver", CHECKPOINTS, retries=0))
    wait_until(lambda: len(cluster.show(job)["checkpoints"]) == 2, "two checkpoints", 30)
    cluster.baton("wait", job, check=False)
    older, newest = cluster.show(job)["checkpoints"]
    folder = cluster.top + "/saved"
    cluster.baton("collect", job, "--to", folder)
    expect(json.loads(read(folder, "checkpoint/checkpoint.json"))["step"] == 2, "the newest")
    damage(cluster, newest["sha256"])
    for again in (folder, cluster.top + "/saved-new"):
        told(cluster.baton("collect", job, "--to", again, check=False), 6, newest["name"], "damaged",
             f"with {older['name']}")
        expect(json.loads(read(again, "checkpoint/checkpoint.json"))["step"] == 1, "the older")
        expect(os.path.exists(again + "/metrics.csv"), "and what else there is")
    damage(cluster, older["sha256"])
    empty = cluster.top + "/saved-none"
    told(cluster.baton("collect", job, "--to", empty, check=False), 6, older["name"], newest["name"])
    expect(sorted(name for name in os.listdir(empty) if name != ".baton-collect.json") ==
           ["job.json", "logs", "metrics.csv", "metrics.jsonl"], f"no rest: {os.listdir(empty)}")


def damage(cluster, digest):
    """Removes the manifest of this name from the scheduler's store."""
    found = glob.glob(f"{cluster.folder}/blobs/**/*{digest[2:]}*", recursive=True)
    expect(len(found) == 1, f"one file of {digest}: {found}")
    os.remove(found[0])


def a_full_disk_leaves_no_rest(cluster):
    job = cluster.train(spec(cluster, "big", "head -c 8000000 /dev/urandom > $BATON_OUTPUT_DIR/m"))
    cluster.baton("wait", job)
    small = cluster.top + "/small"
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=True)
    try:
        told(cluster.baton("collect", job, "--to", small + "/to", check=False), 6, "free some space")
        expect(os.listdir(small) == [], f"no rest: {os.listdir(small)}")
    finally:
        subprocess.run(["umount", small], check=True)


def what_dead_workers_leave_ends_with_the_cluster(cluster):
    job = cluster.train(spec(cluster, "orphan", "setsid sleep 600 & sleep 600"))
    wait_until(lambda: cluster.tasks(job), "it runs", 30)
    worker, task = cluster.tasks(job)[0]
    with open(f"/proc/{task['pid']}/stat") as file:
        keeper = int(file.read().rsplit(")", 1)[1].split()[1])
    os.kill(worker["pid"], signal.SIGSTOP)  # so that neither ends what the other leaves
    os.kill(keeper, signal.SIGKILL)
    os.kill(worker["pid"], signal.SIGKILL)
    cluster.baton("cancel", job)
    # The cluster's own end looks for leftovers.


def down_points_to_another_that_runs(cluster):
    other = cluster.top + "/other"
    cluster.baton("local", "up", "--dir", other, "--workers", "spot")
    expect(cluster.json("local", "status")["folder"] == other, "the newest")
    expect([node["name"] for node in cluster.json("nodes")] == ["spot-a"], "it is asked")
    down = cluster.baton("local", "down", "-o", "json")
    expect(json.loads(down.stdout) == {"folder": other}, f"down in JSON: {down.stdout}")
    expect(len(cluster.json("nodes")) == 3, "the other one is asked now")
    os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
    told(cluster.baton("nodes", check=False), 6, "`baton local up`, in " + cluster.folder)
    told(cluster.baton("nodes", "--address", "127.0.0.1:1", check=False), 6, "is from --address")
    cluster.baton("local", "down")
    told(cluster.baton("nodes", check=False), 6, "no scheduler is known")
    shutil.rmtree(other)


def test(programs):
    with Cluster(programs) as cluster:
        for part in (signals_say_that_jobs_go_on, a_hanging_scheduler_does_not_hang_the_shell,
                     metrics_have_names, collect_keeps_jobs_apart,
                     a_damaged_checkpoint_is_told_and_the_older_taken, a_full_disk_leaves_no_rest,
                     what_dead_workers_leave_ends_with_the_cluster,
                     down_points_to_another_that_runs):
            began = time.monotonic()
            part(cluster)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main(test)
