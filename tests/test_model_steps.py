"""The one walk into a fitted model, whatever is wrapped around the classifier."""

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skposter import FixedThresholdsClassifier, TunedThresholdsClassifierCV
from skposter._estimators.steps import deciding, learned, steps_inwards
from skposter.averaging import AveragingClassifier
from skposter.commands._models import FittedModel
from skposter.display import HistoryDisplay
from skposter.exceptions import ArtifactError, DataError


class Search(GridSearchCV):
    """A search that has found `estimator` the best."""

    @property
    def classes_(self):
        return self.best_estimator_.classes_


def wrapped(classifier):
    """Return models around a fitted classifier, by what they are."""
    average = AveragingClassifier(classifier)
    average.estimators_ = [make_pipeline("passthrough", classifier), classifier]
    average.label_names_ = classifier.label_names_
    tuned = TunedThresholdsClassifierCV(FrozenEstimator(average))
    tuned.estimator_ = tuned.estimator
    tuned.label_names_, tuned.thresholds_ = classifier.label_names_, classifier.thresholds_
    search = Search(tuned, {"cv": [2]})
    search.best_estimator_ = tuned
    return {
        "alone": classifier,
        "pipeline": make_pipeline("passthrough", classifier),
        "frozen": FrozenEstimator(classifier),
        "average": average,
        "tuned average in a pipeline": make_pipeline("passthrough", tuned),
        "search": search,
    }


def test_everybody_finds_the_classifier_and_what_decides(fitted_classifier):
    for name, model in wrapped(fitted_classifier).items():
        assert learned(model) is fitted_classifier, name
        assert hasattr(deciding(model), "thresholds_"), name
        history = HistoryDisplay.from_estimator(model).history
        assert history is fitted_classifier.history_, name
        found = FittedModel.of(model)
        assert found.label_names == fitted_classifier.label_names_.tolist(), name


def test_what_holds_no_fitted_classifier_is_told(tiny_classifier, fitted_classifier):
    for model in (tiny_classifier(), make_pipeline("passthrough", tiny_classifier())):
        with pytest.raises(NotFittedError, match="MultiLabelImageClassifier is not fitted"):
            learned(model)
    for model in (LogisticRegression(), FixedThresholdsClassifier(LogisticRegression())):
        with pytest.raises(ArtifactError, match="holds no fitted MultiLabelImageClassifier"):
            learned(model)
    for model in ({"a": 1}, None, 3, [fitted_classifier], "passthrough"):
        with pytest.raises(DataError, match="expected a fitted pipeline"):
            FittedModel.of(model)
    assert list(steps_inwards(None)) == []
