"""A folder of pictures travels with its job, file by file, and trains to the same bytes as by hand;
what is wrong with it is told before anything is sent. Arguments: folder of programs, spec."""
import os
import shutil
import subprocess

from cluster import Cluster, expect, main


def by_hand(programs, spec, folder):
    subprocess.run([programs + "/baton-trainer", "--spec", spec, "--set", "epochs=2", "--output",
                    folder], check=True, capture_output=True, timeout=120)
    with open(folder + "/model.safetensors", "rb") as file:
        return file.read()


def test(programs, spec):
    with Cluster(programs) as cluster:
        job = cluster.train(spec, "--set", "epochs=2", "--ranks", "2", "--name", "pictures")
        expect(cluster.model(job) == by_hand(os.path.abspath(programs), spec, cluster.top + "/hand"),
               "the job's model is the one made by hand")

        own = cluster.top + "/own"
        shutil.copytree(os.path.dirname(spec) + "/quickdraw-small/drawings", own + "/my photos")
        with open(spec, encoding="utf-8") as file:
            lines = [line for line in file if "sha256" not in line]
        with open(own + "/job.yaml", "w", encoding="utf-8") as file:
            file.write("".join(lines).replace("quickdraw-small/drawings", "my photos/"))
        dry = cluster.json("train", own + "/job.yaml", "--dry-run")
        expect(dry["data_files"] == 750, f"750 files would be sent, got {dry['data_files']}")
        with open(own + "/my photos/shoe/cut.jpg", "wb") as file:
            file.write(b"\xff\xd8\xff\xe0 no more")
        done = cluster.baton("train", own + "/job.yaml", "--dry-run", "--set", "epochs=0",
                             check=False)
        expect(done.returncode == 2, f"a bad spec, got {done.returncode}")
        for text in ("my photos/shoe/cut.jpg: damaged JPEG", "epochs: must be at least 1"):
            expect(text in done.stderr, f"'{text}' is told in one round, got {done.stderr}")
        skipping = cluster.train(own + "/job.yaml", "--set", "epochs=2", "--set",
                                 "data.damaged=skip", "--ranks", "1", "--name", "skipping")
        cluster.model(skipping)


main(test)
