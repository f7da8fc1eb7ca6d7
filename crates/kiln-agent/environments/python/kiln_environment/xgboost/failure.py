"""The ways in which the algorithm fails, and how it says so."""

import os

FAILURE_FILE = "/opt/ml/output/failure"


class UserError(Exception):
    """A failure that the job's author can avoid: a wrong hyperparameter, bad data."""

    def __init__(self, message, caused_by=None):
        if caused_by is not None:
            message = f"{message} (caused by {type(caused_by).__name__})"
        super().__init__(message)


class AlgorithmError(Exception):
    """A failure that the job's author could not foresee."""


def report(text):
    """Leaves the reason where the platform looks for it."""
    os.makedirs(os.path.dirname(FAILURE_FILE), exist_ok=True)
    with open(FAILURE_FILE, "w", encoding="utf-8") as file:
        file.write(text)
