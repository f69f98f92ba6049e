"""Adaptation: one task, from its examples to its predictions.

A reader starts at ``mapper`` (``adapt``), ``solving`` (what follows from a task's labels and support),
``state`` and ``task_mapping`` (a task that can be used). The packages:

- ``inputs``: what users pass in, checked and converted to examples.
- ``algebra``: regressions, what they leave out, and calibration, as functions of arrays alone.
- ``multi_label``: tasks whose texts have any number of labels.
- ``tuning``: whether changing the encoder's layers helps a task, and the change.
- ``label_checks``: which labels are probably wrong.
- ``saved``: tasks as folders.
- ``evaluation``: few-shot episodes of held-out sources.
"""
