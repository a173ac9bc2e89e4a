"""Pictures in the manner of scikit-learn's Displays, for images with several labels.

Each has ``from_estimator``, ``from_predictions`` and ``plot(ax=...)``, and keeps what it shows:

- :class:`LabelGridDisplay` and :class:`WorstImagesDisplay`: images with their labels, true and
  predicted; the worst mistakes;
- :class:`PrecisionRecallLabelsDisplay`, :class:`ThresholdDisplay`,
  :class:`CalibrationLabelsDisplay`: a panel a label;
- :class:`LabelConfusionDisplay`, :class:`LabelCooccurrenceDisplay`: labels against labels;
- :class:`HistoryDisplay`: the course of a training.

Labels that nobody knows, NaN in ``y``, are left out, and the pictures say how many.
:func:`draw_label_grid` needs Pillow only; the Displays show their pictures through matplotlib,
which ``pip install skposter[plot]`` brings.
"""

from __future__ import annotations

from skposter.display._calibration import CalibrationLabelsDisplay
from skposter.display._confusion import LabelConfusionDisplay, label_confusion
from skposter.display._cooccurrence import LabelCooccurrenceDisplay
from skposter.display._facts import (  # noqa: F401, for inspection and the report
    KnownLabels,
    chosen_labels,
    find_attribute,
    known_labels,
    label_names_of,
    scores_of,
)
from skposter.display._grid_displays import (
    LabelGridDisplay,
    WorstImagesDisplay,
    label_losses,  # noqa: F401, for the report
)
from skposter.display._history import HistoryDisplay
from skposter.display._label_grid import draw_label_grid
from skposter.display._outcomes import Outcome, PredictedLabel  # noqa: F401, for the report
from skposter.display._precision_recall import PrecisionRecallLabelsDisplay
from skposter.display._pyplot import (  # noqa: F401, for inspection and the report
    COLOURS,
    divided,
    import_pyplot,
    plain_axes,
)
from skposter.display._shown_images import load_shown  # noqa: F401, same
from skposter.display._threshold import ThresholdDisplay

__all__ = [
    "CalibrationLabelsDisplay",
    "HistoryDisplay",
    "LabelConfusionDisplay",
    "LabelCooccurrenceDisplay",
    "LabelGridDisplay",
    "PrecisionRecallLabelsDisplay",
    "PredictedLabel",
    "ThresholdDisplay",
    "WorstImagesDisplay",
    "draw_label_grid",
    "label_confusion",
]
