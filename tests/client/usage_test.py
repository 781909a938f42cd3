"""Every verb's --help shows an example; mistakes on the command line end with the right code."""
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

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


def memory_of_a_dry_run():
    spec = os.path.join(HOME, "small.yaml")
    with open(os.path.join(HOME, "t.csv"), "w") as file:
        file.write("a,y\n1,2\n3,4\n5,6\n7,8\n")
    with open(spec, "w") as file:
        file.write("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\n"
                   "data: {format: csv, train: t.csv, target: y}\n"
                   "model: {input: [1], loss: mean_squared_error, layers: [dense: 1]}\n")
    dry = run("train", spec, "--dry-run")
    expect(dry.returncode == 0 and "# memory of a rank, estimated" in dry.stdout, dry.stderr)
    again = os.path.join(HOME, "again.yaml")
    with open(again, "w") as file:
        file.write(dry.stdout)
    told = json.loads(run("train", again, "--dry-run", "-o", "json").stdout)
    expect(told["memory"]["host_bytes"] > 30 << 20, f"what was printed is a spec: {told}")
    expect("cpu_isa: any" in told["spec"], "with all its fields")


def flags_and_paths(file):
    """Mistakes of one flag: exit code 2, and a message that a person can read."""
    missing = os.path.join(HOME, "no", "such")
    for words, told in ((["logs", "--rank", "-1"], "`-1` is no whole number from 0 on"),
                        (["logs", "--attempt", "0"], "from 1 on"),
                        (["replay", "--segment", "0"], "from 1 on"),
                        (["replay", file], "is no whole record"),
                        (["train", file, "--name", ""], "is empty"),
                        (["local", "up", "--workers", "spot,,spot"], "one is empty"),
                        (["local", "up", "--workers", "spit"], "spot or on-demand"),
                        (["local", "up", "--cpus", "nan"], "no number from 0.001"),
                        (["local", "up", "--dir", file], "give another --dir"),
                        (["local", "up", "--dir", "/proc/nope"], "give another --dir"),
                        (["data", "fetch", "mnist", "--to", file], "give another --to")):
        wrong = run(*words)
        expect(wrong.returncode == 2 and told in wrong.stderr and len(wrong.stderr) < 300,
               f"{words}: {wrong.returncode} {wrong.stderr}")
    expect(run("replay", missing).returncode == 3, "a missing record")
    # The longer text is written in pieces: of the first the cause is forgotten.
    for words, told in ((["jobs", "--help"], "No space left"), (["--help"], "is the disk full?")):
        full = subprocess.run([BATON, *words], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE,
                              text=True)
        expect(full.returncode == 6 and told in full.stderr, f"a full disk: {full}")
    head = subprocess.run(f"{BATON} --help | head -c 1; exit ${{PIPESTATUS[0]}}", shell=True,
                          executable="/bin/bash", capture_output=True, text=True)
    expect(head.stderr == "", f"a reader that has had enough is no error: {head.stderr}")


def data_sets():
    folder = os.path.join(HOME, "new", "mnist")
    failed = run("data", "fetch", "mnist", "--to", folder, "--mirror", "file:///nonexistent")
    expect(failed.returncode == 6, f"no mirror answers: {failed}")
    expect(failed.stderr.count("train-images") == 1, f"told once: {failed.stderr}")
    expect(not os.path.exists(os.path.dirname(folder)), "no empty folder is left")


def scripts():
    """What is said of a script before anything is sent; `submit` and `run` are `train`."""
    folder = os.path.join(HOME, "scripts")
    os.mkdir(folder)
    script = os.path.join(folder, "train.py")
    with open(script, "w") as file:
        file.write("parser.add_argument('--lr')\n")
    with open(os.path.join(folder, "notes.txt"), "w") as file:
        file.write("x")
    with open(os.path.join(folder, "id_rsa"), "w") as file:
        file.write("x")
    for verb in ("train", "submit", "run"):
        dry = run(verb, "--dry-run", "-o", "json", "--gpus", "h100:2", script, "--lr", "0.1")
        told = json.loads(dry.stdout)
        expect(told["command"] == ["python3", "train.py", "--lr", "0.1"], f"{told}")
        expect(told["held_back"] == ["id_rsa"] and told["left_out_by"] == {"secrets": 1} and
               told["left_out"] == 1, f"{told}")
        expect('gpu_type: "h100"' in told["spec"], told["spec"])
    dry = run("train", "--dry-run", "--flag", "rl=1", script, "--follow", "--x", "--name", "y")
    expect("--flag rl: neither the script nor flags.yml declares it" in dry.stderr, dry.stderr)
    expect("--name stands among the words of" in dry.stderr, dry.stderr)
    for words, code, told in (
            ([os.path.join(folder, "notes.txt")], 2, "baton train -- PROGRAM"),
            ([os.path.join(folder, "none.py")], 3, "mend the path"),
            ([folder], 2, "is a folder"),
            ([script, "--master-type", "k80"], 2, "known are complex_model_l"),
            ([script, "--cpus", "some", "--require", "x"], 2, "--require x: must be NAME=VALUE"),
            (["--nonsense", script], 2, "--nonsense"),
            (["--folder", "/none", script], 3, "no folder /none"),
            (["--folder", folder, "--", "true", "--cpus", "x"], 6, "no scheduler")):
        wrong = run("train", *words)
        expect(wrong.returncode == code and told in wrong.stderr,
               f"{words}: {wrong.returncode} {wrong.stderr}")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def models():
    listed = json.loads(run("model", "list", "-o", "json").stdout)["models"]
    expect(len(listed) == 6 and all(len(m.get("sha256_prefix", m.get("md5"))) in (8, 32)
                                    for m in listed), f"all have a checksum: {listed}")
    expect("resnet50-0676ba61.pth" in run("model", "list").stdout, "the text has the files")
    unknown = run("model", "fetch", "resnet")
    expect(unknown.returncode == 3 and "vgg-19, resnet-50" in unknown.stderr, f"{unknown}")
    mirror, to = os.path.join(HOME, "mirror"), os.path.join(HOME, "models")
    os.mkdir(mirror)
    name = "resnet50-0676ba61.pth"
    # No file but the published one has its digest: what another has is refused, and not kept.
    with open(os.path.join(mirror, name), "wb") as file:
        file.write(b"not the weights")
    serve = functools.partial(Quiet, directory=mirror)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        wrong = run("model", "fetch", "resnet-50", "--to", to, "--mirror", url)
        absent = run("model", "fetch", "vgg-19-keras", "--to", to, "--mirror", url)
        server.shutdown()
    expect(wrong.returncode == 6 and "expected 0676ba61" in wrong.stderr, f"{wrong}")
    expect(absent.returncode == 6 and "404" in absent.stderr, f"{absent}")
    expect(not os.path.exists(to), "nothing is left of it")


