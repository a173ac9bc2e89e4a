"""A small exported model without a training: its probabilities are means of colour channels."""

import json

LABELS = ["red", "green", "blue"]


def write_model(path, *, labels=LABELS, size=(16, 16), scale=1 / 255):
    """Write an ONNX file as ``skposter.export`` does; needs onnx."""
    import onnx
    from onnx import TensorProto, helper

    height, width = size
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", height, width, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [1], [scale])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    said = {
        "labels": labels,
        "thresholds": [0.5] * 3,
        "min_labels": 0,
        "label_frequencies": [0.5] * 3,
        "image": {
            "height": height,
            "width": width,
            "channels": 3,
            "dtype": "uint8",
            "mode": "RGB",
            "resize": "stretch",
            "resample": "bilinear",
            "on_error": "raise",
        },
    }
    helper.set_model_props(model, {name: json.dumps(value) for name, value in said.items()})
    onnx.save(model, path)
    return path
