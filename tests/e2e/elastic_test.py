"""A gang loses ranks and gains them while it trains: one attempt, the same processes, the same bytes.

Arguments: folder of programs, spec.
"""
import os
import signal

from cluster import Cluster, expect, main, wait_until

WORDS = ["--set", "shards=3", "--set", "epochs=60", "--set", "checkpoint.every_steps=100000"]


class Gang:
    def __init__(self, cluster, spec):
        self.cluster = cluster
        self.job = cluster.train(spec, *WORDS, "--ranks", "1..3", "--name", "gang")

    def show(self):
        return self.cluster.show(self.job)

    def pids(self):
        return {task["pid"]: worker["name"] for worker, task in self.cluster.tasks(self.job)}

    def settles(self, generation, ranks, what):
        """Once that generation, or a later one, of so many ranks trains."""
        def there():
            shown = self.show()
            expect(shown["state"] not in ("SUCCEEDED", "FAILED", "CANCELLED"),
                   f"the job is {shown['state']} ({shown['reason']}) before {what}")
            return (shown["state"] == "RUNNING" and shown["generation"] >= generation
                    and shown["world_size"] == ranks and len(self.pids()) == ranks
                    and shown["step"] > 0 and shown)
        return wait_until(there, f"{what}: {ranks} ranks in generation {generation}, "
                                 f"not {self.show()['generation']}", 90)


def a_node_dies(cluster, gang):
    before = gang.settles(1, 3, "three ranks")
    pids = gang.pids()
    victim = next(w for w in cluster.status()["workers"] if w["tasks"] and w["name"] == "spot-b")
    os.kill(victim["pid"], signal.SIGKILL)
    after = gang.settles(before["generation"] + 1, 2, "the loss of a node")
    left = {pid for pid, name in pids.items() if name != "spot-b"}
    expect(set(gang.pids()) == left, f"the survivors are the same processes: {left}")
    loss = after["losses"][-1]
    expect(loss["node"] == "spot-b" and loss["detector"] in ("connection", "peers", "exit"),
           f"{loss}")
    expect(loss["steps_lost"] <= 1, f"a loss costs the unfinished step: {loss}")
    print(f"kill -9 of a node: noticed by {loss['detector']} after {loss['delay_s']} s, next step "
          f"after {loss['recovery_s']} s, {loss['steps_lost']} steps lost", flush=True)
    why = cluster.baton("why", gang.job).stdout
    expect("spot-b" in why and "generation" in why, f"why tells of it:\n{why}")
    return after


def it_comes_back(cluster, gang, before):
    pids = set(gang.pids())
    cluster.up()
    after = gang.settles(before["generation"] + 1, 3, "the return of the node")
    expect(pids <= set(gang.pids()), "those who trained on are the same processes")
    expect(after["losses"] == before["losses"], "a joiner costs no step")
    return after


def a_rank_dies(cluster, gang, before):
    worker, task = next(pair for pair in cluster.tasks(gang.job) if pair[0]["name"] == "spot-a")
    os.kill(task["pid"], signal.SIGKILL)
    wait_until(lambda: len(gang.show()["losses"]) > len(before["losses"]), "the loss is told")
    after = gang.settles(before["generation"] + 1, 3, "the loss of a rank, and another in its place")
    loss = after["losses"][-1]
    expect(loss["node"] == worker["name"] and loss["detector"] in ("exit", "peers"), f"{loss}")
    expect(after["retries_left"] == before["retries_left"], "steps were finished: no retry is counted")
    return after


def a_node_is_drained(cluster, gang, before):
    cluster.baton("drain", "on-demand-a")
    after = gang.settles(before["generation"] + 1, 2, "the drain of a node")
    loss = after["losses"][-1]
    expect(loss["node"] == "on-demand-a" and loss["detector"] == "notice", f"{loss}")
    expect(loss["steps_lost"] == 0, f"a notice costs no step: {loss}")
    expect("on-demand-a" not in gang.pids().values(), "nothing of it is left there")
    cluster.baton("undrain", "on-demand-a")
    return gang.settles(after["generation"] + 1, 3, "the node is used again")


def test(programs, spec):
    with Cluster(programs) as cluster:
        calm = cluster.train(spec, *WORDS, "--ranks", "1", "--name", "calm")
        bytes_of_calm = cluster.model(calm)
        gang = Gang(cluster, spec)
        shown = a_node_dies(cluster, gang)
        shown = it_comes_back(cluster, gang, shown)
        shown = a_rank_dies(cluster, gang, shown)
        shown = a_node_is_drained(cluster, gang, shown)
        expect(cluster.model(gang.job) == bytes_of_calm, "the disturbed run gave other bytes")
        shown = gang.show()
        expect(len(shown["attempts"]) == 1, f"one attempt survived it all: {shown['attempts']}")
        expect(shown["chain_head"] == cluster.show(calm)["chain_head"] != "", "the same receipt")


main(test)
