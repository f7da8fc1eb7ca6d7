"""What the built-in XGBoost algorithm accepts and refuses, before any data is read."""

import unittest

from kiln_environment.xgboost import channels, hyperparameters
from kiln_environment.xgboost.failure import UserError


class Hyperparameters(unittest.TestCase):
    def test_strings_become_values_under_their_canonical_names(self):
        given = {
            "num_round": "10",
            "learning_rate": "0.5",
            "max_depth": "3",
            "objective": "multi:softprob",
            "num_class": "3",
            "eval_metric": "mlogloss,accuracy",
            "tree_method": "hist",
            "monotone_constraints": "(1, -1)",
            "sagemaker_region": '"us-east-1"',
        }
        self.assertEqual(
            hyperparameters.validate(given),
            {
                "num_round": 10,
                "eta": 0.5,
                "max_depth": 3,
                "objective": "multi:softprob",
                "num_class": 3,
                "eval_metric": ["mlogloss", "accuracy"],
                "tree_method": "hist",
                "monotone_constraints": (1, -1),
            },
        )

    def test_each_mistake_has_its_message(self):
        cases = [
            ({}, "Missing required hyperparameter: num_round"),
            ({"num_round": "x"}, "Hyperparameter num_round: could not parse value (caused by ValueError)"),
            ({"num_round": "0"}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
            ({"depth": "3"}, "Extraneous hyperparameter found: depth"),
            ({"eta": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]"),
            ({"eta": "nan"}, "Hyperparameter eta: nan is not in [0, 1]"),
            ({"gamma": "inf"}, "Hyperparameter gamma: inf is not in [0, +inf)"),
            ({"subsample": "0"}, "Hyperparameter subsample: 0.0 is not in (0, 1]"),
            ({"booster": "tree"}, "Hyperparameter booster: tree is not in ['gbtree', 'gblinear', 'dart']"),
            (
                {"objective": "multi:softmax"},
                "Require input for parameter 'num_class' for multi-classification",
            ),
            (
                {"eval_metric": "auc"},
                "Metric 'auc' can only be applied for classification and ranking problems.",
            ),
            ({"eval_metric": "error@x"}, "Threshold value 't' in 'error@t' expects float input."),
            (
                {"process_type": "update", "updater": "grow_colmaker"},
                "process_type 'update' can only be used with updater 'refresh' and 'prune'",
            ),
            (
                {"monotone_constraints": "(1,)"},
                "monotone_constraints can be used only when the tree_method parameter is set to "
                "either 'exact' or 'hist'.",
            ),
        ]
        for given, message in cases:
            with self.subTest(given), self.assertRaises(UserError) as raised:
                hyperparameters.validate(given if message.startswith("Missing") else {"num_round": "1", **given})
            self.assertEqual(str(raised.exception), message)


class Channels(unittest.TestCase):
    DELIVERY = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}

    def test_the_file_format_follows_the_content_type(self):
        cases = [
            (None, "libsvm"),
            ("csv", "csv"),
            ("text/csv;label_size=1", "csv"),
            ("TEXT/CSV; charset=utf-8", "csv"),
            ("text/x-libsvm", "libsvm"),
        ]
        for content_type, expected in cases:
            with self.subTest(content_type):
                self.assertEqual(channels.file_format(content_type), expected)

    def test_each_mistake_has_its_message(self):
        pipe = {**self.DELIVERY, "TrainingInputMode": "Pipe"}
        cases = [
            ({}, "Missing required channel: train"),
            ({"train": self.DELIVERY, "test": self.DELIVERY}, "Extraneous channel found: test"),
            ({"train": pipe}, f"Channel configuration for 'train' channel is not supported: {pipe}"),
            ({"train": {}}, "Channel configuration for 'train' channel lacks 'TrainingInputMode'"),
            (
                {"train": {**self.DELIVERY, "ContentType": "image/png"}},
                "image/png is not an accepted ContentType: csv, libsvm, text/csv, text/libsvm, text/x-libsvm.",
            ),
            (
                {"train": {**self.DELIVERY, "ContentType": "text/csv;label_size=2"}},
                "text/csv;label_size=2 is not an accepted csv ContentType. "
                "Optional parameter label_size must be equal to 1",
            ),
        ]
        for declared, message in cases:
            with self.subTest(declared), self.assertRaises(UserError) as raised:
                channels.validate(declared)
            self.assertEqual(str(raised.exception), message)


if __name__ == "__main__":
    unittest.main()
