"""What the search over models looks at: classifiers, preprocessing, and their parameters."""

from typing import Any

import numpy as np
from hyperopt import hp
from hyperopt.pyll import scope
from sklearn.decomposition import PCA
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC

Params = dict[str, Any]


def space() -> Params:
    """`any_classifier` and `any_preprocessing` of hyperopt-sklearn, as far as they convert to ONNX.

    Left out: extremely random trees and distance-weighted neighbours (skl2onnx gives other answers under sigmoid
    calibration, measured), and what is never right for 26 real numbers (one-hot, text, multinomial Bayes).
    """
    return {"classifier": hp.choice("classifier", _classifiers()), "preparation": hp.choice("preparation", _steps())}


def classifier(choice: Params, rows: int, seed: int) -> Any:
    """The classifier of a choice; `rows` is the fewest it will be fitted on."""
    parameters = {name: value for name, value in choice.items() if name != "kind"}
    if "n_neighbors" in parameters:
        parameters["n_neighbors"] = max(1, min(int(parameters["n_neighbors"]), rows))
    kind, random = _KINDS[choice["kind"]]
    return kind(**parameters, **({"random_state": seed} if random else {}))


def preparation(choice: Params) -> Any:
    """The preprocessing of a choice."""
    parameters = {name: value for name, value in choice.items() if name != "kind"}
    return _PREPARATIONS[choice["kind"]](**parameters)


# Classifier and whether it draws at random.
_KINDS: dict[str, tuple[Any, bool]] = {
    "knn": (KNeighborsClassifier, False),
    "svc": (SVC, True),
    "forest": (RandomForestClassifier, True),
    "boosting": (GradientBoostingClassifier, True),
    "ada": (AdaBoostClassifier, True),
    "sgd": (SGDClassifier, True),
    "bayes": (GaussianNB, False),
}
_PREPARATIONS: dict[str, Any] = {
    "none": FunctionTransformer,
    "standard": StandardScaler,
    "range": MinMaxScaler,
    "rows": Normalizer,
    "pca": PCA,
}


def _classifiers() -> list[Params]:
    return [
        {"kind": "knn", "n_neighbors": _whole("knn_k", 1, 50)},
        {"kind": "svc", "C": _log("svc_c", 1e-3, 1e3), "gamma": _log("svc_gamma", 1e-4, 1e1)},
        {"kind": "forest", "n_estimators": _whole("forest_trees", 10, 300), "max_depth": _whole("forest_depth", 2, 12)},
        {
            "kind": "boosting",
            "n_estimators": _whole("boosting_trees", 10, 300),
            "learning_rate": _log("boosting_rate", 0.01, 0.3),
            "max_depth": _whole("boosting_depth", 1, 5),
        },
        {"kind": "ada", "n_estimators": _whole("ada_trees", 10, 100), "learning_rate": _log("ada_rate", 0.01, 1)},
        {"kind": "sgd", "loss": "log_loss", "penalty": "l2", "alpha": _log("sgd_alpha", 1e-5, 1)},
        {"kind": "bayes"},
    ]


def _steps() -> list[Params]:
    return [
        {"kind": "none"},
        {"kind": "standard"},
        {"kind": "range"},
        {"kind": "rows", "norm": hp.choice("rows_norm", ["l1", "l2"])},
        {
            "kind": "pca",
            "n_components": hp.uniform("pca_share", 0.5, 0.99),
            "whiten": hp.choice("pca_whiten", [False, True]),
        },
    ]


def _whole(name: str, low: int, high: int) -> Any:
    """A whole number, evenly over its logarithm."""
    return scope.int(hp.qloguniform(name, np.log(low), np.log(high), 1))


def _log(name: str, low: float, high: float) -> Any:
    return hp.loguniform(name, np.log(low), np.log(high))
