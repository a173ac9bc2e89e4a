"""The page about a data set: what is in it, and what is wrong with it."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed

from skposter._report import figures
from skposter._report.page import render, write_page
from skposter._report.pictures import thumbnail
from skposter._report.problems import problem_rows
from skposter.display import (
    COLOURS,
    LabelCooccurrenceDisplay,
    import_pyplot,
    known_labels,
    plain_axes,
)
from skposter.images import Access, UnreadableImage, as_sources, describe, natural_size
from skposter.model_selection import near_duplicate_groups

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

    from skposter._typing import PathLike

__all__ = ["DataReport", "data_report"]

_GROUPS_SHOWN = 24
_IMAGES_OF_A_GROUP = 4
_WIDTH = 160
_LARGEST_MATRIX = 40


class DataReport:
    """What :func:`skposter.data_report` found.

    Parameters
    ----------
    title : str
        What it is about.
    labels : DataFrame
        One row a label: ``images``, ``share``, ``unknown`` and ``fewest_in_a_fold``.
    problems : DataFrame
        What is wrong, as it was given, and images that could not be read.
    groups : list of ndarray
        Rows of images that are nearly the same picture.
    html : str
        The page.
    """

    def __init__(self, title, labels, problems, groups, html):
        self.title = title
        self.labels = labels
        self.problems = problems
        self.groups = groups
        self.html = html

    def save(self, path):
        """Write the page, as a whole or not at all.

        Parameters
        ----------
        path : str or path-like
            Such as ``check.html``.
        """
        write_page(self.html, path)

    def __repr__(self):
        return f"<DataReport {self.title!r}: {len(self.problems)} problems>"


def data_report(
    data: Any,
    out: PathLike | None = None,
    *,
    title: str = "What is in the data?",
    image_problems: pd.DataFrame | None = None,
    n_folds: int = 5,
    near_duplicates: bool = True,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> DataReport:
    """Make a page about a data set: one file of HTML that needs nothing else.

    It shows how many images have each label and which labels come together, sizes and shapes of
    the images, pictures that are the same or nearly so, files and rows that are not as they should
    be, and labels too rare for cross-validation.

    Parameters
    ----------
    data : Bunch
        With ``paths`` and ``y``, a DataFrame, as from :func:`skposter.datasets.load_image_csv`;
        ``problems`` too, if it is there.
    out : str or path-like, default=None
        Where to write the page; None writes none.
    title : str, default="What is in the data?"
        Of the page.
    image_problems : DataFrame, default=None
        As from :meth:`skposter.ImageLoader.verify`. None finds only images whose header cannot be
        read, and decodes none.
    n_folds : int, default=5
        Labels with fewer images cannot be in each of that many folds.
    near_duplicates : bool, default=True
        Whether to look for pictures that are nearly the same, which decodes every image.
    n_jobs : int, default=None
        Threads that read images; None means 1.
    verbose : int, default=0
        Above 0, a progress bar.

    Returns
    -------
    report : DataReport
        With ``labels``, ``problems``, ``groups``, ``html`` and ``save``.

    Raises
    ------
    ImportError
        If Jinja or matplotlib is missing.
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import skposter
    >>> from skposter.datasets import make_posters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = skposter.data_report(make_posters(12, out_dir=folder, n_labels=3))
    >>> page.labels.index.tolist()
    ['Comedy', 'Drama', 'Romance']
    >>> page.save("check.html")  # doctest: +SKIP
    """
    import pandas as pd

    sources = as_sources(data.paths, Access())
    known = known_labels(data.y, "data.y")
    sizes, unreadable = _sizes(sources, n_jobs, verbose)
    frames = [data.get("problems"), image_problems]
    found = [_named(frame) for frame in frames if frame is not None and len(frame)]
    told = set() if image_problems is None else set(image_problems["path"])
    more = [problem for problem in unreadable if problem["id"] not in told]
    problems = pd.concat([*found, pd.DataFrame(more, columns=["row", "id", "kind", "detail"])])
    problems = problems.reset_index(drop=True)
    readable = np.flatnonzero(~np.isnan(sizes[:, 0]))
    bad = {str(name) for name in problems["id"]}
    whole = np.array([row for row in readable if describe(sources[row]) not in bad], dtype=int)
    groups = _groups(sources, whole, n_jobs) if near_duplicates else []
    labels = _label_counts(known, data.y, n_folds)
    page = render(
        "data.html.j2",
        title=title,
        today=date.today().isoformat(),
        n_images=len(sources),
        n_labels=known.labels.shape[1],
        per_image=known.labels.sum(axis=1).mean(),
        n_unknown=int(known.n_unknown.sum()),
        n_folds=n_folds,
        labels=[{"name": str(name), **row} for name, row in labels.to_dict("index").items()],
        figures=_figures(known, list(labels.index), sizes[readable]),
        groups=_shown_groups(sources, groups, known, list(labels.index)),
        n_groups=len(groups),
        looked_for_duplicates=near_duplicates,
        n_problems=len(problems),
        problems=problem_rows(problems),
    )
    report = DataReport(title, labels, problems, groups, page)
    if out is not None:
        report.save(out)
    return report


def _named(frame):
    """Return a table of problems with the columns of both kinds of tables."""
    return frame.rename(columns={"path": "id"})[["row", "id", "kind", "detail"]].astype(object)


def _sizes(sources, n_jobs, verbose):
    """Return (width, height) of each image, NaN if it cannot be read, and those that cannot."""
    from tqdm.auto import tqdm

    def read(source):
        try:
            return natural_size(source), ""
        except UnreadableImage as error:
            return (np.nan, np.nan), (error.kind, str(error))

    shown = tqdm(sources, "Reading sizes", disable=not verbose)
    found = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(read)(source) for source in shown)
    unreadable = [
        {"row": row, "id": describe(sources[row]), "kind": reason[0], "detail": reason[1]}
        for row, (_, reason) in enumerate(found)
        if reason
    ]
    return np.array([size for size, _ in found], dtype=float).reshape(-1, 2), unreadable


def _groups(sources, rows, n_jobs):
    """Return the rows of images that are nearly the same picture, the largest groups first."""
    if not len(rows):
        return []
    # A path that occurs in several rows is a matter of the table.
    _, first = np.unique([str(describe(sources[row])) for row in rows], return_index=True)
    rows = rows[np.sort(first)]
    group = near_duplicate_groups(sources[rows], n_jobs=n_jobs)
    count = np.bincount(group)
    several = np.flatnonzero(count > 1)
    order = several[np.argsort(-count[several], kind="stable")]
    return [rows[group == number] for number in order]


def _label_counts(known, y, n_folds):
    import pandas as pd

    images = known.labels.sum(axis=0)
    known_of = known.known.sum(axis=0)
    return pd.DataFrame(
        {
            "images": images,
            "share": np.divide(
                images, known_of, out=np.full(len(images), np.nan), where=known_of > 0
            ),
            "unknown": known.n_unknown,
            "fewest_in_a_fold": images // n_folds,
        },
        index=pd.Index(list(y.columns), name="label"),
    )


def _figures(known, names, sizes):
    """Return what is drawn; see `model_page`."""
    plt = import_pyplot()
    found = []

    def add(anchor, title, words, figure):
        found.append(
            {
                "anchor": anchor,
                "title": title,
                "words": words,
                "svg": figures.svg_of(figure, anchor, f"{title}. {words}"),
            }
        )

    per_image = np.bincount(known.labels.sum(axis=1))
    add(
        "per-image",
        "Labels of an image",
        "How many images have how many labels.",
        _bars(plt, np.arange(len(per_image)), per_image, "labels of an image"),
    )
    if 1 < len(names) <= _LARGEST_MATRIX:
        with figures.quiet_fonts():
            display = LabelCooccurrenceDisplay.from_predictions(
                np.where(known.known, known.labels, np.nan), label_names=names
            )
        add(
            "together",
            "Which labels come together",
            "Of the images with the label of a row, how many percent have that of a column.",
            display,
        )
    if len(sizes):
        add(
            "sizes",
            "Sizes and shapes",
            "Width and height of the images in pixels, and how much higher than wide they are. A "
            "loader that stretches brings all to one shape; pad or crop where shapes differ much.",
            _sizes_figure(plt, sizes),
        )
    return found


class _Drawn:
    """A figure, as displays have it."""

    def __init__(self, figure):
        self.figure_ = figure


def _bars(plt, x, y, name):
    figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    plain_axes(ax)
    ax.bar(x, y, color=COLOURS["model"], width=0.7)
    ax.set(xlabel=name, ylabel="images")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return _Drawn(figure)


def _sizes_figure(plt, sizes):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
    places, counts = np.unique(sizes, axis=0, return_counts=True)
    plain_axes(left)
    left.scatter(
        places[:, 0],
        places[:, 1],
        s=12 + 180 * counts / counts.max(),
        color=COLOURS["model"],
        alpha=0.5,
        linewidth=0,
    )
    left.set(xlabel="width", ylabel="height", xlim=(0, None), ylim=(0, None))
    plain_axes(right)
    right.hist(sizes[:, 1] / sizes[:, 0], bins=40, color=COLOURS["model"])
    right.set(xlabel="height / width", ylabel="images")
    return _Drawn(figure)


def _shown_groups(sources, groups, known, names):
    """Return the pictures of the first groups, each with its labels."""
    shown = []
    for rows in groups[:_GROUPS_SHOWN]:
        images = []
        for row in rows[:_IMAGES_OF_A_GROUP]:
            picture, size = thumbnail(sources[row], width=_WIDTH)
            labels = [str(names[j]) for j in np.flatnonzero(known.labels[row])]
            images.append(
                {
                    "name": os.path.basename(describe(sources[row])),
                    "row": int(row),
                    "labels": labels,
                    "picture": picture,
                    "size": size,
                }
            )
        sets = {tuple(known.labels[row]) for row in rows}
        shown.append({"images": images, "hidden": len(rows) - len(images), "differ": len(sets) > 1})
    return shown
