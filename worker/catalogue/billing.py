"""Which clip the arguments ask for: how long, and with what sound."""

from collections.abc import Mapping

from worker.catalogue.inputs import Input, paths
from worker.catalogue.prices import Soundtrack

DURATION, SHOTS, AUDIO = "duration", "multi_prompt", "generate_audio"
VOICES, ELEMENTS, VOICE = "voice_ids", "elements", "voice_id"


def output_seconds(inputs: tuple[Input, ...], arguments: Mapping[str, object]) -> int | None:
    """Seconds of video that the arguments ask for, at most a day.

    None where the input media decide, or what stands there is no length. Of a shot list and a
    duration the longer holds, since which one fal obeys is not documented.
    """
    duration = next((item for item in inputs if item.name == DURATION), None)
    if duration is None:
        return None
    default = None if SHOTS in arguments else duration.default
    asked = arguments.get(DURATION, default)
    if asked is not None and _length(asked) is None:
        return None
    lengths = [_length(asked), _shots(inputs, arguments.get(SHOTS))]
    return max((length for length in lengths if length is not None), default=None)


def _shots(inputs: tuple[Input, ...], shots: object) -> int | None:
    declared = next((item for item in inputs if item.name == SHOTS), None)
    if declared is None or not isinstance(shots, list):
        return None
    default = next((item.default for item in declared.nested if item.name == DURATION), None)
    lengths = [_length(s.get(DURATION, default)) for s in shots if isinstance(s, Mapping)]
    # One shot of an unknown length makes the sum unknown.
    return None if None in lengths else _length(sum(filter(None, lengths)))


_LONGEST_NUMBER = 6
# What lasts longer than a day, or not at all, is no clip: nobody knows what it would cost.
_LENGTHS = range(1, 86400 + 1)


def _length(value: object) -> int | None:
    length = _whole(value)
    return length if length in _LENGTHS else None


def _whole(value: object) -> int | None:
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER:
            return int(value)
        case _:
            return None


def soundtrack(inputs: tuple[Input, ...], arguments: Mapping[str, object]) -> Soundtrack:
    """What the clip will sound like; where fal states no default, sound, since it costs more."""
    declared = next((item for item in inputs if item.name == AUDIO), None)
    default = True if declared is None or declared.default is None else declared.default
    if arguments.get(AUDIO, default) is False:
        return Soundtrack.SILENT
    elements = arguments.get(ELEMENTS)
    voiced = isinstance(elements, list) and any(
        isinstance(element, Mapping) and element.get(VOICE) for element in elements
    )
    return Soundtrack.VOICE if voiced or arguments.get(VOICES) else Soundtrack.AUDIO


def soundtracks(inputs: tuple[Input, ...]) -> frozenset[Soundtrack]:
    """What the inputs can ask the clip to sound like; all of it where no input is known."""
    known = set(paths(inputs))
    kinds = {
        Soundtrack.AUDIO: True,
        Soundtrack.SILENT: AUDIO in known,
        Soundtrack.VOICE: bool({VOICES, f"{ELEMENTS}[].{VOICE}"} & known),
    }
    return frozenset(kind for kind, can in kinds.items() if can or not inputs)
