"""Networks of KerasHub: a preset's layers, weights and preprocessing."""

from __future__ import annotations

__all__ = ["PREFIX", "hub_backbone"]

PREFIX = "keras_hub:"


def hub_backbone(name, image_shape, *, with_weights, options):
    """Return the layers of a preset, and what pixels become before them.

    Parameters
    ----------
    name : str
        ``"keras_hub:PRESET"``: the name of a preset, or a folder with one.
    image_shape : tuple of int
        ``(height, width, 3)``.
    with_weights : bool
        Whether to load the preset's weights, which are downloaded unless it is a folder.
    options : dict
        For ``keras_hub.models.Backbone.from_preset``.

    Returns
    -------
    network : keras.Model
    scale, offset : float or list of float
        A pixel times `scale` plus `offset` is what the network takes.

    Raises
    ------
    ImportError
        If KerasHub is not installed.
    OSError
        If there is no such preset, or it cannot be downloaded.
    ValueError
        If it is no network for images of this size.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise ImportError(
            f"{name!r} needs KerasHub: pip install 'skposter[keras_hub]' (keras-hub)."
        ) from error
    preset = name.removeprefix(PREFIX)
    try:
        network = keras_hub.models.Backbone.from_preset(
            preset, load_weights=with_weights, **{"image_shape": image_shape, **options}
        )
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # of whichever place it is downloaded from
        raise _explained(name, preset, image_shape, error) from error
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    return network, scale, offset


def _explained(name, preset, image_shape, error):
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) or "onnect" in text or "preset" in text.lower():
        return OSError(
            f"The preset {preset!r} of KerasHub could not be had ({text[:500]}). Expected the name "
            "of a preset for images, as keras.io/keras_hub lists them, and a network to download "
            f"it, or a folder that holds one: {PREFIX}PATH."
        )
    return ValueError(
        f"{name!r} is no network for images of (height, width, channels) {image_shape}: "
        f"{text[:500]}. Load them at the size that its preset names."
    )
