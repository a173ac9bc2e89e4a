"""Rows of a table as tiny images, so that scikit-learn's own checks can run on image estimators.

The checks of ``parametrize_with_checks`` bring 2-D tables and mostly 1-D targets. The mixins here
turn a row into one image and a class into one label column, and hand everything else on as it came:
what is not a finite numeric table is for the estimator to refuse. Constructor, parameters, cloning,
pickling and tags are those of the class that a mixin is put before; only the tags about the form of
`X` and `y` change.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets


def images_of_rows(X):
    """Return rows as uint8 images of one pixel, with a channel for each column."""
    if sparse.issparse(X):
        return X
    rows = np.asarray(X)
    if rows.ndim != 2:
        return rows
    if rows.dtype.kind != "c":
        rows = rows.astype(np.float64)
        if np.isfinite(rows).all():
            rows = (255 * (np.arctan(rows) / np.pi + 0.5)).astype(np.uint8)
    return rows[:, np.newaxis, np.newaxis, :]


def columns_of_classes(y, classes):
    """Return a 1-D target as a 0/1 table with a column, named after it, for each class."""
    return pd.DataFrame((y[:, np.newaxis] == classes).astype(int), columns=classes)


class RowsAsImagesMixin:
    """For classifiers of images with several labels.

    A class of a 1-D target becomes a label; the predicted class is the most probable label, and
    the probabilities are scaled to sum to one. 2-D targets pass untouched, both ways.
    """

    def fit(self, X, y, sample_weight=None):
        return self._fit_table(super().fit, X, y, None, sample_weight)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return self._fit_table(super().partial_fit, X, y, classes, sample_weight)

    def _fit_table(self, fit, X, y, classes, sample_weight):
        self._one_class_a_row = y is not None and not sparse.issparse(y) and _n_dim(y) == 1
        if self._one_class_a_row:
            y = np.asarray(y)
            assert_all_finite(y, input_name="y")
            check_classification_targets(y)
            classes = np.unique(y) if classes is None else np.asarray(classes)
            y = columns_of_classes(y, classes)
        fit(images_of_rows(X), y, sample_weight=sample_weight)
        if self._one_class_a_row:
            self.classes_ = classes
        return self

    def predict_proba(self, X):
        probabilities = super().predict_proba(images_of_rows(X))
        if self._one_class_a_row:
            return probabilities / probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X):
        if getattr(self, "_one_class_a_row", False):
            return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        return super().predict(images_of_rows(X))

    def score(self, X, y, sample_weight=None):
        if getattr(self, "_one_class_a_row", False):
            return accuracy_score(y, self.predict(X), sample_weight=sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.target_tags.single_output = True
        tags.classifier_tags.multi_class = True
        return tags


def _n_dim(y):
    return np.asarray(y).ndim


class RowsAsFilesMixin:
    """For transformers of paths into images: rows become files, and images become rows again."""

    def fit(self, X, y=None):
        super().fit(files_of_rows(X), y)
        return self

    def transform(self, X):
        images = super().transform(files_of_rows(X))
        return images.reshape(len(images), -1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = False
        return tags


class RowsToFeaturesMixin:
    """For transformers of images into features: rows become images."""

    def fit(self, X, y=None):
        return super().fit(images_of_rows(X), y)

    def transform(self, X):
        return super().transform(images_of_rows(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


_folder = tempfile.TemporaryDirectory()


def files_of_rows(X):
    """Return the paths of grey PNG files of one line, with a pixel for each column of a row."""
    images = images_of_rows(X)
    if getattr(images, "dtype", None) != np.uint8 or images.ndim != 4 or images.size == 0:
        return X
    paths = []
    for row in images[:, 0, 0]:
        path = Path(_folder.name, hashlib.sha256(row.tobytes()).hexdigest() + ".png")
        Image.fromarray(row[np.newaxis]).save(path)
        paths.append(str(path))
    return paths
