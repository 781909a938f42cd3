"""An ONNX model in onnxruntime: run_onnx.py MODEL.onnx X.npy Y.npy"""
import sys

import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])
(given,) = session.get_inputs()
numpy.save(sys.argv[3], session.run(None, {given.name: numpy.load(sys.argv[2])})[0])
