"""`baton doctor` of a node and of a job's environment. Argument: folder of programs."""
import json
import os

from cluster import Cluster, expect, main


def a_node_is_looked_at_beside_its_work(cluster):
    folder = f"{cluster.top}/busy"
    os.makedirs(folder)
    with open(f"{folder}/busy.yaml", "w") as file:
        json.dump({"command": ["sleep", "600"], "resources": {"cpus": 0.9},
                   "require": {"node": "spot-a"}}, file)
    job = cluster.train(f"{folder}/busy.yaml")
    found = cluster.json("doctor", "--node", "spot-a")
    expect(found["node"]["cpus"] == os.cpu_count() and "sh" not in found, f"{found}")
    expect(found["trainer"]["report"]["ok"], f"the trainer was tried out: {found['trainer']}")
    text = cluster.baton("doctor", "--node", "spot-a").stdout
    expect(text.startswith("node ") and "samples/s in training" in text, text)
    listed = [one["id"] for one in cluster.json("jobs")]
    expect(listed == [job], f"nothing stays behind: {listed}")
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)


def an_unknown_node_is_told(cluster):
    done = cluster.baton("doctor", "--node", "spot-z", check=False)
    expect(done.returncode == 3 and "there are: spot-a" in done.stderr, f"{done}")


def a_jobs_environment_is_started(cluster):
    folder = f"{cluster.top}/script"
    os.makedirs(folder)
    with open(f"{folder}/train.py", "w") as file:
        file.write("raise SystemExit('this is not to run')\n")
    with open(f"{folder}/baton.yml", "w") as file:
        file.write("env: {PATH: '/usr/bin:/bin'}\n")  # where Debian's PyTorch is
    found = cluster.json("doctor", "--job", f"{folder}/train.py")
    expect(found["torch"]["version"] and found["torch"]["gpus"] == [], f"torch: {found}")
    expect(found["python"]["program"] == "/usr/bin/python3", f"python: {found['python']}")
    expect(found["r"]["version"], f"R: {found['r']}")
    text = cluster.baton("doctor", "--job", f"{folder}/train.py", "--node", "spot-a").stdout
    expect("torch " in text and "sees no GPU" in text, text)


def a_bad_spec_is_told_at_its_line(cluster):
    folder = f"{cluster.top}/bad"
    os.makedirs(folder)
    with open(f"{folder}/bad.yaml", "w") as file:
        file.write("command: [a]\nretries: many\n")
    done = cluster.baton("doctor", "--job", f"{folder}/bad.yaml", check=False)
    expect(done.returncode == 2 and "bad.yaml:2: retries" in done.stderr, f"{done}")


def test(programs):
    with Cluster(programs, workers="spot") as cluster:
        a_node_is_looked_at_beside_its_work(cluster)
        an_unknown_node_is_told(cluster)
        a_jobs_environment_is_started(cluster)
        a_bad_spec_is_told_at_its_line(cluster)


main(test)
