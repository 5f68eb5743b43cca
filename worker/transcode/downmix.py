"""Sound of more channels, or other ones, than AAC has a layout for: it becomes 5.1 or stereo."""

from worker.formats.mp4 import ProbeResult

# Layouts that ffmpeg's AAC encoder accepts (libavcodec/aacenc.c), by their number of channels.
_LAYOUTS = {
    1: ("mono",),
    2: ("stereo",),
    3: ("2.1", "3.0", "3.0(back)"),
    4: ("4.0", "quad", "quad(side)", "3.1"),
    5: ("4.1", "5.0", "5.0(side)"),
    6: ("5.1", "5.1(side)", "6.0", "6.0(front)", "hexagonal"),
    7: ("6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)"),
    8: ("7.1", "7.1(wide)", "7.1(wide-side)", "octagonal", "5.1"),
}
# Numbers of channels beyond that for which ffmpeg knows a layout, if the file states none.
_NAMED = frozenset({10, 12, 14, 16, 24})
# Every channel of 22.2, by its number there. ffmpeg's own matrix drops those above and behind.
_MIX = {
    "FL": {0: 0.6, 6: 0.4, 12: 0.4, 22: 0.4, 11: 0.2},
    "FR": {1: 0.6, 7: 0.4, 14: 0.4, 23: 0.4, 11: 0.2},
    "FC": {2: 0.6, 13: 0.4, 21: 0.4},
    "LFE": {3: 0.6, 18: 0.6},
    "BL": {4: 0.6, 9: 0.6, 19: 0.4, 15: 0.4, 8: 0.4, 16: 0.3},
    "BR": {5: 0.6, 10: 0.6, 20: 0.4, 17: 0.4, 8: 0.4, 16: 0.3},
}
_WORDS = {1: "mono", 2: "stereo", 6: "5.1"}
# Ambisonic channels in their usual order are W (all directions), Y (left), Z (up), X (front).
_FROM_AMBISONIC = "pan=stereo|FL=0.5*c0+0.5*c1|FR=0.5*c0-0.5*c1"


def fitted_layout(source: ProbeResult) -> str:
    """Return the filters that give the source's sound a layout that AAC has.

    They change no sound whose layout AAC has.
    """
    if source.ambisonic:
        return _FROM_AMBISONIC
    if source.channels in _LAYOUTS:
        return _nearest(*_LAYOUTS[source.channels])
    if not source.channels:
        return _nearest(*(layout for layouts in _LAYOUTS.values() for layout in layouts))
    if source.channels in _NAMED:
        return f"{_nearest('22.2')},{_mixed('5.1', _MIX)}"
    left, right = range(0, source.channels, 2), range(1, source.channels, 2)
    sides = {"FL": dict.fromkeys(left, 1 / len(left)), "FR": dict.fromkeys(right, 1 / len(right))}
    return _mixed("stereo", sides)


def fitted_channels(source: ProbeResult) -> int:
    """Return how many channels the sound has at most after `fitted_layout`; 0 if it is unknown."""
    if source.ambisonic:
        return 2
    if source.channels in _LAYOUTS or not source.channels:
        return source.channels
    return 6 if source.channels in _NAMED else 2


def downmixed(source: ProbeResult, delivered: ProbeResult) -> str | None:
    """Return how the sound was downmixed, in words; None if it was not."""
    kept = delivered.channels
    if not delivered.audio or not 0 < kept < source.channels:
        return None
    kind = "ambisonic " if source.ambisonic else ""
    return f"{source.channels} {kind}channels to {_WORDS.get(kept, f'{kept} channels')}"


def _nearest(*layouts: str) -> str:
    return f"aformat=channel_layouts={'|'.join(layouts)}"


def _mixed(layout: str, channels: dict[str, dict[int, float]]) -> str:
    sums = (
        f"{name}=" + "+".join(f"{share:.4g}*c{number}" for number, share in parts.items())
        for name, parts in channels.items()
    )
    return "|".join((f"pan={layout}", *sums))
