"""Scripts as they are: what `baton train SCRIPT` sends, what the script finds, what comes back.
Argument: folder of programs."""
import json
import os
import subprocess
import time

from cluster import Cluster, expect, main
from scripts_folder import Scripts

TELL = """import json, os, sys
import inner.part
with open(os.environ["BATON_OUTPUT_DIR"] + "/told.json", "w") as file:
    json.dump({"argv": sys.argv[1:], "env": dict(os.environ), "files": sorted(os.listdir(".")),
               "params": json.load(open(os.environ["BATON_PARAMS_FILE"]))}, file)
"""

R_SCRIPT = """flags <- function(...) list(...); flag_numeric <- function(name, default) default
FLAGS <- flags(flag_numeric("dropout", 0.4))
source("part.R")
out <- Sys.getenv("BATON_OUTPUT_DIR")
saveRDS(list(answer = twice(21)), file.path(out, "model.rds"))
writeLines(c(commandArgs(trailingOnly = TRUE), Sys.getenv("BATON_FLAG_DROPOUT")),
           file.path(out, "told.txt"))
"""

SLURM_SCRIPT = """#!/bin/bash
#SBATCH --job-name=slurmy
#SBATCH --nodes=2 --cpus-per-task=1
#SBATCH --time=10:00
#SBATCH --partition=gpu
cd "$SLURM_SUBMIT_DIR" || exit 1
echo "$SLURM_NTASKS tasks on $SLURM_NNODES port $((10000 + SLURM_JOB_ID % 1000))"
srun --ntasks=2 cat data.txt
"""


def told(folder):
    with open(folder + "/told.json") as file:
        return json.load(file)


def a_python_script(cluster, scripts):
    scripts.write("py/train.py", TELL)
    scripts.write("py/inner/part.py", "")
    scripts.write("py/flags.yml", "default: {dropout: 0.5, units: 8}\ncloudml: {units: 16}\n")
    scripts.write("py/.env", "TOKEN=1\n")
    scripts.write("py/.git/HEAD", "x")
    scripts.write("py/__pycache__/x.pyc", "x")
    folder, said, job = scripts.train("--env", "MODE=fast", "--flag", "dropout=0.3", "--cpus", "0.5",
                                      "py/train.py", "--time-limit", "10m", "--lr", "0.1")
    found = told(folder)
    expect(found["argv"] == ["--lr", "0.1"], f"{found['argv']}")
    expect(found["params"] == {"dropout": 0.3, "units": 16}, f"{found['params']}")
    env = found["env"]
    expect(env["MODE"] == "fast" and env["BATON_FLAG_DROPOUT"] == "0.3", "variables")
    expect("SLURM_JOB_ID" not in env, "no script of Slurm")
    expect(".env" not in found["files"] and ".git" not in found["files"], f"{found['files']}")
    expect("left out: 1 .git, 1 __pycache__, 1 secrets" in said, said)
    expect(".env looks like a secret and stays here" in said, said)
    expect("runs: python3 train.py --lr 0.1" in said, said)
    shown = cluster.show(job)
    expect(shown["name"] == "train", f"named by its script: {shown['name']}")


def an_r_script(cluster, scripts):
    scripts.write("r/fit.R", R_SCRIPT)
    scripts.write("r/part.R", "twice <- function(x) 2 * x\n")
    scripts.write("r/baton.yml", "flags_as: arguments\nflags: {dropout: 0.25}\nretries: 0\n")
    folder, said, _ = scripts.train("fit.R", "--", "--name", "mine", verb="submit", folder="r")
    with open(folder + "/told.txt") as file:
        expect(file.read().split() == ["--name", "mine", "--dropout=0.25", "0.25"], "its words")
    expect(os.path.getsize(folder + "/model.rds") > 20, "what it saved came back")
    expect("settings of baton.yml hold" in said, said)


def a_script_of_slurm(cluster, scripts):
    scripts.write("slurm/run.sh", SLURM_SCRIPT)
    scripts.write("slurm/data.txt", "data is here\n")
    _, said, job = scripts.train("slurm/run.sh", verb="run")
    shown = cluster.show(job)
    expect(shown["name"] == "slurmy" and shown["world_size"] in (0, 2), f"{shown}")
    log = cluster.baton("logs", job).stdout
    expect(log.count("2 tasks on 2 port 1") == 1, f"the script runs once: {log}")
    expect(log.count("data is here") == 2, f"its srun on both nodes: {log}")
    expect("run.sh:5: #SBATCH --partition=gpu is ignored" in said, said)
    scripts.write("slurm/array.sh", "#!/bin/sh\n#SBATCH --array=1-3\n#SBATCH --mem=x\ntrue\n")
    wrong = scripts.baton("train", "slurm/array.sh")
    expect(wrong.returncode == 2 and "array.sh:2: " in wrong.stderr and
           "`baton sweep`" in wrong.stderr and
           "array.sh:3: " in wrong.stderr, wrong.stderr)


