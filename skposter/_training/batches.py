"""Images in batches for Keras: shuffled, weighted, never copied as a whole."""

from __future__ import annotations

import numpy as np

from skposter._keras.tensorflow import tf
from skposter._training.shard_order import shuffled_by_shards
from skposter.images import LazyImages

__all__ = ["ImageBatches"]

# Batches that wait ready: lazy images are decoded while the network works.
PREFETCHED = 2


class ImageBatches:
    """Batches of ``(images, labels[, weights])`` over arrays, memory maps and lazy images alike.

    Keras copies a memory-mapped array twice when it is passed directly; here each batch is indexed
    when its turn comes.

    Parameters
    ----------
    subset : Subset
        Images, labels, rows and weights. Unknown labels become zeros, as they weigh nothing.
        Weights of labels travel beside the labels on a last axis of two, because Keras has no place
        for them; the loss takes them apart again.
    batch_size : int
        Images in a batch.
    shuffle_seed : int, default=None
        If given, the order is drawn anew for each epoch from this seed and the epoch's number,
        so it does not depend on what ran before. Lazy images that lie many in one file are
        shuffled by these files, see `shuffled_by_shards`.
    first_epoch : int, default=0
        Number of the first epoch.
    label_weights : bool, default=False
        Give each label of an unweighted subset the weight one, for a loss that expects weights.
    """

    def __init__(
        self,
        subset,
        batch_size,
        *,
        shuffle_seed=None,
        first_epoch=0,
        label_weights=False,
    ):
        self._subset = subset
        self._weight = _weight(subset, label_weights)
        self._batch_size = batch_size
        self._shuffle_seed = shuffle_seed
        self._epoch = first_epoch
        self._shards = None
        if shuffle_seed is not None and isinstance(subset.X, LazyImages):
            shards = subset.X.shards()
            self._shards = None if shards is None else shards[subset.rows]
        self._order = self._draw_order()

    @property
    def num_batches(self):
        return -(-len(self._subset.rows) // self._batch_size)

    def __getitem__(self, i):
        rows = self._order[i * self._batch_size : (i + 1) * self._batch_size]
        images, y = np.asarray(self._subset.X[rows]), np.nan_to_num(self._subset.y[rows])
        weight = None if self._weight is None else self._weight[rows]
        if weight is None:
            return images, y
        if weight.ndim == 1:
            return images, y, weight
        return images, np.stack([y, weight], axis=-1)

    def dataset(self):
        """Return the batches as a ``tf.data.Dataset``; a pass over it is the epoch of that moment.

        Not as a ``keras.utils.PyDataset``: that lets tf.data tune itself in a thread which sleeps
        ever longer, and which at the end of an epoch now and then misses that it should stop. The
        training then waits for as long as the epoch took.
        """
        X, y, weight = self._subset.X, self._subset.y, self._weight
        labels = y.shape[1:] if weight is None or weight.ndim == 1 else (*y.shape[1:], 2)
        signature = [
            tf.TensorSpec((None, *X.shape[1:]), X.dtype),
            tf.TensorSpec((None, *labels), y.dtype),
        ]
        if weight is not None and weight.ndim == 1:
            signature.append(tf.TensorSpec((None,), weight.dtype))
        options = tf.data.Options()
        options.autotune.enabled = False
        return (
            tf.data.Dataset.from_generator(
                lambda: map(self.__getitem__, range(self.num_batches)),
                output_signature=tuple(signature),
            )
            .apply(tf.data.experimental.assert_cardinality(self.num_batches))
            .prefetch(PREFETCHED)
            .with_options(options)
        )

    def next_epoch(self):
        """Draw the order of the next epoch."""
        self._epoch += 1
        self._order = self._draw_order()

    def _draw_order(self):
        if self._shuffle_seed is None:
            return self._subset.rows
        rng = np.random.default_rng((self._shuffle_seed, self._epoch))
        if self._shards is None:
            return rng.permutation(self._subset.rows)
        return shuffled_by_shards(self._subset.rows, self._shards, rng)


def _weight(subset, label_weights):
    if label_weights and subset.weight is None:
        return np.ones_like(subset.y)
    return subset.weight
