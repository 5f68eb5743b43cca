"""What an ffmpeg has to have for a delivery: encoders by the profile, filters by the source."""

from worker.errors import Permanent
from worker.formats.mp4 import Probe
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.tone_mapping import FILTERS


def require(ffmpeg: Ffmpeg, profile: Profile, held: Probe) -> None:
    """Return if the program has what the profile and the source need.

    Raises `Permanent` (media_unsupported), which names what is lacking and the setting.
    """
    needed = {
        f"encoder {name}": f"the delivery profile {profile.name}" for name in profile.encoders
    }
    if beyond := held.colour.beyond_sdr:
        needed |= {f"filter {name}": f"a source in {beyond}" for name in FILTERS}
    if held.interlaced:
        needed["filter bwdif"] = "an interlaced source"
    for what, why in sorted(needed.items()):
        if what.split()[1] in ffmpeg.lacks:
            raise Permanent(
                "media_unsupported",
                f"{ffmpeg.path} has no {what}, which {why} needs; set FALHOOK_FFMPEG to one that"
                " has it" + (", or another FALHOOK_PROFILE" if what.startswith("encoder") else ""),
            )
