"""What decides the price of a job in its arguments: length, soundtrack, resolution, videos."""

from collections.abc import Mapping

from worker.catalogue.inputs import Input, InputType, paths
from worker.catalogue.prices import Soundtrack

DURATION, SHOTS, AUDIO = "duration", "multi_prompt", "generate_audio"
VOICES, ELEMENTS, VOICE = "voice_ids", "elements", "voice_id"
RESOLUTION = "resolution"


def output_seconds(inputs: tuple[Input, ...], arguments: Mapping[str, object]) -> int | None:
    """Return the seconds of video that the arguments request, at most a day.

    None if the input media decide the length, or the value is not a length. With both a shot list
    and a duration the longer one counts: which one fal obeys is not documented.
    """
    duration = next((item for item in inputs if item.name == DURATION), None)
    if duration is None:
        return None
    default = None if SHOTS in arguments else duration.default
    requested = arguments.get(DURATION, default)
    if requested is not None and _length(requested) is None:
        return None
    lengths = [_length(requested), _shots_length(inputs, arguments.get(SHOTS))]
    return max((length for length in lengths if length is not None), default=None)


def _shots_length(inputs: tuple[Input, ...], shots: object) -> int | None:
    declared = next((item for item in inputs if item.name == SHOTS), None)
    if declared is None or not isinstance(shots, list):
        return None
    default = next((item.default for item in declared.nested if item.name == DURATION), None)
    lengths = [_length(shot.get(DURATION, default)) for shot in shots if isinstance(shot, Mapping)]
    return None if None in lengths else _length(sum(filter(None, lengths)))


_LONGEST_NUMBER = 6
# A longer value is a mistake in the arguments, so an estimate of its cost would be noise.
_LENGTHS = range(1, 86400 + 1)


def _length(value: object) -> int | None:
    length = _whole_number(value)
    return length if length in _LENGTHS else None


def _whole_number(value: object) -> int | None:
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
    """Return the soundtrack of the clip; AUDIO, which costs more, where fal states no default."""
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
    """Return the soundtracks that the inputs can request; all of them if no input is known."""
    known = set(paths(inputs))
    available = {
        Soundtrack.AUDIO: True,
        Soundtrack.SILENT: AUDIO in known,
        Soundtrack.VOICE: bool({VOICES, f"{ELEMENTS}[].{VOICE}"} & known),
    }
    return frozenset(kind for kind, can in available.items() if can or not inputs)


def resolution(inputs: tuple[Input, ...], arguments: Mapping[str, object]) -> str:
    """Return the resolution that the arguments request, or the default; "" if none is known."""
    declared = next((item for item in inputs if item.name == RESOLUTION), None)
    requested = arguments.get(RESOLUTION, declared.default if declared else None)
    return requested if isinstance(requested, str) else ""


def has_video(inputs: tuple[Input, ...], arguments: Mapping[str, object]) -> bool:
    """Return whether the arguments contain a video, which may have a rate of its own."""
    declared = {item.name: item for item in inputs}
    return any(_is_video(declared.get(name), name, value) for name, value in arguments.items())


def _is_video(item: Input | None, name: str, value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(_is_video(item, name, one) for one in value)
    if not value:
        return False
    if item is None or item.kind is InputType.ANY:
        inner = value.items() if isinstance(value, Mapping) else ()
        return (isinstance(value, str) and "video" in name and "url" in name) or any(
            _is_video(None, str(member), one) for member, one in inner
        )
    if isinstance(value, Mapping):
        return has_video(item.nested, value)
    return item.kind is InputType.URL and item.families == {"video"}
