"""Cards from a fake driver's library: the worker finds them, a job gets one, and its use is told."""
import os
import sys

from cluster import Cluster, expect, wait_until

PROGRAMS, SPEC, FAKE = (os.path.abspath(word) for word in sys.argv[1:4])
CARD = {"name": "NVIDIA H200", "memory_total": 150 << 30, "memory_used": 3 << 30, "utilization": 4,
        "power": 90500, "celsius": 35}


class CardCluster(Cluster):
    def environment(self):
        cards = self.top + "/cards"
        if not os.path.exists(cards):
            with open(cards, "w", encoding="utf-8") as file:
                file.write("cards = 2\n" + "".join(f"{i}.{name} = {value}\n" for i in (0, 1)
                                                   for name, value in CARD.items()))
            os.chmod(cards, 0o644)
        return {**super().environment(), "BATON_FAKE_NVML": cards,
                "LD_LIBRARY_PATH": os.path.dirname(FAKE)}


# Writes its metrics in a way that takes no lines of others.
OWN = """
import json, os, time
with open(os.environ["BATON_METRICS_FILE"], "w", buffering=1) as file:
    step = 0
    while not os.path.exists(os.environ["STOP"]):
        step += 1
        file.write(json.dumps({"step": step, "loss": 1 / step}) + "\\n")
        time.sleep(0.2)
    file.write('{"step": %d, "loss": 0}' % (step + 1))
"""


def a_script_with_its_own_metrics(cluster):
    stop, folder = cluster.top + "/stop", cluster.top + "/own"
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    job = cluster.baton("train", "--gpus", "1", "--cpus", "1", "--memory", "64MiB", "--name", "own",
                        "--env", f"STOP={stop}", "--folder", folder, "--", "python3", "-c", OWN).stdout.strip()
    row = wait_until(lambda: [row for row in cluster.json("metrics", job)
                              if "gpu_utilization" in row], "its card is told of too", 60)[0]
    expect(row["gpu_utilization"] == 0.04, f"{row}")
    # Of the card, as the driver knows it by process: the script's share beside a stranger's.
    (_, task), = cluster.tasks(job)
    with open(cluster.top + "/cards", "a", encoding="utf-8") as file:
        for card in (0, 1):
            file.write(f"{card}.processes = 1:{1 << 30}:50 {task['pid']}:{1 << 29}:3\n")
    row = wait_until(lambda: [row for row in cluster.json("metrics", job)
                              if "gpu_process_bytes" in row], "what it has of the card", 60)[0]
    expect((row["gpu_process_bytes"], row["gpu_process_utilization"]) == (1 << 29, 0.03), f"{row}")
    expect("its own 512.0 MiB and 3 % of the time" in cluster.baton("show", job).stdout, "in show")
    with open(stop, "w"):
        os.chmod(cluster.top, 0o755)
    expect(cluster.baton("wait", job).returncode == 0, cluster.show(job)["reason"])
    losses = [row for row in cluster.json("metrics", job) if "loss" in row]
    steps = [row["step"] for row in losses]
    expect(steps == list(range(1, len(steps) + 1)) and losses[-1]["loss"] == 0,
           f"its own lines are whole, each once, the last one without an end too: {losses}")
    expect(cluster.show(job)["step"] == len(steps), "and its steps are those")


def main():
    with CardCluster(PROGRAMS, workers="spot") as cluster:
        os.symlink(PROGRAMS + "/baton-trainer", cluster.programs + "/baton-trainer")
        node, = cluster.json("nodes")
        expect((node["gpus"], node["gpu_type"]) == (2, "h200"), f"the worker's cards: {node}")
        expect("2/2 h200" in cluster.baton("nodes").stdout, "they are in the table")
        card = {"type": "h200", "memory_bytes": 150 << 30, "memory_used_bytes": 3 << 30}
        wait_until(lambda: cluster.json("nodes")[0]["cards"] == [{"gpu": 0, **card},
                                                                 {"gpu": 1, **card}],
                   "their memory, and how much is in use before a job runs", 30)
        expect("2 x 3.0 GiB of 150.0 GiB" in cluster.baton("nodes").stdout, "and in the table")

        job = cluster.train(SPEC, "--name", "idle", "--set", "epochs=2000", "--set",
                            "resources.gpus=1")
        rows = wait_until(lambda: [row for row in cluster.json("metrics", job)
                                   if "gpu_utilization" in row], "the card's use is a metric", 90)
        row = rows[0]
        expect(row["gpu"] in (0, 1) and row["step"] > 0 and row["rank"] == 0, f"whose: {row}")
        expect((row["gpu_utilization"], row["gpu_memory_bytes"], row["gpu_power_watts"]) ==
               (0.04, 3 << 30, 90.5), f"what the driver tells: {row}")
        expect(node["name"] == row["node"], f"where: {row}")
        steps = [r for r in cluster.json("metrics", job) if "loss" in r]
        expect(steps, "the program's own metrics are beside them")
        shown = cluster.baton("show", job).stdout
        expect("4 % busy" in shown and "3.0 GiB of 150.0 GiB" in shown, shown)
        wait_until(lambda: "warning     its cards are idle: 4 % busy" in
                   cluster.baton("show", job).stdout, "an idle card is warned of", 120)
        expect(cluster.json("nodes")[0]["gpus_free"] == 1, "one is taken")
        cluster.baton("cancel", job)
        a_script_with_its_own_metrics(cluster)


main()
