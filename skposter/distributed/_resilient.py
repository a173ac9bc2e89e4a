"""A client of Dask's for joblib, so that a search outlives the workers that die in it."""

from __future__ import annotations

from typing import Any

__all__ = ["resilient"]


def resilient(client: Any) -> Any:
    """Return a client for joblib, with which a search outlives the workers that die in it.

    joblib hands every argument of more than a kilobyte (paths, labels, the rows of a fold) to a
    worker, of which Dask keeps no copy: once that worker dies, the search ends with a
    ``FutureCancelledError``, also with joblib's ``scatter=``. Through this client an argument is
    the result of a task, which Dask makes again on another worker. The scheduler holds a copy of
    each, so send paths of images, not pixels.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    client : object
        What ``joblib.parallel_config("dask", client=...)`` takes; all else is as of `client`.

    Examples
    --------
    >>> import joblib
    >>> from distributed import Client  # doctest: +SKIP
    >>> from skposter.distributed import resilient
    >>> client = Client("tcp://10.0.0.1:8786")  # doctest: +SKIP
    >>> with joblib.parallel_config("dask", client=resilient(client)):  # doctest: +SKIP
    ...     search.fit(paths, y)
    """
    return _Resilient(client)


class _Resilient:
    """A client in all but what becomes of scattered data."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        if name == "_client":  # not yet set
            raise AttributeError(name)
        return getattr(self._client, name)

    def scatter(self, data, *, asynchronous=False, **options):
        """Return futures of data, or of each element of a list, that Dask can make again."""
        if asynchronous:
            return self._scattered(data)
        if isinstance(data, (list, tuple)):
            return [self._future(each) for each in data]
        return self._future(data)

    async def _scattered(self, data):
        return self._future(data)

    def _future(self, data):
        return self._client.submit(_itself, data, pure=False)


def _itself(data):
    return data
