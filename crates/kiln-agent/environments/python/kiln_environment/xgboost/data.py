"""Reads a channel's files into the matrix that XGBoost trains on."""

import csv
import logging
import os
import tempfile

import numpy
import pandas
import xgboost

from kiln_environment.xgboost.channels import CSV
from kiln_environment.xgboost.failure import UserError


def read(channel, directory, file_format, csv_weights):
    """The matrix of all the data files under `directory`."""
    files = data_files(directory)
    if not files:
        raise UserError(f"No data in {channel} channel path {directory}")
    if file_format == CSV:
        return read_csv(files, csv_weights)
    return read_libsvm(files)


def data_files(directory):
    """The files below `directory` that hold data, in a stable order."""
    return sorted(
        os.path.join(root, name)
        for root, _, names in os.walk(directory)
        for name in names
        if not name.startswith((".", "_")) and os.path.getsize(os.path.join(root, name)) > 0
    )


def read_csv(files, weighted):
    """Rows of label, then the weight when there is one, then features; no header."""
    with open(files[0], encoding="utf-8", errors="ignore") as file:
        delimiter = guess_delimiter(file.readline())
    try:
        table = numpy.vstack([read_table(file, delimiter) for file in files])
    except ValueError as error:
        raise UserError(f"Failed to load csv data with exception:\n{error}") from error
    features = 2 if weighted else 1
    if table.shape[1] <= features:
        raise UserError(f"Failed to load csv data with exception:\n{table.shape[1]} column(s) found, no feature")
    return xgboost.DMatrix(
        table[:, features:],
        label=table[:, 0],
        weight=table[:, 1] if weighted else None,
    )


def read_table(file, delimiter):
    """One file as numbers; an empty cell is a missing value."""
    return pandas.read_csv(file, header=None, sep=delimiter).to_numpy(dtype=numpy.float32)


def guess_delimiter(line):
    """The delimiter that the first line seems to use."""
    try:
        delimiter = csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:50]}:\n{error}") from error
    logging.info("Determined delimiter of CSV input is '%s'", delimiter)
    return delimiter


def read_libsvm(files):
    """Rows of `label[:weight] index:value …`, read by XGBoost itself."""
    for file in files:
        check_libsvm(file)
    # XGBoost reads one flat directory, and a channel may hold a tree of them.
    with tempfile.TemporaryDirectory() as flat:
        for number, file in enumerate(files):
            os.symlink(file, os.path.join(flat, f"{number:06}"))
        try:
            return xgboost.DMatrix(f"{flat}?format=libsvm")
        except xgboost.core.XGBoostError as error:
            raise UserError(f"Failed to load libsvm data with exception:\n{error}") from error


def check_libsvm(path):
    """Checks the first line that has a feature, so that a CSV file is refused
    with its own words instead of being read as labels alone."""
    with open(path, encoding="utf-8", errors="ignore") as file:
        for line in file:
            columns = line.split()
            if not all(is_libsvm_feature(column) for column in columns[1:]) or not is_libsvm_label(columns):
                raise UserError(
                    f"First line '{line[:50]}...' of file '{os.path.basename(path)}' is not "
                    "'LIBSVM' format. Please ensure the file is in 'LIBSVM' format."
                )
            if len(columns) > 1:
                return


def is_libsvm_label(columns):
    """Whether a line begins with `label` or `label:weight`."""
    parts = columns[0].split(":") if columns else []
    return len(parts) in (1, 2) and all(is_number(part) for part in parts)


def is_libsvm_feature(column):
    """Whether a column reads `index:value` or `qid:group`."""
    name, colon, value = column.partition(":")
    return bool(colon) and (name == "qid" or name.isdigit()) and is_number(value)


def is_number(text):
    """Whether `text` reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
