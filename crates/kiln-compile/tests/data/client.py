"""Opens a compiled model with AWS's `dlr` package and prints what it answers.

    python client.py FOLDER ROWS

ROWS is a file of JSON, a list of rows. `dlr` comes from tests/requirements-tools.txt.
"""

import json
import sys

import numpy as np
from dlr.counter.phone_home import PhoneHome

PhoneHome.disable_feature()  # before anything that would call home

from dlr import DLRModel  # noqa: E402

folder, rows = sys.argv[1:]
with open(rows) as file:
    rows = np.array(json.load(file), dtype=np.float32)
model = DLRModel(folder, "cpu", 0)
answers = [model.run(rows)[0], model.run({model.get_input_names()[0]: rows})[0]]
assert np.array_equal(answers[0], answers[1])
single = np.concatenate([model.run(row[None, :])[0] for row in rows])
said = {
    "answers": answers[0].tolist(),
    "single": single.tolist(),
    "inputs": model.get_input_names(),
    "outputs": model.get_output_names(),
    "types": model.get_input_dtypes() + model.get_output_dtypes(),
    "metadata": model.has_metadata(),
    "version": model.get_version(),
    "given_back": bool(np.array_equal(model.get_input("data"), rows[-1:], equal_nan=True)),
}
try:
    model.run(np.zeros((1, 999), dtype=np.float32))
except Exception as refusal:
    said["refusal"] = str(refusal)
print(json.dumps(said))
