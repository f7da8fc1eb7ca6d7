"""Turns the job's hyperparameters, which are strings, into checked values."""

import ast
import math

from kiln_environment.xgboost.failure import UserError
from kiln_environment.xgboost.metrics import is_known_metric

ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
}

OBJECTIVES = [
    "aft_loss_distribution",
    "binary:logistic",
    "binary:logitraw",
    "binary:hinge",
    "count:poisson",
    "multi:softmax",
    "multi:softprob",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
    "reg:absoluteerror",
    "reg:linear",
    "reg:squarederror",
    "reg:logistic",
    "reg:gamma",
    "reg:pseudohubererror",
    "reg:squaredlogerror",
    "reg:tweedie",
    "survival:aft",
    "survival:cox",
]

UPDATERS = [
    "grow_colmaker",
    "distcol",
    "grow_histmaker",
    "grow_local_histmaker",
    "grow_skmaker",
    "grow_quantile_histmaker",
    "sync",
    "refresh",
    "prune",
    "shotgun",
    "coord_descent",
]


class Interval:
    """A range of numbers, each end open, closed or without limit."""

    def __init__(self, text):
        """Reads the mathematical notation, such as `(0, 1]` or `[1, +inf)`."""
        self.text = text
        low, high = text[1:-1].split(",")
        self.low, self.high = float(low), float(high)
        self.low_open, self.high_open = text[0] == "(", text[-1] == ")"

    def __contains__(self, value):
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def __str__(self):
        return self.text


def integer(interval):
    return int, Interval(interval)


def real(interval):
    return float, Interval(interval)


def one_of(*values):
    return str, list(values)


def many_of(values):
    return (lambda text: text.split(",")), values


