"""Files of weights as PyTorch, safetensors and h5py write them, read by the program: into a small
model of a convolution, a batch normalisation and two dense layers."""
import collections
import os
import pickle
import struct
import subprocess
import zipfile

import h5py
import numpy
import torch

from published import PublishedTest, json, read_safetensors, unittest

SHAPES = {"body.0.weight": (4, 3, 3, 3), "body.0.bias": (4,), "body.1.weight": (4,),
          "body.1.bias": (4,), "body.1.running_mean": (4,), "body.1.running_var": (4,),
          "hidden.weight": (6, 4 * 2 * 3), "hidden.bias": (6,), "fc.weight": (5, 6), "fc.bias": (5,)}
LAYERS = [{"name": "body.0", "conv": {"out": 4, "kernel": 3, "padding": 1}},
          {"name": "body.1", "batch_norm": {}}, "relu", {"max_pool": {"kernel": 2}}, "flatten",
          {"dropout": {"rate": 0.5}}, {"name": "hidden", "dense": {"out": 6}}, "relu",
          {"name": "fc", "dense": {"out": 5}}]


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def by_hand(path, tensors):
    """safetensors of any type: {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class FilesTest(PublishedTest):
    def setUp(self):
        super().setUp()
        model = {"input": [3, 4, 6], "layers": LAYERS}
        self.spec = {"name": "small", "epochs": 1, "batch_size": 2, "model": model,
                     "data": {"train": {"images": "none", "labels": "none"}},
                     "optimizer": {"name": "sgd", "lr": 0.1}}
        chance = torch.Generator().manual_seed(2)
        self.state = collections.OrderedDict(
            (name, torch.rand(shape, generator=chance)) for name, shape in SHAPES.items())

    def start(self, file, *flags, **fields):
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as out:
            json.dump({**self.spec, **fields}, out)
        given = ["--weights-in", self.path(file)] if file else []
        done = subprocess.run(
            [self.program(), "--spec", self.path("spec.yaml"), "--init-only", "--weights-out",
             self.path("start"), *given, *flags], capture_output=True, text=True, check=False,
            cwd=self.folder)
        return done.returncode, done.stderr

    @staticmethod
    def program():
        import published
        return published.PROGRAM

    def loads(self, file, *flags, state=None, exact=True, **fields):
        code, said = self.start(file, *flags, **fields)
        self.assertEqual(code, 0, said)
        got = read_safetensors(self.path("start"))
        for name, tensor in (self.state if state is None else state).items():
            error = (got[name] - tensor.float()).abs().max().item()
            self.assertLessEqual(error, 0 if exact else 4e-3, f"{file} {name}")
        return got, said

    def refused(self, parts, file, *flags, **fields):
        code, said = self.start(file, *flags, **fields)
        self.assertEqual(code, 2, said)
        for part in parts:
            self.assertIn(part, said)
        self.assertFalse(os.path.exists(self.path("executed")), "nothing is executed")

    def save(self, what, file, **how):
        torch.save(what, self.path(file), **how)

    def test_state_dicts_old_and_new(self):
        for old in (False, True):
            how = {"_use_new_zipfile_serialization": not old}
            self.save(self.state, "plain", **how)
            self.loads("plain")
            self.save({"epoch": 3, "best": 0.5, "state_dict": self.state,
                       "optimizer": {"param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]}},
                      "nested", **how)
            self.loads("nested")
            self.save({f"module.{name}": t for name, t in self.state.items()}, "parallel", **how)
            self.loads("parallel")
            self.save({name: torch.nn.Parameter(t) for name, t in self.state.items()}, "parameters",
                      **how)
            self.loads("parameters")
            self.save({name: t.double() for name, t in self.state.items()}, "doubles", **how)
            self.loads("doubles")
            for number in (torch.bfloat16, torch.float16):
                halves = {name: t.to(number) for name, t in self.state.items()}
                self.save(halves, "halves", **how)
                self.loads("halves", state=halves)
            whole = {name: (t * 100).long() for name, t in self.state.items()}
            self.save(whole, "whole", **how)
            self.loads("whole", state=whole)
            self.save(self.state, "protocol4", pickle_protocol=4, **how)
            self.loads("protocol4")

    def test_views_and_shared_storages(self):
        for old in (False, True):
            rows = torch.rand(24, 12)
            self.state["hidden.weight"] = rows.t()[::2]  # neither contiguous nor at the beginning
            block = torch.rand(60)
            self.state["fc.weight"] = block[7:37].view(5, 6)
            self.state["fc.bias"] = block[50:60:2]
            self.state["body.0.weight"] = torch.rand(4, 3, 3, 3).to(
                memory_format=torch.channels_last)
            self.state["body.0.bias"] = torch.rand(1).expand(4)
            self.save(self.state, "views", _use_new_zipfile_serialization=not old)
            self.loads("views")

    def test_safetensors_of_all_types(self):
        kinds = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16,
                 "BF16": torch.bfloat16}
        for dtype, number in kinds.items():
            values = {name: t.to(number) for name, t in self.state.items()}
            data = {name: (dtype, t.shape, bytes(t.contiguous().view(torch.uint8).numpy().tobytes()
                                                 if t.dim() else b""))
                    for name, t in values.items()}
            by_hand(self.path("file"), data)
            self.loads("file", state=values)

    def test_what_does_not_fit_is_listed_and_left_out_by_name(self):
        self.state["fc.weight"], self.state["fc.bias"] = torch.rand(7, 6), torch.rand(7)
        self.save(self.state, "classes")
        self.refused(["fc.weight is [7, 6] there and [5, 6] here", "fc is the last layer",
                      "--weights-skip fc"], "classes")
        drawn, _ = self.loads("", state={})
        body = {name: t for name, t in self.state.items() if not name.startswith("fc")}
        got, said = self.loads("classes", "--weights-skip", "fc", state=body)
        self.assertTrue(torch.equal(got["fc.weight"], drawn["fc.weight"]), "drawn as ever")
        self.assertNotIn("not in the model", said)
        self.refused(["'fcc'", "did you mean fc"], "classes", "--weights-skip", "fcc")
        self.refused(["--weights-skip goes with --weights-in"], "", "--weights-skip", "fc")
        del self.state["body.1.running_var"], self.state["fc.weight"], self.state["fc.bias"]
        self.state["more"], self.state["body.1.num_batches_tracked"] = torch.rand(1), torch.tensor(1)
        self.save(self.state, "lacks")
        self.refused(["not in it: body.1.running_var, fc.weight, fc.bias",
                      "it has instead: more"], "lacks")
        _, said = self.loads("lacks", "--weights-skip", "fc", "--weights-skip", "body.1", state={})
        self.assertIn("1 of its tensors are not in the model: more", said)

    def test_the_spec_names_its_weights(self):
        self.save(self.state, "given.pth")
        self.loads("", weights="given.pth")
        skipping = {"uri": "file://" + self.path("given.pth"), "skip": ["fc", "body"]}
        drawn, _ = self.loads("", state={})
        got, _ = self.loads("", weights=skipping, state={})
        self.assertTrue(torch.equal(got["fc.weight"], drawn["fc.weight"]))
        self.assertTrue(torch.equal(got["body.1.bias"], drawn["body.1.bias"]))
        self.assertTrue(torch.equal(got["hidden.weight"], self.state["hidden.weight"]))
        self.refused(["spec.yaml:1: weights", "no file", "nothing.pth"], "", weights="nothing.pth")
        self.refused(["weights", "SHA-256"], "",
                     weights={"uri": "given.pth", "sha256": "0" * 64})
        self.refused(["weights.skip", "'fo'"], "", weights={"uri": "given.pth", "skip": ["fo"]})
        del self.state["fc.bias"]
        self.save(self.state, "given.pth")
        self.refused(["spec.yaml:1: weights", "not in it: fc.bias"], "", weights="given.pth")

    def test_nothing_in_a_file_is_executed(self):
        for how in ({}, {"_use_new_zipfile_serialization": False}):
            self.save({"weights": Evil(), **self.state}, "evil", **how)
            self.refused(["posix.system", "torch.save(model.state_dict(), FILE)"], "evil")
            self.save(torch.nn.Linear(2, 2), "module", **how)
            self.refused(["torch.nn.modules.linear.Linear", "state_dict()"], "module")
        with open(self.path("bare"), "wb") as file:
            pickle.dump({"a": 1}, file)
        self.refused(["a pickle that torch.load may read"], "bare")
        self.save({"a": 1, "b": [1, 2]}, "empty")
        self.refused(["no tensors by name"], "empty")

    def test_damaged_files_are_told(self):
        self.save(self.state, "whole.pth")
        with open(self.path("whole.pth"), "rb") as file:
            data = file.read()
        for size in (3, 100, len(data) // 2, len(data) - 1):
            with open(self.path("cut"), "wb") as file:
                file.write(data[:size])
            self.refused(["cut"], "cut")
        with zipfile.ZipFile(self.path("packed"), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/data.pkl", b"\x80\x02N." + bytes(100))
        self.refused(["packed or encrypted"], "packed")
        with zipfile.ZipFile(self.path("other"), "w") as archive:
            archive.writestr("readme", b"x")
        self.refused(["without a data.pkl"], "other")
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write("hello, this is no file of weights")
        self.refused(["neither safetensors, nor PyTorch's .pth, nor Keras' .h5"], "text")
        os.mkdir(self.path("folder"))
        self.refused(["folder"], "folder")

    def keras(self, file, name, *, top="", kernel="kernel:0", inner="{layer}/", gamma=True):
        """The state as Keras lays it out, its layers called as `name` says."""
        with h5py.File(self.path(file), "w") as out:
            def put(layer, own, values):
                group = name[layer]
                path = f"{top}{group}/" + inner.format(layer=group) + own.format(layer=group)
                out[path] = values.numpy()
            image = self.state["hidden.weight"].view(6, 4, 2, 3)
            put("body.0", kernel, self.state["body.0.weight"].permute(2, 3, 1, 0))
            put("hidden", kernel, image.permute(2, 3, 1, 0).reshape(24, 6))
            put("fc", kernel, self.state["fc.weight"].t())
            bias = kernel.replace("kernel", "bias").replace("_W", "_b")
            for layer in ("body.0", "hidden", "fc"):
                put(layer, bias, self.state[f"{layer}.bias"])
            own = {"bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
            if "_W" in kernel:
                own.update(running_mean="{layer}_running_mean_1", running_var="{layer}_running_std_1",
                           bias="{layer}_beta_1")
            if gamma:
                own["weight"] = own["bias"].replace("beta", "gamma")
            for ours, theirs in own.items():
                put("body.1", theirs + ":0", self.state[f"body.1.{ours}"])

    def test_keras_files_of_all_times(self):
        same = {layer: layer for layer in ("body.0", "body.1", "hidden", "fc")}
        self.keras("keras2.h5", same)
        self.loads("keras2.h5")
        self.keras("keras1.h5", same, kernel="{layer}_W_1:0", inner="")
        self.loads("keras1.h5")
        self.keras("keras3.h5", same, top="model_weights/", kernel="kernel")
        self.loads("keras3.h5")
        numbered = {"body.0": "conv2d_94", "body.1": "batch_normalization_94", "hidden": "dense_2",
                    "fc": "dense_10"}
        self.keras("numbered.h5", numbered, gamma=False)
        self.state["body.1.weight"] = torch.ones(4)
        self.loads("numbered.h5")

    def test_keras_3_saves_variables_by_number(self):
        image = self.state["hidden.weight"].view(6, 4, 2, 3)
        variables = {
            "conv2d": [self.state["body.0.weight"].permute(2, 3, 1, 0), self.state["body.0.bias"]],
            "batch_normalization": [self.state[f"body.1.{own}"] for own in
                                    ("weight", "bias", "running_mean", "running_var")],
            "dense": [image.permute(2, 3, 1, 0).reshape(24, 6), self.state["hidden.bias"]],
            "dense_1": [self.state["fc.weight"].t(), self.state["fc.bias"]]}
        with h5py.File(self.path("new.weights.h5"), "w") as out:
            out["optimizer/vars/0"] = numpy.zeros(3)
            for layer, values in variables.items():
                for number, value in enumerate(values):
                    out[f"layers/{layer}/vars/{number}"] = value.numpy()
        _, said = self.loads("new.weights.h5")
        self.assertNotIn("not in the model", said)
        branch = LAYERS[:2] + [{"name": "both", "inputs": ["body.0", "body.1"], "add": {}}] + LAYERS[2:]
        self.refused(["by kind and number alone"], "new.weights.h5",
                     model={"input": [3, 4, 6], "layers": branch})

    def test_hdf5_that_leads_elsewhere_or_is_damaged(self):
        same = {layer: layer for layer in ("body.0", "body.1", "hidden", "fc")}
        self.keras("good.h5", same)
        with h5py.File(self.path("links.h5"), "w") as out:
            out["fc"] = h5py.ExternalLink(self.path("good.h5"), "/fc")
        self.refused(["not in it: body.0.weight"], "links.h5")
        with h5py.File(self.path("outside.h5"), "w") as out:
            out.create_dataset("fc/fc/kernel:0", (6, 5), "f4", external=[(self.path("good.h5"), 0, 120)])
        self.refused(["lies in another file"], "outside.h5")
        with open(self.path("good.h5"), "rb") as file:
            data = file.read()
        chance = numpy.random.default_rng(1)
        for round_ in range(30):
            damaged = bytearray(data)
            for at in chance.integers(0, 4000, 8):
                damaged[at] = chance.integers(0, 256)
            if round_ % 3 == 0:
                damaged = damaged[:chance.integers(9, len(data))]
            with open(self.path("damaged.h5"), "wb") as file:
                file.write(damaged)
            code, said = self.start("damaged.h5")
            self.assertIn(code, (0, 1, 2), said)

    def test_timm_calls_a_dense_layer_a_convolution(self):
        model = {"input": [3, 4, 6], "layers": [
            *LAYERS[:5], {"name": "classifier.0", "dense": {"out": 6}}, "relu",
            {"name": "classifier.6", "dense": {"out": 5}}]}
        theirs = {name.replace("hidden", "pre_logits.fc1").replace("fc.", "head.fc.")
                  if not name.startswith("pre") else name: t for name, t in self.state.items()}
        theirs["pre_logits.fc1.weight"] = self.state["hidden.weight"].view(6, 4, 2, 3)
        self.save(theirs, "timm")
        ours = {name.replace("hidden", "classifier.0").replace("fc.", "classifier.6."): t
                for name, t in self.state.items()}
        self.loads("timm", model=model, state=ours)


if __name__ == "__main__":
    unittest.main(verbosity=1)
