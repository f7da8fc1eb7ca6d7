"""The evaluation metrics: XGBoost's own, and those the AWS container adds."""

BUILT_IN = {
    "aft-nloglik",
    "auc",
    "aucpr",
    "cox-nloglik",
    "error",
    "gamma-deviance",
    "gamma-nloglik",
    "interval-regression-accuracy",
    "logloss",
    "mae",
    "map",
    "mape",
    "merror",
    "mlogloss",
    "mphe",
    "ndcg",
    "poisson-nloglik",
    "rmse",
    "rmsle",
    "tweedie-nloglik",
}

# Name: the function of `sklearn.metrics`, its arguments, whether it compares classes.
ADDED = {
    "accuracy": ("accuracy_score", {}, True),
    "balanced_accuracy": ("balanced_accuracy_score", {}, True),
    "f1": ("f1_score", {"average": "macro"}, True),
    "f1_binary": ("f1_score", {"average": "binary"}, True),
    "f1_macro": ("f1_score", {"average": "macro"}, True),
    "mse": ("mean_squared_error", {}, False),
    "precision": ("precision_score", {"average": "binary", "zero_division": 0}, True),
    "precision_macro": ("precision_score", {"average": "macro", "zero_division": 0}, True),
    "precision_micro": ("precision_score", {"average": "micro", "zero_division": 0}, True),
    "r2": ("r2_score", {}, False),
    "recall": ("recall_score", {"average": "binary", "zero_division": 0}, True),
    "recall_macro": ("recall_score", {"average": "macro", "zero_division": 0}, True),
    "recall_micro": ("recall_score", {"average": "micro", "zero_division": 0}, True),
}

LARGER_IS_BETTER = {"auc", "aucpr", "map", "ndcg", *ADDED} - {"mse"}


def is_known_metric(metric):
    """Whether `metric`, with or without `@threshold`, can be evaluated."""
    return metric.partition("@")[0].strip() in BUILT_IN or metric in ADDED


def split(metrics):
    """Divides metrics into XGBoost's own and the added ones."""
    own = [metric for metric in metrics if metric not in ADDED]
    return own, [metric for metric in metrics if metric in ADDED]


def evaluation(metrics):
    """A function for `xgboost.train` that computes the added metrics, or None."""
    if not metrics:
        return None

    def evaluate(predictions, matrix):
        return [(metric, score(metric, predictions, matrix.get_label())) for metric in metrics]

    return evaluate


def score(metric, predictions, labels):
    """One added metric over one matrix."""
    from sklearn import metrics as library

    function, arguments, compares_classes = ADDED[metric]
    if compares_classes:
        predictions = classes(predictions)
    return float(getattr(library, function)(labels, predictions, **arguments))


def classes(predictions):
    """The predicted class of each row, from probabilities or from classes."""
    import numpy

    if predictions.ndim > 1 and predictions.shape[1] > 1:
        return numpy.argmax(predictions, axis=1)
    flat = predictions.reshape(-1)
    # Probabilities of the positive class round to it; classes are whole already.
    return numpy.floor(flat + 0.5).astype(int)
