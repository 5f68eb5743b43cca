"""What settings can choose for the outputs; apart from them, since the command line lists it."""

# The masters and extras of delivery profiles, in the order in which messages list them.
MASTER_NAMES = ("original", "web")
EXTRA_NAMES = (
    "720p",
    "360p",
    "av1",
    "social",
    "webp",
    "avif",
    "preview",
    "storyboard",
    "blurhash",
    "hls",
)
AUTOMATIC_POSTER = "auto"
# Integrated loudness in LUFS; services and broadcasters ask for -27 to -14.
QUIETEST, LOUDEST = -31.0, -5.0
LOUDNESS_OFF = "off"
