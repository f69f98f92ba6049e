"""Keras without what it takes along, in a process of its own: imports last as long as a process."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from metamapping.models.keras_import import TAKEN_ALONG, lean_keras

with lean_keras():
    from metamapping import training
assert not set(TAKEN_ALONG) & set(sys.modules), TAKEN_ALONG

import matplotlib.pyplot
import sklearn.linear_model
from metamapping.sklearn import MetaMappingClassifier

model = sklearn.linear_model.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
print(model.predict([[0.0], [1.0]]).tolist(), MetaMappingClassifier.__name__)
"""


def test_what_keras_did_not_take_along_can_be_imported_later() -> None:
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["[0,", "1]", "MetaMappingClassifier"]


def test_what_was_imported_before_stays() -> None:
    code = "import matplotlib.pyplot as plt, sys; from metamapping.models.keras_import import lean_keras\n"
    code += "with lean_keras():\n    import matplotlib.pyplot as again\n"
    code += "assert again is plt and sys.modules['matplotlib.pyplot'] is plt"
    subprocess.run([sys.executable, "-c", code], check=True)
