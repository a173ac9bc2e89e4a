"""
Images and a table together
===========================

A shop knows more of a product than its picture. A ``ColumnTransformer`` puts
what is seen beside what is written, and any multi-label classifier of
scikit-learn takes both.
"""

# %%
# A table whose columns say something about *some* labels: the length of a
# film, and whether it has subtitles. Paths are a column like any other.
import numpy as np
import pandas as pd
from skposter.datasets import make_posters

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
rng = np.random.default_rng(0)
n = len(posters.y)
table = pd.DataFrame(
    {
        "path": posters.paths,
        "minutes": 95
        + 25 * posters.y["Drama"].to_numpy()
        + rng.normal(0, 12, n),
        "subtitles": (
            rng.random(n) < 0.2 + 0.5 * posters.y["Crime"].to_numpy()
        ).astype(int),
    }
)
print(table.head(3).assign(path="..."))

# %%
# The picture's part is what a trained network sees. Here it is the network of
# :ref:`sphx_glr_gallery_plot_01_whole_job.py`, trained on other rows than
# those that the classifier behind it is fitted on: a network's answers on its
# own training images are too sure to learn from.
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.metrics import label_report
from skposter.model_selection import multilabel_train_test_split
from skposter.networks import SmallCNN

rows, new_rows, y, new_y = multilabel_train_test_split(
    np.arange(n), posters.y, test_size=0.25, random_state=0
)
network = make_pipeline(
    ImageLoader(size=(64, 48)),
    MultiLabelImageClassifier(
        SmallCNN(filters=(16, 32, 64), pooling="max", dropout=0.0),
        augmentation="none",
        epochs=10,
        batch_size=16,
        learning_rate=3e-3,
        random_state=0,
        memory="trained",
    ),
).fit(table["path"].to_numpy()[rows], y)


def seen(paths):
    return network.predict_proba(np.asarray(paths).ravel())


# %%
# Half of the new rows fit the forest, the other half scores it.
half = len(new_rows) // 2
fit_rows, test_rows = new_rows[:half], new_rows[half:]
written = ["minutes", "subtitles"]
parts = {
    "the table alone": make_column_transformer(("passthrough", written)),
    "pictures alone": make_column_transformer(
        (FunctionTransformer(seen), ["path"])
    ),
    "both": make_column_transformer(
        (FunctionTransformer(seen), ["path"]), ("passthrough", written)
    ),
}
scores = {}
for name, part in parts.items():
    forest = RandomForestClassifier(200, min_samples_leaf=4, random_state=0)
    model = make_pipeline(part, forest).fit(table.iloc[fit_rows], new_y[:half])
    probabilities = np.column_stack(
        [p[:, 1] for p in model.predict_proba(table.iloc[test_rows])]
    )
    scores[name] = label_report(new_y[half:], probabilities)[
        "average_precision"
    ]

# %%
table_of_scores = pd.DataFrame(scores)
print(table_of_scores.round(2))

# %%
# Drama and Crime gain from the table; the other genres cannot, as it says
# nothing about them.
ax = table_of_scores.plot.bar(
    title="Average precision on new posters", ylim=(0, 1), rot=20
)
