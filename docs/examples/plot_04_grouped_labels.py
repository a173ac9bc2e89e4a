"""
Several labels per group
========================

Shop pictures have one colour and one garment each; the two are groups of
labels of which one holds at a time. Train all labels together, and choose the
likeliest within each group.
"""

# %%
# Draw things in colours: three shapes, three colours, one of each per image.
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 210)}
SHAPES = ("circle", "square", "triangle")
folder = Path("shapes")
folder.mkdir(exist_ok=True)
rng = np.random.default_rng(0)
rows = []
for number in range(360):
    colour, shape = rng.choice(list(COLOURS)), rng.choice(SHAPES)
    image = Image.new(
        "RGB", (48, 48), tuple(rng.integers(150, 256, 3).tolist())
    )
    draw = ImageDraw.Draw(image)
    radius = int(rng.integers(9, 16))
    x, y = rng.integers(radius, 48 - radius, 2).tolist()
    ink = tuple(int(value + rng.integers(-30, 30)) for value in COLOURS[colour])
    if shape == "triangle":
        draw.regular_polygon(
            (x, y, radius), 3, int(rng.integers(0, 120)), fill=ink
        )
    elif shape == "square":
        draw.regular_polygon(
            (x, y, radius), 4, int(rng.integers(0, 90)), fill=ink
        )
    else:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    image.save(folder / f"{number}.png")
    rows.append({"file": f"{number}.png", "labels": f"{colour}|{shape}"})

# %%
# One call reads the table. What separates labels in a cell it finds out, and
# says.
from skposter.datasets import load_image_table

data = load_image_table(pd.DataFrame(rows), folder)
print(data)

# %%
# Train. Groups may not be torn apart by augmentation either: mirroring
# changes no colour and none of these shapes.
from sklearn.pipeline import make_pipeline
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.model_selection import multilabel_train_test_split
from skposter.networks import SmallCNN

paths, new_paths, y, new_y = multilabel_train_test_split(
    data.paths, data.y, random_state=0
)
model = make_pipeline(
    ImageLoader(size=(32, 32)),
    MultiLabelImageClassifier(
        SmallCNN(filters=(16, 32), pooling="max", dropout=0.0),
        epochs=15,
        batch_size=16,
        learning_rate=5e-3,
        random_state=0,
    ),
).fit(paths, y)

# %%
# Choose within each group, where the labels of a group are columns of ``y``:
groups = {"colour": list(COLOURS), "shape": list(SHAPES)}
probabilities = pd.DataFrame(
    model.predict_proba(new_paths), columns=model[-1].label_names_
)
chosen = pd.DataFrame(
    {g: probabilities[names].idxmax(axis=1) for g, names in groups.items()}
)
truth = pd.DataFrame(
    {g: new_y[names].idxmax(axis=1) for g, names in groups.items()}
)
print((chosen.to_numpy() == truth.to_numpy()).mean(axis=0).round(2))

# %%
# Each group has a confusion matrix of its own then:
import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, group in zip(axes, groups, strict=True):
    ConfusionMatrixDisplay.from_predictions(
        truth[group], chosen[group], ax=ax, cmap="Greens", colorbar=False
    )
    ax.set_title(group)

# %%
from skposter.display import LabelGridDisplay

LabelGridDisplay.from_estimator(model, new_paths, new_y, n_images=6, columns=6)