KNOWN = {
    "num_round": integer("[1, +inf)"),
    "csv_weights": integer("[0, 1]"),
    "early_stopping_rounds": integer("[1, +inf)"),
    "booster": one_of("gbtree", "gblinear", "dart"),
    "verbosity": integer("[0, 3]"),
    "nthread": integer("[1, +inf)"),
    "eta": real("[0, 1]"),
    "gamma": real("[0, +inf)"),
    "max_depth": integer("[0, +inf)"),
    "min_child_weight": real("[0, +inf)"),
    "max_delta_step": real("[0, +inf)"),
    "subsample": real("(0, 1]"),
    "colsample_bytree": real("(0, 1]"),
    "colsample_bylevel": real("(0, 1]"),
    "colsample_bynode": real("(0, 1]"),
    "lambda": real("[0, +inf)"),
    "alpha": real("[0, +inf)"),
    "tree_method": one_of("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": real("(0, 1)"),
    "scale_pos_weight": real("(0, +inf)"),
    "updater": many_of(UPDATERS),
    "dsplit": one_of("row", "col"),
    "refresh_leaf": integer("[0, 1]"),
    "process_type": one_of("default", "update"),
    "grow_policy": one_of("depthwise", "lossguide"),
    "max_leaves": integer("[0, +inf)"),
    "max_bin": integer("[0, +inf)"),
    "predictor": one_of("auto", "cpu_predictor", "gpu_predictor"),
    "monotone_constraints": (ast.literal_eval, None),
    "interaction_constraints": (ast.literal_eval, None),
    "sample_type": one_of("uniform", "weighted"),
    "normalize_type": one_of("tree", "forest"),
    "rate_drop": real("[0, 1]"),
    "one_drop": integer("[0, 1]"),
    "skip_drop": real("[0, 1]"),
    "lambda_bias": real("[0, 1]"),
    "tweedie_variance_power": real("(1, 2)"),
    "objective": one_of(*OBJECTIVES),
    "num_class": integer("[2, +inf)"),
    "base_score": real("[0, +inf)"),
    "_tuning_objective_metric": (str, None),
    "eval_metric": ((lambda text: text.split(",")), None),
    "seed": integer("(-2147483648, 2147483647)"),
    "num_parallel_tree": integer("[1, +inf)"),
    "save_model_on_termination": one_of("true", "false"),
    "aft_loss_distribution": one_of("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": real("[0, +inf)"),
    "single_precision_histogram": one_of("true", "false"),
    "deterministic_histogram": one_of("true", "false"),
    "sampling_method": one_of("uniform", "gradient_based"),
    "prob_buffer_row": real("(1, +inf)"),
}

# Set by the SDK for its own purposes in jobs that have no script.
IGNORED_PREFIX = "sagemaker_"


def validate(given):
    """The checked values of `hyperparameters.json`, by their canonical names."""
    named = {
        ALIASES.get(name, name): value
        for name, value in given.items()
        if not name.startswith(IGNORED_PREFIX)
    }
    if "num_round" not in named:
        raise UserError("Missing required hyperparameter: num_round")
    values = {name: parse(name, value) for name, value in named.items()}
    check_combinations(values)
    return values


def parse(name, text):
    """One value, converted and within its range."""
    if name not in KNOWN:
        raise UserError(f"Extraneous hyperparameter found: {name}")
    convert, allowed = KNOWN[name]
    try:
        value = convert(text)
    except (ValueError, SyntaxError) as error:
        raise UserError(f"Hyperparameter {name}: could not parse value", error) from error
    if isinstance(value, list) and allowed is not None:
        if any(item not in allowed for item in value):
            raise UserError(f"Hyperparameter {name}: value {value} not in range {allowed}")
    elif allowed is not None and (value not in allowed or is_not_finite(value)):
        raise UserError(f"Hyperparameter {name}: {value} is not in {allowed}")
    return value


def is_not_finite(value):
    """Whether a number is an infinity, which the notation excludes."""
    return isinstance(value, float) and not math.isfinite(value)


def check_combinations(values):
    """Rules that span several hyperparameters."""
    objective = values.get("objective", "reg:squarederror")
    if objective.startswith("multi:") and "num_class" not in values:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    check_metrics(values.get("eval_metric", []), objective)
    check_updaters(values)
    check_constraints(values)


def check_metrics(metrics, objective):
    """Evaluation metrics exist and suit the objective."""
    for metric in metrics:
        if "<function" in metric:
            raise UserError(f"User defined evaluation metric {metric} is not supported yet.")
        check_threshold(metric)
        if not is_known_metric(metric):
            raise UserError(f"Hyperparameter eval_metric: value {metrics} not in range: '{metric}' is unknown")
    if "auc" in metrics and not objective.startswith(("binary:", "rank:", "multi:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")


def check_threshold(metric):
    """In `error@0.7` the part behind the `@` is a number."""
    name, at, threshold = (part.strip() for part in metric.partition("@"))
    if not at:
        return
    if name not in ("error", "ndcg", "map"):
        raise UserError(
            f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should "
            "be one of these options: 'error', 'ndcg', 'map'."
        )
    try:
        float(threshold)
    except ValueError as error:
        raise UserError(f"Threshold value 't' in '{name}@t' expects float input.") from error


def check_updaters(values):
    """The updaters suit the booster and the process type."""
    updaters = values.get("updater")
    if updaters is None:
        return
    if values.get("booster") == "gblinear":
        if len(updaters) != 1 or updaters[0] not in ("shotgun", "coord_descent"):
            raise UserError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.")
    elif values.get("process_type") == "update":
        if any(updater not in ("refresh", "prune") for updater in updaters):
            raise UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'")


def check_constraints(values):
    """Constraints on features need a tree method that honours them."""
    method = values.get("tree_method")
    if "monotone_constraints" in values and method not in ("exact", "hist"):
        raise UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to "
            "either 'exact' or 'hist'."
        )
    if "interaction_constraints" in values and method not in ("exact", "hist", "approx"):
        raise UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to "
            "either 'exact', 'hist' or 'approx'."
        )
