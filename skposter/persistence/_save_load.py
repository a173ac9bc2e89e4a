"""A model in one file that holds no code: :func:`save` and :func:`load`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from skposter._estimators.steps import deciding, learned
from skposter._estimators.versions import library_versions, warn_about_versions
from skposter._files.json_values import as_json, brief, expect, one_line
from skposter._files.safetensors import pack_arrays, unpack_arrays
from skposter.exceptions import ArtifactError
from skposter.persistence._container import ARRAYS, CARD, read_container, write_container
from skposter.persistence._estimators import describe, restore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from skposter._typing import PathLike

__all__ = ["check_savable", "load", "read_card", "save"]

_VERSION = re.compile(r"[\w.+!-]{1,50}", re.ASCII)


def save(
    model: Any, path: PathLike, *, scores: Mapping[str, float] | None = None, description: str = ""
) -> None:
    """Write a fitted model into one file that can be loaded without trusting it.

    The file holds numbers and texts, no pickle and no code. It is a zip archive of a manifest, the
    arrays and a model card, each with its hash; ``docs/artifact_format.md`` has the details. It is
    written beside `path`, loaded again and compared in its predictions before it takes the place of
    what is there.

    Parameters
    ----------
    model : estimator
        A fitted :class:`~skposter.MultiLabelImageClassifier` with a network given by name,
        :class:`~skposter.TunedThresholdsClassifierCV` or
        :class:`~skposter.FixedThresholdsClassifier` around it, or a
        :class:`sklearn.pipeline.Pipeline` of :class:`~skposter.ImageLoader`, ``"passthrough"`` and
        one of these. :class:`sklearn.frozen.FrozenEstimator` may be around any of them.
    path : str or path-like
        Where to; ``.skposter`` is the usual ending.
    scores : dict of str to float, default=None
        What the model reached, on which images: ``{"macro F1, test.csv": 0.29}``. For the card,
        beside those on the images set aside.
    description : str, default=""
        For the card: what the model is for.

    Raises
    ------
    ArtifactError
        If the model has parts that the format does not cover, which the message names, or is
        beyond what `load` takes from a file that it does not trust.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    See Also
    --------
    load : Reads the file.

    Notes
    -----
    ``memory`` and ``cache_dir`` are paths of this machine and not written; nor are
    ``storage_options``, which may be passwords; nor is the state of the optimizer, so a loaded
    model predicts alike, but trains on with an optimizer that starts anew.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skposter
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, size=(20, 16, 16, 3), dtype=np.uint8)
    >>> y = rng.integers(0, 2, size=(20, 2))
    >>> model = skposter.MultiLabelImageClassifier("small_cnn", epochs=1).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skposter.save(model, f"{folder}/model.skposter")
    ...     loaded = skposter.load(f"{folder}/model.skposter")
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    from skposter.persistence._card import model_card

    arrays: dict[str, np.ndarray] = {}
    described = describe(model, arrays)  # first, as it says best what is not covered
    manifest = {
        "libraries": library_versions(),
        **_decisions(model),
        "scores": as_json(scores or {}, "scores"),
        "description": as_json(description, "description"),
        "model": described,
    }
    probe = _probe(model)
    expected = model.predict_proba(probe)

    def verify(written):
        try:
            found, _ = _read(written)
        except ArtifactError as error:
            raise ArtifactError(
                f"The model could not be loaded again, so nothing was saved: {error}"
            ) from error
        if not np.array_equal(found.predict_proba(probe), expected):
            raise ArtifactError(
                "The model that was written predicts differently when it is loaded again; nothing "
                "was saved. Please report this, and use joblib.dump."
            )

    path = os.fspath(path)
    card = model_card(
        model, scores=scores, description=description, file_name=os.path.basename(path)
    )
    write_container(path, manifest, pack_arrays(arrays), card, verify)


