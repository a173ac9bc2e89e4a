"""One network for many requests: images that wait while it works are its next batch."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

__all__ = ["Batches", "Busy"]


class Busy(Exception):  # noqa: N818 - not an error of anybody's
    """More is waiting than will be answered in time."""


class Batches:
    """Predictions of single images, made together.

    Nothing waits for a batch to fill: an image that comes while nothing is predicted is a batch.

    Parameters
    ----------
    predict : callable
        From a batch `(n_samples, ...)` to a tuple of arrays of length n_samples. It is called by
        one thread.
    max_batch : int
        Images that are predicted together at most.
    max_waiting : int
        Images that may wait.
    """

    def __init__(self, predict, *, max_batch=32, max_waiting=256):
        self._predict = predict
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque = deque()
        self._running = None
        self._thread = ThreadPoolExecutor(1, "skposter-model")

    async def predict(self, image):
        """Return the row of each of the arrays that `predict` gives for an image.

        Raises
        ------
        Busy
            If too many are waiting.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Busy
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((image, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def call(self, function, *arguments):
        """Call a function in the thread of the network."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function, *arguments)

    def close(self):
        """Begin nothing new."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self):
        try:
            while self._waiting:
                batch: list = []
                while self._waiting and len(batch) < self._max_batch:
                    image, future = self._waiting.popleft()
                    if not future.done():  # or whoever asked has gone
                        batch.append((image, future))
                if batch:
                    await self._answer(batch)
        finally:
            self._running = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting.clear()

    async def _answer(self, batch):
        try:
            found = await self.call(self._predict, np.stack([image for image, _ in batch]))
        except Exception as error:
            if len(batch) > 1:  # the fault of one is not that of the others
                for each in batch:
                    await self._answer([each])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for row, (_, future) in enumerate(batch):
            if not future.done():
                future.set_result(tuple(part[row] for part in found))
