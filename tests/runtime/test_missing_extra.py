"""What needs a package that is not installed says which extra installs it."""

import pytest

from metamapping.errors import MissingExtraError, needs_train_extra


def test_a_missing_package_of_training_is_named_with_its_extra():
    message = r"training needs keras_hub, which is not installed: pip install 'metamapping\[train\]'"
    with pytest.raises(MissingExtraError, match=message), needs_train_extra("training"):
        raise ModuleNotFoundError("No module named 'keras_hub'", name="keras_hub.models")


def test_another_missing_module_is_a_fault_of_its_own():
    with pytest.raises(ModuleNotFoundError, match="other"), needs_train_extra("training"):
        raise ModuleNotFoundError("No module named 'other'", name="other")


def test_the_command_line_says_it_in_one_sentence(monkeypatch, capsys):
    import metamapping.cli

    def fail(arguments):
        with needs_train_extra("training"):
            raise ModuleNotFoundError("No module named 'keras'", name="keras")

    monkeypatch.setattr(metamapping.cli, "app", fail)
    assert metamapping.cli.main([]) == 2
    assert capsys.readouterr().err.startswith("error: training needs keras")
