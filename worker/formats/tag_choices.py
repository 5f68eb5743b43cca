"""What a setting can choose for the tags; apart from them, since the command line lists it."""

from enum import StrEnum


class PromptTag(StrEnum):
    """How files carry the prompt. A hash can be recognised only by those who know the prompt."""

    OFF = "off"
    HASH = "hash"
    TEXT = "text"


class JobTag(StrEnum):
    """What files say of their job. The hash is that of the job id."""

    OFF = "off"
    HASH = "hash"
    IDS = "ids"
