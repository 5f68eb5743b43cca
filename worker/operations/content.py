"""What fal is asked, spelt in one way: by it jobs are told to be the same."""

from collections.abc import Mapping


def plain(value: object) -> object:
    """The value, every number as text: fal takes 5, 5.0 and "5" for the same length.

    So a file that is read again with checks or without, as a table or as JSON, is the same jobs.
    """
    match value:
        case bool():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case list():
            return [plain(one) for one in value]
        case Mapping():
            return {name: plain(one) for name, one in value.items()}
    return value
