"""`baton predict JOB`: the model of a job that a scheduler ran, fetched once, predicts here."""
import os
import shutil
import sys

from cluster import Cluster, expect

PROGRAMS, SPEC = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
IMAGES = os.path.join(os.path.dirname(SPEC), "mnist-small", "t10k-images-idx3-ubyte.gz")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    with Cluster(PROGRAMS, workers="spot") as cluster:
        done = cluster.baton("predict", "lenet", "--input", IMAGES, check=False)
        expect(done.returncode != 0 and "baton-trainer" in done.stderr,
               f"without a trainer that is said: {done.stderr}")
        os.symlink(PROGRAMS + "/baton-trainer", cluster.programs + "/baton-trainer")

        job = cluster.train(SPEC, "--name", "lenet", "--set", "epochs=1")
        done = cluster.baton("predict", "lenet", "--input", IMAGES, check=False)
        expect("no output yet" in done.stderr or done.returncode == 0, done.stderr)
        cluster.baton("wait", job)
        cluster.baton("predict", "lenet", "--input", IMAGES, "--output", "job.npy")
        folder = cluster.collect(job)
        cluster.baton("predict", "--model", folder, "--input", IMAGES, "--output", "folder.npy")
        cluster.baton("predict", "--weights", folder + "/model.safetensors", "--spec", SPEC,
                      "--input", IMAGES, "--output", "weights.npy")
        first = read(cluster.top + "/job.npy")
        for name in ("folder.npy", "weights.npy"):
            expect(read(f"{cluster.top}/{name}") == first, f"{name}: the same model, the same bits")

        # It is there now: nothing is fetched again.
        kept = os.path.join(cluster.top, "home", ".cache", "baton", "models")
        held = os.path.join(kept, os.listdir(kept)[0], "model.safetensors")
        before = os.stat(held).st_mtime_ns
        cluster.baton("predict", job, "--input", IMAGES, "--output", "again.npy")
        expect(read(cluster.top + "/again.npy") == first, "again the same")
        expect(os.stat(held).st_mtime_ns == before and len(os.listdir(kept)) == 1, "kept as it was")

        done = cluster.baton("predict", job, "--model", folder, "--input", IMAGES, check=False)
        expect(done.returncode == 2 and "not both" in done.stderr, done.stderr)
        other = os.path.join(cluster.top, "other")
        os.mkdir(other)
        with open(other + "/none.yaml", "w", encoding="utf-8") as file:
            file.write("name: none\ncommand: [sh, -c, 'echo x > $BATON_OUTPUT_DIR/x']\n")
        cluster.baton("wait", cluster.train(other + "/none.yaml"))
        done = cluster.baton("predict", "none", "--input", IMAGES, check=False)
        expect(done.returncode == 2 and "left no model.safetensors" in done.stderr, done.stderr)
        expect(len(os.listdir(kept)) == 1, "what has no model is not kept")
        shutil.rmtree(other)


main()
