"""The keys of a job's files in storage.

work/{job}/source.mp4             the result, byte for byte
work/{job}/video.mp4, …           the outputs, tagged and checked
published/{job}/…                 copies of the outputs, and manifest.json, which is written last:
                                  its existence means "published"; later history.jsonl
uploads/{sha256}.{extension}      inputs
"""

WORK = "work"
UPLOADS = "uploads"
# Seconds after which an input that a new job refers to is written again, so that it is no older
# than that when the job is created.
REFRESHED_AFTER = 86_400.0

SOURCE = "source.mp4"
MANIFEST = "manifest.json"


def work_prefix(job_id: str) -> str:
    """Return the prefix of all intermediate files of a job."""
    return f"{WORK}/{job_id}"


def work_key(job_id: str, name: str) -> str:
    """Return the key of an intermediate file."""
    return f"{work_prefix(job_id)}/{name}"


def published_key(job_id: str, name: str) -> str:
    """Return the key of a published file."""
    return f"published/{job_id}/{name}"


def storage_key(name: str) -> str:
    """Return the key of the bytes of `upload://{name}`."""
    return f"{UPLOADS}/{name}"
