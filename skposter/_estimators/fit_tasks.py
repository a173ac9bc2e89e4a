"""Who fits tells scikit-learn's callbacks how far it is, and none of them ends a training.

scikit-learn has ``sklearn.callback`` since 1.9. Before that nobody listens, and the estimators here
have no ``set_callbacks``, as its own have none. It is experimental and may change from one release
to the next, so nothing of it is touched unless callbacks are set.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sklearn.base import clone

from skposter._estimators.user_warnings import warn_user

try:
    from sklearn import callback as _sklearns
except ImportError:  # scikit-learn before 1.9
    _sklearns = None

__all__ = ["CallbacksMixin", "FitTask", "Forgiving", "forgiving", "with_callbacks"]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")
# What has failed in this process: the fit, as all its processes call it, and the callback's class.
_given_up: set[tuple[Any, type]] = set()


def with_callbacks(method: _Method) -> _Method:
    """Return a ``fit`` after which callbacks are taken down; `fit_context` does it, too."""
    return method if _sklearns is None else _sklearns.with_callbacks(method)


class Forgiving:
    """A callback of scikit-learn's whose errors are a warning, and not the end of the training.

    After its first error in a process, it is left alone there until the fit is over. Elsewhere it
    goes on.

    Parameters
    ----------
    callback : callback of scikit-learn's
        What to call.
    """

    def __init__(self, callback):
        self.callback = callback
        # scikit-learn looks for the attribute to tell which callbacks it hands on.
        if hasattr(callback, "max_propagation_depth"):
            self.max_propagation_depth = callback.max_propagation_depth

    def __eq__(self, other):
        return self.callback is (other.callback if isinstance(other, Forgiving) else other)

    def __hash__(self):
        return id(self.callback)

    def __repr__(self):
        return f"forgiving({self.callback!r})"

    @property
    def setup(self):
        return _Hook(self, "setup")

    @property
    def on_fit_task_begin(self):
        return _Hook(self, "on_fit_task_begin")

    @property
    def on_fit_task_end(self):
        return _Hook(self, "on_fit_task_end")

    @property
    def teardown(self):
        return _Hook(self, "teardown")


@dataclass(frozen=True)
class _Hook:
    """A method of a callback; scikit-learn passes to it what its signature asks for."""

    owner: Forgiving
    name: str

    @property
    def __signature__(self):
        return inspect.signature(getattr(self.owner.callback, self.name))

    def __call__(self, *args, **kwargs):
        callback = self.owner.callback
        context = kwargs["context"] if "context" in kwargs else args[1]
        this = getattr(context, "root_uuid", None), type(callback)
        if this in _given_up and self.name != "teardown":
            return None
        try:
            return getattr(callback, self.name)(*args, **kwargs)
        except Exception as error:
            if this not in _given_up:  # what has failed fails again when it is to be taken down
                _given_up.add(this)
                warn_user(
                    f"The callback {type(callback).__name__} failed in {self.name} "
                    f"({type(error).__name__}: {error}) and is left out from here on. Training "
                    "goes on."
                )
            return None
        finally:
            if self.name == "teardown":
                _given_up.discard(this)


def forgiving(callback: Any) -> Any:
    """Return a callback of scikit-learn's whose errors do not end what it looks at.

    scikit-learn's searches and pipelines let errors of callbacks through. Its ``ProgressBar`` talks
    to other processes through a socket of its machine, so a worker on another machine ends the
    search with a ``FileNotFoundError``. What this returns warns, is left alone in that process
    until the fit is over, and goes on elsewhere. The estimators of skposter do this by themselves
    to callbacks that are set on them.

    Parameters
    ----------
    callback : callback of :mod:`sklearn.callback`
        Which has ``setup``, ``on_fit_task_begin``, ``on_fit_task_end`` and ``teardown``.

    Returns
    -------
    callback : object
        What ``set_callbacks`` takes. Results that `callback` collects are still to be had of it.

    Raises
    ------
    TypeError
        If one of the four methods is missing.

    Examples
    --------
    >>> from skposter.distributed import forgiving
    >>> from sklearn.callback import ProgressBar  # doctest: +SKIP
    >>> bars = ProgressBar(max_propagation_depth=None)  # doctest: +SKIP
    >>> search.set_callbacks(forgiving(bars)).fit(paths, y)  # doctest: +SKIP
    """
    if isinstance(callback, Forgiving):
        return callback
    missing = [name for name in _HOOKS if not callable(getattr(callback, name, None))]
    if missing or isinstance(callback, type):
        what = f"the class {callback.__name__}" if isinstance(callback, type) else repr(callback)
        raise TypeError(
            f"forgiving takes a callback object of sklearn.callback, got {what}"
            + (f", which has no {missing[0]}." if missing else f"; pass {callback.__name__}().")
        )
    return Forgiving(callback)


class FitTask:
    """A task of a fit, of which callbacks are told when it begins and when it ends.

    Parameters
    ----------
    estimator : estimator or None
        Which is being fitted.
    context : sklearn.callback.CallbackContext or None
        Where the task stands among others; None if there is nobody to tell.
    data : dict, default={}
        ``X`` and ``y``, for callbacks that ask for them.
    """

    def __init__(self, estimator, context, data=None):
        self._estimator = estimator
        self._context = context
        self._data = data or {}
        self.stopped = False

    def __getstate__(self):
        # To another process; nothing that an earlier fit has learned need go with it.
        estimator = None if self._estimator is None else clone(self._estimator)
        return {**vars(self), "_estimator": estimator, "_data": {}}

    def subtask(self, name, max_subtasks=0):
        """Return a task within this one, which has at most `max_subtasks` within it."""
        if self._context is None:
            return self
        context = self._context.subcontext(task_name=name, max_subtasks=max_subtasks)
        return FitTask(self._estimator, context, self._data)

    def begin(self):
        """Tell that the task begins."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        return self

    def end(self):
        """Tell that the task is over; return whether a callback wants no more of its kind."""
        if self._context is None:
            return False
        return self._context.call_on_fit_task_end(estimator=self._estimator, **self._data)

    def fit(self, estimator, X, y, params):
        """Fit an estimator, which gets the callbacks that are handed on; return it."""
        if self._context is None:
            return estimator.fit(X, y, **params)
        self._data = {"X": X, "y": y}
        with self._context.propagate_callback_context(estimator):
            self.begin()
            estimator.fit(X, y, **params)
            self.end()
        return estimator


