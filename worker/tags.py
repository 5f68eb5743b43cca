"""What every published file says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

# https://cv.iptc.org/newscodes/digitalsourcetype/ : made by a trained model.
AI_ORIGIN = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# The label of a provider in China (GB 45438-2025): passed on, never made up.
PROVIDERS_LABEL = "AIGC"
MAX_TEXT = 1000  # characters of one tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """One job's tags. `created` has a time zone; the AI origin is always written beside them."""

    title: str
    comment: str
    job_id: str
    endpoint: str
    request_id: str
    created: datetime

    def pairs(self, source: Mapping[str, str]) -> dict[str, str]:
        """Key to value as they stand in the file; `source`: the tags of the file from fal.

        The AI origin is in the comment too, for tools that show only the standard tags. Of the
        source's own tags only its provider's label is kept: the others may hold the prompt.
        """
        origin = f"AI-generated (DigitalSourceType={AI_ORIGIN})"
        created = self.created.astimezone(UTC).isoformat(timespec="seconds")
        pairs = {
            "title": self.title,
            "comment": f"{_text(self.comment)} | {origin}" if self.comment else origin,
            "creation_time": created.replace("+00:00", "Z"),
            "DigitalSourceType": AI_ORIGIN,
            "falhook.job_id": self.job_id,
            "falhook.endpoint": self.endpoint,
            "falhook.request_id": self.request_id,
        }
        pairs = {key: _text(value, MAX_TEXT + len(origin) + 3) for key, value in pairs.items()}
        if label := source.get(PROVIDERS_LABEL):
            pairs[PROVIDERS_LABEL] = _text(label, 4 * MAX_TEXT)
        return {key: value for key, value in pairs.items() if value}


def _text(value: str, limit: int = MAX_TEXT) -> str:
    """One line of printable text, which fits in a program's argument."""
    return "".join(char if char.isprintable() else " " for char in value).strip()[:limit]
