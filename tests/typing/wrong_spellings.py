"""What users get wrong: a type checker has to find an error in each marked line, and no other.

``# error`` is for all checkers, ``# error: pyright`` for those that read the source of
scikit-learn, which has no types for mypy.
"""

import skposter
from skposter import ImageLoader
from skposter import MultiLabelImageClassifer  # error
from skposter.datasets import load_image_csv, load_image_folders, load_image_table
from skposter.datasets import make_poster  # error
from skposter.metrics import binary_cross_entropy  # error
from skposter.model_selection import MultiLabelStratifiedKFold, multilabel_train_test_split
from skposter.networks import Pretrained, SmallCNN
from skposter.thresholds import choose_threshold  # error

print(skposter.ImageLoeder)  # error
print(skposter.MultiLabelImageClassifier(treshold=0.3))  # error
print(skposter.MultiLabelImageClassifier(epochs="ten"))  # error
print(skposter.MultiLabelImageClassifier(tta="flipped"))  # error
print(skposter.MultiLabelImageClassifier(early_stopping=3))  # error
print(SmallCNN(filter=(8,)))  # error
print(SmallCNN(filters=8))  # error
print(Pretrained("mobilenet", fine_tune="some"))  # error
print(ImageLoader(size=96))  # error
print(ImageLoader(mode="RGBA"))  # error
print(MultiLabelStratifiedKFold("5"))  # error
data = load_image_csv("labels.csv", "Images")
print(data.paths.shap)  # error
load_image_csv("labels.csv", "Images", label_colum="Genre")  # error
load_image_csv("labels.csv", "Images", on_missing="ignore")  # error
load_image_table("labels.csv", "Images", image_paths="{Id}.png")  # error
paths, labels = load_image_folders("animals", return_x_y=True)  # error
paths, labels = load_image_folders("animals", return_X_y=True)
clf = skposter.MultiLabelImageClassifier()
print(clf.label_frequency_)  # error: pyright
print(clf.predict_probability(paths))  # error: pyright
print(clf.label_names_.to_list())  # error
clf.fit(paths, labels, sample_weights=None)  # error
clf.fit(paths, labels).predict(paths).colums  # error
multilabel_train_test_split(paths, labels, randomstate=0)  # error
skposter.save(clf, "model.skposter", score={"lrap": 0.6})  # error
skposter.export(clf, "model.onnx", format="onxx")  # error
