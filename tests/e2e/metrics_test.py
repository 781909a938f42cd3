"""Metrics of programs that know nothing of Baton: from what they print, and from TensorBoard's event
files. Arguments: folder of programs, a Python that has TensorBoard."""
import json
import os
import shutil

from cluster import Cluster, expect, main, wait_until

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")


def folder_of(cluster, name, script=None):
    folder = f"{cluster.top}/work/{name}"
    os.makedirs(folder)
    if script:
        shutil.copy2(f"{SCRIPTS}/{script}", folder)
    return folder


def train(cluster, folder, **fields):
    with open(f"{folder}/job.yaml", "w") as file:
        json.dump({"name": os.path.basename(folder), **fields}, file)
    return cluster.train(f"{folder}/job.yaml")


def rows(cluster, job):
    return cluster.json("metrics", job)


def printed_values_are_metrics(cluster):
    """A bar that draws itself anew, colours, words before the first step, and then a cancel."""
    script = r"""
printf 'warm-up acc=0.1\n'
for epoch in 1 2 3; do
  printf 'Epoch %s/3\n' $epoch
  printf ' 50%%|## | loss=0.%s5\r100%%|####| loss=\033[32m0.%s\033[0m, acc=0.9%s\n' $epoch $epoch $epoch
done
sleep 600
"""
    folder = folder_of(cluster, "printed")
    job = train(cluster, folder, command=["sh", "-c", script],
                metrics={"step": r"^Epoch (\d+)", "loss": r"loss=(\S+)", "val_acc": r"acc=(\S+)"})
    wait_until(lambda: len(rows(cluster, job)) == 7, "all lines have arrived", 30)
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)
    got = [{name: row.get(name) for name in ("step", "loss", "val_acc")}
           for row in rows(cluster, job)]
    want = [{"step": 1, "loss": None, "val_acc": 0.1}]
    for epoch in (1, 2, 3):
        want += [{"step": epoch, "loss": float(f"0.{epoch}5"), "val_acc": None},
                 {"step": epoch, "loss": float(f"0.{epoch}"), "val_acc": float(f"0.9{epoch}")}]
    expect(got == want, f"the printed values: {got}")
    shown = cluster.show(job)
    expect(shown["metrics"]["val_acc"] == 0.93 and shown["step"] == 3, f"shown: {shown}")


def what_is_no_number_is_told(cluster):
    job = train(cluster, folder_of(cluster, "words"), command=["sh", "-c", "echo acc=much; sleep 1"],
                metrics={"acc": "acc=(.*)"})
    expect(cluster.baton("wait", job).returncode == 0, "it succeeded all the same")
    expect("metrics.acc: 'much' is no number" in cluster.baton("logs", job).stdout, "it is told")


def a_bad_expression_is_refused_before_anything_is_sent(cluster):
    folder = folder_of(cluster, "bad")
    with open(f"{folder}/job.yaml", "w") as file:
        file.write("command: [\"true\"]\nmetrics:\n  acc: 'acc=(\\S+'\n  loss: 'loss'\n")
    refused = cluster.baton("train", f"{folder}/job.yaml", check=False)
    expect(refused.returncode == 2, f"refused as a bad spec: {refused}")
    for words in ("metrics.acc: no regular expression", "metrics.loss: has no group"):
        expect(words in refused.stderr, refused.stderr)


def tensorboard_files_are_metrics(cluster, python):
    folder = folder_of(cluster, "board", "board.py")
    go = cluster.top + "/go"
    job = train(cluster, folder, command=[python, "board.py", "6", "0.1", go])
    wait_until(lambda: rows(cluster, job) or cluster.show(job)["state"] in ("FAILED", "SUCCEEDED"),
               "they flow while it runs", 60)
    expect(cluster.show(job)["state"] == "RUNNING",
           f"it still runs: {cluster.baton('logs', job).stdout[-2000:]}")
    with open(go, "w"):
        pass
    expect(cluster.baton("wait", job).returncode == 0, "it succeeded")
    values = {}
    for row in rows(cluster, job):
        for name in ("train/epoch_loss", "validation/epoch_loss"):
            if row.get(name) is not None:
                values.setdefault(name, {})[row["step"]] = round(row[name], 6)
    for name, first in (("train/epoch_loss", 1), ("validation/epoch_loss", 2)):
        want = {epoch: round(first / epoch, 6) for epoch in range(1, 7)}
        expect(values.get(name) == want, f"{name}: {values.get(name)}")
    expect(cluster.show(job)["step"] == 6, "its step is that of the events")


def test(programs, python):
    with Cluster(programs, workers="on-demand,on-demand", cpus=2) as cluster:
        printed_values_are_metrics(cluster)
        what_is_no_number_is_told(cluster)
        a_bad_expression_is_refused_before_anything_is_sent(cluster)
        tensorboard_files_are_metrics(cluster, python)


main(test)
