"""
A network of your own
=====================

Any function that returns a Keras model is a network. As a class it has
parameters that a grid reads, and a recipe: how it is best trained.
"""

# %%
# ``meta`` says what is known of the data; the images arrive as they are,
# uint8.
from skposter.networks import Network


class Residual(Network):
    """Blocks of two convolutions whose input is added to their output."""

    recipe = {
        "augmentation": "none",
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 3e-3,
    }

    def __init__(self, *, channels=24, blocks=2):
        self.channels = channels
        self.blocks = blocks

    def build(self, meta):
        from keras import Input, Model, layers

        images = Input(meta["input_shape"], dtype="uint8")
        x = layers.Rescaling(1 / 127.5, offset=-1)(images)
        x = layers.Conv2D(
            self.channels, 5, strides=2, padding="same", use_bias=False
        )(x)
        for _ in range(self.blocks):
            before = x
            for _ in range(2):
                x = layers.BatchNormalization(momentum=0.9)(x)
                x = layers.ReLU()(x)
                x = layers.Conv2D(
                    self.channels, 3, padding="same", use_bias=False
                )(x)
            x = layers.MaxPooling2D()(layers.Add()([x, before]))
        x = layers.GlobalMaxPooling2D()(layers.ReLU()(x))
        return Model(
            images, layers.Dense(meta["n_labels"], activation="sigmoid")(x)
        )


# %%
# It is trained as ours are. What it returns is checked first: one probability
# a label.
from sklearn.pipeline import make_pipeline
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.model_selection import multilabel_train_test_split

posters = make_posters(1000, n_labels=6, size=(120, 80), out_dir="posters")
paths, new_paths, y, new_y = multilabel_train_test_split(
    posters.paths[:800], posters.y[:800], test_size=0.25, random_state=0
)
classifier = MultiLabelImageClassifier(Residual(blocks=3), random_state=0)
model = make_pipeline(ImageLoader(size=(48, 32)), classifier).fit(paths, y)
for name in ("epochs", "batch_size", "learning_rate", "augmentation"):
    print(name, classifier.recipe_[name])

# %%
from skposter.metrics import score_summary

scores = score_summary(
    new_y, model.predict_proba(new_paths), label_frequencies=y.mean()
)
print(scores.loc[["skill", "lrap", "f1_micro"]].round(2))

# %%
# Where it looks, with heat maps over the original posters. They work for any
# network of Keras.
from skposter.inspection import ExplanationDisplay

ExplanationDisplay.from_estimator(
    model, new_paths, ["Drama", "Comedy"], n_images=3
)
