"""
Images and a table together
===========================

A film is more than its poster: there is the year, and the country. A
``ColumnTransformer`` puts what is seen beside what is written, in one pipeline
that is cross-validated, searched and saved as any other.
"""

# %%
# A table with paths in one column. The year and the country say something
# about *some* genres, as they do in life; both are drawn here.
import numpy as np
import pandas as pd
from skposter.datasets import make_posters

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
rng = np.random.default_rng(0)
n = len(posters.y)
drama, crime = posters.y["Drama"].to_numpy(), posters.y["Crime"].to_numpy()
table = pd.DataFrame(
    {
        "path": posters.paths,
        "year": (1995 + 12 * drama + rng.normal(0, 8, n)).astype(int),
        "country": np.where(rng.random(n) < 0.2 + 0.5 * crime, "France", "USA"),
    }
)
print(table.head(3).assign(path="..."))

# %%
# What is seen comes from a network. Usually that is one that others have
# trained, ``ImageFeatures("mobilenet")``; weights are not downloaded while
# this page is built, so here it is one trained on the first half of the
# posters. The table's classifier is fitted on other rows than those, as
# features are too good to be true on images that their network has seen.
from skposter import ImageFeatures, ImageLoader, MultiLabelImageClassifier
from skposter.networks import SmallCNN

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

# %%
# The pipelines
# -------------
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

seen = make_pipeline(loader, ImageFeatures(network), StandardScaler())
image = (seen, "path")
written = [(StandardScaler(), ["year"]), (OneHotEncoder(), ["country"])]
parts = {
    "image alone": make_column_transformer(image),
    "table alone": make_column_transformer(*written),
    "both": make_column_transformer(image, *written),
}
pipelines = {
    name: make_pipeline(part, OneVsRestClassifier(LogisticRegression(C=0.1)))
    for name, part in parts.items()
}
pipelines["both"]

# %%
# Cross-validated on the other half
# ---------------------------------
# Each poster goes through the network once, in whichever fold and pipeline it
# is asked for.
from sklearn.model_selection import cross_val_predict
from skposter.metrics import label_report, score_summary
from skposter.model_selection import MultiLabelStratifiedKFold

rows, y = table.iloc[500:], posters.y.iloc[500:]
cv = MultiLabelStratifiedKFold(5, shuffle=True, random_state=0)
scores, precision = {}, {}
for name, pipeline in pipelines.items():
    probabilities = cross_val_predict(
        pipeline, rows, y, cv=cv, method="predict_proba"
    )
    summary = score_summary(
        y, probabilities, label_frequencies=posters.y[:500].mean()
    )
    scores[name] = summary["model"]
    precision[name] = label_report(y, probabilities)["average_precision"]
columns = ["skill", "lrap", "mean_average_precision"]
print(pd.DataFrame(scores).T[columns].round(2))

# %%
# Drama and Crime gain from the table; the other genres cannot, as it says
# nothing about them.
ax = pd.DataFrame(precision).plot.bar(
    title="Average precision, cross-validated", ylim=(0, 1), rot=20
)

# %%
# Searched and saved
# ------------------
# Parameters of each part are searched by name, and joblib writes the whole.
# (``skposter.save``, which writes files without code, covers classifiers of
# images, not of images and a table; it says so.) scikit-learn's
# ``StackingClassifier`` takes one label only, and ``VotingClassifier`` too;
# :class:`~skposter.BlendingClassifier` blends several labels.
import joblib
from sklearn.model_selection import GridSearchCV

search = GridSearchCV(
    pipelines["both"],
    {"onevsrestclassifier__estimator__C": [0.01, 0.1, 1]},
    scoring="average_precision",
    cv=cv,
).fit(rows, y)
print(search.best_params_)
joblib.dump(search.best_estimator_, "images_and_table.joblib")
