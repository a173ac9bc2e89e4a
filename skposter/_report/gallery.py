"""Which images a report shows, and what it says of each."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing
from tqdm.auto import tqdm

from skposter._report.pictures import data_uri, thumbnail
from skposter.display import Outcome, label_losses
from skposter.images import Access, RemoteFile, as_sources, describe
from skposter.inspection import explain_each, heat_colours

__all__ = ["Card", "CardLabel", "cards_of", "choose_cards"]

_WIDTH = 180
_HEAT_WIDTH = 60
_LABELS_SHOWN = 8
_EXPLAINED = 3

WORST, SUREST = "worst", "surest"


class CardLabel(NamedTuple):
    """One label of an image."""

    position: int
    name: Any
    probability: float
    threshold: float
    outcome: Outcome
    heat: str | None


class Card(NamedTuple):
    """One image of the gallery."""

    row: int
    kind: str
    name: str
    loss: float
    truth: list
    labels: list
    picture: str
    size: tuple


def choose_cards(known, y_score, y_pred, n_images):
    """Return the rows to show and why: the worst mistakes and the surest hits.

    Parameters
    ----------
    known : KnownLabels
        The labels.
    y_score, y_pred : ndarray of shape (n_samples, n_labels)
        Probabilities and decisions.
    n_images : int
        How many images at most. Half of them are the worst of all, a quarter the worst of single
        labels, and the rest the surest.

    Returns
    -------
    chosen : list of (int, str)
        Rows with ``"worst"`` or ``"surest"``, worst first.
    """
    loss = label_losses(known, y_score)
    judged = known.known.any(axis=1)
    mean = np.where(judged, np.nansum(loss, axis=1) / np.maximum(known.known.sum(axis=1), 1), 0)
    decided = y_pred.astype(bool) & known.known
    right = judged & (decided == known.labels).all(axis=1)
    n_surest = n_images // 4
    surest = np.flatnonzero(right & known.labels.any(axis=1))
    surest = _of_every_label(known.labels, mean, surest, n_surest)
    wrong = np.flatnonzero(judged & ~right)
    order = wrong[np.argsort(-mean[wrong], kind="stable")]
    worst = list(order[: n_images // 2])
    # The worst of single labels, in turn, so that a filter finds some of each.
    mistaken = np.where((decided != known.labels) & known.known, loss, -np.inf)
    ranking = np.argsort(-mistaken, axis=0, kind="stable")
    for place in range(len(ranking)):
        for j in np.argsort(-known.labels.sum(axis=0), kind="stable"):
            row = ranking[place, j]
            if len(worst) < n_images - len(surest) and mistaken[row, j] > 0 and row not in worst:
                worst.append(row)
        if len(worst) >= n_images - len(surest):
            break
    worst.sort(key=lambda row: -mean[row])
    return [(int(row), WORST) for row in worst] + [(int(row), SUREST) for row in surest]


def _of_every_label(labels, loss, rows, n):
    """Return n of the rows with the lowest loss, of each label in turn."""
    order = rows[np.argsort(loss[rows], kind="stable")]
    queues = [[row for row in order if labels[row, j]] for j in range(labels.shape[1])]
    chosen: list = []
    while len(chosen) < n and any(queues):
        for queue in queues:
            while queue and queue[0] in chosen:
                queue.pop(0)
            if queue and len(chosen) < n:
                chosen.append(queue.pop(0))
    return sorted(chosen, key=lambda row: loss[row])


def cards_of(chosen, model, X, known, y_score, y_pred, thresholds, names, *, heat_maps, verbose):
    """Return the cards of the gallery, and why there are no heat maps if there are none.

    Parameters
    ----------
    chosen : list of (int, str)
        As from `choose_cards`.
    model : estimator
        For the heat maps.
    X : sequence of n_samples image sources
        The images.
    known, y_score, y_pred, thresholds, names
        As in `choose_cards`, and what decided.
    heat_maps : bool
        Whether to draw them.
    verbose : int
        Above 0, a progress bar.

    Returns
    -------
    cards : list of Card
    reason : str
        Empty if there are heat maps.
    """
    rows = [row for row, _ in chosen]
    shown = [_shown(known, y_score, y_pred, row) for row in rows]
    loss = label_losses(known, y_score)
    heats: list[dict] = [{} for _ in rows]
    reason = "they were not asked for"
    if heat_maps and rows:
        heats, reason = _heat_maps(
            model, _safe_indexing(X, rows), shown, loss[rows], known, y_pred[rows], names, verbose
        )
    sources = as_sources(_safe_indexing(X, rows), Access()) if rows else []
    cards = []
    for i, ((row, kind), source) in enumerate(
        zip(chosen, tqdm(sources, "Drawing images", disable=not verbose), strict=True)
    ):
        picture, size = thumbnail(source, width=_WIDTH)
        labels = [
            CardLabel(
                j,
                names[j],
                float(y_score[row, j]),
                float(thresholds[j]),
                Outcome.of(
                    predicted=bool(y_pred[row, j]),
                    true=bool(known.labels[row, j]) if known.known[row, j] else None,
                ),
                heats[i].get(j),
            )
            for j in shown[i]
        ]
        cards.append(
            Card(
                row,
                kind,
                os.path.basename(describe(source))
                if isinstance(source, (str, RemoteFile))
                else f"row {row}",
                float(np.nanmean(loss[row])),
                [names[j] for j in np.flatnonzero(known.labels[row])],
                labels,
                picture,
                size,
            )
        )
    return cards, reason


def _shown(known, y_score, y_pred, row):
    """Return the labels of an image to show: what it has or gets, and its likeliest."""
    order = np.argsort(-y_score[row], kind="stable")
    likeliest = set(order[:2].tolist())
    wanted = [
        int(j) for j in order if known.labels[row, j] or y_pred[row, j] or int(j) in likeliest
    ]
    return wanted[:_LABELS_SHOWN]


def _heat_maps(model, X, shown, loss, known, y_pred, names, verbose):
    """Return the heat maps of each image by label, as data URIs; or why there are none."""
    # The labels with the highest loss, and what was predicted.
    wanted = []
    for i, labels in enumerate(shown):
        mistaken = sorted(labels, key=lambda j: -np.nan_to_num(loss[i, j]))
        predicted = [j for j in labels if y_pred[i, j]]
        wanted.append(list(dict.fromkeys([*predicted, *mistaken]))[:_EXPLAINED])
    try:
        found = explain_each(
            model,
            X,
            [[names[j] for j in each] for each in wanted],
            label_names=names,
            verbose=verbose,
        )
    except ValueError as error:
        return [{} for _ in shown], str(error)
    heats = []
    for explanation, labels in zip(found, wanted, strict=True):
        height, width = explanation.image_size
        size = max(1, min(2 * _HEAT_WIDTH, round(_HEAT_WIDTH * height / width))), _HEAT_WIDTH
        heats.append(
            {
                j: data_uri(
                    heat_colours(explanation.heat_map(names[j], size=size)), "WEBP", quality=50
                )
                for j in labels
            }
        )
    return heats, ""
