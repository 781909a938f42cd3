"""A cloud announces the end of a machine: its job goes on elsewhere before that, in the words of the
cloud. Arguments: folder of programs, spec."""
import os
import subprocess
import sys
import time

from cluster import Cluster, expect, main, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from metadata import Metadata  # pylint: disable=wrong-import-position

# Counts, saves each number, and has a second of work left when it is asked to end.
SCRIPT = """import os, signal, time
def leave(*_):
    raise SystemExit(75)
signal.signal(signal.SIGTERM, leave)
n = int(open("n.txt").read()) if os.path.exists("n.txt") else 0
while not os.path.exists("/proc/self/cwd/never"):
    n += 1
    with open("n.new", "w") as file:
        file.write(str(n))
    os.replace("n.new", "n.txt")
    time.sleep(0.05)
"""


def stamp(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
    return time.strftime(form, time.gmtime(time.time() + seconds))


class Site:
    """Workers in the cloud beside a cluster's own."""

    def __init__(self, cluster, metadata):
        self.cluster, self.metadata = cluster, metadata
        self.address = cluster.status()["address"]
        self.running = []

    def start(self, name, cloud=None):
        url = f"{cloud}={self.metadata.urls[cloud]}" if cloud else "none"
        self.running.append(subprocess.Popen(
            [self.cluster.programs + "/baton-worker", "--name", name, "--cpus", "1",
             "--scheduler", self.address, "--dir", f"{self.cluster.folder}/workers/{name}",
             "--labels", "site=cloud", "--price", "1", "--metadata-url", url, "--notice-grace", "1"],
            stderr=subprocess.DEVNULL))
        wait_until(lambda: self.node(name).get("state") == "up", f"{name} has joined")

    def node(self, name):
        return next((n for n in self.cluster.json("nodes") if n["name"] == name), {})

    def notice(self, name):
        reason = self.node(name).get("reason", "")
        return reason if "notice" in reason else ""

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(30)


def announce(metadata, cloud):
    if cloud == "aws":
        metadata.expire_token()
        metadata.change(action=("terminate", stamp(20)))
    elif cloud == "gcp":
        metadata.change(preempted=True)
    else:
        metadata.change(events=[{
            "EventId": "e-1", "EventType": "Preempt", "ResourceType": "VirtualMachine",
            "Resources": ["vm0"], "EventStatus": "Scheduled", "EventSource": "Platform",
            "NotBefore": stamp(20, "%a, %d %b %Y %H:%M:%S GMT")}])


def a_job_leaves_before_its_machine(cluster, site, cloud):
    first, job_name = f"{cloud}-doomed", f"job-{cloud}"
    site.start(first, cloud)
    script = cluster.top + "/script/count.py"
    job = cluster.baton("train", "--name", job_name, "--require", "site=cloud", "--checkpoint",
                        "n.txt", "--cpus", "1", script).stdout.strip()
    wait_until(lambda: cluster.show(job)["checkpoints"], "a checkpoint is kept")
    site.start(f"{cloud}-safe")
    announced = time.monotonic()
    announce(site.metadata, cloud)
    shown = wait_until(lambda: (lambda s: s["attempts"][1:] and s)(cluster.show(job)),
                       "a second attempt", 25)
    took = time.monotonic() - announced
    print(f"{cloud}: announced to placed again {took:.1f} s", flush=True)
    end = shown["attempts"][0]
    expect(end["end_cause"] == "preempted" and f"({cloud}, preempt)" in end["end_detail"], f"{end}")
    expect(shown["attempts"][1]["nodes"] == [f"{cloud}-safe"], f"{shown['attempts']}")
    expect(shown["retries_left"] == 3, "a notice costs no retry")
    if cloud == "azure":
        wait_until(lambda: site.metadata.approved == ["e-1"], "the empty node lets Azure go on")
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False)


def a_notice_that_is_called_off(cluster, site, spec):
    site.metadata.change(action=None)
    wait_until(lambda: not site.notice("aws-doomed"), "AWS called it off")
    job = cluster.train(spec, "--require", "site=cloud", "--cpus", "1", "--set", "epochs=500",
                        "--set", "checkpoint={every_s: 3600}")
    wait_until(lambda: cluster.show(job)["step"] > 20, "it trains")
    shown = cluster.show(job)
    expect(not shown["checkpoints"] and shown["checkpoint_age_s"] is None, "nothing is saved yet")
    expect(shown["at_risk_usd"] > 0, "all that was paid is at risk")
    site.metadata.change(rebalance=stamp(0))
    wait_until(lambda: site.notice("aws-doomed") == "rebalance notice from aws", "a risk is told")
    wait_until(lambda: cluster.show(job)["checkpoints"], "the risk makes it save", 20)
    shown = cluster.show(job)
    expect(shown["checkpoint_age_s"] is not None and len(shown["attempts"]) == 1,
           f"it trains on: {shown['attempts']}")
    cluster.baton("cancel", job)
    site.metadata.change(gone=True)
    asked = sum(site.metadata.asked.values())
    wait_until(lambda: sum(site.metadata.asked.values()) > asked + 3, "it asks on")
    expect(site.notice("aws-doomed"), "silence withdraws nothing")


def test(programs, spec):
    with Metadata() as metadata, Cluster(programs, "spot") as cluster:
        os.mkdir(cluster.top + "/script")
        with open(cluster.top + "/script/count.py", "w") as file:
            file.write(SCRIPT)
        site = Site(cluster, metadata)
        try:
            for cloud in ("aws", "gcp", "azure"):
                a_job_leaves_before_its_machine(cluster, site, cloud)
                for name in (f"{cloud}-safe",):
                    cluster.baton("drain", name)
            a_notice_that_is_called_off(cluster, site, spec)
            bad = subprocess.run([cluster.programs + "/baton-worker", "--dir",
                                  cluster.folder + "/workers/x", "--scheduler", site.address,
                                  "--metadata-url", "oracle=http://x"],
                                 capture_output=True, text=True, timeout=30)
            expect(bad.returncode == 2 and "write CLOUD=URL" in bad.stderr, bad.stderr)
        finally:
            site.stop()


main(test)
