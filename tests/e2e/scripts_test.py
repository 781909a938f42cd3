"""Programs that know nothing of Baton: PyTorch, R and shell scripts with files of their own as
checkpoints, killed in the middle. Argument: folder of programs."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from cluster import Cluster, expect, main, wait_until

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
PYTHON = "/usr/bin/python3"  # Debian's, which has PyTorch


class Folder:
    """The scripts, each in a working folder of its own, with a spec per job."""

    def __init__(self, cluster):
        self.path = cluster.top + "/work"

    def spec(self, name, script, command, **fields):
        folder = f"{self.path}/{name}"
        os.makedirs(folder)
        if script:
            shutil.copy2(f"{SCRIPTS}/{script}", folder)
        with open(f"{folder}/{name}.yaml", "w") as file:
            json.dump({"name": name, "command": command, **fields}, file)
        return f"{folder}/{name}.yaml"


def numbers(text, prefix):
    return [int(number) for number in re.findall(rf"\b{prefix} (\d+)", text)]


def kill_a_worker(cluster, job):
    """The node is gone without a word; another one takes its place at the end of the test."""
    worker, _ = cluster.tasks(job)[0]
    os.kill(worker["pid"], signal.SIGKILL)


def committed(cluster, job, at_least=1):
    return wait_until(lambda: len(cluster.show(job)["checkpoints"]) >= at_least and
                      cluster.show(job)["checkpoints"], "checkpoints are committed", 40)


def went_on(cluster, job, begins, epochs, last):
    """The first attempt began at 0 and the last one with what was saved; nothing was left out."""
    expect(cluster.baton("wait", job).returncode == 0, "the script succeeded")
    log = cluster.baton("logs", job).stdout
    starts = numbers(log, begins)
    expect(starts[0] == 0 and starts[-1] > 0, f"it went on from its file: {starts}\n{log[-2000:]}")
    done = numbers(log, epochs)
    expect(done[-1] == last and set(done) == set(range(1, last + 1)), f"all were done: {done}")
    return starts


def pytorch_goes_on_after_a_lost_node(cluster, work):
    job = cluster.train(work.spec("single", "single.py", [PYTHON, "single.py", "24", "0.25"],
                                  checkpoints=["out/*.pt"]))
    committed(cluster, job)
    kill_a_worker(cluster, job)
    went_on(cluster, job, "begins at", "epoch", 24)
    shown = cluster.show(job)
    expect(len(shown["attempts"]) == 2, f"two attempts: {shown['attempts']}")
    expect(shown["checkpoints"][-1]["name"].startswith("files."), f"{shown['checkpoints']}")
    cluster.up()


def ddp_goes_on_after_a_lost_rank(cluster, work):
    job = cluster.train(work.spec("ddp", "ddp.py", [PYTHON, "ddp.py", "24", "4"], ranks=2,
                                  checkpoints="ckpt.pt"))
    committed(cluster, job)
    _, task = [pair for pair in cluster.tasks(job) if pair[1]["rank"] == 1][0]
    os.kill(task["pid"], signal.SIGKILL)
    starts = went_on(cluster, job, "rank \\d of 2 begins at", "epoch", 24)
    expect(starts[-1] == starts[-2], f"both ranks have the file: {starts}")


def r_goes_on_after_a_notice(cluster, work):
    job = cluster.train(work.spec("r", "train.R", ["Rscript", "train.R", "30", "0.3"],
                                  checkpoints="models/*.rds"))
    committed(cluster, job)
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    cluster.baton("drain", node, "--grace", "3")
    went_on(cluster, job, "begins at", "step", 30)
    cluster.baton("undrain", node)
    first, second = cluster.show(job)["attempts"]
    expect(first["end_cause"] == "preempted", f"{first}")
    expect(second["nodes"] != first["nodes"], "on another node")


def sleepers():
    return subprocess.run(["pgrep", "-f", "^sleep 433[1-3]$"], capture_output=True).stdout.split()


def a_daemon_keeps_nothing_alive(cluster, work):
    """Also beside another task of the node, whose the daemon could be."""
    other = cluster.train(work.spec("other", None, ["sleep", "30"], resources={"cpus": 0.5}))
    job = cluster.train(work.spec("daemon", "daemon.py", [PYTHON, "daemon.py"],
                                  resources={"cpus": 0.5}))
    began = time.monotonic()
    expect(cluster.baton("wait", job, limit_s=20).returncode == 0, "it succeeded")
    expect(time.monotonic() - began < 5, "the daemon's hold on its output does not count")
    wait_until(lambda: not sleepers(), "the daemon is gone", 5)
    attempt = cluster.show(job)["attempts"][0]
    expect(attempt["end"] is not None, f"it is billed no more: {attempt}")
    expect(cluster.tasks(other), "the other task is not touched")
    cluster.baton("cancel", other)


def who_ignores_sigterm_is_ended(cluster, work):
    job = cluster.train(work.spec("deaf", None,
                                  ["sh", "-c", "trap '' TERM; sleep 4332 & sleep 4333"]))
    wait_until(lambda: len(sleepers()) == 2, "it runs")
    cluster.baton("cancel", job)
    expect(cluster.baton("wait", job, check=False, limit_s=30).returncode == 4, "cancelled")
    wait_until(lambda: not sleepers(), "no process is left", 5)


def a_notice_is_the_signal_that_the_spec_names(cluster, work):
    script = ("trap 'echo got usr1; echo saved > state.txt' USR1; trap 'echo got term' TERM; "
              "test -e state.txt && echo resumed && exit 0; echo ready; "
              "while :; do sleep 0.1; done")
    job = cluster.train(work.spec("usr1", None, ["sh", "-c", script], notice_signal="USR1",
                                  checkpoints=["state.txt"]))
    wait_until(lambda: "ready" in cluster.baton("logs", job).stdout, "it runs")
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    cluster.baton("drain", node, "--grace", "4")
    expect(cluster.baton("wait", job).returncode == 0, "what it saved on the notice was kept")
    cluster.baton("undrain", node)
    log = cluster.baton("logs", job).stdout
    expect("got usr1" in log and "got term" not in log and "resumed" in log, log)


def a_flood_of_log_is_no_harm(cluster, work):
    job = cluster.train(work.spec("loud", "loud.py", [PYTHON, "loud.py"]))
    expect(cluster.baton("wait", job).returncode == 0, "it succeeded")
    end = subprocess.run(f"{cluster.programs}/baton logs {job} | tail -c 100", shell=True,
                         env=cluster.environment(), capture_output=True, text=True).stdout
    expect("last line" in end, f"the log has its end: {end}")


def a_script_without_checkpoints_is_told(cluster, work):
    spec = work.spec("careless", "single.py", [PYTHON, "single.py", "1", "0"])
    done = cluster.baton("train", spec)
    expect("single.py saves (torch.save), but the spec names no `checkpoints`" in done.stderr and
           "a lost node costs everything" in done.stderr, done.stderr)
    cluster.baton("cancel", done.stdout.strip())


def want_of_memory_is_told(cluster, work):
    script = f"ulimit -v 500000; exec {PYTHON} -c 'x = bytearray(10 ** 10)'"
    job = cluster.train(work.spec("greedy", None, ["sh", "-c", script], retries=0))
    expect(cluster.baton("wait", job, check=False).returncode == 1, "the program failed")
    end = cluster.show(job)["exit"]
    expect(end["cause"] == "out-of-memory" and end["code"] == 1 and end["signal"] is None and
           "MemoryError" in end["evidence"], f"{end}")


def a_full_disk_is_the_nodes_fault(programs):
    cluster = Cluster(programs, workers="spot,on-demand")
    small = cluster.folder + "/workers/spot-a"
    os.makedirs(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], check=True)
    try:
        with cluster:
            job = cluster.train(Folder(cluster).spec("fill", "fill.py", [PYTHON, "fill.py"],
                                                     capacity="spot", retries=0))
            wait_until(lambda: len(cluster.show(job)["attempts"]) > 1 or
                       cluster.show(job)["state"] == "FAILED", "its first attempt ended")
            first = cluster.show(job)["attempts"][0]
            expect("disk of the node is full" in first["end_detail"], f"told: {first}")
            expect(first["exit"]["cause"] == "disk-full" and first["end_cause"] != "crashed",
                   f"not the program's fault: {first}")
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test(programs):
    a_full_disk_is_the_nodes_fault(programs)
    with Cluster(programs) as cluster:
        work = Folder(cluster)
        for part in (pytorch_goes_on_after_a_lost_node, ddp_goes_on_after_a_lost_rank,
                     r_goes_on_after_a_notice, a_daemon_keeps_nothing_alive,
                     who_ignores_sigterm_is_ended, a_notice_is_the_signal_that_the_spec_names,
                     a_flood_of_log_is_no_harm, a_script_without_checkpoints_is_told,
                     want_of_memory_is_told):
            began = time.monotonic()
            part(cluster, work)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main(test)
