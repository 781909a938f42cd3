"""What people, disks and other programs give to a real trainer: exit codes and words."""

import base64
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import xml.etree.ElementTree

from trainer_process import PROGRAM, SPECS, STEPS, TrainerTest, main


class Board(threading.Thread):
    """The worker's end of the rendezvous, as common/contract.h tells it."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.values = {}
        self.changed = threading.Condition()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        for line in connection.makefile():
            request = json.loads(line)
            answer = {"id": request["id"], "ok": True}
            with self.changed:
                if request["op"] == "set":
                    self.values[request["key"]] = request["value"]
                    self.changed.notify_all()
                if request["op"] == "wait":
                    self.changed.wait_for(lambda: request["key"] in self.values)
                    answer = {"id": request["id"], "value": self.values[request["key"]]}
            connection.sendall((json.dumps(answer) + "\n").encode())


class InputTest(TrainerTest):
    def run_one(self, *flags, env=None):
        process = self.start(list(flags), env=env)
        return process.wait(timeout=120), self.log("log")

    def train(self, *flags):
        return self.run_one("--spec", self.spec, "--output", self.path("out"), *flags)

    def refused(self, code, words, *flags):
        got, log = self.train(*flags)
        self.assertEqual(got, code, log)
        for word in words:
            self.assertIn(word, log)
        self.assertFalse(os.path.exists(self.path("out")), "something half-done was left")

    def test_help_has_an_example(self):
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
        self.assertIn("baton-trainer --spec trainer/specs/lenet.yaml", done.stdout)

    def test_bad_flags(self):
        self.assertEqual(self.run_one()[0], 2)
        self.assertEqual(self.run_one("--no-such-flag")[0], 2)
        self.refused(2, ["--world-size 5", "4 shards"], "--world-size", "5", "--rendezvous", "dir:x")
        self.refused(2, ["below the world size"], "--rank", "2", "--world-size", "2")
        self.refused(2, ["--rendezvous dir:/tmp/meet"], "--world-size", "2")
        self.refused(2, ["neither unix:PATH nor dir:PATH"], "--world-size", "2", "--rendezvous",
                     "tcp:1")
        self.refused(2, ["no-such.yaml"], "--spec", "no-such.yaml")

    def test_a_bad_spec_is_refused_with_all_its_mistakes(self):
        self.spec = self.write_spec("bad.yaml", "colour: red\n", epochs="many")
        self.refused(2, ["bad.yaml:", "colour", "epochs"])

    def test_a_command_is_not_for_the_trainer(self):
        with open(self.path("command.yaml"), "w", encoding="utf-8") as spec:
            spec.write("command: [/bin/true]\n")
        self.spec = self.path("command.yaml")
        self.refused(2, ["model:"])

    def test_missing_and_damaged_data(self):
        with open(self.spec, encoding="utf-8") as spec:
            text = spec.read()
        self.spec = self.path("missing.yaml")
        with open(self.spec, "w", encoding="utf-8") as spec:
            spec.write(text.replace("train-labels", "no-labels"))
        self.refused(2, ["no-labels-idx1-ubyte.gz"])
        self.spec = self.path("checksum.yaml")
        with open(self.spec, "w", encoding="utf-8") as spec:
            spec.write(text.replace("sha256: ddb336c3", "sha256: 00000000"))
        self.refused(2, ["checksum.yaml:", "data.train.labels", "ddb336c3"])

    def test_mistakes_of_the_text_and_of_the_files_come_in_one_round(self):
        with open(self.spec, encoding="utf-8") as spec:
            text = spec.read()
        self.spec = self.path("both.yaml")
        with open(self.spec, "w", encoding="utf-8") as spec:
            spec.write(text.replace("train-labels", "no-labels").replace("t10k-images", "t10k-labels")
                       .replace("epochs: 2\n", "epochs: many\n"))
        self.refused(2, ["epochs: must be a whole number", "data.train.labels: no file",
                         "data.test.images: "])

    def test_data_is_looked_up_in_the_data_folder_first(self):
        os.symlink(os.path.join(SPECS, "mnist-small"), self.path("mnist-small"))
        with open(self.spec, encoding="utf-8") as spec:
            text = spec.read().replace(SPECS + "/", "")
        os.mkdir(self.path("elsewhere"))
        self.spec = self.path("elsewhere", "spec.yaml")
        with open(self.spec, "w", encoding="utf-8") as spec:
            spec.write(text)
        self.refused(2, ["elsewhere/mnist-small"])
        code, log = self.train("--data", self.folder)
        self.assertEqual(code, 0, log)

    def test_weights_go_in_and_out_by_name(self):
        start, end, again = (self.path(name) for name in ("start", "end", "again"))
        code, log = self.train("--init-only", "--weights-out", start)
        self.assertEqual(code, 0, log)
        self.assertFalse(os.path.exists(self.path("out")), "nothing was trained")
        flags = ["--set", "shuffle=false", "--steps", "20", "--device", "cpu"]
        code, log = self.train("--weights-in", start, "--weights-out", end, "--losses",
                               self.path("losses.csv"), *flags)
        self.assertEqual(code, 0, log)
        with open(self.path("losses.csv"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual((len(lines), lines[0]), (21, "step,loss"))
        self.assertGreaterEqual(len(lines[20].split(",")[1].replace("0.", "").replace(".", "")), 7)
        # Drawn or read, the same beginning has the same end.
        code, log = self.train("--weights-out", again, *flags)
        self.assertEqual(code, 0, log)
        with open(end, "rb") as one, open(again, "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_the_model_leaves_as_onnx_with_the_weights_it_has(self):
        start, model = self.path("start"), self.path("model.onnx")
        code, log = self.train("--init-only", "--weights-out", start, "--onnx", model)
        self.assertEqual(code, 0, log)
        with open(model, "rb") as file:
            exported = file.read()
        # Graph and names; that the numbers are right is for a runtime to say.
        for operator in (b"Conv", b"MaxPool", b"Relu", b"Flatten", b"Gemm", b"dense3.weight"):
            self.assertIn(operator, exported)
        with open(start, "rb") as file:
            last = file.read()[-84 * 10 * 4 - 40:-40]  # dense3.weight, before its ten biases
        self.assertIn(last, exported)

    def test_weights_that_do_not_fit_are_listed(self):
        start = self.path("start")
        self.assertEqual(self.train("--init-only", "--weights-out", start)[0], 0)
        with open(self.spec, encoding="utf-8") as spec:
            text = spec.read().replace("dense: {out: 84}", "dense: {out: 85}")
        with open(self.spec, "w", encoding="utf-8") as spec:
            spec.write(text)
        self.refused(2, ["dense2.weight is [84, 120] there and [85, 120] here", "dense3.weight"],
                     "--weights-in", start)
        self.refused(2, ["no-such"], "--weights-in", self.path("no-such"))
        self.refused(2, ["--weights-out FILE"], "--init-only")

    def test_the_device_is_said_and_cuda_fails_in_words_where_it_is_not(self):
        code, log = self.train("--steps", "1")
        self.assertEqual(code, 0, log)
        said = [line for line in log.splitlines() if " computes on " in line]
        self.assertEqual(len(said), 1, log)
        self.assertIn("--device auto", said[0])
        if "computes on the CPU" in said[0]:
            shutil.rmtree(self.path("out"))
            self.refused(2, ["--device cuda: ", "or use --device cpu"], "--device", "cuda")

    def test_a_program_without_its_backends_says_which_file_is_missing(self):
        alone = shutil.copy(PROGRAM, self.path("baton-trainer"))
        done = subprocess.run([alone, "--spec", self.spec, "--output", self.path("out")],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("no libbaton_backend_cpu.so in " + self.folder, done.stderr)

    def test_a_training_that_diverges_ends_and_names_the_layer(self):
        code, log = self.train("--set", "lr=50")
        self.assertEqual(code, 2, log)
        self.assertRegex(log, r"diverged at step \d+ \(loss .*\): the .* of .*")
        self.assertIn("lower optimizer.lr", log)
        self.assertFalse(os.path.exists(self.path("out", "model.safetensors")))

    def checkpoint(self):
        self.spec = self.write_spec("lenet.yaml", "checkpoint: {every_steps: 100}\n")
        self.assertEqual(self.wait(self.start_gang(1, "first")), [0])
        return self.checkpoints("first")[-1]

    def test_a_damaged_or_foreign_checkpoint_is_refused(self):
        resume = self.checkpoint()
        self.refused(2, ["no-such/state.bin"], "--resume", self.path("no-such"))
        state = os.path.join(resume, "state.bin")
        with open(state, "rb") as whole:
            good = whole.read()
        for bad, word in ((good[:-1], "cut short"), (good[:100000] + b"!" + good[100001:],
                                                     "damaged")):
            with open(state, "wb") as damaged:
                damaged.write(bad)
            self.refused(1, [state, word], "--resume", resume)
        with open(state, "wb") as restored:
            restored.write(good)
        self.spec = self.write_spec("other.yaml", seed=2, shards=8)
        self.refused(2, ["seed: the checkpoint has 1, the spec 2",
                         "shards: the checkpoint has 4, the spec 8"], "--resume", resume)
        self.spec = self.write_spec("shorter.yaml", epochs=1)
        self.refused(2, ["ends at step 157"], "--resume", resume)

    def test_files_of_the_wrong_kind_are_no_lost_peer(self):
        inside = os.path.join(self.spec, "x")
        self.refused(2, [inside, "Not a directory"], "--resume", inside)
        code, log = self.run_one("--spec", self.spec, "--output", inside)
        self.assertEqual(code, 2, log)
        self.assertIn(f"--output {inside} can't be written: Not a directory", log)
        self.assertNotIn("step", log, "before the first step")
        code, log = self.run_one("--spec", self.spec, "--output", "/proc/none")
        self.assertEqual(code, 2, log)
        self.assertIn("--output /proc/none can't be written", log)
        code, log = self.train("--metrics", self.folder)
        self.assertEqual(code, 1, log)
        self.assertIn("Is a directory", log)

    def test_ranks_that_start_from_different_states_are_refused(self):
        self.checkpoint()
        older, newer = self.checkpoints("first")
        gang = self.start_gang(2, "mixed", older, per_rank={1: ["--resume", newer]})
        self.assertEqual(self.wait(gang), [1, 1])
        self.assertIn("another state", self.log("mixed-0.log"))

    def mount(self, name, size):
        os.mkdir(self.path(name))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path(name)],
                       check=True)
        return self.path(name)

    def tearDown(self):
        for name in ("small", "full"):
            if os.path.ismount(self.path(name)):
                subprocess.run(["umount", "-l", self.path(name)], check=True)
        super().tearDown()

    def test_a_full_disk_costs_checkpoints_not_the_training(self):
        small = self.mount("small", "300k")
        self.spec = self.write_spec("lenet.yaml", "checkpoint: {every_steps: 100}\n")
        code, log = self.train("--checkpoints", small)
        self.assertEqual(code, 0, log)
        self.assertIn("was not saved", log)
        self.assertIn("No space left", log)
        self.assertEqual(os.listdir(small), [])

    def test_a_full_disk_for_the_model_is_an_error_that_says_so(self):
        full = self.mount("full", "100k")
        code, log = self.train("--output", full, "--checkpoints", self.path("out", "checkpoints"))
        self.assertEqual(code, 1, log)
        self.assertIn("the model was not written", log)
        self.assertEqual(os.listdir(full), [])

    def test_what_gets_no_better_ends_with_its_best_and_a_resume_agrees(self):
        self.spec = os.path.join(SPECS, "regression.yaml")
        flags = ["--set", "epochs=500", "--set", "early_stopping=3",
                 "--set", "optimizer.schedule=constant"]
        code, log = self.train(*flags, "--set", "checkpoint.every_steps=500")
        self.assertEqual(code, 0, log)
        stopped = re.search(r"stopped at step (\d+): the test loss was best after step (\d+)", log)
        self.assertTrue(stopped, log)
        self.assertEqual(int(stopped[1]), int(stopped[2]) + 3 * 53, "53 steps an epoch")
        tests = re.findall(r"step (\d+)/26500 .*test rmse ([\d.]+)", log)
        best = min((float(rmse), int(step)) for step, rmse in tests)
        self.assertEqual(best[1], int(stopped[2]))
        self.assertIn(f"finished  step {stopped[1]}  test rmse {best[0]:g} ", log)
        # From before the best, and from behind it, where only the checkpoint has its weights.
        saved = sorted(os.listdir(self.path("out", "checkpoints")))
        self.assertLess(int(saved[0][5:]), best[1])
        self.assertGreater(int(saved[1][5:]), best[1])
        for name in saved:
            code, again = self.run_one("--spec", self.spec, *flags, "--output", self.path(name),
                                       "--resume", self.path("out", "checkpoints", name))
            self.assertEqual(code, 0, again)
            self.assertEqual(again.splitlines()[-1], log.splitlines()[-1], "hash chain")
            self.assertEqual(self.model(name), self.model("out"))
        code, log = self.run_one("--spec", self.spec, *flags, "--set", "data.test_fraction=0.2",
                                 "--set", "evaluate_every_epochs=0")
        self.assertEqual(code, 2)
        self.assertIn("early_stopping: is decided by tests, and evaluate_every_epochs is 0", log)

    def test_a_series_leaves_a_plot_that_has_what_the_run_says(self):
        self.spec = os.path.join(SPECS, "airline.yaml")
        code, log = self.train("--set", "epochs=3")
        self.assertEqual(code, 0, log)
        with open(self.path("out", "series.csv"), encoding="utf-8") as text:
            rows = list(csv.DictReader(text))
        self.assertEqual(len(rows), 144)
        self.assertEqual(rows[12]["truth"], "115")
        self.assertEqual([row["fit"] != "" for row in rows], [12 <= i < 96 for i in range(144)])
        off = [float(row["truth"]) - float(row["forecast"]) for row in rows if row["forecast"]]
        self.assertEqual(len(off), 48)
        rmse = (sum(value * value for value in off) / len(off)) ** 0.5
        self.assertIn(f"test rmse {rmse:.4g} (48 samples)", log)
        picture = xml.etree.ElementTree.parse(self.path("out", "series.svg")).getroot()
        lines = [each for each in picture if each.tag.endswith("polyline")]
        self.assertEqual([len(each.get("points").split()) for each in lines], [132, 84, 48])

    def test_the_public_contract_by_environment_alone(self):
        board = Board(self.path("socket"))
        with open(self.path("membership"), "w", encoding="utf-8") as out:
            json.dump({"generation": 0, "world_size": 2,
                       "ranks": [{"rank": rank, "address": "127.0.0.1"} for rank in (0, 1)]}, out)
        gang = []
        for rank in (0, 1):
            gang.append(self.start([], log=f"env-{rank}.log", env={
                "BATON_SPEC_FILE": self.spec, "BATON_RANK": str(rank), "BATON_WORLD_SIZE": "2",
                "BATON_RENDEZVOUS": "unix:" + self.path("socket"),
                "BATON_MEMBERSHIP_FILE": self.path("membership"),
                "BATON_NODE_ADDRESS": "127.0.0.1", "BATON_RESUME_DIR": "",
                "BATON_CHECKPOINT_DIR": self.path("env-c"), "BATON_OUTPUT_DIR": self.path("env"),
                "BATON_DATA_DIR": self.path("no-data"),
                "BATON_METRICS_FILE": self.path(f"env-{rank}.jsonl"),
                "BATON_DEADLINE_FILE": self.path("deadline")}))
        self.assertEqual(self.wait(gang), [0, 0], self.log("env-0.log"))
        board.listener.close()
        self.assertTrue(all(base64.b64decode(value) for value in board.values.values()))
        self.assertEqual(self.progress("env", 1), STEPS)
        self.assertFalse(os.path.exists(self.path("env-1.jsonl")))
        self.assertEqual(self.model("env"), self.calm_model())


if __name__ == "__main__":
    main()
