"""
Rare labels
===========

One label is on every second poster, another on one in thirty. At a threshold
of 0.5 the rare one is never predicted; what helps, and what does it cost?
"""

# %%
# A third of the posters with Comedy are kept, so that this genre is rare:
import numpy as np
from sklearn.pipeline import make_pipeline
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.model_selection import multilabel_train_test_split
from skposter.networks import SmallCNN

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
rng = np.random.default_rng(0)
keep = (posters.y["Comedy"] == 0) | (rng.random(len(posters.y)) < 0.15)
paths, new_paths, y, new_y = multilabel_train_test_split(
    posters.paths[keep], posters.y[keep], test_size=0.3, random_state=0
)
ax = (
    y.mean()
    .sort_values()
    .plot.barh(title="Share of posters with a label", color="#0b7a53")
)

# %%
# Three ways to train and decide. The first two are one network.
variants = {
    "threshold 0.5": {},
    "threshold for macro F1": {"threshold": "f1_macro"},
    "pos_weight='balanced'": {"pos_weight": "balanced"},
}
models = {}
for name, parameters in variants.items():
    models[name] = make_pipeline(
        ImageLoader(size=(48, 32)),
        MultiLabelImageClassifier(
            SmallCNN(filters=(16, 32, 64), pooling="max", dropout=0.0),
            augmentation="none",
            epochs=8,
            batch_size=16,
            learning_rate=3e-3,
            validation_fraction=0.2,
            random_state=0,
            memory="trained",
            **parameters,
        ),
    ).fit(paths, y)

# %%
# The loss tells whether probabilities can be believed; the labels an image,
# how often one is told something.
import pandas as pd
from skposter.metrics import label_report, score_summary

rows, rare = {}, {}
for name, model in models.items():
    probabilities, decided = (
        model.predict_proba(new_paths),
        model.predict(new_paths),
    )
    scores = score_summary(new_y, probabilities, decided)["model"]
    rows[name] = scores[
        ["binary_crossentropy", "f1_micro", "f1_macro", "labels_per_image"]
    ]
    thresholds = np.broadcast_to(model[-1].thresholds_, len(y.columns))
    rare[name] = label_report(new_y, probabilities, thresholds).loc["Comedy"]
table = pd.DataFrame(rows).T.astype(float)
print(table.round(2).to_string())

# %%
# Of the rare label alone:
columns = ["support", "threshold", "predicted", "precision", "recall", "f1"]
print(pd.DataFrame(rare).T[columns].astype(float).round(2))

# %%
ax = table[["f1_micro", "f1_macro"]].plot.barh(
    title="F1 on new posters", xlim=(0, 1)
)
ax.invert_yaxis()

# %%
# What is measured on more posters, with losses and seeds beside, is on the
# page about :doc:`imbalance <../imbalance>`.
