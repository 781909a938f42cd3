"""Real trainers that are killed, stopped and asked to leave, at random steps: the model's bytes
are those of an undisturbed run."""

import json
import os
import signal
import time

from trainer_process import RANDOM, STEPS, TrainerTest, main

EVERY = "checkpoint: {every_steps: 10}\n"


class KillTest(TrainerTest):
    def setUp(self):
        super().setUp()
        self.spec = self.write_spec("kill.yaml", EVERY)

    def random_step(self):
        step = RANDOM.randrange(20, STEPS - 60)
        print(f"  disturbed at step {step}", flush=True)
        return step

    def test_every_world_size_gives_the_same_model(self):
        calm = self.calm_model()
        for ranks in (2, 3, 4):
            codes = self.wait(self.start_gang(ranks, f"p{ranks}"))
            self.assertEqual(codes, [0] * ranks, self.log(f"p{ranks}-0.log"))
            self.assertEqual(self.model(f"p{ranks}"), calm)

    def test_a_killed_rank_ends_the_others_at_once_and_the_rest_resumes(self):
        calm = self.calm_model()
        for victim in (0, RANDOM.randrange(1, 3)):
            output = f"victim{victim}"
            gang = self.start_gang(3, output)
            self.wait_for_step(output, self.random_step(), gang)
            gang[victim].kill()
            begin = time.monotonic()
            codes = self.wait(gang)
            self.assertLess(time.monotonic() - begin, 1.0)
            self.assertEqual(codes, [-9 if rank == victim else 76 for rank in range(3)])
            self.assertIn("a peer was lost", self.log(f"{output}-{(victim + 1) % 3}.log"))
            resume = self.checkpoints(output)[-1]
            self.assertEqual(self.wait(self.start_gang(2, output, resume)), [0, 0],
                             self.log(f"{output}-0.log"))
            self.assertEqual(self.model(output), calm)

    def test_a_rank_that_is_silent_counts_as_lost(self):
        gang = self.start_gang(3, "silent", flags=["--silence-ms", "400"])
        self.wait_for_step("silent", self.random_step(), gang)
        gang[1].send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        self.assertEqual(self.wait([gang[0], gang[2]]), [76, 76])
        self.assertLess(time.monotonic() - begin, 5.0)

    def test_sigterm_to_any_rank_saves_and_all_leave_after_the_same_step(self):
        calm = self.calm_model()
        gang = self.start_gang(3, "term")
        self.wait_for_step("term", self.random_step(), gang)
        gang[RANDOM.randrange(3)].terminate()
        self.assertEqual(self.wait(gang), [75, 75, 75], self.log("term-0.log"))
        step = self.progress("term", 0)
        self.assertEqual([self.progress("term", rank) for rank in range(3)], [step] * 3)
        resume = self.checkpoints("term")[-1]
        self.assertTrue(resume.endswith(f"step-{step:08d}"), resume)
        self.assertEqual(self.wait(self.start_gang(1, "term", resume)), [0])
        self.assertEqual(self.model("term"), calm)

    def test_the_deadline_file_saves_and_leaves(self):
        notice = self.path("deadline")
        gang = self.start_gang(2, "notice", flags=["--deadline-file", notice])
        self.wait_for_step("notice", self.random_step(), gang)
        with open(notice + ".tmp", "w", encoding="utf-8") as out:
            json.dump({"unix_time": time.time() + 20, "reason": "spot"}, out)
        os.rename(notice + ".tmp", notice)
        self.assertEqual(self.wait(gang), [75, 75], self.log("notice-0.log"))
        step = self.progress("notice")
        self.assertTrue(self.checkpoints("notice")[-1].endswith(f"step-{step:08d}"))

    def test_many_lives_at_many_world_sizes(self):
        calm = self.calm_model()
        resume = ""
        step = 0
        for life in range(5):
            ranks = RANDOM.randrange(1, 5)
            step += RANDOM.randrange(15, 50)
            print(f"  life {life}: {ranks} ranks, killed at step {step}", flush=True)
            gang = self.start_gang(ranks, "lives", resume)
            self.wait_for_step("lives", step, gang)
            gang[RANDOM.randrange(ranks)].kill()
            self.wait(gang)
            resume = self.checkpoints("lives")[-1]
        self.assertEqual(self.wait(self.start_gang(3, "lives", resume)), [0, 0, 0])
        self.assertEqual(self.model("lives"), calm)
        with open(self.path("lives-0.jsonl"), encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
        self.assertEqual(sum(event.get("event") == "resumed" for event in events), 5)


if __name__ == "__main__":
    main()
