"""Errors raised by the readers of media files."""


class MediaError(Exception):
    """A file that is broken, hostile, or not what it claims to be.

    `reason` is a reason code (media_invalid, media_unsupported); `sentence` is for people.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason
        self.sentence = sentence


class UnsupportedMedia(MediaError):
    """A file that is well-formed, but of a kind or size that is not processed."""
