"""Software environments: what a folder asks for is installed once, stored, and restored on other
nodes; what was installed is shown; mistakes say what is wrong. No network: a wheel made here.
Arguments: folder of programs, the program uv (where it is missing, its part is passed over)."""
import base64
import hashlib
import json
import os
import signal
import subprocess
import time
import zipfile

from cluster import Cluster, expect, main, wait_until
from scripts_folder import Scripts

TRAIN = """import json, os, subprocess, sys, time
import tiny
out = os.environ["BATON_OUTPUT_DIR"] + "/told.json"
told = {"answer": tiny.answer(), "prefix": sys.prefix, "made": os.path.exists("made-here"),
        "helper": open(os.environ["BATON_ENVIRONMENT_DIR"] + "/helper").read(),
        "script": subprocess.run(["tiny-tool"], capture_output=True, text=True).stdout,
        "venv": os.environ["VIRTUAL_ENV"], "attempt": os.environ["BATON_ATTEMPT"],
        "python": subprocess.run(["which", "python3"], capture_output=True, text=True).stdout}
json.dump(told, open(out, "w"))
print("runs with tiny", tiny.answer(), flush=True)
step = 0
for _ in range(10):  # a first step takes some time
    step += sum(i * i for i in range(300_000))
open(os.environ["BATON_METRICS_FILE"], "a").write('{"step": 1, "loss": 2.0}\\n')
while told["attempt"] == "1" and "--once" not in sys.argv:
    time.sleep(0.1)
"""


