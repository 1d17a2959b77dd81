"""ONNX files of a trained net: whole, and at half the size."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from liveness.train import files
from liveness.train.agreement import Logits, check_agreement
from liveness.train.card import SIDE
from liveness.train.errors import ExportDiffers
from liveness.train.nets import Net

OPSET = 18
"""What PyTorch's exporter writes by itself; ONNX Runtime has read it since 1.14."""


def export_onnx(net: Net, path: Path, probes: Tensor) -> float:
    """Write a net that takes pictures (n, 3, 128, 128) and gives logits (n, 2).

    Returns by how much the logits that ONNX Runtime gives for `probes`, some such pictures, differ
    at most from PyTorch's; raises `ExportDiffers` if that is too much.
    """
    net = net.cpu().eval()
    with warnings.catch_warnings():
        # PyTorch copies its own tree specifications in a way that it warns of.
        warnings.simplefilter("ignore", FutureWarning)
        # It also names every operator of torchvision, which is not needed here.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            net,
            (torch.zeros(2, 3, SIDE, SIDE),),
            input_names=["pictures"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
    if program is None:  # the older exporter gives nothing back, and so says the signature
        raise ExportDiffers("PyTorch exported nothing")
    files.write(path, _bare(program.model_proto).SerializeToString())
    return check_agreement(net, probes, Served(path).logits(probes), path)


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out the exporter's notes: stack traces with the names of folders on this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del graph.value_info[:]
    return model


def halve(whole: Path, half: Path) -> None:
    """Write a copy whose weights are float16, turned into float32 when it is loaded.

    It computes as fast and on as many machines as the whole one: processors without float16
    arithmetic need not emulate it. Vectors (biases) stay as they are: they weigh nothing.
    """
    model = onnx.load(whole)
    graph, casts = model.graph, []
    for index, tensor in enumerate(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:  # noqa: PLR2004 - a matrix
            continue
        stored = f"{tensor.name}_float16"
        weights = numpy_helper.to_array(tensor).astype(np.float16)
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        graph.initializer[index].CopyFrom(numpy_helper.from_array(weights, stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    files.write(half, model.SerializeToString())


class Served:
    """An exported model as the server runs it: ONNX Runtime, one thread."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def logits(self, pictures: Tensor) -> Logits:
        """(n, 2) for (n, 3, 128, 128) pictures."""
        (logits,) = self._session.run(None, {self._input: pictures.numpy()})
        return np.asarray(logits, np.float32)
