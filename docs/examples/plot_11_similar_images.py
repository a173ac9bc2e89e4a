"""
Similar images, and images that fit in nowhere
==============================================

Features of images are vectors, so whatever scikit-learn does with vectors it
does with images: neighbours are images that look alike to the network, and
outliers are images that look like no other.
"""

# %%
# Features
# --------
# ``ImageFeatures("mobilenet")`` is the usual choice; weights are not
# downloaded while this page is built, so a network that was trained on other
# posters gives them here.
import numpy as np
from skposter import ImageFeatures, ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.networks import SmallCNN

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
loader = ImageLoader(size=(64, 48))
network = MultiLabelImageClassifier(
    SmallCNN(filters=(16, 32, 64), pooling="max", dropout=0.0),
    augmentation="none",
    epochs=10,
    batch_size=16,
    learning_rate=3e-3,
    random_state=0,
    memory="trained",
).fit(loader.transform(posters.paths[:500]), posters.y[:500])

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

features = make_pipeline(loader, ImageFeatures(network), Normalizer())
paths, y = posters.paths[500:], posters.y[500:]
vectors = features.fit_transform(paths)
print(vectors.shape)

# %%
# Which are like this one?
# ------------------------
# Each row begins with the poster that was asked for.
import matplotlib.pyplot as plt
from PIL import Image
from sklearn.neighbors import NearestNeighbors

neighbours = NearestNeighbors(n_neighbors=6).fit(vectors)
asked = [3, 40, 77]
_, found = neighbours.kneighbors(vectors[asked])

fig, axes = plt.subplots(len(asked), 6, figsize=(7, 7))
for row, images in zip(axes, found, strict=True):
    for ax, i in zip(row, images, strict=True):
        ax.imshow(Image.open(paths[i]))
        ax.set_title("\n".join(y.columns[y.iloc[i] == 1]), fontsize=7)
        ax.set_axis_off()
fig.tight_layout()

# %%
# How often do neighbours share a label with the poster, and how often would
# posters drawn at random?
labels = y.to_numpy()
others = neighbours.kneighbors(vectors, return_distance=False)[:, 1:]
shared = (labels[:, None] & labels[others]).any(axis=2).mean()
rng = np.random.default_rng(0)
at_random = (labels & labels[rng.permutation(len(labels))]).any(axis=1).mean()
print(f"neighbours {shared:.2f}, at random {at_random:.2f}")

# %%
# Which fit in nowhere?
# ---------------------
# Three images are planted among the posters: noise, a grey page, and a poster
# upside down with its colours inverted. ``LocalOutlierFactor`` compares how
# lonely an image is with how lonely its neighbours are. The first two stand
# out; the third is a poster as any to this network, which knows many colours.
from sklearn.neighbors import LocalOutlierFactor

strange = loader.transform(paths[:3])
strange[0] = rng.integers(0, 256, strange[0].shape)
strange[1] = 200
strange[2] = 255 - strange[2][::-1]
images = np.concatenate([loader.transform(paths), strange])
outliers = LocalOutlierFactor(n_neighbors=20)
outliers.fit(features[1:].fit_transform(images))
loneliest = np.argsort(outliers.negative_outlier_factor_)[:6]

fig, axes = plt.subplots(1, 6, figsize=(7, 2.2))
for ax, i in zip(axes, loneliest, strict=True):
    ax.imshow(images[i])
    factor = -outliers.negative_outlier_factor_[i]
    kind = "planted" if i >= len(paths) else "poster"
    ax.set_title(f"{kind}\n{factor:.1f}", fontsize=8)
    ax.set_axis_off()
fig.tight_layout()
