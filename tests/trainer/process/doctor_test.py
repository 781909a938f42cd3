"""`baton-trainer doctor` on machines with cards that a fake driver's library tells of."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
FAKE = os.path.dirname(os.path.abspath(sys.argv.pop(1)))
CARD = {"name": "NVIDIA H200", "memory_total": 150 << 30, "memory_used": 1 << 30, "capability": 90,
        "generation": 5, "generation_max": 5, "lanes": 16, "lanes_max": 16, "power": 90000,
        "power_limit": 700000, "celsius": 35, "utilization": 0, "slowed": 1, "ecc": 1, "errors": 0}


class DoctorTest(unittest.TestCase):
    def doctor(self, *flags, code=0, cards=None, environment=None, **driver):
        env = {**os.environ, **(environment or {})}
        with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
            if cards is not None:
                # A machine's own driver must not be asked.
                env["LD_LIBRARY_PATH"] = FAKE + ":" + env.get("LD_LIBRARY_PATH", "")
                env["BATON_FAKE_NVML"] = folder + "/cards"
                lines = [f"{name} = {value}" for name, value in
                         {"cards": len(cards), "driver": "580.82.07", "cuda": 13010,
                          **driver}.items()]
                lines += [f"{i}.{name} = {value}" for i, card in enumerate(cards)
                          for name, value in card.items()]
                with open(folder + "/cards", "w", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
            done = subprocess.run([PROGRAM, "doctor", *flags], env=env, capture_output=True,
                                  text=True, check=False, timeout=100)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def report(self, **options):
        return json.loads(self.doctor("--output", "json", **options))

    def advice(self, report):
        return " | ".join(a["what"] + a["command"] for a in report["advice"])

    def test_the_cpu_trains_with_the_instruction_set_that_it_may_use(self):
        report = self.report(cards=[])
        self.assertTrue(report["ok"])
        self.assertGreater(report["cpu"]["training"]["samples_per_s"], 0)
        self.assertEqual(report["no_cards"], "the driver has found none")
        versions = {v["name"]: v["found"] for v in report["versions"]}
        self.assertRegex(versions["oneDNN"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(versions["Gloo"], r"^\d+\.\d+\.\d+$")
        pinned = self.report(cards=[], environment={"DNNL_MAX_CPU_ISA": "SSE41"})
        self.assertEqual(pinned["cpu"]["isa_in_use"], "sse41")
        self.assertEqual(pinned["cpu"]["isa"], report["cpu"]["isa"])

    def test_a_card_before_turing_leaves_the_work_to_the_cpu(self):
        old = {**CARD, "name": "Tesla V100", "capability": 70, "lanes": 8, "slowed": 4}
        report = self.report(cards=[old])
        card, = report["cards"]
        self.assertFalse(card["usable"])
        self.assertIn("older than Turing (7.5), too old for CUDA 13; the CPU takes over",
                      card["verdict"])
        self.assertNotIn("training", card)
        self.assertIn("8 of 16 PCIe lanes", self.advice(report))
        self.assertIn("slowed down by its power limit", self.advice(report))
        text = self.doctor(cards=[old])
        for words in ("Tesla V100, 150.0 GiB", "compute capability 7.0", "draws 90 of 700 W, 35",
                      "PCIe generation 5 of 5, 8 of 16 lanes", "ECC on", "580.82.07",
                      "everything that is here works"):
            self.assertIn(words, text)

    def test_an_old_driver_is_told_with_what_mends_it(self):
        report = self.report(cards=[CARD], driver="535.1", cuda=12020)
        self.assertTrue(report["ok"])
        self.assertIn("the driver 535.1 is for CUDA 12.2, 13.0 is needed", self.advice(report))
        self.assertIn("apt-get install cuda-drivers", self.advice(report))

    def test_what_is_there_and_does_not_work_is_broken(self):
        self.assertIn("Driver Not Loaded", self.advice(self.report(cards=[], init=9, code=1)))
        failing = self.report(cards=[{**CARD, "capability": 70, "errors": 2}], code=1)
        self.assertFalse(failing["ok"])
        self.assertIn("2 memory errors", self.advice(failing))
        text = self.doctor(cards=[{"memory_total": 5}], code=1)
        self.assertIn("BROKEN     card 0 says nothing of itself", text)
        self.assertIn("something that is here does not work", text)


if __name__ == "__main__":
    unittest.main(verbosity=1)
