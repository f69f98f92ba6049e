"""Begin a run with the code of the release 0.2.0, and stop it in its second round; see README.md here.

    cd /tmp/old && PYTHONPATH=/tmp/old python .../tests/formats/begin_run.py HOME CONFIG

CONFIG is `tests/e2e/tiny.yaml` of that release with two rounds, 100 tokens, and a width of 8.
"""

import sys
from pathlib import Path

from benchmarks.without_prefect import install

install()

import tensorflow as tf  # noqa: E402

from flows.prepare_corpus import prepare  # noqa: E402
from metamapping.config.loading import read_config  # noqa: E402
from metamapping.corpus.prepared import Corpus  # noqa: E402
from metamapping.runs import stages  # noqa: E402


class StoppedError(BaseException):
    """Not an ``Exception``, so that nothing in training catches it."""


def stop(done, loss):
    if done >= 4:
        raise StoppedError


if __name__ == "__main__":
    tf.config.run_functions_eagerly(True)
    config = read_config(Path(sys.argv[2])).model_copy(update={"home": sys.argv[1]})
    prepared = prepare(config)
    corpus = Corpus.model_validate({name: prepared[name] for name in Corpus.model_fields})
    run = stages.open_run(config, corpus)
    stages.initialise_stage(run)
    stages.train_stage(run, 1)
    stages.evaluate_stage(run, 1)
    stages.adjust_stage(run, 1)
    try:
        stages.train_stage(run, 2, on_step=stop)
    except StoppedError:
        print("stopped", run.run_id)
