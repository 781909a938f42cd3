"""Gangs of PyTorch as their people start them: a process for each rank with torchrun's variables, and
`torchrun` itself once a node; workers killed in the middle, nodes drained. Argument: folder of
programs."""
import contextlib
import json
import os
import re
import shutil
import signal
import time

from cluster import Cluster, expect, main, wait_until

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
PYTHON = "/usr/bin/python3"  # Debian's, which has PyTorch
# Debian's torchrun fails without the two on its Python.
TORCHRUN = ["/usr/bin/torchrun", "--redirects=1", "--tee=1", "--monitor_interval=0.1"]
EPOCHS = 12
HOLD = 4  # the first life of a job that is to be killed stands still here


class Work:
    """A folder per job with its script and its spec."""

    def __init__(self, cluster):
        self.cluster = cluster

    def train(self, name, script, command, **fields):
        folder = f"{self.cluster.top}/work/{name}"
        os.makedirs(folder)
        shutil.copy2(f"{SCRIPTS}/{script}", folder)
        with open(f"{folder}/{name}.yaml", "w") as file:
            json.dump({"name": name, "command": command, **fields}, file)
        return self.cluster.train(f"{folder}/{name}.yaml")

    def ddp(self, name, by, hold=HOLD, **fields):
        return self.train(name, "ddp.py", [*by, "ddp.py", str(EPOCHS), str(hold)],
                          checkpoints="ckpt.pt", **fields)

    def log(self, job):
        return self.cluster.baton("logs", job).stdout

    def committed(self, job):
        wait_until(lambda: len(self.cluster.show(job)["checkpoints"]) >= 1 and
                   self.cluster.tasks(job), "checkpoints are committed", 60)

    def kill(self, job):
        """The worker of the job's second rank is gone without a word. Its name."""
        worker = [w for w, task in self.cluster.tasks(job) if task["rank"] == 1][0]
        os.kill(worker["pid"], signal.SIGKILL)
        return worker["name"]

    def done(self, job):
        """Sizes of its worlds, the epochs at which its ranks began, and its weights."""
        ended = self.cluster.baton("wait", job, check=False)
        log = self.log(job)
        expect(ended.returncode == 0, f"{ended.stdout}{ended.stderr}\n{log[-3000:]}")
        begins = re.findall(r"rank (\d) of (\d) begins at (\d+)", log)
        epochs = {int(epoch) for epoch in re.findall(r"epoch (\d+)", log)}
        expect(epochs == set(range(1, EPOCHS + 1)), f"all were done: {sorted(epochs)}")
        return ([int(size) for rank, size, _ in begins if rank == "0"],
                [int(epoch) for _, _, epoch in begins], re.search(r"weights (.*)", log)[1])


def a_process_for_each_rank(cluster, work):
    undisturbed = work.done(work.ddp("calm", [PYTHON], hold=0, ranks=2))
    job = work.ddp("ddp", [PYTHON], ranks=2, nodes=2)
    work.committed(job)
    work.kill(job)
    sizes, begins, weights = work.done(job)
    expect(sizes == [2, 2] and begins[:2] == [0, 0] and begins[2] == begins[3] > 0, f"{begins}")
    expect(weights == undisturbed[2], f"the same as of an undisturbed run: {weights}")
    cluster.up()
    return weights


def torchrun_on_two_nodes(cluster, work, weights):
    job = work.ddp("torchrun", TORCHRUN, launch="node", nodes=2)
    work.committed(job)
    lost = work.kill(job)
    sizes, begins, found = work.done(job)
    expect(sizes == [2, 2] and begins[2] == begins[3] > 0, f"{sizes} {begins}")
    expect(found == weights, f"the same as of ranks that Baton starts: {found}")
    first, second = cluster.show(job)["attempts"]
    expect(first["end_cause"] == "node-lost" and lost not in second["nodes"], f"{first} {second}")
    cluster.up()


def torchrun_goes_on_with_fewer_nodes(cluster, work):
    spare = cluster.status()["workers"][2]["name"]
    cluster.baton("drain", spare)
    job = work.ddp("range", TORCHRUN, launch="node", nodes="1..2")
    work.committed(job)
    work.kill(job)
    sizes, begins, _ = work.done(job)
    expect(sizes == [2, 1] and begins[2] > 0, f"{sizes} {begins}")
    cluster.up()
    cluster.baton("undrain", spare)


