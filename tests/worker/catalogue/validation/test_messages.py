"""A refusal says what is wanted, and none of the words that were given."""

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
    """What is wrong with that value for the only input."""
    with pytest.raises(InvalidArguments) as caught:
        Endpoint(endpoint="a/b", inputs=(item,)).check({item.name: value})
    return list(caught.value.problems)


def holding(*nested: Input, many: bool = False, additional: bool = False) -> Input:
    """An input that takes objects with these members."""
    return Input(
        name="shot", kind=InputType.OBJECT, nested=nested, many=many, additional=additional
    )


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (SHOTS, [PROMPT]),
        (SHOTS, PROMPT),
        (holding(TEXT), PROMPT),
        (holding(TEXT), [PROMPT]),
        (holding(SHOTS), {"shots": [PROMPT]}),
        (holding(SECONDS, holding(TEXT)), PROMPT),
        (holding(SECONDS, additional=True), PROMPT),
        (Input(name="anything", kind=InputType.ANY), PROMPT + "\ud800"),
        (Input(name="caption", kind=InputType.STRING, max_length=3), PROMPT),
        (Input(name="prompts", kind=InputType.TEXT, many=True), PROMPT),
    ],
)
def test_a_prompt_in_the_wrong_place_is_not_told(item: Input, value: object) -> None:
    """Wherever words may be meant, their length is all that is said of a string."""
    told = " ".join(f"{one.value} {one}" for one in refused(item, value))
    assert PROMPT[:2] not in told


def test_what_cannot_be_words_is_told() -> None:
    """A choice that does not exist and an address are what one has to see to put it right."""
    masks = Input(
        name="mask", kind=InputType.OBJECT, nested=(Input(name="x", kind=InputType.INTEGER),)
    )
    assert '"nothing"' == refused(masks, "nothing")[0].value


def test_a_rule_tells_no_words() -> None:
    """Of a string that is taken only with another input."""
    note = Input(name="note", kind=InputType.TEXT)
    rule = Needs(input="note", needs="mode", equal="on")
    model = Endpoint(endpoint="a/b", inputs=(note,), rules=(rule,))
    with pytest.raises(InvalidArguments, match=r"note \(24 characters\): is only taken with"):
        model.check({"note": PROMPT})


@pytest.mark.parametrize(
    ("item", "hint"),
    [
        (SHOTS, '[{"prompt": "…"}]'),
        (holding(SECONDS, many=True), '[{"duration": "…"}]'),
        (holding(TEXT, SIZES, many=True), '[{"prompt": "…", "sizes": […]}]'),
        (Input(name="urls", kind=InputType.URL, many=True), '["…"]'),
        (Input(name="seeds", kind=InputType.INTEGER, many=True), "[…]"),
    ],
)
def test_a_single_value_for_a_list_is_met_with_the_form(item: Input, hint: str) -> None:
    """Brackets around it, and objects where these are wanted."""
    (problem,) = refused(item, "a fox")
    assert f"put it in brackets: {hint}" == problem.hint


def test_the_form_that_is_told_is_taken() -> None:
    """With words in the place of the dots."""
    model = kling("v3/pro/text-to-video")
    with pytest.raises(InvalidArguments) as caught:
        model.check({"multi_prompt": "a fox"})
    form = caught.value.problems[0].hint.removeprefix("put it in brackets: ")
    given = {"multi_prompt": json.loads(form.replace("…", "a fox"))}
    assert given == model.check(given)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\ud800", "must not hold the control character or lone surrogate U+D800 (at position 1)"),
        ("a\udce9", "must be UTF-8, which the byte 0xE9 (at position 1) is not"),
        (7, "must be a text, since it is the name of an input"),
    ],
)
@pytest.mark.parametrize("additional", [False, True])
def test_a_name_that_json_cannot_carry_is_told_in_our_words(
    name: object, message: str, additional: bool
) -> None:
    """Where it stands, however the object around it is declared."""
    many = holding(SECONDS, many=True, additional=additional)
    (problem,) = refused(many, [{"duration": "5"}, {name: 1}])
    assert (True, message) == (problem.path.startswith("shot[1]."), problem.message)
    assert str(problem).isprintable()


@pytest.mark.parametrize("additional", [False, True])
def test_such_a_name_of_an_input(additional: bool) -> None:
    """There is nothing around it to be told."""
    model = Endpoint(endpoint="a/b", inputs=(SECONDS,), additional=additional)
    with pytest.raises(InvalidArguments) as caught:
        model.check({"a\ud800": 1})
    assert ['"a\\ud800"'] == [problem.path for problem in caught.value.problems]


def test_a_choice_that_json_cannot_carry_is_a_wrong_choice() -> None:
    """The value is told where it stands; it is nobody's name."""
    (problem,) = refused(Input(name="mode", kind=InputType.STRING, choices=("on", "off")), "\ud800")
    assert ("mode", 'must be one of "on", "off"') == (problem.path, problem.message)
