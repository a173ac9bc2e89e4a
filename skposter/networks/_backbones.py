"""Networks that others have trained, under a head of our own, their preprocessing inside."""

from __future__ import annotations

import inspect
import os
import warnings

from skposter._estimators.spelling import did_you_mean
from skposter.networks._keras_hub import PREFIX, hub_backbone

__all__ = ["BACKBONES", "ELSEWHERE", "FEATURES", "backbone"]

# In place of `weights` where the same network is to get its values otherwise.
ELSEWHERE = "<elsewhere>"

# The layer after which only the head follows: what comes out of it can be computed once.
FEATURES = "features"

# What each was trained on: pixels in [-1, 1], BGR minus the mean colour ("caffe"), standardised
# RGB ("torch"), or plain pixels because the network itself begins with the conversion.
BACKBONES = {
    "convnext_base": ("ConvNeXtBase", "inside"),
    "convnext_large": ("ConvNeXtLarge", "inside"),
    "convnext_small": ("ConvNeXtSmall", "inside"),
    "convnext_tiny": ("ConvNeXtTiny", "inside"),
    "convnext_xlarge": ("ConvNeXtXLarge", "inside"),
    "densenet121": ("DenseNet121", "torch"),
    "densenet169": ("DenseNet169", "torch"),
    "densenet201": ("DenseNet201", "torch"),
    **{f"efficientnet_b{i}": (f"EfficientNetB{i}", "inside") for i in range(8)},
    **{f"efficientnet_v2_b{i}": (f"EfficientNetV2B{i}", "inside") for i in range(4)},
    "efficientnet_v2_l": ("EfficientNetV2L", "inside"),
    "efficientnet_v2_m": ("EfficientNetV2M", "inside"),
    "efficientnet_v2_s": ("EfficientNetV2S", "inside"),
    "inception_resnet_v2": ("InceptionResNetV2", "centred"),
    "inception_v3": ("InceptionV3", "centred"),
    "mobilenet": ("MobileNet", "centred"),
    "mobilenet_v2": ("MobileNetV2", "centred"),
    "mobilenet_v3_large": ("MobileNetV3Large", "inside"),
    "mobilenet_v3_small": ("MobileNetV3Small", "inside"),
    "nasnet_large": ("NASNetLarge", "centred"),
    "nasnet_mobile": ("NASNetMobile", "centred"),
    "resnet50": ("ResNet50", "caffe"),
    "resnet50_v2": ("ResNet50V2", "centred"),
    "resnet101": ("ResNet101", "caffe"),
    "resnet101_v2": ("ResNet101V2", "centred"),
    "resnet152": ("ResNet152", "caffe"),
    "resnet152_v2": ("ResNet152V2", "centred"),
    "vgg16": ("VGG16", "caffe"),
    "vgg19": ("VGG19", "caffe"),
    "xception": ("Xception", "centred"),
}
_OURS = (
    *("input_shape", "input_tensor", "include_top", "pooling", "classes", "name"),
    *("classifier_activation", "include_preprocessing", "weights"),
)


def backbone(name, x, *, weights, fine_tune, options):
    """Apply a network of keras.applications to images, and average its features over the image.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`, or ``"keras_hub:PRESET"``.
    x : KerasTensor of shape (n, height, width, channels)
        Pixels in [0, 255], RGB or grey.
    weights : str, path or None
        ``"imagenet"``, a file of weights without the top, or None to start from random weights.
    fine_tune : {"all", "last", "none"}
        Which of its layers training changes.
    options : dict
        Of the function in keras.applications.

    Returns
    -------
    features : KerasTensor of shape (n, n_features)

    Raises
    ------
    ValueError, TypeError, FileNotFoundError, OSError, ImportError
        If an option is unknown, or weights are missing, of another network or not to be had.
    """
    from skposter._keras.tensorflow import keras

    layers = keras.layers
    if x.shape[-1] == 1:
        x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
    image_shape = (*x.shape[1:3], 3)
    if name.startswith(PREFIX):
        network, scale, offset = _of_hub(name, image_shape, weights, options)
        x = layers.Rescaling(scale, offset=offset, name="rescaling")(x)
    else:
        function, preprocessing = BACKBONES[name]
        build = getattr(keras.applications, function)
        _check_options(name, build, options)
        network = _with_weights(name, build, image_shape, weights, options)
        x = _preprocessed(x, preprocessing)
    if weights is not None:
        _freeze(network, fine_tune)
    x = network(x)
    if len(getattr(x, "shape", ())) == 3:  # tokens of a transformer
        return layers.GlobalAveragePooling1D(name=FEATURES)(x)
    if len(getattr(x, "shape", ())) != 4:
        raise ValueError(
            f"{name!r} gives {getattr(x, 'shape', type(x).__name__)}, not a feature map of images; "
            "another preset may."
        )
    return layers.GlobalAveragePooling2D(name=FEATURES)(x)


