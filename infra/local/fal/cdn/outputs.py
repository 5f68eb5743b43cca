"""The results of renders: files published on the CDN, and the JSON that names them."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.fal.cdn.files import Files
from infra.local.fal.job import RenderJob
from infra.local.fal.media.clips import Clip, Media, style_of
from infra.local.fal.media.hostile_files import write_hostile_file, write_truncated
from infra.local.fal.mishaps import without_marks
from infra.local.fal.models import SimulatedEndpoint, requested_ratio, requested_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """A producer of endpoints' outputs; files that are not clips are stored in `directory`."""

    media: Media
    files: Files
    directory: Path

    async def payload(self, job: RenderJob, endpoint: SimulatedEndpoint) -> dict[str, Any]:
        """Return the payload of a successful render of `job`."""
        return {name: await self._output(name, job) for name in endpoint.outputs}

    async def _output(self, name: str, job: RenderJob) -> object:
        clip = _clip(job)
        match name:
            case "video":
                return self._file(job, await self._video(job, clip), "output.mp4", "video/mp4")
            case "audio":
                return self._file(job, await self.media.audio(clip), "output.mp3", "audio/mpeg")
            case "image" | "images":
                picture = await self.media.image(clip)
                width, height = clip.size
                image = self._file(job, picture, "output.png", "image/png")
                image |= {"width": width, "height": height}
                return image if name == "image" else [image]
            case "duration":
                return float(clip.seconds)
            case _:
                return str(uuid.uuid4())

    async def _video(self, job: RenderJob, clip: Clip) -> Path:
        if "file-hostile" in job.mishaps:
            return await write_hostile_file(
                job.mishaps.text("file-hostile"), self.media, self.directory
            )
        path = await self.media.video(clip)
        return write_truncated(path, self.directory) if "file-truncated" in job.mishaps else path

    def _file(self, job: RenderJob, path: Path, name: str, media_type: str) -> dict[str, Any]:
        url = self.files.publish(job, path, name=name, media_type=media_type)
        size = path.stat().st_size
        return {"content_type": media_type, "file_name": name, "file_size": size, "url": url}


def _clip(job: RenderJob) -> Clip:
    style = style_of(without_marks(str(job.arguments.get("prompt", ""))))
    return Clip(
        seconds=requested_seconds(job.arguments), ratio=requested_ratio(job.arguments), style=style
    )
