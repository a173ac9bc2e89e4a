"""Problems of a data set as a page shows them."""

from __future__ import annotations

__all__ = ["problem_rows"]

_SHOWN_OF_A_KIND = 50


def problem_rows(problems):
    """Return how many problems there are of each kind, and the first of each.

    Parameters
    ----------
    problems : DataFrame or None
        With columns ``row``, ``id`` or ``path``, ``kind`` and ``detail``.

    Returns
    -------
    rows : dict or None
        ``counts`` (pairs of kind and number), ``shown`` (dicts) and ``hidden`` (a number).
    """
    if problems is None:
        return None
    problems = problems.rename(columns={"path": "id"})
    first = problems.groupby("kind", sort=False).head(_SHOWN_OF_A_KIND)
    shown = first[["row", "id", "kind", "detail"]].astype(object)
    return {
        "counts": [(str(k), int(n)) for k, n in problems["kind"].value_counts(sort=False).items()],
        "shown": shown.where(shown.notna(), "").to_dict("records"),
        "hidden": len(problems) - len(shown),
    }