if _sklearns is None and not TYPE_CHECKING:

    class CallbacksMixin:
        """Nobody to tell anything."""

        def begin_fit(self, X, y=None, *, max_subtasks=0):
            """Return a task that tells nobody."""
            return FitTask(None, None)

else:

    class CallbacksMixin(_sklearns.CallbackSupportMixin):
        """Tell scikit-learn's callbacks of a ``fit``, which needs `with_callbacks` around it."""

        def set_callbacks(self, *callbacks: Any) -> Self:
            """Set the callbacks that are told how far ``fit`` is, such as a progress bar.

            Needs scikit-learn 1.9. Unlike in scikit-learn's own estimators, an error of a callback
            is a warning, and the training goes on.

            Parameters
            ----------
            *callbacks : callbacks of :mod:`sklearn.callback`
                For one, ``sklearn.callback.ProgressBar()``. None at all removes those that are
                set. Callbacks of Keras' are a parameter, ``callbacks=``.

            Returns
            -------
            self : object
                This estimator.
            """
            for callback in callbacks:
                if hasattr(callback, "set_model"):
                    raise TypeError(
                        f"{type(callback).__name__} is a callback of Keras': pass it to the "
                        "parameter callbacks. set_callbacks takes those of sklearn.callback."
                    )
            super().set_callbacks(*callbacks)  # which checks them
            if callbacks:
                super().set_callbacks(*map(forgiving, callbacks))
            return self

        def begin_fit(self, X, y=None, *, max_subtasks=0):
            """Return the task that the whole fit is, begun; `max_subtasks` are within it."""
            if not getattr(self, "_skl_callbacks", None):  # set here, or handed on
                return FitTask(None, None)
            context = self._init_callback_context(max_subtasks=max_subtasks)
            return FitTask(self, context, {"X": X, "y": y}).begin()
