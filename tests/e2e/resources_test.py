"""What a job asks of a node: disk that its worker finds missing, alternatives, labels that no node
has. Argument: folder of programs."""
import json
import os
import subprocess

from cluster import Cluster, expect, main


def spec(cluster, name, **fields):
    folder = f"{cluster.top}/work/{name}"
    os.makedirs(folder)
    with open(f"{folder}/{name}.yaml", "w") as file:
        json.dump({"name": name, "command": ["sh", "-c", "echo ran; sleep 1"], **fields}, file)
    return f"{folder}/{name}.yaml"


def a_disk_that_is_too_small(cluster, small):
    """The node had room when it joined, so only its worker knows; the job goes elsewhere."""
    with open(small + "/filler", "wb") as file:
        file.write(bytes(60 << 20))
    job = cluster.train(spec(cluster, "wide", disk="50MiB", retries=0))
    expect(cluster.baton("wait", job, check=False).returncode == 0, "it ran elsewhere")
    first, second = cluster.show(job)["attempts"]
    expect(first["nodes"] == ["spot-a"] and first["end_cause"] == "start-failed", f"{first}")
    expect("needs 50.0 MiB of disk, and " in first["end_detail"] and "MiB are free in " + small in
           first["end_detail"], f"{first}")
    expect(second["nodes"] == ["on-demand-a"], f"{second}")
    waits = cluster.train(spec(cluster, "waits", disk="500TiB"))
    why = cluster.baton("why", waits).stdout
    expect("with too little free disk: " in why, why)
    cluster.baton("cancel", waits)


def alternatives(cluster):
    """The first that fits now, the same for both ranks."""
    job = cluster.train(spec(cluster, "any", ranks=2, any_of=[{"cpus": 2}, {"cpus": 0.5}]))
    expect(cluster.baton("wait", job, check=False).returncode == 0, "it ran")
    attempt = cluster.show(job)["attempts"][0]
    expect(attempt["resources"]["cpus"] == 0.5, f"{attempt}")
    expect("(0.5 CPUs)" in cluster.baton("show", job).stdout, "told")
    refused = cluster.baton("train", spec(cluster, "none", any_of=[{"cpus": 20}, {"gpus": "t4:1"}]),
                            check=False)
    expect(refused.returncode == 2 and "20 cores, no known node has more than 1" in refused.stderr
           and "needs 1 GPUs, no known node has more than 0" in refused.stderr, refused.stderr)


def an_unknown_label(cluster):
    done = cluster.baton("train", spec(cluster, "label", require={"site": "moon"}))
    expect("no known node has the label site=moon" in done.stderr, done.stderr)
    cluster.baton("cancel", done.stdout.strip())


def test(programs):
    cluster = Cluster(programs, workers="spot,on-demand")
    small = cluster.folder + "/workers/spot-a"
    os.makedirs(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", small], check=True)
    try:
        with cluster:
            a_disk_that_is_too_small(cluster, small)
            alternatives(cluster)
            an_unknown_label(cluster)
    finally:
        subprocess.run(["umount", "-l", small], check=True)


main(test)
