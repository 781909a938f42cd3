"""Secrets reach the program and nothing else: no file of scheduler, workers or client, no argument,
no export. They live through a killed scheduler and a retry; without their key a job says so.
Argument: folder of programs."""
import glob
import hashlib
import json
import os
import subprocess

from cluster import Cluster, JobFolder, expect, main, wait_until

VALUE = "hunter2-" + os.urandom(12).hex()
TELL = """
import hashlib, os, sys, time
value = os.environ["MY_TOKEN"]
print("shown", value, "told", hashlib.sha256(value.encode()).hexdigest(), flush=True)
while len(sys.argv) > 1 and not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
sys.exit(3 if len(sys.argv) > 1 and os.environ["BATON_ATTEMPT"] == "1" else 0)
"""


def with_secret(cluster, *words, value=VALUE, check=True):
    env = cluster.environment()
    if value is not None:
        env["MY_TOKEN"] = value
    done = subprocess.run([cluster.programs + "/baton", *words], env=env, cwd=cluster.top,
                          capture_output=True, text=True, timeout=120)
    if check:
        expect(done.returncode == 0, f"{words}: {done.stderr}")
    return done


def holders(cluster, value):
    """Files below the cluster's folder, and arguments of processes, that hold the value."""
    found = []
    for at, _, names in os.walk(cluster.top):
        for name in names:
            path = os.path.join(at, name)
            try:
                with open(path, "rb") as file:
                    if value.encode() in file.read():
                        found.append(path)
            except OSError:
                pass  # a socket, or gone meanwhile
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if value.encode() in file.read():
                    found.append(path)
        except OSError:
            pass
    return found


def told(cluster, job):
    return [line.split()[-1] for line in cluster.baton("logs", job).stdout.splitlines()
            if "told" in line]


def reaches_the_program_alone(cluster, work):
    go = cluster.top + "/go"
    spec = work.spec("token", ["python3", "-c", TELL, go], secrets=["MY_TOKEN"], retries=1)
    job = with_secret(cluster, "train", spec).stdout.strip()
    wait_until(lambda: told(cluster, job), "the program has it")
    expect(holders(cluster, VALUE) == [], f"{holders(cluster, VALUE)}")
    expect("shown ***" in cluster.baton("logs", job).stdout, "the log has it masked")
    os.kill(cluster.status()["scheduler"]["pid"], 9)
    with open(go, "w"):
        os.chmod(cluster.top, 0o755)
    cluster.up()
    expect(cluster.baton("wait", job).returncode == 0, cluster.show(job)["reason"])
    expect(len(cluster.show(job)["attempts"]) == 2 and len(set(told(cluster, job))) == 1
           and len(told(cluster, job)) == 2, f"both attempts had it: {told(cluster, job)}")
    expect(holders(cluster, VALUE) == [], f"{holders(cluster, VALUE)}")
    shown = cluster.show(job)
    expect(shown["secrets"] == ["MY_TOKEN"] and VALUE not in str(shown), "show tells the name")
    cluster.baton("replay", "--save", cluster.top + "/record")
    with open(cluster.top + "/record", "rb") as file:
        record = file.read()
    expect(job.encode() in record and VALUE.encode() not in record, "the exported log tells it")
    expect(VALUE not in cluster.baton("why", job).stdout, "why tells it")


def must_have_a_value(cluster, work):
    spec = work.spec("none", ["true"])
    done = with_secret(cluster, "train", "--secret", "MY_TOKEN", spec, value=None, check=False)
    expect(done.returncode == 2 and "MY_TOKEN" in done.stderr, f"{done.returncode} {done.stderr}")
    for name in ("BATON_X", "A=b", "1A"):
        done = with_secret(cluster, "train", "--secret", name, spec, check=False)
        expect(done.returncode == 2 and "--secret" in done.stderr, f"{name}: {done.stderr}")
    both = with_secret(cluster, "train", "--secret", "MY_TOKEN", "--env", "MY_TOKEN=x", spec,
                       check=False)
    expect(both.returncode == 2 and "also in `env`" in both.stderr, both.stderr)


