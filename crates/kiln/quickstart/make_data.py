"""Writes train.csv and test.csv from the digits data set that ships with scikit-learn.

The files are checked in; this shows where they come from. The label is the first
column and there is no header, which is what the built-in XGBoost algorithm reads.
"""

import os

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = os.path.dirname(os.path.abspath(__file__))
HELD_OUT = 0.2
SEED = 7

digits = load_digits()
rows = numpy.column_stack([digits.target, digits.data]).astype(int)
train, test = train_test_split(
    rows, test_size=HELD_OUT, random_state=SEED, stratify=digits.target
)
for name, part in (("train", train), ("test", test)):
    numpy.savetxt(os.path.join(HERE, f"{name}.csv"), part, fmt="%d", delimiter=",")
