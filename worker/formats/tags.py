"""The tags of every published file."""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.formats.aigc_label import AIGC
from worker.formats.marks import EU_SENTENCE, Mark, Marks
from worker.formats.mp4 import Stamp, udta
from worker.formats.tag_choices import JobTag, PromptTag
from worker.formats.xmp import LINK, packet
from worker.version import VERSION

# https://cv.iptc.org/newscodes/digitalsourcetype/ : created by a trained model.
AI_ORIGIN = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MAX_TEXT = 1000  # characters of one tag
MAX_LONG_TEXT = 4 * MAX_TEXT  # of a prompt
# Bidi_Control (UAX #9): they make a text look like a different one.
_BIDI_CONTROLS = frozenset(
    map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The tags of one job's files. `created` has a time zone. The AI origin is always added."""

    title: str
    comment: str
    job_id: str
    endpoint: str
    request_id: str
    created: datetime
    prompt: str = ""
    prompt_tag: PromptTag = PromptTag.OFF
    job_tag: JobTag = JobTag.IDS
    marks: Marks = field(default_factory=Marks)

    def stamp(self, source: Mapping[str, str]) -> Stamp:
        """Return what is written into a video; `source`: the tags of the file from fal."""
        return Stamp(udta=udta(self.pairs(source)), xmp=self.xmp(source), created=self.created)

    def pairs(self, source: Mapping[str, str]) -> dict[str, str]:
        """Return the tags by the names that an MP4 gives them.

        The comment repeats the AI origin for tools that show only the standard tags. Of the
        source's own tags only the producer's label is kept: the others may hold the prompt.
        """
        origin = f"AI-generated (DigitalSourceType={AI_ORIGIN})"
        pairs = {
            "title": _text(self.title),
            "comment": f"{_text(self.comment)} | {origin}" if self.comment else origin,
            "date": self._created(),
            "description": EU_SENTENCE if Mark.EU in self.marks.places else "",
            "DigitalSourceType": AI_ORIGIN,
            **self._job(),
            "falhook.prompt": self._prompt(PromptTag.TEXT),
            "falhook.prompt_sha256": self._prompt(PromptTag.HASH),
            AIGC: self._label(source),
        }
        return {key: value for key, value in pairs.items() if value}

    def xmp(self, source: Mapping[str, str]) -> bytes:
        """Return the tags as an XMP packet, for videos and images."""
        return packet((name, value) for name, value in self._properties(source) if value)

    def _properties(self, source: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        pairs = self.pairs(source)
        yield "dc:title", pairs.get("title", "")
        yield "dc:description", pairs.get("comment", "")
        yield "xmp:CreateDate", pairs["date"]
        yield "xmp:CreatorTool", f"falhook {VERSION}" if self.names_job else ""
        yield "Iptc4xmpExt:DigitalSourceType", AI_ORIGIN
        yield "Iptc4xmpExt:AISystemUsed", pairs.get("falhook.endpoint", "")
        yield "Iptc4xmpExt:AIPromptInformation", pairs.get("falhook.prompt", "")
        yield "falhook:Mark", pairs.get("description", "")
        yield "falhook:JobId", pairs.get("falhook.job_id", "")
        yield "falhook:JobSHA256", pairs.get("falhook.job_sha256", "")
        yield "falhook:RequestId", pairs.get("falhook.request_id", "")
        yield "falhook:PromptSHA256", pairs.get("falhook.prompt_sha256", "")
        yield "TC260:AIGC", pairs.get(AIGC, "")
        yield LINK, _text(source.get(LINK, ""))

    @property
    def names_job(self) -> bool:
        """Whether files name the job, its endpoint and the tool."""
        return self.job_tag is JobTag.IDS

    def _job(self) -> dict[str, str]:
        match self.job_tag:
            case JobTag.OFF:
                return {}
            case JobTag.HASH:
                return {"falhook.job_sha256": _sha256(self.job_id)}
            case JobTag.IDS:
                return {
                    "falhook.job_id": _text(self.job_id),
                    "falhook.endpoint": _text(self.endpoint),
                    "falhook.request_id": _text(self.request_id),
                }

    def _created(self) -> str:
        created = self.created.astimezone(UTC).isoformat(timespec="seconds")
        return created.replace("+00:00", "Z")

    def _prompt(self, form: PromptTag) -> str:
        if not self.prompt or self.prompt_tag is not form:
            return ""
        if form is PromptTag.HASH:
            return _sha256(self.prompt)
        return _text(self.prompt, MAX_LONG_TEXT)

    def _label(self, source: Mapping[str, str]) -> str:
        # The standard requires an id of the content, which need not name the job.
        content_id = self.job_id if self.names_job else _sha256(self.job_id)
        label = self.marks.label(source, content_id)
        return _text(label, len(label))  # never cut: it would not be valid JSON


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _text(value: str, limit: int = MAX_TEXT) -> str:
    """Return one line of visible text: other characters become spaces."""
    return "".join(char if _is_text(char) else " " for char in value).strip()[:limit]


def _is_text(char: str) -> bool:
    """Return whether it is printable or a joiner (Cf), as Persian words and emoji need them."""
    return char.isprintable() or (unicodedata.category(char) == "Cf" and char not in _BIDI_CONTROLS)