def check_savable(model: Any) -> None:
    """Raise ArtifactError if :func:`save` will not cover a model, as far as its parameters tell.

    Parameters
    ----------
    model : estimator
        Not fitted yet: better to know before the training than after it.
    """
    describe(model, {})


def load(path: PathLike) -> Any:
    """Load a model that :func:`save` has written.

    Nothing in the file is run, and nothing is allocated before its size has been checked, so the
    file need not be trusted. (That says nothing about how good the model is.)

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    model : estimator
        Predicts what the saved one did, to the bit with the same libraries on the same machine.

    Raises
    ------
    ArtifactError
        If the file is no such model, is damaged, or has another format version.

    Warns
    -----
    sklearn.exceptions.InconsistentVersionWarning
        If it was saved with another version of skposter, or another minor version of a library
        that decides about predictions.
    """
    path = os.fspath(path)
    try:
        model, libraries = _read(path)
    except ArtifactError as error:
        raise ArtifactError(f"{path!r}: {error}") from error
    warn_about_versions(f"The model in {path!r}", libraries)
    return model


def read_card(path: PathLike) -> str:
    """Return the model card in a file that :func:`save` has written.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    card : str
        Markdown with YAML front matter, as the Hugging Face Hub has it. It loads the file by the
        name that the file has now.
    """
    from skposter.persistence._card import renamed

    try:
        _, members = read_container(os.fspath(path))
        return renamed(members[CARD].decode(), os.path.basename(os.fspath(path)))
    except (ArtifactError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{os.fspath(path)!r}: {error}") from error


def _read(path):
    """Return the model in a file, and the versions of the libraries that wrote it.

    A file is not trusted, so this is where whatever it brings about becomes one error. What is
    known to go wrong has a message of its own before; here the cause stays attached, in case it
    is our fault.
    """
    manifest, members = read_container(path)
    try:
        return _restored(manifest, unpack_arrays(members[ARRAYS]))
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(
            f"cannot be restored ({type(error).__name__}: {one_line(error)})."
        ) from error


def _restored(manifest, arrays):
    libraries, names, thresholds, min_labels, _, _, node = expect(
        manifest,
        "manifest.json",
        libraries=dict,
        label_names=list,
        thresholds=list,
        min_labels=int,
        scores=dict,
        description=str,
        model=dict,
    )
    if not all(isinstance(text, str) and _VERSION.fullmatch(text) for text in libraries.values()):
        raise ArtifactError("libraries are not version numbers.")
    model = restore(node, arrays)
    if arrays:
        raise ArtifactError(f"array {brief(min(arrays))} belongs to nothing.")
    try:
        decided = _decisions(model)
    except ArtifactError:
        raise
    except ValueError as error:  # not fitted, or parameters that no thresholds follow from
        raise ArtifactError(one_line(error)) from error
    written = {"label_names": names, "thresholds": thresholds, "min_labels": min_labels}
    if decided != written:
        raise ArtifactError(
            f"the labels or thresholds at the top of the manifest ({len(names)} labels, "
            f"{len(thresholds)} thresholds) are not those of the model "
            f"({len(decided['label_names'])} labels)."
        )
    return model, libraries


def _decisions(model):
    """Return label names and thresholds of a model, as the manifest has them."""
    last = deciding(model)
    names = as_json(learned(model).label_names_, "label_names")
    thresholds = np.asarray(last.thresholds_, dtype=np.float64)
    if last.label_names_.tolist() != names or thresholds.shape != (len(names),):
        raise ArtifactError(f"{len(names)} labels, but {thresholds.size} thresholds.")
    if not np.isfinite(thresholds).all():
        raise ArtifactError("thresholds are not finite.")
    min_labels = int(getattr(last, "min_labels", 0))
    return {"label_names": names, "thresholds": thresholds.tolist(), "min_labels": min_labels}


def _probe(model):
    """Return two images that the first step of a model takes."""
    shape = learned(model).image_shape_
    return np.random.default_rng(0).integers(0, 256, size=(2, *shape), dtype=np.uint8)
