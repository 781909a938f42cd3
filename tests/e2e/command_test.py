"""A user's own program under the job contract: environment, logs, metrics, checkpoints, notices,
exit codes, cancel, and what the command line says of it. Argument: folder of programs."""
import json
import os
import signal
import subprocess
import time

from cluster import Cluster, JobFolder, expect, main, wait_until


def lines_of(text, prefix="line "):
    return [int(line.split()[-1]) for line in text.splitlines() if prefix in line]


def environment_and_output(cluster, work):
    spec = work.spec("env", ["python3", "contract.py", "5"], env={"MY": "own"},
                     params={"dropout": 0.3})
    job = cluster.train(spec)
    expect(cluster.baton("wait", job).returncode == 0, "the program succeeded")
    folder = cluster.collect(job)
    with open(folder + "/environment.json") as file:
        env = json.load(file)
    for name, value in {"BATON_JOB_ID": job, "BATON_ATTEMPT": "1", "BATON_RANK": "0",
                        "BATON_WORLD_SIZE": "1", "BATON_LOCAL_RANK": "0", "BATON_NODE_RANK": "0",
                        "BATON_RESUME_DIR": "", "BATON_DATA_DIR": "", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0",
                        "LOCAL_WORLD_SIZE": "1", "TORCHELASTIC_RESTART_COUNT": "0",
                        "MY": "own"}.items():
        expect(env.get(name) == value, f"{name} is {env.get(name)!r}, expected {value!r}")
    for name in ("BATON_NODE_ADDRESS", "BATON_SPEC_FILE", "BATON_MEMBERSHIP_FILE",
                 "BATON_RENDEZVOUS", "MASTER_ADDR", "MASTER_PORT", "TF_CONFIG"):
        expect(env.get(name), f"{name} is not set")
    with open(folder + "/logs/attempt-1-rank-0.log") as file:
        log = file.read()
    expect('params {"dropout":0.3}' in log.replace(" ", "").replace("params", "params "), log)
    metrics = cluster.json("metrics", job)
    expect([row["step"] for row in metrics] == [1, 2, 3, 4, 5], f"metrics: {metrics}")
    expect(cluster.show(job)["metrics"]["loss"] == 0.2, "show has the newest loss")


def logs_survive_a_killed_scheduler(cluster, work):
    job = cluster.train(work.spec("talk", ["python3", "contract.py", "150"]))
    follow = subprocess.Popen([cluster.programs + "/baton", "logs", "-f", job],
                              env=cluster.environment(), stdout=subprocess.PIPE, text=True)
    wait_until(lambda: cluster.show(job)["step"] > 20, "it runs")
    os.kill(cluster.status()["scheduler"]["pid"], signal.SIGKILL)
    time.sleep(0.5)
    cluster.up()
    text, _ = follow.communicate(timeout=60)
    expect(lines_of(text) == list(range(1, 151)), f"every line once, got {lines_of(text)}")
    shown = cluster.show(job)
    expect(shown["state"] == "SUCCEEDED" and len(shown["attempts"]) == 1, "one attempt sufficed")


def notice_hands_the_checkpoint_on(cluster, work):
    job = cluster.train(work.spec("relay", ["python3", "contract.py", "200"]))
    wait_until(lambda: cluster.show(job)["step"] > 50, "it runs")
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    cluster.baton("drain", node, "--reason", "test")
    expect(cluster.baton("wait", job).returncode == 0, "it went on elsewhere")
    cluster.baton("undrain", node)
    shown = cluster.show(job)
    first, second = shown["attempts"]
    expect(first["end_cause"] == "preempted" and first["exit_codes"] == [75], f"{first}")
    expect(second["nodes"] != first["nodes"], "on another node")
    expect(shown["steps_lost"] == 0 and second["first_step"] == first["last_step"] + 1,
           f"no step was lost or repeated: {shown['steps_lost']}, {first}, {second}")
    expect(shown["preemptions"] == 1 and shown["retries_left"] == 3, "it cost no retry")
    log = cluster.baton("logs", job).stdout
    expect("notice ['reason', 'unix_time']" in log, f"the deadline file: {log}")
    expect(lines_of(log) == list(range(1, 201)), "every step once, over both attempts")


def who_ignores_the_notice_trains_on(cluster, work):
    job = cluster.train(work.spec("deaf", ["sleep", "60"]))
    wait_until(lambda: cluster.show(job)["state"] == "RUNNING", "it runs")
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    began = time.monotonic()
    cluster.baton("drain", node, "--grace", "3")
    wait_until(lambda: cluster.show(job)["attempts"][0]["end"], "the attempt ended", 20)
    took = time.monotonic() - began
    expect(1.5 < took < 6, f"it was left alone until just before the deadline: {took:.1f} s")
    expect(cluster.show(job)["attempts"][0]["end_cause"] == "preempted", "a preemption")
    cluster.baton("undrain", node)
    cluster.baton("cancel", job)


def failures_are_told(cluster, work):
    job = cluster.train(work.spec("crash", ["sh", "-c", "echo boom; exit 3"], retries=1))
    done = cluster.baton("wait", job, check=False)
    expect(done.returncode == 1, f"the user's program failed: {done}")
    shown = cluster.show(job)
    expect([a["end_cause"] for a in shown["attempts"]] == ["crashed", "crashed"], f"{shown}")
    expect("3" in shown["reason"], f"the reason names the exit code: {shown['reason']}")
    with open(cluster.collect(job) + "/logs/attempt-2-rank-0.log") as file:
        expect("boom" in file.read(), "collect works after a failure")
    absent = cluster.train(work.spec("absent", ["./no-such-program"], retries=0))
    expect(cluster.baton("wait", absent, check=False).returncode == 1, "it cannot start")
    expect("no-such-program" in cluster.show(absent)["reason"], cluster.show(absent)["reason"])
    cluster.baton("retry", job)
    expect(cluster.baton("wait", job, check=False).returncode == 1, "retry ran it again")
    expect(len(cluster.show(job)["attempts"]) >= 3, "with new attempts")


