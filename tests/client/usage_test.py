"""Every verb's --help shows an example; mistakes on the command line end with the right code."""
import os
import subprocess
import sys
import tempfile

BATON = sys.argv[1]


def run(*words, **environment):
    env = {**os.environ, "HOME": HOME, "XDG_STATE_HOME": HOME, **environment}
    env.pop("BATON_ADDRESS", None)
    env.update(environment)
    return subprocess.run([BATON, *words], env=env, capture_output=True, text=True, timeout=60)


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def verbs(*parents):
    listed = run("__complete", *parents, "").stdout.split()
    return [[*parents, verb] for verb in listed]


def main():
    every = [path for verb in verbs() for path in [verb, *verbs(*verb)]]
    expect(len(every) > 20, f"completion lists the verbs, got {every}")
    for path in [[], *every]:
        shown = run(*path, "--help")
        expect(shown.returncode == 0 and "Example: " in shown.stdout, f"{path} --help")

    expect(run().returncode == 2, "no verb is a usage error")
    expect(run("nonsense").returncode == 2, "an unknown verb is a usage error")
    expect(run("jobs", "--nonsense").returncode == 2, "an unknown flag is a usage error")
    expect(run("jobs", "-o", "xml").returncode == 2, "an unknown format is a usage error")

    nobody = run("jobs")
    expect(nobody.returncode == 6 and "baton local up" in nobody.stderr, "no scheduler is known")
    wrong = run("jobs", "--address", "127.0.0.1:1")
    expect(wrong.returncode == 6 and "127.0.0.1:1" in wrong.stderr, "nobody listens there")
    off_loopback = run("jobs", BATON_ADDRESS="192.0.2.1:80")
    expect(off_loopback.returncode == 2, "off loopback without TLS is refused")
    malformed = run("jobs", BATON_ADDRESS="nonsense")
    expect(malformed.returncode == 2, "a malformed address is a usage error")

    missing = run("train", "/nonexistent.yaml")
    expect(missing.returncode == 3 and "/nonexistent.yaml" in missing.stderr, "a missing spec")
    spec = os.path.join(HOME, "bad.yaml")
    with open(spec, "w") as file:
        file.write("command: [true]\nrankz: 2\nretries: many\n")
    bad = run("train", spec, "--dry-run")
    expect(bad.returncode == 2, "a bad spec is a usage error")
    expect("bad.yaml:2" in bad.stderr and "bad.yaml:3" in bad.stderr, f"all mistakes: {bad.stderr}")

    through_a_file = run("train", os.path.join(spec, "x.yaml"))
    expect(through_a_file.returncode == 3, f"no such spec: {through_a_file.stderr}")
    with open(spec, "w") as file:
        file.write("epochs: x\nbatch_size: 4\ndata: {train: {images: no.gz, labels: .}}\n"
                   "model: {input: [1, 2, 2], layers: [flatten, dense: 10]}\n"
                   "optimizer: {name: sgd, lr: 0}\nresources: {gpus: 9000}\n")
    bad = run("train", spec, "--dry-run")
    told = [line.split("bad.yaml:")[-1].split(":")[:2] for line in bad.stderr.splitlines()]
    expect(bad.returncode == 2 and told == [
        ["1", " epochs"], ["3", " data.train.images"], ["3", " data.train.labels"],
        ["5", " optimizer.lr"], ["6", " resources.gpus"]], f"one round, in order: {bad.stderr}")

    down = run("local", "down", "--dir", os.path.join(HOME, "none"))
    expect(down.returncode == 0, "down where nothing runs")
    status = run("local", "status", "--dir", os.path.join(HOME, "none"))
    expect(status.returncode == 3, "status where nothing runs")
    for shell in ("bash", "zsh", "fish"):
        expect("baton" in run("completion", shell).stdout, f"completion for {shell}")
    print("ok")


with tempfile.TemporaryDirectory() as HOME:
    main()