def _of_hub(name, image_shape, weights, options):
    if weights not in (None, "imagenet", ELSEWHERE):
        raise ValueError(
            f"weights={weights!r}: {name!r} brings its own. Leave it at 'imagenet', which is "
            "those, or pass None for random ones; a folder with a preset is the name."
        )
    return hub_backbone(name, image_shape, with_weights=weights == "imagenet", options=options)


def _check_options(name, build, options):
    known = [option for option in inspect.signature(build).parameters if option not in _OURS]
    for option in options:
        if option not in known:
            raise TypeError(
                f"{name!r} has no option {option!r}.{did_you_mean(option, known)} "
                f"builder_params may hold: {', '.join(known) or 'nothing'}."
            )


def _with_weights(name, build, input_shape, weights, options):
    # The name is counted up when it is left to Keras, and is in the descriptions of the layers.
    arguments = {"include_top": False, "input_shape": input_shape, "name": name, **options}
    if "name" not in inspect.signature(build).parameters:
        del arguments["name"]
    if weights == "imagenet":
        return _from_imagenet(name, build, arguments)
    network = build(weights=None, **arguments)
    if weights not in (None, ELSEWHERE):
        _load(name, network, os.fspath(weights))
    return network


def _from_imagenet(name, build, arguments):
    with warnings.catch_warnings():
        # That there are none for this size: convolutions take those of 224 x 224.
        warnings.filterwarnings("ignore", message=".*input_shape. is undefined or non-square")
        try:
            return build(weights="imagenet", **arguments)
        except Exception as error:
            if "URL fetch failure" not in str(error):
                raise
            raise OSError(
                f"The ImageNet weights of {name!r} could not be downloaded ({error}). "
                "Download that file (with 'notop' or 'no_top' in its name) where there is a "
                "network, and pass weights=PATH; or pass weights=None to start from random ones."
            ) from error


def _load(name, network, path):
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"weights={path!r} is not a file. Expected the path of Keras weights of "
            f"{name!r} without its top, 'imagenet' or None."
        )
    try:
        network.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds
        raise ValueError(
            f"The weights in {path!r} are not those of {name!r} without its top, with the "
            f"options in builder_params ({type(error).__name__}: {error})."
        ) from error


def _freeze(network, fine_tune):
    """Keep layers as they are; batch normalisation among them keeps its statistics."""
    sizes = [getattr(layer.output, "shape", ())[1:3] for layer in network.layers]
    first = {"all": 0, "last": sizes.index(sizes[-1]), "none": len(sizes)}[fine_tune]
    for layer in network.layers[:first]:
        layer.trainable = False


def _preprocessed(x, preprocessing):
    from skposter._keras.tensorflow import keras

    layers = keras.layers
    if preprocessing == "centred":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(x)
    if preprocessing == "torch":
        mean, deviation = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
        variance = tuple(value**2 for value in deviation)
        return layers.Normalization(mean=mean, variance=variance, name="normalization")(x)
    if preprocessing == "caffe":
        x = keras.ops.flip(x, axis=-1)
        mean, variance = (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)
        return layers.Normalization(mean=mean, variance=variance, name="normalization")(x)
    return x