def a_notice_is_no_word_for_torchrun(cluster, work):
    """Who does not catch SIGTERM trains on, and no launcher ends it."""
    job = work.train("deaf", "noticed.py", [*TORCHRUN, "noticed.py", "deaf"], launch="node")
    wait_until(lambda: "ready" in work.log(job), "it runs")
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    cluster.baton("drain", node, "--grace", "2")
    wait_until(lambda: len(cluster.show(job)["attempts"]) == 2, "it goes on elsewhere", 30)
    log = work.log(job)
    expect(len(re.findall("counts on", log)) >= 5, f"it had most of its grace: {log}")
    expect("SIGTERM" not in log, f"torchrun heard nothing: {log}")
    wait_until(lambda: work.log(job).count("ready") >= 2, "it runs there")
    began = time.monotonic()
    cluster.baton("cancel", job)
    expect(cluster.baton("wait", job, check=False).returncode == 4, "cancelled")
    expect(time.monotonic() - began < 9, "a cancel is heard before its grace of 10 s ends")
    cluster.baton("undrain", node)


def a_rank_below_torchrun_is_told(cluster, work):
    job = work.train("told", "noticed.py", [*TORCHRUN, "noticed.py", "catch"],
                     checkpoints="state.pt")
    wait_until(lambda: "ready" in work.log(job), "it runs")
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    cluster.baton("drain", node, "--grace", "8")
    expect(cluster.baton("wait", job, check=False).returncode == 0, work.log(job))
    log = work.log(job)
    expect(log.count("told and saved") == 1 and "resumed" in log, log)
    expect(cluster.show(job)["attempts"][0]["end_cause"] == "preempted", "no retry is counted")
    cluster.baton("undrain", node)


def steps_of_a_slurm_script(cluster, work):
    """The first node runs the script, its srun starts tasks on both. A lost node, then a notice."""
    folder = f"{cluster.top}/work/steps"
    os.makedirs(folder)
    shutil.copy2(f"{SCRIPTS}/steps.sh", folder)
    job = cluster.train(f"{folder}/steps.sh", "--cpus", "1")
    wait_until(lambda: work.log(job).count("] waits") == 4, "the first life waits")
    lost = work.kill(job)
    wait_until(lambda: work.log(job).count("listens") == 4, "the second life listens")
    first, second = [attempt["nodes"] for attempt in cluster.show(job)["attempts"]]
    cluster.up()
    cluster.baton("drain", second[1], "--grace", "20")
    ended = cluster.baton("wait", job, check=False)
    log = work.log(job)
    expect(ended.returncode == 0, f"{ended.stdout}{ended.stderr}\n{log}")
    expect(lost in first and lost not in second, f"{first} {second}")
    for rank, node in ((0, 0), (1, 0), (2, 1), (3, 1)):
        said = (f"/{node}] {rank}: task {rank} of 4, {rank % 2} on {node}, meets 127.0.0.1, "
                "by the script in made")
        expect(log.count(said) == 3, f"{said}\n{log}")
    for said, lives in (("script on node 0 of 2", 3), ("srun says captured", 3), ("slow", 3),
                        ("quick 0", 3), ("quick 1", 3), ("failed with 7", 3), ("cut with 124", 3),
                        ("--frobnicate is not known", 3), ("the end", 1), ("goes no further", 0),
                        ("the script is told", 0)):
        expect(log.count(said) == lives, f"{said}: {log.count(said)}\n{log}")
    expect(all(f"task {rank} is told" in log for rank in range(4)), log)
    causes = [attempt["end_cause"] for attempt in cluster.show(job)["attempts"]]
    expect(causes[:2] == ["node-lost", "preempted"], f"{causes}")
    cluster.baton("undrain", second[1])


def processes_of(job):
    """Their pids, by the environment that they were started with."""
    found = []
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if f"BATON_JOB_ID={job}".encode() in file.read():
                found.append(pid)
    return found


def a_cancel_ends_the_steps_of_all_nodes(cluster, work):
    job = cluster.train(f"{cluster.top}/work/steps/steps.sh", "--cpus", "1")
    wait_until(lambda: work.log(job).count("] waits") == 4, "it waits")
    expect(len(processes_of(job)) >= 8, "tasks, the script, its srun, and who waits")
    cluster.baton("cancel", job)
    expect(cluster.baton("wait", job, check=False).returncode == 4, "cancelled")
    expect(not processes_of(job), f"nothing is left: {processes_of(job)}")


def test(programs):
    with Cluster(programs) as cluster:
        work = Work(cluster)
        began = time.monotonic()
        weights = a_process_for_each_rank(cluster, work)
        torchrun_on_two_nodes(cluster, work, weights)
        print(f"gangs of two nodes: {time.monotonic() - began:.1f} s", flush=True)
        for part in (torchrun_goes_on_with_fewer_nodes, a_notice_is_no_word_for_torchrun,
                     a_rank_below_torchrun_is_told, steps_of_a_slurm_script,
                     a_cancel_ends_the_steps_of_all_nodes):
            began = time.monotonic()
            part(cluster, work)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main(test)
