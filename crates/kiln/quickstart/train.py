"""Trains a classifier of handwritten digits, the way any SageMaker script does:
hyperparameters arrive as arguments, data and model directories in SM_* variables."""

import argparse
import os

import numpy
import xgboost

CLASSES = 10
# Every tenth row of the training data watches the progress; the test data are
# looked at once, when training is over.
WATCHED = 10


def main():
    arguments = parse_arguments()
    rows, labels = load(os.path.join(arguments.train, "train.csv"))
    watching = numpy.arange(len(labels)) % WATCHED == 0
    train = xgboost.DMatrix(rows[~watching], label=labels[~watching])
    watched = xgboost.DMatrix(rows[watching], label=labels[watching])
    print(f"{train.num_row()} rows to train on, {watched.num_row()} to watch", flush=True)

    model = xgboost.train(
        {
            "objective": "multi:softprob",
            "num_class": CLASSES,
            "eval_metric": "mlogloss",
            "eta": arguments.eta,
            "max_depth": arguments.max_depth,
            "subsample": 0.8,
            "seed": 7,
        },
        train,
        num_boost_round=arguments.rounds,
        evals=[(train, "train"), (watched, "validation")],
        callbacks=[Report()],
        verbose_eval=False,
    )

    test_rows, test_labels = load(os.path.join(arguments.test, "test.csv"))
    print(f"train:accuracy={accuracy(model, rows, labels):.4f}")
    print(f"test:accuracy={accuracy(model, test_rows, test_labels):.4f}")
    model.save_model(os.path.join(arguments.model_dir, "model.ubj"))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--max-depth", type=int, default=4)
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--test", default=os.environ.get("SM_CHANNEL_TEST"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    return parser.parse_args()


def load(path):
    """The pixels and the digit of each row; the digit comes first."""
    table = numpy.loadtxt(path, delimiter=",", dtype=numpy.float32)
    return table[:, 1:], table[:, 0]


class Report(xgboost.callback.TrainingCallback):
    """Prints a line after each round, as it happens."""

    def after_iteration(self, model, epoch, evals_log):
        losses = " ".join(f"{name}:mlogloss={log['mlogloss'][-1]:.5f}" for name, log in evals_log.items())
        print(f"round {epoch + 1} {losses}", flush=True)
        return False


def accuracy(model, rows, labels):
    probabilities = model.predict(xgboost.DMatrix(rows))
    return (probabilities.argmax(axis=1) == labels).mean()


if __name__ == "__main__":
    main()