def without_its_key_a_job_says_so(cluster, work):
    keys = glob.glob(cluster.folder + "/**/secrets.key", recursive=True)
    expect(len(keys) == 1 and os.stat(keys[0]).st_mode & 0o777 == 0o600, f"{keys}")
    for worker in cluster.status()["workers"]:
        cluster.baton("drain", worker["name"])
    spec = work.spec("later", ["python3", "-c", TELL], retries=0)
    job = with_secret(cluster, "train", "--secret", "MY_TOKEN", spec).stdout.strip()
    plain = cluster.train(work.spec("plain", ["true"]))
    os.kill(cluster.status()["scheduler"]["pid"], 9)
    os.rename(keys[0], cluster.top + "/old.key")
    cluster.up()
    for worker in cluster.status()["workers"]:
        cluster.baton("undrain", worker["name"])
    expect(cluster.baton("wait", plain).returncode == 0, "others go on")
    cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect(shown["state"] == "FAILED" and "do not open" in shown["reason"], shown["reason"])
    os.kill(cluster.status()["scheduler"]["pid"], 9)
    os.rename(cluster.top + "/old.key", keys[0])
    cluster.up()
    cluster.baton("retry", job)
    expect(cluster.baton("wait", job).returncode == 0, "with the old key it starts")


def goes_with_its_job(cluster, work):
    spec = work.spec("brief", ["true"])
    done = with_secret(cluster, "train", "--secret", "MY_TOKEN", spec, value="12345")
    expect("MY_TOKEN is shorter than 6 bytes" in done.stderr, f"it is said: {done.stderr}")
    job = done.stdout.strip()
    cluster.baton("wait", job)
    cluster.baton("delete", job, "--yes")
    expect(cluster.baton("show", job, check=False).returncode != 0, "it is gone")


TRIAL = """
import hashlib, json, os
print("told", hashlib.sha256(os.environ["MY_TOKEN"].encode()).hexdigest(), flush=True)
with open(os.environ["BATON_METRICS_FILE"], "a") as file:
    file.write(json.dumps({"step": 1, "acc": float(os.environ["BATON_FLAG_X"])}) + "\\n")
"""


def trials_have_their_sweeps(cluster):
    folder = cluster.top + "/sweep"
    os.makedirs(folder)
    with open(folder + "/tuning.yml", "w") as file:
        json.dump({"metric": "acc", "goal": "maximize", "algorithm": "grid", "max_trials": 3,
                   "parallel_trials": 1, "params": {"x": [1, 2, 3]},
                   "command": ["python3", "-c", TRIAL]}, file)
    sweep = with_secret(cluster, "sweep", folder + "/tuning.yml", "--secret",
                        "MY_TOKEN").stdout.strip()
    wait_until(lambda: cluster.json("trials", sweep)["trials"], "there is a trial")
    os.kill(cluster.status()["scheduler"]["pid"], 9)
    cluster.up()
    expect(cluster.baton("wait", sweep).returncode == 0, "the sweep succeeded")
    trials = cluster.json("trials", sweep)
    values = {value for trial in trials["trials"] for value in told(cluster, trial["job"])}
    expect(len(trials["trials"]) == 3 and
           values == {hashlib.sha256(VALUE.encode()).hexdigest()}, f"{trials} {values}")
    expect(holders(cluster, VALUE) == [], f"{holders(cluster, VALUE)}")


def test(programs):
    with Cluster(programs) as cluster:
        work = JobFolder(cluster)
        reaches_the_program_alone(cluster, work)
        must_have_a_value(cluster, work)
        without_its_key_a_job_says_so(cluster, work)
        goes_with_its_job(cluster, work)
        trials_have_their_sweeps(cluster)


main(test)
