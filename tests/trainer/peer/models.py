"""Small models that have all layers between them, on images of 14 x 14 whole numbers below 16."""
CLASSES = 5
CNN = [{"conv": {"out": 8, "kernel": 3, "padding": 1, "bias": False}}, "batch_norm", "relu",
       {"name": "down", "max_pool": {"kernel": 3, "stride": 2, "padding": 1}},
       {"conv": {"out": 8, "kernel": [1, 3], "padding": [0, 1], "groups": 2}}, "batch_norm",
       {"conv": {"out": 8, "kernel": 3, "padding": 2, "dilation": 2}}, "elu",
       {"name": "sum", "inputs": ["down", "elu1"], "add": {}}, "relu"]
MODELS = {
    "residual": CNN + [{"avg_pool": {"kernel": 3, "stride": 2, "padding": 1,
                                     "count_padding": False}},
                       "global_pool", {"dense": {"out": CLASSES}}],
    "branches": [
        {"conv": {"out": 6, "kernel": 5, "stride": 2}}, {"name": "stem", "silu": {}},
        {"name": "a", "inputs": ["stem"], "conv": {"out": 4, "kernel": 1}},
        {"name": "b", "inputs": ["stem"], "avg_pool": {"kernel": 3, "stride": 1, "padding": 1}},
        {"name": "c", "inputs": ["a", "b"], "concat": {}}, "leaky_relu", "flatten",
        {"dense": {"out": 20}}, "batch_norm", "gelu", {"dense": {"out": CLASSES}}],
    "lstm": [{"reshape": {"to": [14, 14]}}, {"lstm": {"hidden": 12}}, "last",
             {"dense": {"out": CLASSES}}],
    "gru": [{"reshape": {"to": [14, 14]}}, {"gru": {"hidden": 9}}, {"gru": {"hidden": 7}},
            {"global_pool": {"kind": "max"}}, {"dense": {"out": CLASSES}}],
    "transformer": [
        {"reshape": {"to": [14, 14]}}, {"dense": {"out": 16}}, {"name": "x", "position": {}},
        "layer_norm", {"name": "seen", "attention": {"heads": 4, "causal": True}},
        {"name": "y", "inputs": ["x", "seen"], "add": {}}, "layer_norm", {"dense": {"out": 24}},
        "gelu", {"name": "mixed", "dense": {"out": 16}},
        {"inputs": ["y", "mixed"], "add": {}}, {"attention": {"heads": 2}}, "global_pool",
        {"dense": {"out": CLASSES}}],
    "products": [
        "flatten", {"name": "a", "dense": {"out": 12}}, {"name": "s", "inputs": ["a"], "sigmoid": {}},
        {"name": "t", "inputs": ["a"], "tanh": {}}, {"inputs": ["s", "t"], "multiply": {}},
        {"name": "rows", "dense": {"out": 60}}, {"name": "table", "reshape": {"to": [5, 12]}},
        {"name": "near", "inputs": ["s", "table"], "cosine": {}},
        {"name": "far", "inputs": ["t", "table"], "dot": {}},
        {"inputs": ["near", "far"], "concat": {}}, {"dense": {"out": CLASSES}}],
    "tokens": [{"reshape": {"to": [196]}}, {"embedding": {"vocabulary": 16, "width": 6}},
               {"global_pool": {"kind": "average"}}, {"dense": {"out": CLASSES}}],
}


def divide_by_of(name):
    """Ids stay what they are."""
    return 1 if name == "tokens" else 16
