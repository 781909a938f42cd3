"""A training that begins with given weights is the same through the scheduler, where they travel
with the data or lie on the node, and alone. Arguments: folder of programs, folder of specs."""
import os
import subprocess

from cluster import Cluster, expect, main

SPEC = """name: {name}
epochs: 1
batch_size: 500
data:
  train:
    images: {specs}/mnist-small/t10k-images-idx3-ubyte.gz
    labels: {specs}/mnist-small/t10k-labels-idx1-ubyte.gz
model: {{input: [1, 28, 28], divide_by: 255, layers: [flatten, dense: 20, relu, dense: 10]}}
optimizer: {{name: sgd, lr: 0.1}}
{weights}
"""


def test(programs, specs):
    with Cluster(programs, workers="spot,on-demand") as cluster:
        folder = cluster.top + "/work"
        os.makedirs(folder + "/models")

        def spec(name, weights=""):
            path = f"{folder}/{name}.yaml"
            with open(path, "w") as file:
                file.write(SPEC.format(name=name, specs=os.path.abspath(specs), weights=weights))
            return path

        def trainer(*words):
            done = subprocess.run([programs + "/baton-trainer", "--device", "cpu", *words],
                                  capture_output=True, text=True, cwd=folder)
            expect(done.returncode == 0, f"{words}: {done.stderr}")

        given = folder + "/models/start.safetensors"
        trainer("--spec", spec("start"), "--set", "seed=77", "--init-only", "--weights-out", given)
        trainer("--spec", spec("start"), "--weights-in", given, "--weights-skip", "dense2",
                "--output", folder + "/alone")
        with open(folder + "/alone/model.safetensors", "rb") as file:
            alone = file.read()

        packed = cluster.train(spec("packed", "weights: {uri: models/start.safetensors, skip: [dense2]}"))
        expect(cluster.model(packed) == alone, "what the client sent is what was trained on")
        on_node = cluster.train(spec("on-node", f"weights: {{uri: file://{given}, skip: [dense2]}}"),
                                "--ranks", "1")
        expect(cluster.model(on_node) == alone, "so is what lies on the node")
        drawn = cluster.train(spec("drawn"))
        expect(cluster.model(drawn) != alone, "drawn weights come to something else")

        missing = cluster.baton("train", spec("missing", "weights: models/none.pth"), check=False)
        expect(missing.returncode == 2 and "missing.yaml:10: weights: no file" in missing.stderr
               and "models/none.pth" in missing.stderr, missing.stderr)
        wide = spec("wide", "weights: models/start.safetensors")
        unlike = cluster.baton("train", wide, "--set", "model.layers.3.dense.out=12", "--dry-run",
                               check=False)
        expect(unlike.returncode == 2 and "wide.yaml:10: weights: " in unlike.stderr
               and "dense2.weight is [10, 20] there and [12, 20] here" in unlike.stderr
               and "skip: [dense2]" in unlike.stderr, unlike.stderr)


main(test)
