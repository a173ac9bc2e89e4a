"""Given labels that a model finds implausible."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from skposter._labels.checks import check_probabilities
from skposter._labels.names import find_label_names
from skposter.display import known_labels

if TYPE_CHECKING:
    import pandas as pd

    from skposter._typing import Array, Names

__all__ = ["label_issues"]


def label_issues(
    y: Array, y_score: Array, *, label_names: Names | None = None, flagged_only: bool = True
) -> pd.DataFrame:
    """Rank given labels by how implausible a model finds them, the least plausible first.

    What is flagged is decided by confident learning [1]_ through cleanlab's multi-label mode, label
    by label: the noise of a label is estimated from how often confident predictions contradict it,
    so that a label which is hard, and not wrong, is not flagged throughout.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        The given labels, 0/1, or NaN where nobody knows; such are left out.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities of a model that was not trained on the image in question, as from
        ``cross_val_predict(model, paths, y, cv=..., method="predict_proba")``. A model knows by
        heart what it was trained on, mistakes too.
    label_names : sequence of str, default=None
        By default the columns of `y`, or numbers.
    flagged_only : bool, default=True
        Whether to return only the flagged ones; otherwise all that are known.

    Returns
    -------
    issues : DataFrame
        One row for each image and label, least plausible first, flagged ones before others:
        ``row`` of the image in `y`, ``label``, ``given`` (0 or 1), ``probability`` of the label,
        ``plausibility`` (the probability of what is given) and ``flagged``.
        ``issues.attrs["n_unknown"]`` is how many labels were left out.

    Raises
    ------
    ImportError
        If cleanlab is missing.
    ValueError
        If shapes differ, or a score is not a probability.

    See Also
    --------
    LabelIssuesDisplay : Shows the images.

    References
    ----------
    .. [1] C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident Learning: Estimating Uncertainty in
       Dataset Labels", Journal of Artificial Intelligence Research 70, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.inspection import label_issues
    >>> y = np.array([[1, 0], [0, 1]] * 20)
    >>> y_score = np.where(y, 0.9, 0.1)
    >>> y[3] = [1, 1]  # label 0 is wrong
    >>> label_issues(y, y_score, label_names=["Drama", "War"])
       row  label  given  probability  plausibility  flagged
    0    3  Drama      1          0.1           0.1     True
    """
    import pandas as pd

    find_issues = _import_cleanlab()
    labels, known = known_labels(y, "y")
    y_score = check_probabilities(y_score, labels.shape)
    y_score = y_score.astype(float)
    names = find_label_names(y, labels.shape[1], label_names)
    flagged = np.zeros(labels.shape, dtype=bool)
    for j in range(labels.shape[1]):
        rows = np.flatnonzero(known[:, j])
        # Where all images have the label, or none, nothing can contradict it.
        if len(np.unique(labels[rows, j])) < 2:
            continue
        lists = [[0] if has else [] for has in labels[rows, j]]
        with warnings.catch_warnings():
            # It says so of rare labels, in which there is little to find.
            warnings.filterwarnings("ignore", message="May not flag all label issues")
            flagged[rows, j] = find_issues(lists, y_score[rows][:, [j]], n_jobs=1)[:, 0]
    plausibility = np.where(labels, y_score, 1 - y_score)
    row, column = np.nonzero(flagged if flagged_only else known)
    order = np.lexsort([column, row, plausibility[row, column], ~flagged[row, column]])
    row, column = row[order], column[order]
    issues = pd.DataFrame(
        {
            "row": row,
            "label": [names[j] for j in column],
            "given": labels[row, column].astype(int),
            "probability": y_score[row, column],
            "plausibility": plausibility[row, column],
            "flagged": flagged[row, column],
        }
    )
    issues.attrs["n_unknown"] = int((~known).sum())
    return issues


def _import_cleanlab():
    try:
        from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    except ImportError as error:
        raise ImportError("label_issues needs cleanlab: pip install skposter[cleanlab].") from error
    return find_multilabel_issues_per_class
