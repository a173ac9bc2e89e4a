"""
Thresholds, and what they cost
==============================

A network gives each label a probability; thresholds make decisions of them.
The same probabilities can be good at different things, and no threshold is
best at all of them.
"""

# %%
# The network of :ref:`sphx_glr_gallery_plot_01_whole_job.py`, found again in
# ``memory``:
from sklearn.pipeline import make_pipeline
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.model_selection import multilabel_train_test_split
from skposter.networks import SmallCNN

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
paths, new_paths, y, new_y = multilabel_train_test_split(
    posters.paths, posters.y, test_size=0.25, random_state=0
)
model = make_pipeline(
    ImageLoader(size=(64, 48)),
    MultiLabelImageClassifier(
        SmallCNN(filters=(16, 32, 64), pooling="max", dropout=0.0),
        augmentation="none",
        epochs=10,
        batch_size=16,
        learning_rate=3e-3,
        threshold="f1_micro",
        random_state=0,
        memory="trained",
    ),
).fit(paths, y)

# %%
# F1 of each label against its threshold. The line is the threshold in use:
# one for all labels here, as ``"f1_micro"`` chooses one.
from skposter.display import PrecisionRecallLabelsDisplay, ThresholdDisplay

ThresholdDisplay.from_estimator(model, new_paths, new_y, columns=3)

# %%
# What each objective buys, and at what price. Changing ``threshold`` trains
# nothing.
import pandas as pd
from skposter.metrics import label_report, score_summary

probabilities = model.predict_proba(new_paths)
rows = {}
for threshold in (
    0.5,
    "f1_micro",
    "f1_macro",
    "hamming",
    "precision>=0.9",
    "recall>=0.9",
):
    model.set_params(multilabelimageclassifier__threshold=threshold)
    decided = model.predict(new_paths)
    scores = score_summary(new_y, probabilities, decided)["model"]
    hits = (decided * new_y.to_numpy()).sum()
    rows[threshold] = {
        "precision": hits / decided.sum(),
        "recall": hits / new_y.to_numpy().sum(),
        "micro F1": scores["f1_micro"],
        "macro F1": scores["f1_macro"],
        "labels an image": scores["labels_per_image"],
    }
costs = pd.DataFrame(rows).T
print(costs.round(2))

# %%
ax = costs.plot.scatter("recall", "precision", s=60)
for name, row in costs.iterrows():
    place = row["recall"], row["precision"]
    ax.annotate(str(name), place, xytext=(6, 6), textcoords="offset points")
ax.set(
    xlim=(0.55, 1), ylim=(0.5, 0.95), title="One network, six ways to decide"
)

# %%
# The whole choice, label by label:
PrecisionRecallLabelsDisplay.from_estimator(model, new_paths, new_y, columns=3)

# %%
# And in numbers, for the last of them:
thresholds = model[-1].thresholds_
report = label_report(new_y, probabilities, thresholds)
print(report[["support", "threshold", "precision", "recall", "f1"]].round(2))
