"""Networks and recipes as JSON: what a file may name, and within which limits."""

from __future__ import annotations

from skposter._files.json_values import as_python, expect
from skposter.exceptions import ArtifactError
from skposter.networks import BACKBONES, NETWORKS, Pretrained, SmallCNN, TutorialCNN
from skposter.persistence._params import describe_params, restore_params

__all__ = ["describe_network", "describe_recipe", "restore_network", "restore_recipe"]

_KINDS = {kind.__name__: kind for kind in (SmallCNN, TutorialCNN, Pretrained)}
_POLICIES = ("bfloat16", "float16", "float32", "float64", "mixed_bfloat16", "mixed_float16")
_RECIPE = {
    "augmentation": (str,),
    "loss": (str,),
    "optimizer": (str,),
    "learning_rate": (int, float, str),
    "weight_decay": (int, float, type(None)),
    "learning_rate_schedule": (str,),
    "epochs": (int,),
    "batch_size": (int,),
    "tta": (str,),
    "fine_tune": (str, type(None)),
    "head_epochs": (int,),
    "dtype_policy": (str,),
}


def describe_network(network, where):
    """Return a name, or one of our network objects, as JSON has it.

    Raises
    ------
    ArtifactError
        If it is code of the user's.
    """
    own = network if isinstance(network, str) else getattr(network, "name", "")
    if str(own).startswith("keras_hub:"):
        raise ArtifactError(
            f"{where}: network {own!r} has layers of KerasHub, whose code and presets the file "
            "does not hold. Use joblib.dump."
        )
    if isinstance(network, str):
        return network
    for name, kind in _KINDS.items():
        if type(network) is kind:
            return {"kind": name, "params": describe_params(network, f"{where}: network")}
    what = getattr(network, "__qualname__", type(network).__qualname__)
    raise ArtifactError(
        f"{where}: network is {what}, code of your own, and the file holds none. Use joblib.dump, "
        "which stores code and must be trusted by who loads it."
    )


def restore_network(node, where):
    """Return the network that a file names, its parameters checked."""
    if isinstance(node, str):
        if node not in NETWORKS:
            raise ArtifactError(f"{where}: network {node[:100]!r} is none of {sorted(NETWORKS)}.")
        return node
    kind, params = expect(node, f"{where}: network", kind=str, params=dict)
    if kind not in _KINDS:
        raise ArtifactError(f"{where}: network {kind[:100]!r} is none of {sorted(_KINDS)}.")
    if kind == "Pretrained" and params.get("name") not in BACKBONES:
        # A preset of KerasHub would be read from where the file says, or downloaded.
        raise ArtifactError(f"{where}: network {str(params.get('name'))[:100]!r} is not known.")
    return restore_params(_KINDS[kind], params, f"{where}: network")


def describe_recipe(recipe):
    """Return a recipe as JSON has it; objects of Keras become their names, for people to read."""
    return {
        name: value
        if value is None or isinstance(value, str | int | float)
        else type(value).__name__
        for name, value in recipe.items()
    }


def restore_recipe(node, where):
    """Return the recipe of a file, checked."""
    values = expect(node, f"{where}: recipe", **_RECIPE)
    recipe = dict(zip(_RECIPE, (as_python(value, where) for value in values), strict=True))
    if recipe["dtype_policy"] not in _POLICIES:
        raise ArtifactError(
            f"{where}: dtype_policy {recipe['dtype_policy'][:50]!r} is none of {list(_POLICIES)}."
        )
    if not 1 <= recipe["batch_size"] <= 65_536 or recipe["tta"] not in ("none", "flip"):
        raise ArtifactError(f"{where}: the recipe's batch_size or tta cannot be used.")
    return recipe