def continued_text():
    """`baton predict` becomes the trainer's: each flag with its value, in order, as it was typed."""
    programs = os.path.join(HOME, "bin")
    os.mkdir(programs)
    baton = shutil.copy2(BATON, programs)  # takes the trainer that is beside it
    with open(os.path.join(programs, "baton-trainer"), "w") as file:
        file.write(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    os.chmod(file.name, 0o755)
    for text in ("To be", "", "two\nlines, 'quoted' & $HOME", "Zwölf"):
        flags = ["--model", "runs/gpt", "--continue", text, "--length", "300", "--temperature",
                 "0.8", "--top-k", "5", "--seed", "7"]
        done = subprocess.run([baton, "predict", *flags], capture_output=True, text=True)
        expect(done.returncode == 0 and json.loads(done.stdout) == ["predict", *flags], f"{done}")
    dashes = subprocess.run([baton, "predict", "--model", "m", "--continue=--no, it is"],
                            capture_output=True, text=True)
    expect(json.loads(dashes.stdout)[3:] in (["--continue", "--no, it is"],
                                             ["--continue=--no, it is"]), f"{dashes}")
    nothing = subprocess.run([baton, "predict", "--continue", "To be"], capture_output=True,
                             text=True)
    expect(nothing.returncode == 2 and "no model: name a job" in nothing.stderr, f"{nothing}")
    shown = run("predict", "--help").stdout
    expect("baton predict gpt --continue 'To be' --length 300" in shown, f"an example: {shown}")


def main():
    every = [path for verb in verbs() for path in [verb, *verbs(*verb)]]
    expect(len(every) > 20, f"completion lists the verbs, got {every}")
    for path in [[], *every]:
        shown = run(*path, "--help")
        expect(shown.returncode == 0 and "Example: " in shown.stdout, f"{path} --help")

    expect(run().returncode == 2, "no verb is a usage error")
    for words, told in ((["shw", "x"], ["`shw` is no command of `baton`", "show"]),
                        (["nonsense"], ["`nonsense` is no command", "local, train"]),
                        (["local", "dow"], ["`dow` is no command of `baton local`", "down"])):
        unknown = run(*words)
        expect(unknown.returncode == 2 and all(part in unknown.stderr for part in told),
               f"an unknown verb is a usage error: {unknown.stderr}")
    expect(run("jobs", "--nonsense").returncode == 2, "an unknown flag is a usage error")
    for word, told in (("xml", "`xml` is none of text or json"), ("1", "`1` is none of")):
        unknown = run("jobs", "-o", word)
        expect(unknown.returncode == 2 and told in unknown.stderr, f"format: {unknown.stderr}")

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

    memory_of_a_dry_run()
    flags_and_paths(spec)
    scripts()
    data_sets()
    models()
    continued_text()

    down = run("local", "down", "--dir", os.path.join(HOME, "none"))
    expect(down.returncode == 0, "down where nothing runs")
    down = run("local", "down", "--dir", os.path.join(HOME, "none"), "-o", "json")
    expect(json.loads(down.stdout) == {"folder": None}, f"and in JSON: {down.stdout}")
    status = run("local", "status", "--dir", os.path.join(HOME, "none"))
    expect(status.returncode == 3, "status where nothing runs")
    for shell in ("bash", "zsh", "fish"):
        expect("baton" in run("completion", shell).stdout, f"completion for {shell}")
    print("ok")


with tempfile.TemporaryDirectory() as HOME:
    main()
