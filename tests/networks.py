"""Small networks whose answers can be worked out: the means of the three channels."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper


def write_onnx(
    path: Path,
    width: int,
    height: int,
    *,
    layout: str = "NCHW",
    outputs: int = 1,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Write a network that gives the mean of each channel, in the order in which they come.

    `outputs`: how often it gives them. `kind`: of the numbers that it takes.
    """
    planes = layout == "NCHW"
    shape = [1, 3, height, width] if planes else [1, height, width, 3]
    axes = [2, 3] if planes else [1, 2]
    names = [f"means{number}" for number in range(outputs)]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
            *(
                helper.make_node("ReduceMean", ["numbers"], [name], axes=axes, keepdims=0)
                for name in names
            ),
        ],
        "means",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in names],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def write_tflite(path: Path, width: int, height: int, *, quantised: bool = False) -> Path:
    """Write the same for TensorFlow Lite (NHWC); `quantised` to int8, scale 1, zero at -128."""
    import flatbuffers  # noqa: PLC0415 - only these tests need both
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415

    kind = schema.TensorType.INT8 if quantised else schema.TensorType.FLOAT32

    def tensor(name: str, shape: list[int], type_: int, buffer: int) -> object:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name.encode(), shape, type_, buffer
        if quantised and type_ == kind:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [1.0], [-128]
        return made

    def buffer(content: bytes) -> object:
        made = schema.BufferT()
        made.data = np.frombuffer(content, np.uint8)
        return made

    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("input", [1, height, width, 3], kind, 0),
        tensor("axes", [2], schema.TensorType.INT32, 1),
        tensor("means", [1, 3], kind, 0),
    ]
    graph.inputs, graph.outputs = [0], [2]
    mean = schema.OperatorT()
    mean.opcodeIndex, mean.inputs, mean.outputs = 0, [0, 1], [2]
    mean.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
    mean.builtinOptions = schema.ReducerOptionsT()
    graph.operators = [mean]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MEAN
    code.version = 2
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [buffer(b""), buffer(np.array([1, 2], np.int32).tobytes())]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
