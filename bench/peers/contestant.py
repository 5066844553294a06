"""One peer, driven as `ptsbench encoders --follow` is: a line COUNT on stdin, and the first COUNT
images of input.npy are embedded; the answer on stdout is the seconds that took.

    python contestant.py NAME FOLDER THREADS [OUTPUT]    (OUTPUT: the last embeddings, raw float32)

Every peer computes in float32 with its default settings, but for the number of threads."""
import os
import sys
import time

import numpy as np

import models


class Torch:
    def __init__(self, folder, threads, x):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.net = torch, models.build(folder)
        self.version = torch.__version__
        self.inputs = {b: torch.from_numpy(x[:b].copy()) for b in models.BATCHES}

    def run(self, count):
        with self.torch.inference_mode():
            return self.net(self.inputs[count])

    def array(self, result):
        return result.numpy()


class TorchChannelsLast(Torch):
    def __init__(self, folder, threads, x):
        super().__init__(folder, threads, x)
        layout = self.torch.channels_last
        self.net = self.net.to(memory_format=layout)
        self.inputs = {b: t.to(memory_format=layout) for b, t in self.inputs.items()}


class OnnxRuntime:
    def __init__(self, folder, threads, x):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.version = onnxruntime.__version__
        self.inputs = {b: {"image": x[:b].copy()} for b in models.BATCHES}
        self.sessions = {
            b: onnxruntime.InferenceSession(os.path.join(folder, f"model-{b}.onnx"), options,
                                            providers=["CPUExecutionProvider"])
            for b in models.BATCHES}

    def run(self, count):
        return self.sessions[count].run(None, self.inputs[count])

    def array(self, result):
        return result[0]


class OpenVino:
    def __init__(self, folder, threads, x):
        import openvino

        # One stream: latency, as for the others. A processor with AMX would take bfloat16 without
        # the hint.
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        core = openvino.Core()
        self.version = openvino.__version__.split("-")[0]
        self.inputs = {b: x[:b].copy() for b in models.BATCHES}
        self.requests = {
            b: core.compile_model(core.read_model(os.path.join(folder, f"model-{b}.onnx")), "CPU", config)
            .create_infer_request()
            for b in models.BATCHES}

    def run(self, count):
        return self.requests[count].infer({0: self.inputs[count]}, share_inputs=True, share_outputs=True)

    def array(self, result):
        return result[0]


class Ncnn:
    """No batches in ncnn: the images one after the other, each on all threads."""

    def __init__(self, folder, threads, x):
        import ncnn

        self.ncnn, self.version = ncnn, ncnn.__version__
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = threads
        options.use_vulkan_compute = False
        for name in dir(options):
            if name.startswith(("use_fp16", "use_bf16", "use_int8")):
                setattr(options, name, False)
        for load, end in ((self.net.load_param, "param"), (self.net.load_model, "bin")):
            if load(os.path.join(folder, f"model.ncnn.{end}")) != 0:
                raise SystemExit(f"ncnn: cannot load model.ncnn.{end}")
        self.arrays = [np.ascontiguousarray(image) for image in x]
        self.inputs = [ncnn.Mat(image) for image in self.arrays]

    def one(self, image):
        extractor = self.net.create_extractor()
        extractor.input("in0", image)
        code, out = extractor.extract("out0")
        if code != 0:
            raise SystemExit(f"ncnn: extract failed with {code}")
        return out

    def run(self, count):
        return [self.one(image) for image in self.inputs[:count]]

    def array(self, result):
        return np.stack([np.array(out).reshape(-1) for out in result])


CONTESTANTS = {
    "ONNX Runtime": OnnxRuntime,
    "OpenVINO": OpenVino,
    "PyTorch": Torch,
    "PyTorch channels_last": TorchChannelsLast,
    "ncnn": Ncnn,
}


def main():
    name, folder, threads, *output = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    peer = CONTESTANTS[name](folder, int(threads), np.load(os.path.join(folder, "input.npy")))
    print(peer.version, file=answers, flush=True)
    result = None
    for line in sys.stdin:
        count = int(line)
        start = time.perf_counter()
        result = peer.run(count)
        print(f"{time.perf_counter() - start:.9f}", file=answers, flush=True)
    if output:
        peer.array(result).astype("<f4").tofile(output[0])


main()
