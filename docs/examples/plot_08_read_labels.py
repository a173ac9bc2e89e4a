"""
Reading labels
==============

Public data sets write labels in different ways: words with bars between them
and a phrase for "nothing", JSON with a list of objects, columns of 1, 0 and
-1. One call reads each, and tells what it understood.
"""

# %%
# Like NIH ChestX-ray14
# ---------------------
# One row an image, findings separated by bars, ``No Finding`` for none, and a
# patient that must not be in training and test data both.
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from skposter.datasets import load_coco, load_image_table

FINDINGS = ["Atelectasis", "Effusion", "Infiltration", "Mass", "Hernia"]
rng = np.random.default_rng(0)
folder = Path("x-rays")
folder.mkdir(exist_ok=True)
rows = []
for number in range(120):
    name = f"{number:08d}_000.png"
    Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(
        folder / name
    )
    found = np.array(FINDINGS)[rng.random(5) < (0.3, 0.3, 0.4, 0.15, 0.03)]
    labels = "|".join(found) or "No Finding"
    rows.append(
        {
            "Image Index": name,
            "Finding Labels": labels,
            "Patient ID": number // 3,
        }
    )
table = pd.DataFrame(rows)
print(table.head(4).to_string(index=False))

# %%
x_rays = load_image_table(
    table,
    folder,
    label_column="Finding Labels",
    label_values={"No Finding": 0},
    groups="Patient ID",
)
print(x_rays)

# %%
from skposter.display import LabelCooccurrenceDisplay

LabelCooccurrenceDisplay.from_predictions(x_rays.y)

# %%
# Like COCO
# ---------
# Annotations of objects become labels of images: an image has those of its
# objects.
categories = [
    {"id": 1, "name": "person"},
    {"id": 2, "name": "dog"},
    {"id": 3, "name": "kite"},
]
names = [{"id": n, "file_name": f"{n:08d}_000.png"} for n in range(120)]
objects = [
    {
        "id": n,
        "image_id": int(rng.integers(120)),
        "category_id": int(rng.choice([1, 1, 1, 2, 3])),
    }
    for n in range(260)
]
Path("instances.json").write_text(
    json.dumps(
        {"images": names, "annotations": objects, "categories": categories}
    )
)
coco = load_coco("instances.json", folder)
print(coco)

# %%
ax = (
    coco.y.sum()
    .sort_values()
    .plot.barh(title="Images with a label", color="#0b7a53")
)

# %%
# Unknown is not "no"
# -------------------
# Where a table says 1, 0, -1 and nothing, as CheXpert's does, say what the
# cells mean. ``None`` is "nobody knows": it weighs nothing in training and is
# left out of scores.
uncertain = pd.DataFrame(
    {
        "file": [name["file_name"] for name in names[:4]],
        "Edema": [1.0, -1.0, 0.0, None],
        "Fracture": [0.0, 1.0, None, 1.0],
    }
)
print(
    load_image_table(
        uncertain, folder, label_values={1: 1, 0: 0, -1: None, "": None}
    ).y
)

# %%
# :doc:`../layouts` has the call for most public data sets.
