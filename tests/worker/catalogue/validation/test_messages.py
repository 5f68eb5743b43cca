"""Errors state the requirement and never repeat a prompt."""

import json

import pytest

from tests.factories.catalogue import kling
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InputProblem, InvalidArguments
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.rules import Needs

PROMPT = "一只红色的狐狸在大雪覆盖的森林里奔跑然后跳过小溪"
TEXT = Input(name="prompt", kind=InputType.TEXT, required=True)
SECONDS = Input(name="duration", kind=InputType.SECONDS)
SIZES = Input(name="sizes", kind=InputType.INTEGER, many=True, required=True)
SHOTS = Input(name="shots", kind=InputType.OBJECT, many=True, nested=(TEXT, SECONDS))


def refused(item: Input, value: object) -> list[InputProblem]:
    """Return the problems of this value for an endpoint with this input only."""
    with pytest.raises(InvalidArguments) as caught:
        Endpoint(endpoint="a/b", inputs=(item,)).check({item.name: value})
    return list(caught.value.problems)


def object_input(*nested: Input, many: bool = False, additional: bool = False) -> Input:
    """Return an input for objects with these members."""
    return Input(
        name="shot", kind=InputType.OBJECT, nested=nested, many=many, additional=additional
    )


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (SHOTS, [PROMPT]),
        (SHOTS, PROMPT),
        (object_input(TEXT), PROMPT),
        (object_input(TEXT), [PROMPT]),
        (object_input(SHOTS), {"shots": [PROMPT]}),
        (object_input(SECONDS, object_input(TEXT)), PROMPT),
        (object_input(SECONDS, additional=True), PROMPT),
        (Input(name="anything", kind=InputType.ANY), PROMPT + "\ud800"),
        (Input(name="caption", kind=InputType.STRING, max_length=3), PROMPT),
        (Input(name="prompts", kind=InputType.TEXT, many=True), PROMPT),
    ],
)
def test_a_misplaced_prompt_is_not_repeated(item: Input, value: object) -> None:
    """Where a string may be a prompt, only its length is shown."""
    text = " ".join(f"{problem.value} {problem}" for problem in refused(item, value))
    assert PROMPT[:2] not in text


def test_a_value_that_cannot_be_a_prompt_is_shown() -> None:
    """One has to see it to correct it."""
    masks = Input(
        name="mask", kind=InputType.OBJECT, nested=(Input(name="x", kind=InputType.INTEGER),)
    )
    assert '"nothing"' == refused(masks, "nothing")[0].value


def test_a_broken_rule_does_not_repeat_a_prompt() -> None:
    """Only its length is shown."""
    note = Input(name="note", kind=InputType.TEXT)
    rule = Needs(input="note", needs="mode", equal="on")
    model = Endpoint(endpoint="a/b", inputs=(note,), rules=(rule,))
    with pytest.raises(InvalidArguments, match=r"note \(24 characters\): is only accepted with"):
        model.check({"note": PROMPT})


@pytest.mark.parametrize(
    ("item", "hint"),
    [
        (SHOTS, '[{"prompt": "…"}]'),
        (object_input(SECONDS, many=True), '[{"duration": "…"}]'),
        (object_input(TEXT, SIZES, many=True), '[{"prompt": "…", "sizes": […]}]'),
        (Input(name="urls", kind=InputType.URL, many=True), '["…"]'),
        (Input(name="seeds", kind=InputType.INTEGER, many=True), "[…]"),
    ],
)
def test_a_single_value_for_a_list_gets_a_template(item: Input, hint: str) -> None:
    """The template has brackets, and objects where these are required."""
    (problem,) = refused(item, "a fox")
    assert f"put it in brackets: {hint}" == problem.hint


def test_the_template_in_a_hint_is_valid() -> None:
    """It is accepted with text in place of the dots."""
    model = kling("v3/pro/text-to-video")
    with pytest.raises(InvalidArguments) as caught:
        model.check({"multi_prompt": "a fox"})
    template = caught.value.problems[0].hint.removeprefix("put it in brackets: ")
    given = {"multi_prompt": json.loads(template.replace("…", "a fox"))}
    assert given == model.check(given)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a\ud800",
            "must not contain the control character or lone surrogate U+D800 at position 1",
        ),
        ("a\udce9", "must be UTF-8; the byte 0xE9 at position 1 is not"),
        (7, "must be a string, because it is the name of an input"),
    ],
)
@pytest.mark.parametrize("additional", [False, True])
def test_a_name_that_json_cannot_carry_is_reported(
    name: object, message: str, additional: bool
) -> None:
    """The path locates it for any declaration of the enclosing object."""
    many = object_input(SECONDS, many=True, additional=additional)
    (problem,) = refused(many, [{"duration": "5"}, {name: 1}])
    assert (True, message) == (problem.path.startswith("shot[1]."), problem.message)
    assert str(problem).isprintable()


@pytest.mark.parametrize("additional", [False, True])
def test_an_input_name_that_json_cannot_carry_is_reported(additional: bool) -> None:
    """Its path is the escaped name itself."""
    model = Endpoint(endpoint="a/b", inputs=(SECONDS,), additional=additional)
    with pytest.raises(InvalidArguments) as caught:
        model.check({"a\ud800": 1})
    assert ['"a\\ud800"'] == [problem.path for problem in caught.value.problems]


def test_a_choice_that_json_cannot_carry_is_a_wrong_choice() -> None:
    """The value is reported at its input, not as an invalid name."""
    (problem,) = refused(Input(name="mode", kind=InputType.STRING, choices=("on", "off")), "\ud800")
    assert ("mode", 'must be one of "on", "off"') == (problem.path, problem.message)
