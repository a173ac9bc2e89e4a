"""
Choosing layers
===============

Layers are parameters, so scikit-learn searches them. Folds divide paths, and
with ``memory`` a network is trained once, however many thresholds are tried
with it.
"""

# %%
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.memory import list_memory
from skposter.model_selection import MultiLabelStratifiedKFold
from skposter.networks import SmallCNN

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
paths, y = posters.paths[:360], posters.y[:360]
model = make_pipeline(
    ImageLoader(size=(48, 32)),
    MultiLabelImageClassifier(
        SmallCNN(dropout=0.0),
        augmentation="none",
        epochs=10,
        batch_size=16,
        learning_rate=3e-3,
        random_state=0,
        memory="searched",
    ),
)
search = GridSearchCV(
    model,
    {
        "multilabelimageclassifier__network__filters": [(16, 32), (16, 32, 64)],
        "multilabelimageclassifier__network__pooling": ["avg", "max"],
        "multilabelimageclassifier__threshold": [0.2, 0.3, 0.4, 0.5],
    },
    scoring="f1_micro",
    cv=MultiLabelStratifiedKFold(2),
    refit=False,
)
search.fit(paths, y)
n_trained = (list_memory("searched")["kind"] == "network").sum()
n_fits = 2 * len(search.cv_results_["params"])
print(f"{n_fits} fits, {n_trained} networks in the folder")

# %%
# The folds' mean, for each network and threshold:
import pandas as pd

results = pd.DataFrame(search.cv_results_)
results.columns = [name.rpartition("__")[2] for name in results.columns]
table = results.pivot_table(
    "mean_test_score", ["filters", "pooling"], "threshold"
)
print(table.round(2))

# %%
ax = table.T.plot(
    marker="o",
    ylabel="micro F1, two folds",
    title="Layers, pooling and thresholds",
)
ax.grid(alpha=0.25)

# %%
# A silhouette anywhere in the picture wants the maximum over places, not the
# average. And at 0.5 most networks look worse than they are: compare networks
# each at its own threshold.
