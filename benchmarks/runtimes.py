"""Runtimes that could do VGG-16's pass, each in a process of its own, so that none waits for another's threads.

Run by query_speed.py. A child says "ready" when it is, then for every line it reads runs one pass and answers with the
milliseconds that took.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

Pass = Callable[[np.ndarray], np.ndarray]
LAYER = "block4_pool"


def in_keras(shape: tuple[int, ...]) -> Pass:
    """Return the pass in Keras, on the backend that KERAS_BACKEND names."""
    from fashion16_lib.models.vgg16 import Vgg16Extractor

    network = Vgg16Extractor(LAYER, shape[1], "keras").network
    predict = network.predict if os.environ.get("KERAS_BACKEND") == "openvino" else network.predict_on_batch
    return lambda batch: predict(batch, **({"verbose": 0} if predict == network.predict else {}))


def in_onnxruntime(shape: tuple[int, ...]) -> Pass:
    """Return the pass in ONNX Runtime, as the library does it."""
    from fashion16_lib.models.vgg16 import Vgg16Extractor

    return Vgg16Extractor(LAYER, shape[1], "onnxruntime").forward


def in_opencv(shape: tuple[int, ...]) -> Pass:
    """Return the pass in OpenCV."""
    import cv2

    network = cv2.dnn.readNetFromONNX(np.frombuffer(_onnx(shape), np.uint8))

    def forward(batch: np.ndarray) -> np.ndarray:
        network.setInput(batch)
        return network.forward().reshape(len(batch), -1).copy()

    return forward


def in_lite(shape: tuple[int, ...]) -> Pass:
    """Return the pass in TensorFlow Lite, which TensorFlow brings along."""
    import tensorflow as tf

    from fashion16_lib.models.vgg16 import Vgg16Extractor

    converter = tf.lite.TFLiteConverter.from_keras_model(Vgg16Extractor(LAYER, shape[1], "keras").network)
    interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=os.cpu_count())
    given, features = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def forward(batch: np.ndarray) -> np.ndarray:
        if interpreter.get_input_details()[0]["shape"][0] != len(batch):
            interpreter.resize_tensor_input(given, batch.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given, batch)
        interpreter.invoke()
        return interpreter.get_tensor(features)

    interpreter.allocate_tensors()
    return forward


def in_openvino(shape: tuple[int, ...]) -> Pass:
    """Return the pass in OpenVINO, in float32."""
    import openvino

    core, options = openvino.Core(), {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(_onnx(shape), b"")
    model.reshape(shape)                                        # a fixed batch is its best case
    compiled = core.compile_model(model, "CPU", options)
    request = compiled.create_infer_request()
    return lambda batch: request.infer({0: batch})[compiled.output(0)].copy()


def _onnx(shape: tuple[int, ...]) -> bytes:
    from fashion16_lib.data.vgg16_weights import ensure_vgg16_weights, read_vgg16_weights
    from fashion16_lib.models.onnx_vgg16 import vgg16_as_onnx

    return vgg16_as_onnx(read_vgg16_weights(ensure_vgg16_weights()), [LAYER], shape[1])


DEFAULT = "ONNX Runtime (default)"
# name -> what makes a pass for inputs of a shape, Keras's backend, the package it needs
RUNTIMES: dict[str, tuple[Callable[[tuple[int, ...]], Pass], str, str]] = {
    DEFAULT: (in_onnxruntime, "tensorflow", "onnxruntime"),
    "Keras on TensorFlow (reference)": (in_keras, "tensorflow", "tensorflow"),
    "OpenCV": (in_opencv, "tensorflow", "cv2"),
    "TensorFlow Lite": (in_lite, "tensorflow", "tensorflow"),
    "OpenVINO": (in_openvino, "tensorflow", "openvino"),
    "Keras on OpenVINO": (in_keras, "openvino", "openvino"),
}
LOCKED = ("onnxruntime", "tensorflow", "cv2")                   # what requirements.lock installs


def installed() -> list[str]:
    """Return the names of the runtimes that are here; `pip install openvino` brings its two."""
    return [name for name, (_, _, package) in RUNTIMES.items() if find_spec(package)]


class Child:
    """A runtime in a process of its own.

    Parameters
    ----------
    name : of RUNTIMES
    batch : path of a .npy file with prepared images, (n, pixels, pixels, 3) float32
    """

    def __init__(self, name: str, batch: Path) -> None:
        environment = {**os.environ, "KERAS_BACKEND": RUNTIMES[name][1], "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.features = batch.with_name(f"{batch.stem} {name}.npy")
        self.process = subprocess.Popen(
            [sys.executable, __file__, name, str(batch), str(self.features)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )

    def wait(self) -> np.ndarray:
        """Wait until the child is ready; return the features it found."""
        assert self.process.stdout is not None
        for line in self.process.stdout:                        # converters talk, too
            if line == "ready\n":
                return np.load(self.features)
        raise SystemExit(f"{self.process.args} ended with status {self.process.wait()}")

    def time_ms(self) -> float:
        """Let the child run one pass; return how long it took."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """End the process."""
        self.process.communicate()


def main(name: str, batch_path: str, features_path: str) -> None:
    """Be a child."""
    batch = np.load(batch_path)
    forward = RUNTIMES[name][0](batch.shape)
    np.save(features_path, forward(batch))
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        forward(batch)
        print(1e3 * (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
