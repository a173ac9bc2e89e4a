"""The report of a model: its numbers, what it says, and how it behaves in a browser."""

import json
import os
import re
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

import skposter
from skposter import ImageLoader
from skposter._report.gallery import choose_cards
from skposter._report.scores import scores_with_intervals
from skposter._report.verdict import verdict
from skposter.commands import main
from skposter.datasets import make_posters
from skposter.display import known_labels
from skposter.exceptions import UnknownLabelWarning
from skposter.metrics import label_report, score_summary
from skposter.persistence import save


class Told(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told."""

    def __init__(self, y_score=None):
        self.y_score = y_score

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return self.y_score


def told(n=120, n_labels=4, seed=0, names=None):
    """Return a classifier, images and labels."""
    rng = np.random.default_rng(seed)
    frequency = np.linspace(0.5, 0.1, n_labels)
    y = (rng.random((n, n_labels)) < frequency).astype(int)
    y_score = np.clip(0.45 * y * rng.random(y.shape) + 0.5 * rng.random(y.shape), 0.01, 0.99)
    X = rng.integers(0, 255, size=(n, 12, 8, 3), dtype=np.uint8)
    names = names or [f"label {j}" for j in range(n_labels)]
    model = Told(y_score)
    model.thresholds_ = np.full(n_labels, 0.4)
    model.label_names_ = np.array(names)
    model.label_frequencies_ = frequency
    return model, X, pd.DataFrame(y, columns=names)


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("posters")
    return make_posters(60, out_dir=folder, n_labels=3, size=(60, 48))


@pytest.fixture(scope="module")
def trained(posters, tiny_classifier, tmp_path_factory):
    """A small network, saved, and the page about it."""
    from sklearn.pipeline import make_pipeline

    classifier = tiny_classifier(epochs=2, threshold=0.3)
    model = make_pipeline(ImageLoader(size=(24, 16)), classifier).fit(posters.paths, posters.y)
    folder = tmp_path_factory.mktemp("report")
    save(model, folder / "model.skposter")
    problems = pd.DataFrame(
        [(3, "a<b>.jpg", "missing_image", "there is no such file")],
        columns=["row", "id", "kind", "detail"],
    )
    report = skposter.report(
        model,
        posters.paths,
        posters.y,
        folder / "report.html",
        problems=problems,
        n_bootstrap=20,
        n_images=24,
        model_path="model.skposter",
    )
    return model, report, folder / "report.html"


# --- numbers --------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_metrics():
    model, X, y = told()
    report = skposter.report(model, X, y, n_bootstrap=10, heat_maps=False)
    decided = model.y_score >= 0.4
    expected = score_summary(y, model.y_score, decided, label_frequencies=model.label_frequencies_)
    pd.testing.assert_frame_equal(report.scores[["model", "label frequencies"]], expected)
    labels = label_report(y, model.y_score, 0.4)
    pd.testing.assert_frame_equal(report.per_label[labels.columns], labels)
    assert f"{expected.loc['f1_micro', 'model']:.3f}" in report.html
    assert f"{expected.loc['binary_crossentropy', 'label frequencies']:.4f}" in report.html


def test_the_command_says_what_evaluate_says(trained, posters, tmp_path, capsys):
    folder = trained[2].parent
    images = os.path.dirname(posters.paths[0])
    csv = os.path.join(os.path.dirname(images), "labels.csv")
    arguments = [str(folder / "model.skposter"), csv, images]
    assert main(["evaluate", *arguments, "--format", "json", "-q"]) == 0
    scores = {row["score"]: row for row in json.loads(capsys.readouterr().out)}
    assert main(["evaluate", *arguments, "--per-label", "--format", "json", "-q"]) == 0
    labels = json.loads(capsys.readouterr().out)
    page = tmp_path / "page.html"
    assert main(["report", *arguments, "-o", str(page), "-q", "--n-images", "6"]) == 0
    out = capsys.readouterr().out
    assert f"wrote {page}" in out
    text = page.read_text(encoding="utf-8")
    cells = dict(
        re.findall(r'<th scope="row">([^<]*?)(?: <small>.*?)?</th>\s*<td[^>]*>([\d.]+)', text)
    )
    assert cells["Micro F1"] == f"{scores['f1_micro']['model']:.3f}"
    assert cells["Binary cross-entropy"] == f"{scores['binary_crossentropy']['model']:.4f}"
    for row in labels:
        found = re.search(
            rf'data-value="{row["label"]}" title.*?</tr>', text, flags=re.DOTALL
        ).group()
        values = re.findall(r'<td data-value="([^"]*)"', found)
        assert float(values[0]) == row["support"]
        assert float(values[1]) == pytest.approx(row["average_precision"])
        assert float(values[2]) == pytest.approx(row["f1"])


def scored(model, y, n_bootstrap, seed=0):
    return scores_with_intervals(
        y,
        model.y_score,
        (model.y_score >= 0.4).astype(int),
        np.full(y.shape[1], 0.4),
        list(y.columns),
        model.label_frequencies_,
        n_bootstrap=n_bootstrap,
        random_state=seed,
        verbose=0,
    )


def test_intervals_hold_the_score_and_come_from_the_seed():
    model, _, y = told()
    first, again, other = (scored(model, y, 30, seed).summary for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    of_probabilities = first.loc[["binary_crossentropy", "lrap", "f1_micro"]]
    assert (of_probabilities["low"] < of_probabilities["model"]).all()
    assert (of_probabilities["model"] < of_probabilities["high"]).all()
    without = scored(model, y, 0)
    assert without.summary["low"].isna().all()
    assert "interval" not in " ".join(verdict(*without, len(y), list(y.columns)))


def test_unknown_labels_are_left_out_and_counted():
    model, X, y = told()
    hidden = y.astype(float)
    hidden.iloc[:30, 1] = np.nan
    hidden.iloc[30] = np.nan
    with pytest.warns(UnknownLabelWarning) as said:
        report = skposter.report(model, X, hidden, n_bootstrap=10, heat_maps=False, n_images=8)
    assert len(said) <= 2, "once for each table, not for each draw"
    assert report.per_label["support"].tolist() == hidden.sum().tolist()
    assert "34 labels of images are unknown and left out" in report.html
    kept = [row for row in range(120) if row != 30]
    with pytest.warns(UnknownLabelWarning):
        expected = score_summary(
            hidden.iloc[kept].to_numpy(),
            model.y_score[kept],
            model.y_score[kept] >= 0.4,
            label_frequencies=model.label_frequencies_,
        )["model"]
    for name in ("binary_crossentropy", "f1_micro", "mean_average_precision"):
        assert report.scores.loc[name, "model"] == pytest.approx(expected[name])


def test_columns_are_put_into_the_order_of_the_model():
    model, X, y = told()
    report = skposter.report(model, X, y, n_bootstrap=0, heat_maps=False)
    turned = skposter.report(model, X, y[y.columns[::-1]], n_bootstrap=0, heat_maps=False)
    pd.testing.assert_frame_equal(report.per_label, turned.per_label)
    with pytest.raises(ValueError, match="'other' is not one of them"):
        skposter.report(model, X, y.rename(columns={"label 0": "other"}))
    with pytest.raises(ValueError, match="Got 119 images and labels of 120"):
        skposter.report(model, X[1:], y)


# --- words ----------------------------------------------------------------------------------------


def summary_of(model, low, high, f1=0.6):
    return pd.DataFrame(
        {
            "model": {"skill": model, "f1_micro": f1, "labels_per_image": 2.0},
            "low": {"skill": low, "f1_micro": 0.5, "labels_per_image": 1.9},
            "high": {"skill": high, "f1_micro": 0.7, "labels_per_image": 2.1},
            "label frequencies": {"skill": 0.0, "f1_micro": 0.4, "labels_per_image": 2.0},
        }
    )


def labels_of(f1=(0.9, 0.1), average_precision=(0.8, 0.3)):
    return pd.DataFrame(
        {
            "average_precision": average_precision,
            "frequency": [0.2, 0.2],
            "f1": f1,
            "baseline_f1": [0.33, 0.33],
        }
    )


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((0.15, 0.10, 0.20), "Better than .* removes 15.0 % .*10.0 % to 20.0 %"),
        ((0.01, -0.02, 0.04), "Not told apart from .* removes 1.0 %"),
        ((-0.3, -0.4, -0.2), "Worse than .* its loss is 30.0 % above"),
        ((0.15, np.nan, np.nan), r"Better than .* removes 15.0 % of their loss\.$"),
    ],
)
def test_the_first_sentence_weighs_the_model_against_the_frequencies(gain, words):
    first, _, _ = verdict(summary_of(*gain), labels_of(), 1000, ["a", "b"])
    assert re.search(words, first)
    assert "1,000 images" in first


def test_the_other_sentences_name_decisions_and_labels():
    _, second, third = verdict(summary_of(0.1, 0.1, 0.1), labels_of(), 10, ["Drama", "War"])
    assert "micro F1 of 0.600 (0.500 to 0.700), against 0.400" in second
    assert "knows best: Drama (0.80), War (0.30); for 1 of 2 labels (War)" in third
    _, second, third = verdict(
        summary_of(0.1, 0.1, 0.1, f1=0.3), labels_of((0.9, 0.8)), 10, ["Drama", "War"]
    )
    assert "and does not reach the 0.400" in second
    assert "for all 2 labels its decisions are better" in third


# --- the gallery ----------------------------------------------------------------------------------


def test_the_gallery_has_the_worst_and_the_surest_and_some_of_each_label():
    model, _, y = told(n=300)
    known = known_labels(y)
    decided = model.y_score >= 0.4
    chosen = choose_cards(known, model.y_score, decided, 40)
    assert len(chosen) == 40
    assert len({row for row, _ in chosen}) == 40
    right = (decided == known.labels).all(axis=1)
    assert all(right[row] == (kind == "surest") for row, kind in chosen)
    loss = -np.log(np.where(y, model.y_score, 1 - model.y_score))
    worst = [row for row, kind in chosen if kind == "worst"]
    wrong = np.flatnonzero(~right)
    assert worst[0] == wrong[loss[wrong].mean(axis=1).argmax()]
    wrong_of = (decided != known.labels)[worst]
    assert (wrong_of.sum(axis=0) >= 3).all(), "each label has mistakes to look at"


def test_a_model_without_mistakes_has_hits_only():
    y = np.array([[1, 0], [0, 1], [0, 0]])
    chosen = choose_cards(known_labels(y), np.where(y, 0.9, 0.1), y, 8)
    assert sorted(chosen) == [(0, "surest"), (1, "surest")]


# --- the page -------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else(trained):
    _, report, path = trained
    text = path.read_text(encoding="utf-8")
    assert text == report.html
    sources = re.findall(r'(?:src|href|xlink:href)="([^"]*)"', text)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    identifiers = re.findall(r'\bid="([^"]*)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_texts_of_the_user_are_only_texts(tmp_path):
    evil = "<script>alert(1)</script>"
    model, X, y = told(names=[evil, "$x^2", "a & b", "_hidden"])
    report = skposter.report(model, X, y, title=evil, n_bootstrap=0)
    assert evil not in report.html
    assert "&lt;script&gt;alert(1)" in report.html
    assert "$x^2" in report.html
    assert evil not in report._repr_html_()


def test_a_thousand_images_take_less_than_five_megabytes():
    model, _, y = told(n=1000, n_labels=25)
    rng = np.random.default_rng(0)
    # Noise is what compresses worst.
    X = rng.integers(0, 255, size=(1000, 90, 60, 3), dtype=np.uint8)
    report = skposter.report(model, X, y, n_bootstrap=2, heat_maps=False)
    assert len(report.html) < 5e6


def test_a_network_has_heat_maps_and_others_say_why_not(trained):
    _, report, _ = trained
    assert report.html.count('data-heat="data:image/webp;base64,') >= 24
    model, X, y = told()
    without = skposter.report(model, X, y, n_bootstrap=0)
    assert "data-heat" not in without.html
    assert "There are no heat maps: Told is no network of Keras" in without.html


def test_a_notebook_shows_the_verdict_and_the_tables(trained):
    _, report, _ = trained
    shown = report._repr_html_()
    assert report.verdict[0] in shown
    assert "Micro F1" in shown
    assert "Drama" in shown
    assert len(shown) < 40_000
    assert repr(report).startswith("<Report 'How good is the model?': ")


def test_without_jinja_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    model, X, y = told(n=20)
    with pytest.raises(ImportError, match=r"pip install skposter\[report\]"):
        skposter.report(model, X, y, n_bootstrap=0, heat_maps=False)


def test_what_cannot_be_written_is_said_before_anything_is_computed(posters, tmp_path, capsys):
    arguments = ["report", "nothing.skposter", "nothing.csv", "nowhere"]
    assert main([*arguments, "-o", str(tmp_path / "no" / "page.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err


# --- in a browser ---------------------------------------------------------------------------------


def test_the_page_opens_quietly_in_light_and_dark_wide_and_narrow(opened, trained):
    path = trained[2]
    for options in (
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
        {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    ):
        shown = opened(path, **options)
        for details in shown.page.query_selector_all("details"):
            details.evaluate("each => { each.open = true }")
        assert shown.serious_violations() == []
        shown.check_quiet(path)
        width = shown.page.evaluate("document.documentElement.scrollWidth")
        assert width <= options["viewport"]["width"], "the page itself does not scroll sideways"


def rows_of(page, column):
    return page.eval_on_selector_all(
        "#labels ~ .wide tbody tr", f"rows => rows.map(r => r.cells[{column}].dataset.value)"
    )


def test_tables_are_sorted_by_mouse_and_by_keyboard(opened, trained):
    page = opened(trained[2]).page
    heading = page.locator(".sortable thead button", has_text="Images")
    heading.click()
    falling = [float(value) for value in rows_of(page, 1)]
    assert falling == sorted(falling, reverse=True)
    assert heading.locator("xpath=..").get_attribute("aria-sort") == "descending"
    heading.press("Enter")
    assert [float(value) for value in rows_of(page, 1)] == sorted(falling)
    name = page.locator(".sortable thead button", has_text="Label")
    name.focus()
    page.keyboard.press("Space")
    assert rows_of(page, 0) == sorted(rows_of(page, 0))
    assert heading.locator("xpath=..").get_attribute("aria-sort") is None


def test_the_gallery_is_filtered_by_kind_label_and_outcome(opened, trained):
    page = opened(trained[2]).page
    everything = page.locator("#cards > li:visible").count()
    assert page.inner_text("#count") == f"{everything} of {everything} images"
    for what in ("miss", "false-alarm", "hit"):
        page.select_option("#outcome", what)
        page.select_option("#label", "0")
        shown = page.locator("#cards > li:visible")
        expected = page.locator(f'#cards > li[data-outcomes~="{what}:0"]').count()
        assert shown.count() == expected
        assert page.inner_text("#count").startswith(f"{expected} of ")
    page.select_option("#outcome", "")
    page.select_option("#label", "")
    page.select_option("#kind", "worst")
    assert page.locator('#cards > li:visible:not([data-kind="worst"])').count() == 0


def test_heat_maps_are_laid_over_the_images(opened, trained):
    shown = opened(trained[2])
    button = shown.page.locator("button.guess").first
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    heat = shown.page.locator(".heat")
    assert heat.count() == 1
    assert heat.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    picture = shown.page.locator("li.heated img").first
    assert heat.bounding_box() == picture.bounding_box()
    button.click()
    assert shown.page.locator(".heat").count() == 0
    shown.page.click("#all-heats")
    assert shown.page.locator(".heat").count() == shown.page.locator("#cards > li").count()
    shown.page.click("#all-heats")
    assert shown.page.locator(".heat").count() == 0
    assert shown.complaints == []


def test_names_of_the_user_run_nothing_in_the_page(opened, tmp_path):
    names = ['"><img src=x onerror=console.error(1)>', "</script><script>console.error(2)</script>"]
    model, X, y = told(n=30, n_labels=2, names=names)
    path = tmp_path / "page.html"
    skposter.report(model, X, y, path, title=names[1], n_bootstrap=0)
    shown = opened(path)
    shown.check_quiet(path)
    assert shown.page.title() == names[1]
    assert shown.page.locator("#label option").nth(1).inner_text() == names[0]
