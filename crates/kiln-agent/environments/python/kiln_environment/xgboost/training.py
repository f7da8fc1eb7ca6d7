"""Trains a model from the job's channels and hyperparameters, as the AWS image does
when no script is given."""

import json
import logging
import os
import signal
import sys

from kiln_environment.xgboost import channels, failure, hyperparameters, metrics

CONFIG = "/opt/ml/input/config"
DATA = "/opt/ml/input/data"
MODEL = "/opt/ml/model/xgboost-model"

# Ours, or no longer known to XGBoost; it warns about what it does not know.
NOT_FOR_XGBOOST = {
    "num_round",
    "csv_weights",
    "early_stopping_rounds",
    "save_model_on_termination",
    "_tuning_objective_metric",
    "eval_metric",
    "dsplit",
    "predictor",
    "sketch_eps",
    "single_precision_histogram",
    "deterministic_histogram",
    "prob_buffer_row",
}

# What XGBoost says when the data or the hyperparameters are at fault.
USER_ERRORS = [
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Number of columns does not match number of features",
    "Check failed: preds.size() == info.labels_.size()",
    "AUC: the dataset only contains pos or neg samples",
    "base_score must be in (0,1)",
    "label must be nonnegative",
    "Parameter reg_lambda should be greater equal to 0",
]


def main():
    """Trains, and returns the exit code."""
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="[%(asctime)s:%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d:%H:%M:%S",
    )
    try:
        run()
        return 0
    except (failure.UserError, failure.AlgorithmError) as error:
        text = f"{type(error).__name__}: {error}"
        logging.error("Reporting training FAILURE")
        logging.error(text)
    except Exception as error:
        logging.exception("Reporting training FAILURE")
        text = f"AlgorithmError: {type(error).__name__}: {error}"
    failure.report(text)
    return 1


def run():
    """Checks everything that needs no data first, then reads, trains and saves."""
    logging.info("Running XGBoost Sagemaker in algorithm mode")
    settings = hyperparameters.validate(read_config("hyperparameters"))
    formats = channels.validate(read_config("inputdataconfig"))
    hosts = read_config("resourceconfig").get("hosts", [])
    if len(hosts) > 1:
        raise failure.UserError(
            f"The built-in XGBoost algorithm trains on one instance, and this job has {len(hosts)}."
        )
    matrices = read_matrices(formats, settings.get("csv_weights", 0) == 1)
    termination = Termination(settings.get("save_model_on_termination") == "true")
    save(train(settings, matrices, termination))


def read_config(name):
    """One of the platform's configuration files; empty when it is absent."""
    try:
        with open(f"{CONFIG}/{name}.json", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def read_matrices(formats, weighted):
    """The training matrix, and the validation matrix when there is one."""
    from kiln_environment.xgboost import data

    matrices = {}
    for channel, title in (("train", "Train"), ("validation", "Validation")):
        if channel in formats:
            # Weights are a matter of training: validation rows have no such column.
            weights = weighted and channel == "train"
            matrix = data.read(channel, f"{DATA}/{channel}", formats[channel], weights)
            logging.info("%s matrix has %d rows and %d columns", title, matrix.num_row(), matrix.num_col())
            matrices[channel] = matrix
    return matrices


class Termination:
    """SIGTERM: ends training at once, or after this round when the model is wanted."""

    def __init__(self, save_model):
        self.requested = False
        self.save_model = save_model
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, _signal, _frame):
        self.requested = True
        if not self.save_model:
            sys.exit(0)


def train(settings, matrices, termination):
    """Runs the boosting rounds, one line of evaluation after each."""
    import xgboost

    chosen = evaluated_metrics(settings)
    own, added = metrics.split(chosen)
    try:
        return xgboost.train(
            booster_parameters(settings, own),
            matrices["train"],
            num_boost_round=settings["num_round"],
            evals=[(matrix, channel) for channel, matrix in matrices.items()],
            custom_metric=metrics.evaluation(added),
            callbacks=callbacks(settings, chosen, matrices, termination),
            verbose_eval=False,
        )
    except (xgboost.core.XGBoostError, ValueError) as error:
        reason = str(error).partition("\nStack trace:")[0].strip()
        if any(text in reason for text in USER_ERRORS):
            raise failure.UserError(reason) from error
        raise failure.AlgorithmError(f"XGB train call failed with exception:\n {reason}") from error


def evaluated_metrics(settings):
    """The metrics asked for, and the one that a tuner watches (`validation:rmse`)."""
    chosen = list(settings.get("eval_metric", []))
    watched = settings.get("_tuning_objective_metric", "").partition(":")[2]
    if watched and watched not in chosen:
        chosen.append(watched)
    return chosen


def booster_parameters(settings, own_metrics):
    """What XGBoost itself is given."""
    parameters = {name: value for name, value in settings.items() if name not in NOT_FOR_XGBOOST}
    if parameters.get("objective") == "reg:linear":
        parameters["objective"] = "reg:squarederror"
    if "updater" in parameters:
        parameters["updater"] = ",".join(parameters["updater"])
    if own_metrics:
        parameters["eval_metric"] = own_metrics
    elif metrics.split(evaluated_metrics(settings))[1]:
        parameters["disable_default_eval_metric"] = 1
    return parameters


def callbacks(settings, chosen, matrices, termination):
    """The evaluation line, early stopping, and the end on SIGTERM."""
    import xgboost

    class StopWhenTerminated(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            return termination.requested

    active = [xgboost.callback.EvaluationMonitor(), StopWhenTerminated()]
    if "early_stopping_rounds" in settings:
        metric = chosen[-1] if chosen else None
        active.append(
            xgboost.callback.EarlyStopping(
                rounds=settings["early_stopping_rounds"],
                data_name="validation" if "validation" in matrices else "train",
                metric_name=metric,
                maximize=metric.partition("@")[0] in metrics.LARGER_IS_BETTER if metric else None,
                save_best=settings.get("booster") != "gblinear",
            )
        )
    return active


def save(model):
    """Leaves the model where the platform looks for it."""
    os.makedirs(os.path.dirname(MODEL), exist_ok=True)
    # The name has no suffix, and without one XGBoost would choose by its version.
    with open(MODEL, "wb") as file:
        file.write(model.save_raw("ubj"))
    logging.info("Stored trained model at %s", MODEL)
