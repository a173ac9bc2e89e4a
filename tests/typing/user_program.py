"""What users write, which type checkers have to take without an error. It is not run."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline

import skposter
from skposter import (
    AveragingClassifier,
    BlendingClassifier,
    FixedThresholdsClassifier,
    ImageFeatures,
    ImageLoader,
    MultiLabelImageClassifier,
    TunedThresholdsClassifierCV,
)
from skposter.datasets import (
    load_coco,
    load_image_csv,
    load_image_folders,
    load_image_table,
    load_voc,
    make_posters,
    write_image_csv,
)
from skposter.display import LabelGridDisplay, ThresholdDisplay
from skposter.exceptions import ImageLoadError
from skposter.inspection import ExplanationDisplay, explain, label_issues
from skposter.losses import AsymmetricLoss
from skposter.memory import clear_memory, list_memory
from skposter.metrics import get_scorer, label_report, paired_bootstrap, score_summary
from skposter.model_selection import (
    MultiLabelStratifiedKFold,
    MultiLabelStratifiedShuffleSplit,
    RepeatedMultiLabelStratifiedKFold,
    label_deviation,
    multilabel_train_test_split,
    near_duplicate_groups,
)
from skposter.networks import Pretrained, SmallCNN
from skposter.thresholds import apply_thresholds, choose_thresholds

# README: the whole job
make_posters(300, out_dir="posters")
data = load_image_csv("posters/labels.csv", "posters/Images")
X, X_test, y, y_test = multilabel_train_test_split(data.paths, data.y, random_state=0)
loader = ImageLoader(size=(96, 64))
classifier = MultiLabelImageClassifier(threshold="f1_micro", epochs=10, random_state=0)
model = Pipeline([("loader", loader), ("classifier", classifier)]).fit(X, y)
p_test, base = model.predict_proba(X_test), classifier.label_frequencies_
print(score_summary(y_test, p_test, model.predict(X_test), label_frequencies=base))
print(classifier.top_labels(loader.transform(X_test[:5]), k=3))

# README: search and save
model.set_params(classifier__network=SmallCNN(), classifier__memory="trained", classifier__epochs=2)
grid = {
    "classifier__network__filters": [(16, 32), (32, 64)],
    "classifier__threshold": [0.2, 0.3, 0.4],
}
search = GridSearchCV(model, grid, scoring="f1_micro", cv=MultiLabelStratifiedKFold(2))
search.fit(X, y)
joblib.dump(search.best_estimator_, "model.joblib")
skposter.save(search.best_estimator_, Path("model.skposter"), scores={"lrap": 0.6})
print(skposter.load("model.skposter").predict(X_test))

# What the readers return depends on `return_X_y`
print(data.paths.shape, data.y.columns, data.label_names, data.ids[0], data.problems["kind"])
paths, labels = load_image_folders("animals", return_X_y=True)
print(paths.dtype, labels.columns)
paths, labels = load_image_table(pd.DataFrame(), Path("Images"), sep=";", return_X_y=True)
paths, labels = load_image_csv("labels.csv", "Images", label_columns=["a"], return_X_y=True)
paths, labels = load_coco("instances.json", "Images", return_X_y=True)
paths, labels = load_voc("Annotations", "JPEGImages", image_set="train.txt", return_X_y=True)
table = load_image_table("labels.tsv", "Images", groups="patient", on_missing="drop")
print(table.groups, table.cv, load_voc("Annotations", "JPEGImages").y.mean())
write_image_csv("labels.csv", [Path("a.jpg"), Path("b.jpg")], [["Drama"], ["War", "Drama"]])
write_image_csv("labels.csv", ["a", "b"], np.eye(2), label_names=["Drama", "War"])

# Images and labels of all kinds
images = ImageLoader((32, 32), mode="L", resize="pad", lazy=True).fit_transform(
    [Path("a.jpg"), "b.jpg"]
)
lazy = ImageLoader(lazy=True).transform(pd.Series(["a.jpg"]))
print(len(lazy), lazy.shape, lazy[0], lazy.dtype, ImageLoader().verify(["a.jpg"]).empty)
pixels = np.zeros((4, 32, 32, 3), dtype=np.uint8)
clf = MultiLabelImageClassifier(
    Pretrained("mobilenet", weights=None, head_epochs=2),
    learning_rate=1e-3,
    threshold={"Drama": 0.4},
    pos_weight=[1.0, 2.0],
    loss=AsymmetricLoss(clip=0.0),
    memory="trained",
    random_state=np.random.RandomState(0),
)
clf.fit(pixels, pd.DataFrame(np.eye(4, 2), columns=["Drama", "War"]), sample_weight=np.ones(4))
clf.fit(lazy, [[0, 1], [1, 0]], X_val=pixels, y_val=np.eye(4, 2)).predict_labels(lazy)
clf.partial_fit(pixels, np.eye(4, 2)).set_params(threshold=np.array([0.2, 0.3]))
print(clf.label_names_.tolist(), clf.classes_.shape, clf.image_shape_[0], clf.n_iter_ + 1)
print(clf.history_["loss"][-1], clf.recipe_["epochs"], clf.thresholds_.mean(), clf.seeds_)
print(clf.predict(pixels).sum(), clf.predict_proba(pixels).max(), clf.score(pixels, np.eye(4, 2)))
clf.model_.summary()

# Thresholds, averages and any other classifier
tuned = TunedThresholdsClassifierCV(LogisticRegression(), objective="f1_macro", cv=3).fit(X, y)
print(tuned.thresholds_.round(2), tuned.best_score_ * 2, tuned.fold_thresholds_.std(axis=0))
fixed = FixedThresholdsClassifier(tuned, threshold=tuned.thresholds_, min_labels=1).fit(X, y)
print(fixed.predict_labels(X_test), fixed.top_labels(X_test), fixed.estimator_)
print(AveragingClassifier(model, n_estimators=3, n_jobs=1).fit(X, y).estimators_[0])
features = ImageFeatures("mobilenet", pooling="max", batch_size=8, memory="kept").fit(pixels)
print(features.transform(lazy).mean(axis=0), features.n_features_out_ + 1, features.image_shape_)
print(ImageFeatures(lambda images: images.mean(axis=(1, 2))).fit_transform(pixels).shape)
blend = BlendingClassifier([("a", model), ("b", tuned)], validation_fraction=0.2).fit(X, y)
print(blend.weights_.sum(), blend.validation_indices_, blend.predict_labels(X_test))
solved = Pretrained("mobilenet", fine_tune="none", head="logistic")
print(MultiLabelImageClassifier(solved).fit(pixels, np.eye(4, 2)).predict(pixels))
scores = cross_val_predict(model, X, y, cv=MultiLabelStratifiedKFold(3), method="predict_proba")
chosen = choose_thresholds(y, scores, objective="f1_micro")
print(apply_thresholds(scores, chosen, min_labels=1).sum(axis=1), label_report(y, scores, chosen))
print(paired_bootstrap("lrap", y, scores, scores, random_state=0).difference)
print(get_scorer(["f1_macro", "lrap"])(model, X_test, y_test))

# Splits
groups = near_duplicate_groups(data.paths)
cv = MultiLabelStratifiedKFold(5, shuffle=True, random_state=0)
for train, test in cv.split(data.paths, data.y, groups=groups):
    print(data.paths[train], data.y.iloc[test])
print(label_deviation(data.y, cv.split(data.paths, data.y)), cv.get_n_splits())
for splitter in (
    MultiLabelStratifiedShuffleSplit(test_size=0.2),
    RepeatedMultiLabelStratifiedKFold(),
):
    print(list(splitter.split(data.paths, data.y)))

# Looking
figure = ThresholdDisplay.from_predictions(y, scores, thresholds=chosen, metric="f1").figure_
figure.savefig("thresholds.png")
LabelGridDisplay.from_estimator(model, X_test, y_test).picture_.save("grid.png")
explanations = explain(model, X_test[:2], labels="Drama", method="gradcam")
explanations[0].overlay("Drama").save("drama.png")
ExplanationDisplay(explanations).plot()
print(label_issues(y, scores).head())
skposter.report(model, X_test, y_test, "report.html", n_images=12)
skposter.data_report(data, "data.html")
skposter.export(model, "model.onnx")
print(list_memory("trained"))
clear_memory("trained", bytes_limit="1G")
try:
    loader.transform(["missing.jpg"])
except ImageLoadError as error:
    print(error.path, error.index, error.failures)
