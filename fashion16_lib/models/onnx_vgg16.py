"""1.3: VGG-16's pass in ONNX Runtime: Keras's features within a hundred thousandth, in less time and memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fashion16_lib.data.vgg16_weights import WIDTHS, Weights
from fashion16_lib.settings import VGG16_LAYERS

OPSET, IR_VERSION = 17, 9           # what ONNX Runtime reads since 2023


class OnnxPass:
    """Run VGG-16 up to some pooling layers and lay their maps flat, one layer after the other.

    Parameters
    ----------
    weights : of the 13 convolutions, as read_vgg16_weights returns them
    layers : of "block1_pool" to "block5_pool"
    pixels : side of the square input
    n_threads : that compute; 0: one a core
    """

    def __init__(self, weights: Weights, layers: Sequence[str], pixels: int, n_threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")    # idle threads leave the cores alone
        options.log_severity_level, options.intra_op_num_threads = 3, n_threads
        self._session = onnxruntime.InferenceSession(
            vgg16_as_onnx(weights, layers, pixels), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return the features (n, d) float32 of prepared images (n, pixels, pixels, 3) float32."""
        return self._session.run(["features"], {"images": batch})[0]


def vgg16_as_onnx(weights: Weights, layers: Sequence[str], pixels: int) -> bytes:
    """Return the network as an ONNX file's bytes: input "images", output "features"."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("Transpose", ["images"], ["channels_first"], perm=[0, 3, 1, 2])]
    constants, last = [], "channels_first"
    for block, widths in enumerate(WIDTHS[: max(map(VGG16_LAYERS.index, layers)) + 1], start=1):
        for name in (f"block{block}_conv{number}" for number in range(1, len(widths) + 1)):
            kernel, bias = weights[name]
            constants += [numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), f"{name}/kernel"),
                          numpy_helper.from_array(bias, f"{name}/bias")]
            nodes += [helper.make_node("Conv", [last, f"{name}/kernel", f"{name}/bias"], [name], pads=[1, 1, 1, 1]),
                      helper.make_node("Relu", [name], [f"{name}/relu"])]
            last = f"{name}/relu"
        nodes.append(helper.make_node("MaxPool", [last], [VGG16_LAYERS[block - 1]], kernel_shape=[2, 2],
                                      strides=[2, 2]))
        last = VGG16_LAYERS[block - 1]
    for layer in layers:
        nodes += [helper.make_node("Transpose", [layer], [f"{layer}/maps"], perm=[0, 2, 3, 1]),
                  helper.make_node("Flatten", [f"{layer}/maps"], [f"{layer}/flat"])]
    nodes.append(helper.make_node("Concat", [f"{layer}/flat" for layer in layers], ["features"], axis=1))
    graph = helper.make_graph(
        nodes, "vgg16", [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", pixels, pixels, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", None])], constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
