"""The application behaves as its OpenAPI document says, whatever is sent."""

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

KEY = "a key for these tests"
KEYS = {"Authorization": f"Bearer {KEY}", "X-API-Key": KEY}
load_all_checks()
# A request that matches the schema can still be useless (only one label): it is answered 422.
EXCLUDED = CHECKS.get_by_names(["positive_data_acceptance"])


@pytest.fixture(scope="module")
def schema(published, tmp_path_factory):
    from metamapping.serving.app import build_app
    from metamapping.serving.limits import Limits
    from metamapping.serving.metrics import Metrics
    from metamapping.serving.service import Service

    tasks = tmp_path_factory.mktemp("tasks")
    # No job may begin: it would still run when the tests are over.
    service = Service(published, tasks, Limits(tasks=20, examples=50, jobs=0), Metrics())
    service.load()
    return schemathesis.openapi.from_asgi("/openapi.json", build_app(service, key=KEY), headers=KEYS)


def check_responses(schema, *, max_examples):
    """Send valid and invalid requests to every endpoint."""
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 17
    for operation in operations:
        for mode in GenerationMode:

            @settings(max_examples=max_examples, deadline=None, derandomize=True, database=None)
            @given(case=operation.as_strategy(generation_mode=mode))
            def answers(case):
                case.call_and_validate(headers=KEYS, excluded_checks=EXCLUDED)

            try:
                answers()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # Without parameters no request is invalid.


def test_responses_are_as_documented(schema):
    check_responses(schema, max_examples=10)


@pytest.mark.slow
def test_many_more_responses_are_as_documented(schema):
    check_responses(schema, max_examples=100)


def test_the_document_describes_every_response_and_has_examples(schema):
    document = schema.raw_schema
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (path, method)
            for status, answer in operation["responses"].items():
                assert answer["description"], (path, method, status)
    messages = document["components"]["schemas"]
    for name in ("NewTask", "MoreExamples", "TextsToLabel", "ZeroShot"):
        assert messages[name]["examples"], name
