"""Importing Keras without its optional packages, tested in a process of its own."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from metamapping.models.keras_import import OPTIONAL_MODULES, lean_keras

with lean_keras():
    import metamapping.training.loop
assert "keras" in sys.modules
assert not set(OPTIONAL_MODULES) & set(sys.modules), OPTIONAL_MODULES

import matplotlib.pyplot
import sklearn.linear_model
from metamapping.sklearn import MetaMappingClassifier

model = sklearn.linear_model.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
print(model.predict([[0.0], [1.0]]).tolist(), MetaMappingClassifier.__name__)
"""


def test_modules_that_were_hidden_from_keras_can_be_imported_later() -> None:
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["[0,", "1]", "MetaMappingClassifier"]


def test_modules_that_were_imported_before_stay_imported() -> None:
    code = "import matplotlib.pyplot as plt, sys; from metamapping.models.keras_import import lean_keras\n"
    code += "with lean_keras():\n    import matplotlib.pyplot as again\n"
    code += "assert again is plt and sys.modules['matplotlib.pyplot'] is plt"
    subprocess.run([sys.executable, "-c", code], check=True)
