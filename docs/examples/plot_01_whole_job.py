"""
The whole job
=============

A table of labels and a folder of images go in; what comes out is an ordinary
pipeline, scores on posters that it has not seen, and a picture of what it
predicts.
"""

# %%
# Draw posters and read them
# --------------------------
# :func:`~skposter.datasets.make_posters` writes JPEGs and a CSV. For your
# own, call :func:`~skposter.datasets.load_image_table` in its place. Either
# prints what it understood.
from skposter.datasets import make_posters

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
print(posters)

# %%
# Train
# -----
# Paths are split, and no pixels move. A genre is a silhouette somewhere in
# the picture, so the network ends in a global maximum.
from sklearn.pipeline import make_pipeline
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.model_selection import multilabel_train_test_split
from skposter.networks import SmallCNN

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
)
model.fit(paths, y)

# %%
# Score
# -----
# Every score stands beside that of the label frequencies, which is what a
# model reaches that has never seen a picture.
from skposter.metrics import score_summary

scores = score_summary(
    new_y,
    model.predict_proba(new_paths),
    model.predict(new_paths),
    label_frequencies=y.mean(),
)
print(scores.round(2))

# %%
# Look
# ----
# A tick is a hit, a cross a false alarm, an empty circle a miss; the line
# across a bar is the threshold.
from skposter.display import HistoryDisplay, LabelGridDisplay

LabelGridDisplay.from_estimator(model, new_paths, new_y, n_images=6, columns=6)

# %%
# The loss of each epoch, on the posters trained on and on the tenth that
# ``fit`` sets aside:
HistoryDisplay.from_estimator(model)
