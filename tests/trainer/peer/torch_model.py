"""A spec's model in PyTorch, layer by layer, on the weights of a .safetensors file."""
import json
import math
import struct

import numpy
import torch
import torch.nn.functional as F


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + size + begin:8 + size + end], dtype="<f4")
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


class TorchModel:
    """`model` is the spec's `model:` as a dict; `tensors` are trained in place."""

    def __init__(self, model, tensors):
        self.model = model
        self.tensors = tensors
        self.training = True
        for name, tensor in tensors.items():
            tensor.requires_grad_("running_" not in name)

    def trained(self):
        return [tensor for tensor in self.tensors.values() if tensor.requires_grad]

    def forward(self, inputs):
        """`inputs`: {name: (N, ..)}; what the last layer gives."""
        values, numbers, previous = dict(inputs), {}, next(iter(inputs))
        for entry in self.model["layers"]:
            entry = {entry: {}} if isinstance(entry, str) else dict(entry)
            name, names = entry.pop("name", None), entry.pop("inputs", None)
            entry.pop("frozen", None)
            (kind, fields), = entry.items()
            numbers[kind] = numbers.get(kind, 0) + 1
            name = name or f"{kind}{numbers[kind]}"
            x = [values[key] for key in names or [previous]]
            values[name] = getattr(self, kind)(name, fields or {}, *x)
            previous = name
        return values[previous]

    def of(self, name, own):
        return self.tensors.get(f"{name}.{own}")

    def conv(self, name, f, x):
        return F.conv2d(x, self.of(name, "weight"), self.of(name, "bias"),
                        pair(f.get("stride", 1)), pair(f.get("padding", 0)),
                        pair(f.get("dilation", 1)), f.get("groups", 1))

    def max_pool(self, _, f, x):
        kernel = pair(f["kernel"])
        return F.max_pool2d(x, kernel, pair(f.get("stride", f["kernel"])),
                            pair(f.get("padding", 0)))

    def avg_pool(self, _, f, x):
        return F.avg_pool2d(x, pair(f["kernel"]), pair(f.get("stride", f["kernel"])),
                            pair(f.get("padding", 0)),
                            count_include_pad=f.get("count_padding", True))

    def global_pool(self, _, f, x):
        axes = (2, 3) if x.dim() == 4 else (1,)
        return x.amax(axes) if f.get("kind") == "max" else x.mean(axes)

    def batch_norm(self, name, f, x):
        return F.batch_norm(x, self.of(name, "running_mean"), self.of(name, "running_var"),
                            self.of(name, "weight"), self.of(name, "bias"), self.training,
                            f.get("momentum", 0.1), f.get("epsilon", 1e-5))

    def layer_norm(self, name, f, x):
        return F.layer_norm(x, x.shape[-1:], self.of(name, "weight"), self.of(name, "bias"),
                            f.get("epsilon", 1e-5))

    def relu(self, _, f, x):
        return F.relu(x)

    def leaky_relu(self, _, f, x):
        return F.leaky_relu(x, f.get("slope", 0.01))

    def elu(self, _, f, x):
        return F.elu(x, f.get("slope", 1.0))

    def sigmoid(self, _, f, x):
        return torch.sigmoid(x)

    def tanh(self, _, f, x):
        return torch.tanh(x)

    def gelu(self, _, f, x):
        return F.gelu(x)

    def silu(self, _, f, x):
        return F.silu(x)

    def flatten(self, _, f, x):
        return x.flatten(1)

    def reshape(self, _, f, x):
        return x.reshape(-1, *f["to"])

    def dense(self, name, f, x):
        return F.linear(x, self.of(name, "weight"), self.of(name, "bias"))

    def embedding(self, name, f, x):
        return F.embedding(x.long(), self.of(name, "weight"))

    def position(self, name, f, x):
        return x + self.of(name, "weight")

    def recurrent(self, name, f, x, module):
        weights = [self.of(name, own) for own in
                   ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")]
        states = x.new_zeros(1, x.shape[0], f["hidden"])
        state = (states, states) if module is torch.lstm else states
        return module(x, state, weights, True, 1, 0.0, self.training, False, True)[0]

    def lstm(self, name, f, x):
        return self.recurrent(name, f, x, torch.lstm)

    def gru(self, name, f, x):
        return self.recurrent(name, f, x, torch.gru)

    def attention(self, name, f, x):
        positions = x.shape[1]
        mask = None
        if f.get("causal"):
            mask = torch.full((positions, positions), -math.inf).triu(1)
        rows = x.transpose(0, 1)
        return F.multi_head_attention_forward(
            rows, rows, rows, x.shape[2], f.get("heads", 1), self.of(name, "in_proj_weight"),
            self.of(name, "in_proj_bias"), None, None, False, 0.0,
            self.of(name, "out_proj.weight"), self.of(name, "out_proj.bias"), self.training,
            need_weights=False, attn_mask=mask)[0].transpose(0, 1)

    def last(self, _, f, x):
        return x[:, -1]

    def concat(self, _, f, *x):
        return torch.cat(x, 1 if x[0].dim() == 4 else -1)

    def add(self, _, f, *x):
        return sum(x[1:], x[0])

    def multiply(self, _, f, *x):
        product = x[0]
        for other in x[1:]:
            product = product * other
        return product

    @staticmethod
    def rows(x):
        return x.unsqueeze(1) if x.dim() == 2 else x

    def dot(self, _, f, a, b):
        return (self.rows(a) * self.rows(b)).sum(-1)

    def cosine(self, _, f, a, b):
        return F.cosine_similarity(*torch.broadcast_tensors(self.rows(a), self.rows(b)), dim=-1)