def wheel(folder, version="1.0"):
    """tiny-VERSION: a module and a script with an entry point, in the format of wheels."""
    os.makedirs(folder, exist_ok=True)
    files = {
        "tiny.py": f"def answer():\n    return 42\ndef main():\n    print('tool {version}')\n",
        f"tiny-{version}.dist-info/METADATA":
            f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"tiny-{version}.dist-info/WHEEL":
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"tiny-{version}.dist-info/entry_points.txt":
            "[console_scripts]\ntiny-tool = tiny:main\n"}
    record = f"tiny-{version}.dist-info/RECORD"
    lines = []
    with zipfile.ZipFile(f"{folder}/tiny-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            lines.append(f"{name},sha256={digest.decode().rstrip('=')},{len(text)}")
            archive.writestr(name, text)
        archive.writestr(record, "\n".join(lines + [f"{record},,"]) + "\n")


def folder_with_requirements(cluster, scripts, name):
    wheel(f"{scripts.path}/{name}/wheels")
    scripts.write(f"{name}/requirements.txt", "--no-index\n--find-links ./wheels\ntiny==1.0\n")
    scripts.write(f"{name}/train.py", TRAIN)
    count = f"{cluster.top}/{name}-count"
    with open(count, "w"):
        pass
    os.chmod(count, 0o666)
    return count


def told(folder):
    with open(folder + "/told.json") as file:
        return json.load(file)


def state_of(cluster, job):
    shown = cluster.show(job)
    return shown, (shown["environment"] or {}).get("from")


def a_lost_node_repeats_no_setup(cluster, scripts):
    """The worker with the job is killed with -9 right after its first step: what its setup made was
    stored beside the start. The other one has never seen the environment."""
    count = folder_with_requirements(cluster, scripts, "env")
    scripts.write("env/baton.yml", f"setup:\n- echo ran >> {count}\n- touch made-here\n"
                                   "- printf help > $BATON_ENVIRONMENT_DIR/helper\n")
    done = scripts.baton("train", "env/train.py")
    expect(done.returncode == 0, done.stderr)
    expect("installs requirements.txt (1 package) on the nodes, then runs 3 setup commands, once for "
           "the same content; environment: none turns the installing off" in done.stderr,
           done.stderr)
    job = done.stdout.strip()
    wait_until(lambda: cluster.show(job)["step"] >= 1, "its first step")
    shown, came = state_of(cluster, job)
    expect(came == "built", f"{shown['environment']}")
    first = shown["environment"]
    (worker, _), = cluster.tasks(job)
    # Beside the start; on a slow machine the first step may come before its end.
    place = f"{cluster.folder}/workers/{worker['name']}/environments"
    wait_until(lambda: [name for name in os.listdir(place) if name.endswith(".stored")],
               "what was made is stored")
    took_s = shown["phases"]["setup_s"]
    os.kill(worker["pid"], signal.SIGKILL)
    ended = cluster.baton("wait", job, check=False)
    log = cluster.baton("logs", job).stdout
    expect(ended.returncode == 0, f"{ended.stdout}{ended.stderr}{log}")
    with open(count) as file:
        expect(file.read() == "ran\n", "the setup ran once, on one node")
    shown, came = state_of(cluster, job)
    environment = shown["environment"]
    expect(came == "restored" and len(shown["attempts"]) == 2, f"{environment}")
    expect(environment["digest"] == first["digest"], "the same environment")
    expect("tiny==1.0" in environment["packages"] and environment["source"] == "requirements.txt"
           and environment["kind"] == "requirements" and environment["python"], f"{environment}")
    expect("its result is fetched, another node has made it" in log, log)
    collected = cluster.collect(job)
    found = told(collected)
    other = shown["attempts"][1]["nodes"][0]
    place = f"{cluster.folder}/workers/{other}/environments/"
    expect(other != worker["name"] and found["prefix"].startswith(place), f"{found}")
    expect(found["venv"] == found["prefix"] and found["attempt"] == "2", f"{found}")
    expect(found["script"] == "tool 1.0\n", f"its scripts run in their new place: {found}")
    expect(found["python"].strip() == found["prefix"] + "/bin/python3", f"{found}")
    expect(found["made"] and found["helper"] == "help", f"what setup made: {found}")
    with open(collected + "/.baton/environment.txt") as file:
        expect("\ntiny==1.0\n" in file.read(), "all that is installed, among the outputs")
    text = cluster.baton("show", job).stdout
    expect("environment requirements.txt: " in text and "restored in" in text, text)
    print(f"first setup {took_s:.1f} s, restored in {environment['setup_ms'] / 1000:.2f} s")
    cluster.up()
    return count


def the_same_content_is_not_made_again(cluster, scripts, count):
    """Another script in the folder, other parameters: the environment is there."""
    scripts.write("env/train.py", TRAIN + "print('changed')\n")
    _, said, job = scripts.train("--flag", "lr=0.1", "env/train.py", "--once")
    shown, came = state_of(cluster, job)
    expect(came in ("cache", "restored"), f"{shown['environment']}")
    with open(count) as file:
        expect(file.read() == "ran\n", "no setup")
    # Content that the setup depends on makes another one.
    scripts.write("env/requirements.txt",
                  "--no-index\n--find-links ./wheels\ntiny==1.0  # pinned\n")
    _, said, job = scripts.train("env/train.py", "--once")
    shown, came = state_of(cluster, job)
    expect(came == "built", f"{shown['environment']}")
    with open(count) as file:
        expect(file.read() == "ran\nran\n", "one more setup")


def two_tasks_of_a_node_share_one(cluster, scripts):
    count = folder_with_requirements(cluster, scripts, "gang")
    scripts.write("gang/train.py", "import tiny, os\nprint('rank', os.environ['RANK'])\n")
    scripts.write("gang/baton.yml", f"entry: train.py\nranks: 2\ncpus: 0.25\nsetup:\n- sleep 1\n"
                                    f"- echo ran >> {count}\n")
    done = scripts.baton("train", folder="gang")
    job = done.stdout.strip()
    ended = cluster.baton("wait", job, check=False)
    log = cluster.baton("logs", job).stdout
    expect(ended.returncode == 0 and "rank 0" in log and "rank 1" in log, log)
    nodes = set(cluster.show(job)["attempts"][0]["nodes"])
    with open(count) as file:
        ran = file.read().count("ran")
    expect(ran == len(nodes), f"once on each of {nodes}, it ran {ran} times")


def what_is_wrong_is_said(cluster, scripts):
    folder_with_requirements(cluster, scripts, "wrong")
    scripts.write("wrong/requirements.txt", "--no-index\n--find-links ./wheels\nmissing==9\n")
    scripts.write("wrong/renv.lock", "{}")
    dry = scripts.baton("train", "--dry-run", "wrong/train.py")
    expect("# installs requirements.txt (1 package) on the nodes, " in dry.stdout and
           "passed over: renv.lock (the program is none of R's)" in dry.stdout, dry.stdout)
    job = scripts.baton("train", "--retries", "0", "wrong/train.py").stdout.strip()
    ended = cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect(ended.returncode == 1 and shown["state"] == "FAILED", f"{ended} {shown['reason']}")
    expect("`pip install -r requirements.txt` ended with code 1" in shown["reason"] and
           "missing==9" in shown["reason"], shown["reason"])
    log = cluster.baton("logs", job).stdout
    expect("[baton: setup: pip install -r requirements.txt]" in log and
           "No matching distribution found for missing==9" in log, log)
    # The same folder without it.
    scripts.write("wrong/train.py", "import os\nassert 'BATON_ENVIRONMENT_DIR' not in os.environ\n")
    _, said, job = scripts.train("--environment", "none", "wrong/train.py")
    expect("installs" not in said and cluster.show(job)["environment"]["kind"] == "node", said)
    # A command of the setup, and a secret of the spec that none of the commands names.
    scripts.write("wrong/baton.yml", "retries: 0\nenvironment: none\nenv: {TOKEN: s3cret-word}\n"
                                     "setup:\n- echo begins; env\n- ls /nowhere-at-all\n")
    job = scripts.baton("train", "wrong/train.py").stdout.strip()
    cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect("`ls /nowhere-at-all` ended with code 2: " in shown["reason"] and
           "No such file" in shown["reason"], shown["reason"])
    log = cluster.baton("logs", job).stdout
    expect("begins" in log and "s3cret-word" not in log, "variables that it does not name")
    refused = scripts.baton("train", "--image", "x", "--setup", "true", "wrong/train.py")
    expect(refused.returncode == 2 and "setup: given beside `image`" in refused.stderr,
           refused.stderr)


def installers_see_the_nodes_settings(cluster, scripts):
    """Where this node's pip looks is said to its worker, and is not for commands of jobs."""
    wheel(cluster.top + "/node-wheels", "2.0")
    scripts.write("own/requirements.txt", "--no-index\ntiny==2.0\n")
    scripts.write("own/train.py", "import subprocess\n"
                  "print(subprocess.run(['tiny-tool'], capture_output=True, text=True).stdout)\n")
    _, _, job = scripts.train("--setup", "echo sees $PIP_FIND_LINKS/$PIP_PASSWORD.; env", "own/train.py")
    log = cluster.baton("logs", job).stdout
    expect("tool 2.0" in log and "sees /." in log and "node-password" not in log, log)


def what_the_node_is_to_blame_for_is_tried_elsewhere(cluster, scripts):
    """A setup that is killed, as a node without memory does it, costs the job none of its retries."""
    scripts.write("node/train.py", "print('runs')\n")
    mark = f"{cluster.top}/node-mark"
    os.makedirs(mark)
    os.chmod(mark, 0o777)
    job = scripts.baton("train", "--retries", "0", "--setup",
                        f"mkdir {mark}/once 2>/dev/null || exit 0; kill -9 $$",
                        "node/train.py").stdout.strip()
    ended = cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect(ended.returncode == 0 and len(shown["attempts"]) == 2, f"{ended} {shown['attempts']}")
    first, second = (attempt["nodes"][0] for attempt in shown["attempts"])
    expect(first != second, f"another node: {shown['attempts']}")
    log = cluster.baton("logs", job).stdout
    expect("was killed by signal 9 (the node's memory ran out" in log, log)


def uv_installs(cluster, scripts, uv):
    """The real one, from PyPI: a requirements.txt, then a lock file, then what is not there."""
    os.symlink(uv, cluster.top + "/fake/uv")
    try:
        folder_with_requirements(cluster, scripts, "uv")
        scripts.write("uv/train.py", "import tiny\nprint('answer', tiny.answer())\n")
        _, _, job = scripts.train("uv/train.py")
        log = cluster.baton("logs", job).stdout
        expect("[baton: setup: uv pip install -r requirements.txt]" in log and "answer 42" in log,
               log)
        scripts.write("uv/requirements.txt", "--no-index\n--find-links ./wheels\nmissing==9\n")
        job = scripts.baton("train", "--retries", "0", "uv/train.py").stdout.strip()
        ended = cluster.baton("wait", job, check=False)
        reason = cluster.show(job)["reason"]
        expect(ended.returncode == 1 and "missing==9" in reason, f"{ended} {reason}")
        os.remove(f"{scripts.path}/uv/requirements.txt")
        scripts.write("uv/pyproject.toml", "[project]\nname = 'job'\nversion = '0'\n"
                      "requires-python = '>=3.8'\ndependencies = ['tiny==1.0']\n"
                      "[tool.uv]\nno-index = true\nfind-links = ['wheels']\n")
        locked = subprocess.run([uv, "lock", "--python", "/usr/bin/python3"], capture_output=True,
                                text=True, cwd=f"{scripts.path}/uv",
                                env={**os.environ, "HOME": cluster.top + "/home"})
        expect(locked.returncode == 0, locked.stderr)
        _, _, job = scripts.train("uv/train.py")
        log = cluster.baton("logs", job).stdout
        environment = cluster.show(job)["environment"]
        expect("[baton: setup: uv sync of uv.lock]" in log and "answer 42" in log, log)
        expect(environment["kind"] == "uv" and "tiny==1.0" in environment["packages"],
               f"{environment}")
    finally:
        os.remove(cluster.top + "/fake/uv")


def a_cancel_ends_a_setup(cluster, scripts):
    scripts.write("slow/train.py", "print('never')\n")
    job = scripts.baton("train", "--setup", "echo started; sleep 300", "slow/train.py").stdout.strip()
    wait_until(lambda: "started" in cluster.baton("logs", job).stdout, "the setup runs")
    began = time.monotonic()
    cluster.baton("cancel", job)
    wait_until(lambda: cluster.show(job)["state"] == "CANCELLED", "it is cancelled", 20)
    expect(time.monotonic() - began < 10, "the sleep of the setup is not waited for")


def environments_of_the_node(cluster, scripts):
    prefix = f"{cluster.top}/nodes-venv"
    os.makedirs(prefix + "/bin")
    os.symlink("/usr/bin/python3", prefix + "/bin/python3")
    os.chmod(prefix, 0o755)
    scripts.write("use/train.py", "import os, shutil\n"
                  "print('uses', shutil.which('python3'), os.environ['VIRTUAL_ENV'])\n")
    _, _, job = scripts.train("--environment", f"venv:{prefix}", "use/train.py")
    log = cluster.baton("logs", job).stdout
    expect(f"uses {prefix}/bin/python3 {prefix}" in log, log)
    environment = cluster.show(job)["environment"]
    expect(environment["from"] == "node" and environment["source"] == f"venv:{prefix}",
           f"{environment}")
    job = scripts.baton("train", "--retries", "0", "--environment", "conda:none-such",
                        "use/train.py").stdout.strip()
    ended = cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect(ended.returncode == 6 and "the node has no conda environment 'none-such'; looked for" in
           shown["reason"], f"{ended.returncode} {shown['reason']}")


FAKE_PODMAN = """#!/bin/sh
echo "podman $*" >> "{log}"
case "$1" in
  image) test -e "{top}/has-image" && echo sha256:abc123 ;;
  pull) : > "{top}/has-image"; echo pulled ;;
  run)
    if rm "{top}/fails-once" 2>/dev/null; then
      echo "Error: OCI runtime error: no container for you" >&2
      exit 125
    fi
    while [ "$1" != my/image:1 ]; do
      test "$1" = --workdir && cd "$2"
      shift
    done
    shift
    exec env IN_CONTAINER=yes "$@" ;;
esac
"""


def a_program_in_a_container(cluster, scripts):
    scripts.write("box/train.py", "import os\n"
                  "print('boxed', os.environ['IN_CONTAINER'], os.environ['BATON_RANK'], os.environ['MODE'])\n"
                  "open(os.environ['BATON_OUTPUT_DIR'] + '/x', 'w').write('kept')\n")
    folder, _, job = scripts.train("--env", "MODE=fast", "--image", "my/image:1", "box/train.py")
    log = cluster.baton("logs", job).stdout
    expect("boxed yes 0 fast" in log and "[baton: setup: pull my/image:1]" in log, log)
    with open(folder + "/x") as file:
        expect(file.read() == "kept", "its outputs came back")
    environment = cluster.show(job)["environment"]
    expect(environment["kind"] == "image" and environment["digest"] == "abc123", f"{environment}")
    with open(cluster.top + "/podman-log") as file:
        calls = file.read()
    run = next(line for line in calls.splitlines() if line.startswith("podman run"))
    expect("--rm" in run and "--network host" in run and "--env MODE" in run and "MODE=fast" not in
           run and run.endswith("my/image:1 python3 train.py"), run)


def a_container_that_did_not_start_is_the_nodes_fault(cluster, scripts):
    """125 is podman's own word, not the program's: another try costs none of the job's retries."""
    with open(cluster.top + "/fails-once", "w"):
        pass
    _, _, job = scripts.train("--env", "MODE=fast", "--retries", "0", "--image", "my/image:1",
                              "box/train.py")
    shown = cluster.show(job)
    expect(len(shown["attempts"]) == 2 and not os.path.exists(cluster.top + "/fails-once"),
           f"{shown['attempts']}")


class WithPodman(Cluster):
    """Workers find a podman that notes what it is asked and runs the command itself."""

    def environment(self):
        return {**super().environment(), "PATH": f"{self.top}/fake:{os.environ['PATH']}",
                "PIP_FIND_LINKS": self.top + "/node-wheels", "PIP_PASSWORD": "node-password"}

    def up(self):
        os.makedirs(self.top + "/fake", exist_ok=True)
        path = self.top + "/fake/podman"
        if not os.path.exists(path):
            with open(self.top + "/podman-log", "w"):
                pass
            os.chmod(self.top + "/podman-log", 0o666)
            os.chmod(self.top, 0o777)
            with open(path, "w") as file:
                file.write(FAKE_PODMAN.format(log=self.top + "/podman-log", top=self.top))
            os.chmod(path, 0o755)
        super().up()


def test(programs, uv=None):
    with WithPodman(programs, workers="spot,on-demand") as cluster:
        scripts = Scripts(cluster)
        count = a_lost_node_repeats_no_setup(cluster, scripts)
        the_same_content_is_not_made_again(cluster, scripts, count)
        for part in (two_tasks_of_a_node_share_one, what_is_wrong_is_said,
                     what_the_node_is_to_blame_for_is_tried_elsewhere,
                     installers_see_the_nodes_settings, a_cancel_ends_a_setup,
                     environments_of_the_node, a_program_in_a_container,
                     a_container_that_did_not_start_is_the_nodes_fault):
            began = time.monotonic()
            part(cluster, scripts)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s", flush=True)
        if uv is not None and os.access(uv, os.X_OK):
            uv_installs(cluster, scripts, uv)
        else:
            print("no uv there (deploy/install_peers.sh): not tested", flush=True)


main(test)