def an_executable_and_a_command(cluster, scripts):
    scripts.write("bin/tool", "#!/bin/sh\necho \"$@\" > $BATON_OUTPUT_DIR/words\n", 0o755)
    folder, _, _ = scripts.train("bin/tool", "a b", "c")
    with open(folder + "/words") as file:
        expect(file.read() == "a b c\n", "an executable is run as it is")
    folder, _, _ = scripts.train("--retries", "0", "--", "sh", "-c", "./tool $0 $BATON_RANK", "-x",
                                 folder="bin")
    with open(folder + "/words") as file:
        expect(file.read() == "-x 0\n", "words behind -- are a command in the current folder")
    scripts.write("bin/baton.yml", "entry: tool\nname: named\n")
    _, _, job = scripts.train(folder="bin")
    expect(cluster.show(job)["name"] == "named", "without words baton.yml says what runs")


def what_cannot_be_sent(cluster, scripts):
    scripts.write("bad/train.py", "")
    os.symlink("/etc", f"{scripts.path}/bad/data")
    wrong = scripts.baton("train", "bad/train.py")
    expect(wrong.returncode == 2 and "data is a link that leaves the folder, to /etc" in
           wrong.stderr, wrong.stderr)
    scripts.write("bad/.batonignore", "/data\n")
    with open(f"{scripts.path}/bad/huge", "wb") as file:
        file.truncate(600 << 20)
    wrong = scripts.baton("train", "bad/train.py")
    expect(wrong.returncode == 2 and "has 600 MiB" in wrong.stderr, wrong.stderr)
    os.remove(f"{scripts.path}/bad/huge")


def a_label_is_required(cluster, scripts):
    scripts.write("label/train.py", "print('landed')\n")
    done = scripts.baton("train", "--require", "site=moon", "label/train.py")
    job = done.stdout.strip()
    shown = cluster.show(job)
    expect(shown["state"] == "QUEUED" and "label" in shown["reason"], f"{shown['reason']}")
    worker = subprocess.Popen([cluster.programs + "/baton-worker", "--name", "lab", "--cpus", "1",
                               "--scheduler", cluster.status()["address"], "--dir",
                               cluster.folder + "/workers/lab", "--labels", "site=moon"],
                              stderr=subprocess.DEVNULL)
    ended = cluster.baton("wait", job, check=False)
    nodes = cluster.show(job)["attempts"][0]["nodes"]
    worker.terminate()
    worker.wait(timeout=30)
    expect(ended.returncode == 0 and nodes == ["lab"], f"{ended} {nodes}")


def a_notebook(cluster, scripts):
    """With jupyter it comes back with its outputs; without, the log says what is missing."""
    scripts.write("nb/nb.ipynb", json.dumps({
        "cells": [{"cell_type": "code", "source": ["print(6 * 7)"], "metadata": {}, "outputs": [],
                   "execution_count": None, "id": "a"}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    job = scripts.baton("train", "--retries", "0", "nb/nb.ipynb").stdout.strip()
    if cluster.baton("wait", job, check=False).returncode == 0:
        with open(cluster.collect(job) + "/nb.ipynb") as file:
            expect("42" in file.read(), "its outputs came back")
    else:
        log = cluster.baton("logs", job).stdout
        expect("nb.ipynb needs jupyter with nbconvert and a kernel on this node" in log, log)


def a_follower_reads_what_the_script_prints(cluster, scripts):
    scripts.write("say/say.sh", "echo first; echo second >&2; printf last; exit 3\n")
    done = scripts.baton("train", "--set", "retries=0", "--follow", "say/say.sh")
    expect(done.returncode == 1, f"{done.returncode}: {done.stderr}")
    expect(len(done.stdout.split()) == 1, f"stdout is the id alone: {done.stdout!r}")
    lines = done.stderr.splitlines()
    for line in ("[1/0] first", "[1/0] second", "[1/0] last"):
        expect(lines.count(line) == 1, done.stderr)
    ended = next(i for i, line in enumerate(lines) if line.startswith("say  FAILED"))
    expect(lines.index("[1/0] last") < ended, "all of it before the end is told")


def a_second_submit_sends_nothing_again(cluster, scripts):
    with open(f"{scripts.path}/py/big.bin", "wb") as file:
        file.write(os.urandom(40 << 20))
    took = []
    for _ in range(2):
        began = time.monotonic()
        scripts.train("py/train.py")
        took.append(time.monotonic() - began)
    print(f"submit to result with 40 MiB: first {took[0]:.2f} s, second {took[1]:.2f} s", flush=True)


def test(programs):
    with Cluster(programs) as cluster:
        scripts = Scripts(cluster)
        for part in (a_python_script, an_r_script, a_script_of_slurm, an_executable_and_a_command,
                     what_cannot_be_sent, a_label_is_required, a_notebook,
                     a_follower_reads_what_the_script_prints,
                     a_second_submit_sends_nothing_again):
            began = time.monotonic()
            part(cluster, scripts)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main(test)
