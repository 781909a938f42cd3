"""Gangs on three cards: ranks with a card each exchange between them and train the bits of one rank,
whatever happens to one of them.

    tests/gpu/gang_on_cards_test.py FOLDER_OF_THE_PROGRAMS SPECS [FAKE_NVML]
"""

import os
import signal
import subprocess
import sys
import time
import unittest

from card_case import CARD, LIBRARIES, MADE, CardCase

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "trainer",
                             "process"))
from elastic_gang import ElasticGang  # pylint: disable=wrong-import-position

# Most of it is what the simulated card takes for the step at hand.
HEARD_S = 2


class GangOnCardsTest(CardCase):
    def test_ranks_with_a_card_each_exchange_between_them(self):
        spec = self.write_spec(*MADE["batch norm"])
        # The last batch of an epoch has fewer samples than there are shards.
        flags = ["--set", "shards=4", "--set", "batch_size=23"]
        _, alone = self.train(spec, "alone", *flags)
        for world in (2, 3):
            model, told = self.gang(spec, f"gang{world}", *flags, world=world, cards=3)
            self.assertEqual(model, alone)
            self.assertIn("computes on card 1", told[1])
            for text in told:
                self.assertIn("gradients travel between devices", text)

    def test_ranks_exchange_through_the_hosts_when_told_to(self):
        spec = self.write_spec(*MADE["mlp"])
        _, alone = self.train(spec, "alone")
        model, told = self.gang(spec, "told", "--exchange", "host")
        self.assertEqual(model, alone)
        self.assertIn("gradients travel through hosts: as asked for", told[0])

    def test_ranks_with_a_card_each_leave_when_asked_and_go_on(self):
        spec = self.write_spec(*MADE["mlp"])
        flags = ["--set", "epochs=8"]
        _, whole = self.train(spec, "whole", *flags)
        ranks = [self.start_rank(spec, "part", rank, *flags)
                 for rank in range(2)]
        folder = self.path("part", "checkpoints")
        deadline = time.monotonic() + 60
        while not self.checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.002)
        ranks[1].send_signal(signal.SIGTERM)
        told = [rank.communicate(timeout=100)[1].decode() for rank in ranks]
        self.assertEqual([rank.returncode for rank in ranks], [75, 75], told)
        _, told = self.gang(spec, "part", *flags, "--resume",
                            os.path.join(folder, self.checkpoints(folder)[-1]))
        self.assertEqual(self.model("part"), whole)

    def start(self, flags, log):
        """For ElasticGang, whose tasks take a card each."""
        env = {**os.environ, "LD_LIBRARY_PATH": LIBRARIES, "BATON_FAKE_CUDA_DEVICES": "3"}
        with open(self.path(log), "wb") as out:
            return subprocess.Popen(
                [CARD + "/baton-trainer", "--device", "cuda", *flags], cwd=self.folder, env=env,
                stdout=out, stderr=subprocess.STDOUT)

    def log(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as text:
            return text.read()

    def test_an_elastic_gang_loses_and_gains_ranks(self):
        self.spec = self.write_spec(*MADE["mlp"])
        flags = ["--set", "epochs=24", "--set", "shards=3"]
        _, whole = self.train(self.spec, "whole", *flags)
        gang = ElasticGang(self, "elastic", 3, flags=flags,
                           per_task={task: ["--local-rank", str(task % 3)] for task in range(5)})
        self.addCleanup(gang.close)
        gang.wait_for_step(5)
        gang.member(1).kill()
        gang.wait_for_generation(2)
        gang.let_go(0)
        gang.wait_for_generation(3)
        gang.join()
        gang.wait_for_generation(4)
        gang.member(0).kill()
        self.assertEqual(set(gang.finish().values()), {0}, gang.describe())
        self.assertIn("gradients travel between devices", self.log("elastic-2.log"))
        self.assertEqual(gang.model(), whole)

    def lose_a_rank(self, output, signal_number, flags):
        """One of two ranks in mid-training; the other's seconds until it ends with 76, the same
        bits afterwards."""
        spec = self.write_spec(*MADE["mlp"])
        flags = ["--set", "epochs=8", "--set", "checkpoint.every_steps=2", *flags]
        _, whole = self.train(spec, "whole", *flags)
        folder = self.path(output, "checkpoints")
        ranks = [self.start_rank(spec, output, rank, *flags) for rank in range(2)]
        deadline = time.monotonic() + 60
        while len(self.checkpoints(folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.002)
        ranks[1].send_signal(signal_number)
        begin = time.monotonic()
        told = ranks[0].communicate(timeout=100)[1].decode()
        seconds = time.monotonic() - begin
        ranks[1].kill()
        ranks[1].communicate()
        self.assertEqual(ranks[0].returncode, 76, told)
        self.assertIn("gradients travel between devices", told)
        self.assertIn("a peer was lost", told)
        resume = os.path.join(folder, self.checkpoints(folder)[-1])
        self.assertEqual(self.train(spec, output, "--resume", resume, *flags)[1], whole)
        return seconds

    def test_a_rank_that_is_killed_ends_the_others_at_once(self):
        self.assertLess(self.lose_a_rank("killed", signal.SIGKILL, []), HEARD_S)

    def test_a_rank_that_stands_still_ends_the_others_after_its_time(self):
        self.lose_a_rank("silent", signal.SIGSTOP, ["--silence-ms", "400"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
