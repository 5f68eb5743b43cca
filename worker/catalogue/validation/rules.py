"""What holds between the inputs of an endpoint, beyond each input on its own.

A rule speaks of inputs by path: `image_urls`, or `elements[].video_url` for that member of each
element. What is null counts as not given; that it is null is told as a problem of its own.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Tag

from worker.catalogue.validation.rules_of_inputs import ExactlyOne, Needs
from worker.catalogue.validation.rules_of_lists import AtMost, SomeOf

__all__ = ["AtMost", "ExactlyOne", "Needs", "Rule", "SomeOf"]

_KEYS = ("exactly_one", "needs", "at_most", "some_of")


def _key(rule: object) -> str | None:
    """The key that only rules of one kind have."""
    keys = rule if isinstance(rule, Mapping) else getattr(rule, "__dataclass_fields__", ())
    return next((key for key in _KEYS if key in keys), None)


Rule = Annotated[
    Annotated[ExactlyOne, Tag("exactly_one")]
    | Annotated[Needs, Tag("needs")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[SomeOf, Tag("some_of")],
    Discriminator(
        _key,
        custom_error_type="no_rule",
        custom_error_message=f"a rule has one of the keys {', '.join(_KEYS)}",
    ),
]