def odd_outputs_cost_only_themselves(cluster, work):
    script = "cd $BATON_OUTPUT_DIR; echo a > a; ln -s a l; echo x > \"$(printf 'b\\tc')\""
    job = cluster.train(work.spec("odd", ["sh", "-c", script], retries=0))
    expect(cluster.baton("wait", job).returncode == 0, "the program succeeded")
    reason = cluster.show(job)["reason"]
    expect("'l' is a symbolic link" in reason and "'b\\tc' has a name" in reason, f"named: {reason}")
    expect(f"[baton: {reason.split(': ', 1)[1]}]" in cluster.baton("logs", job).stdout, "in the log")
    with open(cluster.collect(job) + "/a") as file:
        expect(file.read() == "a\n", "the regular file is there")


def a_dead_keeper_is_no_crash(cluster, work):
    job = cluster.train(work.spec("kept", ["sleep", "600"], retries=0))
    wait_until(lambda: cluster.tasks(job), "it runs")
    _, task = cluster.tasks(job)[0]
    with open(f"/proc/{task['pid']}/stat") as file:
        keeper = int(file.read().rsplit(")", 1)[1].split()[1])
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: len(cluster.show(job)["attempts"]) > 1 and cluster.tasks(job),
               "it runs again, though it had no retries", 30)
    cluster.baton("cancel", job)


def a_refused_checkpoint_is_told(cluster, work):
    script = "cd $BATON_CHECKPOINT_DIR; mkdir a.tmp; ln -s /etc a.tmp/l; mv a.tmp a; sleep 600"
    job = cluster.train(work.spec("refused", ["sh", "-c", script]))
    said = "checkpoint a is not kept: "
    wait_until(lambda: said in cluster.show(job)["reason"], "the reason tells it", 30)
    expect(any(said in note["text"] for note in cluster.json("why", job)["notes"]), "why has a note")
    wait_until(lambda: "[baton: " + said in cluster.baton("logs", job).stdout, "and the log", 30)
    begin = time.monotonic()
    cluster.baton("cancel", job)
    cluster.baton("wait", job, check=False, limit_s=30)
    expect(time.monotonic() - begin < 5, "a sleep does not catch SIGTERM and ends of it at once")


def cancel_leaves_nothing(cluster, work):
    job = cluster.train(work.spec("tree", ["sh", "tree.sh"]))
    sleepers = ["pgrep", "-f", "^sleep 432[1-4]$"]
    wait_until(lambda: len(subprocess.run(sleepers, capture_output=True).stdout.split()) == 4,
               "all its processes run")
    cluster.baton("cancel", job)
    expect(cluster.baton("wait", job, check=False, limit_s=30).returncode == 4, "cancelled")
    wait_until(lambda: not subprocess.run(sleepers, capture_output=True).stdout.split(),
               "no process is left", 5)
    expect(cluster.baton("cancel", job, check=False).returncode == 2, "cancelled once only")


def what_cannot_run_is_said(cluster, work):
    greedy = work.spec("greedy", ["true"], resources={"gpus": 4})
    refused = cluster.baton("train", greedy, check=False)
    expect(refused.returncode == 2 and "--queue-anyway" in refused.stderr, f"{refused}")
    expect(f"{greedy}:" in refused.stderr and ": resources.gpus: " in refused.stderr,
           f"the refusal names file and line: {refused.stderr}")
    job = cluster.train(greedy, "--queue-anyway")
    shown = cluster.show(job)
    expect(shown["state"] == "QUEUED" and "GPU" in shown["reason"], f"{shown['reason']}")
    cluster.baton("cancel", job)
    expect(cluster.show(job)["state"] == "CANCELLED", "a queued job is cancelled at once")
    wide = cluster.baton("train", work.spec("wide", ["true"], ranks=9), check=False)
    if wide.returncode == 0:
        shown = cluster.show(wide.stdout.strip())
        expect(shown["state"] == "QUEUED" and "9" in shown["reason"], f"{shown['reason']}")
        cluster.baton("cancel", wide.stdout.strip())


def jobs_have_names(cluster, work):
    spec = work.spec("twice", ["true"])
    first, second = cluster.train(spec), cluster.train(spec)
    cluster.baton("wait", first, second)
    expect(cluster.show("twice")["id"] == second, "a name is its newest job")
    expect(cluster.show("latest")["id"] == second, "latest is mine, here")
    expect(cluster.show(first[:8])["id"] == first, "a unique prefix")
    expect(cluster.baton("show", "nobody", check=False).returncode == 3, "an unknown job")
    listed = cluster.json("jobs")
    expect({"id", "name", "state"} <= set(listed[0]) and
           {first, second} <= {job["id"] for job in listed}, "jobs lists all of them")
    why = cluster.json("why", first)
    expect(why["notes"] and all(note["text"] for note in why["notes"]), "why has reasons")


def test(programs):
    with Cluster(programs) as cluster:
        work = JobFolder(cluster)
        for part in (environment_and_output, logs_survive_a_killed_scheduler,
                     notice_hands_the_checkpoint_on, who_ignores_the_notice_trains_on,
                     failures_are_told, odd_outputs_cost_only_themselves,
                     a_dead_keeper_is_no_crash, a_refused_checkpoint_is_told, cancel_leaves_nothing, what_cannot_run_is_said,
                     jobs_have_names):
            began = time.monotonic()
            part(cluster, work)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main(test)
