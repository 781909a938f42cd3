"""A folder of scripts as a person has one, and what submitting from it says."""
import os
import subprocess

from cluster import expect


class Scripts:
    """A folder of scripts; `train` submits from it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.path = cluster.top + "/scripts"
        os.mkdir(self.path)

    def write(self, name, text, mode=0o644):
        path = f"{self.path}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def baton(self, *words, folder="."):
        return subprocess.run([self.cluster.programs + "/baton", *words],
                              env=self.cluster.environment(), cwd=f"{self.path}/{folder}",
                              capture_output=True, text=True, timeout=120)

    def train(self, *words, verb="train", folder="."):
        """The folder of what came back, and what submitting said."""
        done = self.baton(verb, *words, folder=folder)
        expect(done.returncode == 0, f"{words}: {done.stderr}")
        job = done.stdout.strip()
        expect(len(job.split()) == 1, f"stdout is the id alone: {done.stdout!r}")
        ended = self.cluster.baton("wait", job, check=False)
        expect(ended.returncode == 0,
               f"{words}: {ended.stdout}{ended.stderr}{self.cluster.baton('logs', job).stdout}")
        return self.cluster.collect(job), done.stderr, job
