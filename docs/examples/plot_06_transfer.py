"""
A network that has seen other images
====================================

With few images, a network that has learned on many others is worth more than
any setting. The usual way is one of keras.applications with weights from
ImageNet, ``network="mobilenet"``. Those are downloaded, and this page is built
without a network connection, so the other images are drawn here: 750 posters
teach shapes, and a hundred posters that look quite different are all that
there is to go on with.
"""

# %%
# Posters to learn from, and posters of another kind
# --------------------------------------------------
# The others are negatives and mirrored: no colour and no outline is as it was.
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.model_selection import multilabel_train_test_split
from skposter.networks import SmallCNN

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
paths, other_paths, y, other_y = multilabel_train_test_split(
    posters.paths, posters.y, test_size=0.25, random_state=0
)
few, new, few_y, new_y = multilabel_train_test_split(
    other_paths, other_y, train_size=100, random_state=0
)
loader = ImageLoader(size=(64, 48))
few_images = 255 - loader.transform(few)[:, :, ::-1]
new_images = 255 - loader.transform(new)[:, :, ::-1]

# %%
from skposter.display import LabelGridDisplay

LabelGridDisplay.from_predictions(new_images[:6], new_y[:6], None, columns=6)

# %%
# Trained on the first kind
# -------------------------
small = SmallCNN(filters=(16, 32, 64), pooling="max", dropout=0.0)
settings = {"augmentation": "none", "batch_size": 16, "random_state": 0}
network = MultiLabelImageClassifier(
    small, epochs=10, learning_rate=3e-3, memory="trained", **settings
)
network.fit(loader.transform(paths), y)

# %%
# Three ways to the second kind
# -----------------------------
# As it is; going on from its weights with ``warm_start``, at a lower rate; and
# from scratch, for twice as many epochs.
import copy

import pandas as pd
from skposter.metrics import score_summary

gone_on = copy.deepcopy(network).set_params(
    warm_start=True, memory=None, epochs=10, learning_rate=1e-3
)
gone_on.fit(few_images, few_y)
scratch = MultiLabelImageClassifier(
    small, epochs=20, learning_rate=3e-3, **settings
)
scratch.fit(few_images, few_y)

scores = {}
for name, model in {
    "as it is": network,
    "gone on": gone_on,
    "from scratch": scratch,
}.items():
    summary = score_summary(
        new_y,
        model.predict_proba(new_images),
        label_frequencies=few_y.mean(),
    )
    scores[name] = summary["model"]
scores["label frequencies"] = summary["label frequencies"]
table = pd.DataFrame(scores).T[["skill", "lrap", "mean_average_precision"]]
print(table.round(2))

# %%
ax = table[["lrap", "mean_average_precision"]].plot.barh(
    title="A hundred posters of another kind", xlim=(0, 1)
)
ax.invert_yaxis()
ax.legend(loc="lower right")

# %%
# From scratch, a hundred posters are not enough to beat the label frequencies.
# With real weights, the two phases (first the head, then all layers) are one
# line, ``MultiLabelImageClassifier("mobilenet")``: on real film posters,
# weights of MobileNet 0.25 reach a skill of .156 where training from scratch
# reaches .110, see :doc:`the poster benchmark <../benchmarks/posters>`.
