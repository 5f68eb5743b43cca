"""worker.catalogue.files.packed: the packaged endpoints, read without validation."""

from dataclasses import replace

import pytest

from worker.catalogue.catalogue import declared
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import RequestRejected
from worker.catalogue.files import packed
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.json_schema import RequestSchema


def test_it_has_every_packaged_endpoint_as_the_tables_declare_it() -> None:
    """What pydantic accepts of the tables and what is read without it are equal in each value."""
    read = [replace(model, ready_example=None) for model in packed.read()]
    assert list(map(repr, declared())) == list(map(repr, read))
    assert list(declared()) == read


def test_the_examples_are_those_that_would_be_made() -> None:
    """An endpoint that takes no jobs has none."""
    assert [_example(model) for model in declared()] == [
        model.ready_example for model in packed.read()
    ]


def test_an_example_is_a_copy() -> None:
    """Whoever changes one changes no other."""
    model = next(model for model in packed.read() if model.ready_example)
    model.example().clear()
    assert model.example()


def test_an_input_of_several_endpoints_is_written_once() -> None:
    """Its example counts as a difference, although equal inputs may have different ones."""
    prompt = Input(name="prompt", kind=InputType.TEXT, example="fox")
    models = [
        Endpoint(endpoint=f"a/{number}", inputs=(item,))
        for number, item in enumerate([prompt, prompt, replace(prompt, example="hare")])
    ]
    assert 2 == packed.packed(models).count('"kind": "text"')


def test_a_json_schema_is_refused() -> None:
    """Only endpoints that a user adds have one, and they are not packaged."""
    model = Endpoint(endpoint="a/b", json_schema=RequestSchema(keywords={}))
    with pytest.raises(ValueError, match="a/b has a JSON Schema"):
        packed.packed([model])


def _example(model: Endpoint) -> dict[str, object] | None:
    try:
        return model.example()
    except RequestRejected:
        return None
