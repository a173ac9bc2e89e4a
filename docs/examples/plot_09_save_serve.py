"""
Saving and serving
==================

A trained pipeline in one file without code, loaded again as another process
would, and asked about one poster at a time.
"""

# %%
# The network of :ref:`sphx_glr_gallery_plot_01_whole_job.py`, found again in
# ``memory``:
import skposter
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
# Save and load
# -------------
# A ``.skposter`` file holds numbers and texts; nothing in it is run.
from pathlib import Path

skposter.save(model, "model.skposter")
loaded = skposter.load("model.skposter")
print(f"{Path('model.skposter').stat().st_size / 1e3:.0f} kB")
print((loaded.predict_proba(new_paths) == model.predict_proba(new_paths)).all())

# %%
# One poster
# ----------
# What a service would answer: the likeliest labels, and those that reach
# their threshold.
images = loaded[0].transform(new_paths[:1])
print(
    [
        (name, round(float(p), 2))
        for name, p in loaded[-1].top_labels(images, k=3)[0]
    ]
)
print(loaded[-1].predict_labels(images)[0])

# %%
# How long that takes, again and again:
import time

import matplotlib.pyplot as plt

milliseconds = []
for path in new_paths:
    start = time.perf_counter()
    loaded.predict_proba([path])
    milliseconds.append(1000 * (time.perf_counter() - start))

figure, ax = plt.subplots()
ax.hist(milliseconds, bins=30, color="#0b7a53")
ax.set(xlabel="milliseconds from a path to probabilities", ylabel="posters")

# %%
# The card
# --------
# What it was trained on, how good it is, how to load it:
from skposter.persistence import read_card

print(read_card("model.skposter")[:900])
