"""Every shape that probabilities come in."""

from __future__ import annotations

import numpy as np
import pytest

from skposter._labels.probabilities import label_scores


class Saying:
    """A fitted classifier that says what it is told."""

    def __init__(self, probabilities, **attributes):
        self.probabilities = probabilities
        vars(self).update(attributes)

    def predict_proba(self, X):
        return self.probabilities


def test_label_scores_reads_every_shape():
    zeros, ones = np.zeros((2, 1)), np.ones((2, 1))
    both = np.array([[0.8, 0.2], [0.3, 0.7]])
    classes = [np.array([0]), np.array([1]), np.array([0, 1])]
    told = Saying([ones, ones, both], classes_=classes)  # certain of class 0, of class 1, unsure
    assert label_scores(told, None, 3).tolist() == [[0, 1, 0.2], [0, 1, 0.7]]
    assert label_scores(Saying([both, both]), None, 2).tolist() == [[0.2, 0.2], [0.7, 0.7]]
    stacked = Saying(np.stack([both, 1 - both]))
    assert label_scores(stacked, None, 2).tolist() == [[0.2, 0.8], [0.7, 1 - 0.7]]
    assert label_scores(Saying(both), None, 2).tolist() == both.tolist()
    assert label_scores(Saying(both), None, 1).tolist() == [[0.2], [0.7]]
    assert label_scores(Saying(both[:, 1]), None, 1).tolist() == [[0.2], [0.7]]
    assert label_scores(Saying(zeros, classes_=np.array([[0, 1]])), None, 1).tolist() == [[0], [0]]
    assert label_scores(Saying(ones, classes_=np.array([0])), None, 1).tolist() == [[0], [0]]


def test_label_scores_refuses_what_it_cannot_read():
    both = np.array([[0.8, 0.2], [0.3, 0.7]])
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(n_samples, 3\): is it"):
        label_scores(Saying(both), None, 3)
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(n_samples, 1\)"):
        label_scores(Saying([both, both]), None, 1)
    with pytest.raises(ValueError, match="not finite"):
        label_scores(Saying(both * np.nan), None, 2)
