"""The toy runs of these tests have one shape, so they share what is built and compiled for it."""

import pytest

from metamapping.runs import session

_shared = {}


@pytest.fixture(autouse=True)
def shared_models(monkeypatch):
    """Let runs of the same encoder use one ``ModelSession``, one run after another.

    Compiling a meta-step takes seconds. Every stage sets the weights from a checkpoint before it uses them.
    """
    build = session.ModelSession

    def model_session(run):
        shape = (run.config.encoder.model_dump_json(), run.corpus.vocabulary_size)
        if shape not in _shared:
            _shared[shape] = build(run)
        _shared[shape].place = run.place
        return _shared[shape]

    monkeypatch.setattr(session, "ModelSession", model_session)
    monkeypatch.setattr(session, "_latest", None)
