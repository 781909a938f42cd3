"""Real trainers in gangs that lose, gain and let go ranks while they train: the model's bytes are
those of an undisturbed run of one rank. BATON_ELASTIC_SECONDS=N tortures a gang for so long,
BATON_ELASTIC_KILLS=N measures so many kills."""

import hashlib
import json
import os
import signal
import threading
import time

from elastic_gang import ElasticGang
from trainer_process import RANDOM, TrainerTest, main

KILLS = int(os.environ.get("BATON_ELASTIC_KILLS", "2"))
TORTURE_S = float(os.environ.get("BATON_ELASTIC_SECONDS", "8"))
recoveries = []  # ms from a kill to the next finished step
stops = []  # ms without a step of the others when a rank joins


class ElasticTest(TrainerTest):
    calm = {}

    def setUp(self):
        super().setUp()
        self.gangs = []
        self.use()

    def tearDown(self):
        for gang in self.gangs:
            gang.close()
        super().tearDown()

    def use(self, steps=100, **changes):
        """The training that the test's gangs do."""
        self.changes = {"epochs": 4, **changes}
        self.flags = ["--steps", str(steps)]
        self.key = json.dumps([steps, changes])
        self.spec = self.write_spec("elastic.yaml", **self.changes)

    def gang(self, ranks, name="gang", flags=(), **options):
        gang = ElasticGang(self, name, ranks, flags=[*self.flags, *flags], **options)
        self.gangs.append(gang)
        return gang

    def calm_hash(self):
        if self.key not in ElasticTest.calm:
            alone = self.start(["--spec", self.spec, "--output", self.path("calm"), *self.flags])
            self.assertEqual(self.wait([alone]), [0], self.log("log"))
            ElasticTest.calm[self.key] = self.model("calm")
        return ElasticTest.calm[self.key]

    def expect_calm_end(self, gang, timeout_s=120):
        codes = gang.finish(timeout_s)
        self.assertEqual(set(codes.values()), {0}, gang.describe())
        self.assertEqual(gang.model(), self.calm_hash(), gang.describe())

    def kill_and_measure(self, gang, tasks, pause_s=0.0):
        """Kills and waits until a step of a generation without them is finished."""
        begin_ms = 0
        for task in tasks:
            task.kill()
            begin_ms = time.time() * 1000
            time.sleep(pause_s)
        numbers = {task.number for task in tasks}
        gang.wait_for(lambda: not numbers & set(gang.members), "the loss is not seen")
        generation = gang.generation
        gang.wait_for(lambda: gang.formed()[0] >= generation or not gang.alive(), "not formed")
        took = gang.formed()[1] - begin_ms
        recoveries.append(took)
        return took

    def test_any_rank_may_be_killed(self):
        behind = 0
        for kill in range(KILLS):
            victim = 0 if kill % 2 == 0 else RANDOM.randrange(1, 3)
            gang = self.gang(3, f"kill{kill}")
            gang.wait_for_step(RANDOM.randrange(5, 60))
            self.kill_and_measure(gang, [gang.member(victim)])
            self.expect_calm_end(gang)
            self.assertEqual(len(gang.members), 2)
            behind += "took the state" in self.log(f"{gang.name}-{gang.members[0]}.log")
        print(f"  a survivor was a step behind in {behind} of {KILLS} kills", flush=True)

    def test_several_kills_until_one_is_left_and_new_ones_join(self):
        self.use(steps=300)
        gang = self.gang(4)
        gang.wait_for_step(20)
        for _ in range(3):
            self.kill_and_measure(gang, [RANDOM.choice(gang.alive())])
        self.assertEqual(len(gang.members), 1)
        for ranks in (2, 3):
            gang.join()
            gang.wait_for(lambda: len(gang.members) == ranks, "no joiner")
            gang.wait_for_generation(gang.generation)
        self.expect_calm_end(gang)

    def test_two_kills_one_after_the_other(self):
        for pause_s in (0.005, 0.02, 0.04):
            gang = self.gang(4, f"two-{pause_s}")
            gang.wait_for_step(RANDOM.randrange(5, 60))
            self.kill_and_measure(gang, RANDOM.sample(gang.alive(), 2), pause_s)
            self.expect_calm_end(gang)

    def test_a_kill_while_a_generation_forms(self):
        for key in ("mesh-2", "met-1"):
            gang = self.gang(4, f"forming-{key}")

            def kill(task, request, gang=gang, key=key):
                if request["generation"] == 2 and request["op"] == "set" and request["key"] == key:
                    gang.hooks.clear()
                    task.kill()

            gang.wait_for_step(10)
            gang.hooks.append(kill)
            gang.member(1).kill()
            gang.wait_for(lambda: len(gang.members) == 2, "the second loss is not seen")
            begin = time.monotonic()
            gang.wait_for_generation(3)
            self.assertLess(time.monotonic() - begin, 2.0)
            self.expect_calm_end(gang)

    def test_a_silent_rank_is_lost(self):
        gang = self.gang(3, flags=["--silence-ms", "400"])
        gang.wait_for_step(RANDOM.randrange(5, 60))
        gang.member(RANDOM.randrange(3)).kill(signal.SIGSTOP)
        self.expect_calm_end(gang)
        self.assertEqual(len(gang.members), 2)

    def test_a_rank_is_let_go_and_no_step_is_lost(self):
        for rank in (0, 2):
            gang = self.gang(3, f"let-go{rank}")
            gang.wait_for_step(RANDOM.randrange(5, 60))
            task = gang.member(rank)
            gang.let_go(task.number)
            self.assertEqual(task.process.wait(timeout=20), 75, gang.describe())
            self.assertIn("the others go on", self.log(f"{gang.name}-{task.number}.log"))
            self.expect_calm_end(gang)
            self.assertEqual(gang.losses, 0)

    def test_the_source_dies_while_it_hands_the_state_over(self):
        self.use(steps=200)
        for delay_s in (0.0, 0.003, 0.008):
            gang = self.gang(2, f"source-{delay_s}")
            gang.wait_for_step(20)
            met = threading.Event()

            def note(task, request, gang=gang, met=met):
                if request["generation"] == 2 and request.get("key") == "met-2":
                    met.set()

            gang.hooks.append(note)
            gang.join()
            self.assertTrue(met.wait(30), gang.describe())
            time.sleep(delay_s)
            self.kill_and_measure(gang, [gang.member(0)])
            self.expect_calm_end(gang)

    def test_a_rank_alone_becomes_a_gang_and_the_joiner_goes_on_alone(self):
        self.use(steps=300)
        gang = self.gang(1)
        gang.wait_for_step(20)
        gang.join()
        gang.wait_for(lambda: len(gang.members) == 2, "no joiner")
        gang.wait_for_generation(2)
        self.kill_and_measure(gang, [gang.member(0)])
        self.expect_calm_end(gang)
        # Rank 0's outputs are the joiner's now.
        out = os.path.join(gang.member(0).folder, "out")
        self.assertIn("model.json", os.listdir(out))
        self.assertTrue(os.listdir(os.path.join(out, "checkpoints")))

    def test_what_a_joiner_costs_the_others(self):
        self.use(steps=400)
        gang = self.gang(2)
        gang.wait_for_step(20)
        for _ in range(2):
            task = gang.member(0)
            steps = [task.progress()[:2]]
            number = gang.join().number
            while number not in gang.members or gang.formed()[0] < gang.generation:
                self.assertTrue(gang.alive(), gang.describe())
                now = task.progress()[:2]
                if now[0] != steps[-1][0]:
                    steps.append(now)
                time.sleep(0.0005)
            gaps = [after[1] - before[1] for before, after in zip(steps, steps[1:])]
            stops.append(max(gaps) - sorted(gaps)[len(gaps) // 2])
        self.expect_calm_end(gang)

    def test_a_loss_at_the_end_of_an_epoch_judges_no_test_twice(self):
        self.use(steps=0, epochs=2, early_stopping="{patience: 1, min_delta: 0.0}")
        gang = self.gang(3)
        gang.wait_for_step(157)
        time.sleep(RANDOM.uniform(0, 0.05))
        self.kill_and_measure(gang, [RANDOM.choice(gang.alive())])
        # Amid the last tests: nobody has ended before all have done their part.
        gang.hooks.append(lambda task, request: request.get("key") == "done-1" and
                          gang.member(1).kill())
        self.expect_calm_end(gang)
        self.assertEqual(len(gang.members), 1)

    def test_the_first_rank_dies_while_all_finish(self):
        gang = self.gang(3)

        def kill(task, request):
            if request["op"] == "set" and request["key"] == "done-2":
                gang.hooks.clear()
                gang.member(0).kill()

        gang.hooks.append(kill)
        self.expect_calm_end(gang)
        self.assertEqual(gang.members, [1, 2])

    def test_where_the_rendezvous_is_closed_no_generation_follows(self):
        gang = self.gang(2)
        gang.wait_for_step(10)
        task = gang.member(1)
        with gang.lock:
            gang.over = True
            gang.member(0).kill()
            task.hang_up_all()
        self.assertEqual(task.process.wait(timeout=20), 76, gang.describe())

    def test_a_joiner_of_another_spec_ends_alone(self):
        self.use(steps=300)
        gang = self.gang(2, per_task={2: ["--set", "optimizer.lr=0.01"]})
        gang.wait_for_step(10)
        joiner = gang.join()
        # By itself, or because the others say that it failed them.
        self.assertIn(joiner.process.wait(timeout=30), (1, -9), gang.describe())
        self.assertIn("another spec", self.log(f"{gang.name}-2.log"))
        self.expect_calm_end(gang)
        self.assertEqual(gang.members, [0, 1])

    def test_tables_in_files_are_handed_over(self):
        self.use(steps=300)
        with open(self.path("t.csv"), "w", encoding="utf-8") as rows:
            rows.write("id,y\n" + "".join(f"{i * 7919 % 5000},{i % 2}\n" for i in range(4000)))
        with open(self.spec, "w", encoding="utf-8") as spec:
            spec.write("""
name: table
epochs: 3
batch_size: 32
shards: 3
seed: 3
data: {format: csv, train: t.csv, target: y, features: [id]}
model:
  input: [1]
  layers:
    - {name: table, embedding: {vocabulary: 5000, width: 256, sparse: true, storage: mmap}}
    - flatten
    - {name: hidden, dense: 256}
    - {name: out, dense: 1}
  loss: binary_cross_entropy
optimizer: {name: adam, lr: 0.001}
""")
        self.key = "table"
        gang = self.gang(2)
        gang.wait_for_step(5)
        gang.join()
        gang.wait_for(lambda: len(gang.members) == 3, "no joiner")
        gang.wait_for_generation(2)
        self.kill_and_measure(gang, [gang.member(0)])
        self.expect_calm_end(gang)

    def test_a_joiner_takes_the_state(self):
        self.use(steps=300)
        gang = self.gang(2)
        gang.wait_for_step(30)
        joiner = gang.join()
        gang.wait_for(lambda: joiner.number in gang.members, "no joiner")
        gang.wait_for_generation(2)
        self.assertGreaterEqual(joiner.progress()[4], 30)
        self.expect_calm_end(gang)
        self.assertFalse(os.path.exists(os.path.join(joiner.folder, "out", "model.safetensors")))

    def test_all_are_asked_and_leave_after_the_same_step(self):
        gang = self.gang(3, flags=[])
        gang.wait_for_step(20)
        gang.member(1).kill(signal.SIGTERM)  # alone it has no say
        time.sleep(0.3)
        self.assertEqual(len(gang.alive()), 3, gang.describe())
        gang.stop_all()
        codes = gang.finish()
        self.assertEqual(set(codes.values()), {75}, gang.describe())
        steps = {task.progress()[0] for task in gang.tasks.values()}
        self.assertEqual(len(steps), 1, gang.describe())
        saved = os.listdir(os.path.join(gang.member(0).folder, "out", "checkpoints"))
        self.assertIn(f"step-{steps.pop():08d}", saved)

    def test_told_to_stop_while_it_waits_it_saves_what_it_holds(self):
        gang = self.gang(3)
        gang.wait_for_step(20)
        with gang.lock:  # nothing is decided meanwhile
            gang.member(0).kill()
            time.sleep(0.5)
            left = [gang.tasks[1], gang.tasks[2]]
            for task in left:
                task.kill(signal.SIGTERM)
            codes = [task.process.wait(timeout=20) for task in left]
        self.assertEqual(codes, [75, 75], gang.describe())
        saved = {}
        for task in left:
            folder = os.path.join(task.folder, "out", "checkpoints")
            name = max(os.listdir(folder))
            with open(os.path.join(folder, name, "state.bin"), "rb") as state:
                saved.setdefault(name, set()).add(hashlib.sha256(state.read()).hexdigest())
        self.assertTrue(all(len(hashes) == 1 for hashes in saved.values()), saved)

    def test_torture(self):
        self.use(steps=0, epochs=60, shards=5)
        begin = time.monotonic()
        gang = self.gang(3)
        gang.wait_for_step(5)
        kills = joins = 0
        while time.monotonic() - begin < TORTURE_S:
            time.sleep(RANDOM.uniform(0.1, 0.5))
            alive = gang.alive()
            if len(alive) > 1 and (len(alive) >= 5 or RANDOM.random() < 0.5):
                # One that has the state must be left.
                kept = RANDOM.choice([task for task in alive if task.progress()[0] > 0])
                RANDOM.choice([task for task in alive if task is not kept]).kill()
                kills += 1
            elif len(alive) + len(gang.wanted) < 5:
                gang.join()
                joins += 1
        print(f"  {kills} kills, {joins} joins, {gang.generation} generations, "
              f"step {gang.step()}", flush=True)
        gang.wait_for(lambda: gang.formed()[0] == gang.generation, "it does not go on")
        gang.stop_all()
        codes = gang.finish()
        self.assertEqual(set(codes.values()), {75}, gang.describe())
        step = gang.member(0).progress()[0]
        state = os.path.join(gang.member(0).folder, "out", "checkpoints", f"step-{step:08d}",
                             "state.bin")
        self.assertEqual(self.hash_of(state), self.calm_state(step), gang.describe())

    def hash_of(self, path):
        with open(path, "rb") as data:
            return hashlib.sha256(data.read()).hexdigest()

    def calm_state(self, step):
        """The digest of the checkpoint of that step of an undisturbed run of one rank."""
        spec = self.write_spec("calm.yaml", f"checkpoint: {{every_steps: {step}}}\n",
                               **self.changes)
        # No checkpoint is due after the last step.
        alone = self.start(
            ["--spec", spec, "--output", self.path("alone"), "--steps", str(step + 1)])
        self.assertEqual(self.wait([alone]), [0], self.log("log"))
        return self.hash_of(self.path("alone", "checkpoints", f"step-{step:08d}", "state.bin"))

    @classmethod
    def tearDownClass(cls):
        if recoveries:
            ordered = sorted(recoveries)
            print(f"kill to the next finished step: {len(ordered)} kills, median "
                  f"{ordered[len(ordered) // 2]:.0f} ms, 99 of 100 within "
                  f"{ordered[len(ordered) * 99 // 100]:.0f} ms, worst {ordered[-1]:.0f} ms",
                  flush=True)
        if stops:
            print(f"a joiner stops the others for {min(stops)} to {max(stops)} ms", flush=True)


if __name__ == "__main__":
    main()
