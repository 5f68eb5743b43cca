"""`falhook submit`: one job, its cost, and rejections."""

import json
from pathlib import Path

import pytest

from tests.factories.batches import IMAGE, TEXT
from tests.factories.cli import FOX, Run, error_of, refused, stored, submitted
from tests.factories.input_files import PNG, named
from tests.factories.listed import jobs_of
from worker.jobs.store import JobStore


def test_a_submit_shows_its_cost(run: Run, records: JobStore) -> None:
    """The output has price, length and confidence; the record keeps them with the source."""
    done = run("submit", *FOX, "duration=10")
    assert "about $2.80 for 10 s" in done.stdout
    assert "confidence medium" in done.stdout
    (job,) = jobs_of(records)
    assert "2.80" == job.estimate["usd"]
    assert job.estimate["source"]


def test_a_price_that_depends_on_the_input_is_explained(run: Run) -> None:
    """Lip-sync is billed by the second of its input, whose length is unknown."""
    endpoint = "fal-ai/kling-video/lipsync/audio-to-video"
    done = run("submit", endpoint, "--video", "clip.mp4", "--audio", "speech.mp3")
    assert "depends on its input: $0.014/s of input" in done.stdout
    done = run("submit", "acme/x", "--unchecked", "a=1")
    assert "Its price is not known." in done.stdout
    announced = "fal-ai/kling-video/o3/4k/video-to-video/edit"
    done = run("submit", announced, "--unchecked", "prompt=a")
    assert "Its inputs are not known, so its cost cannot be estimated: $0.42/s" in done.stdout


def test_a_dry_run_shows_the_request_and_sends_nothing(
    run: Run, home: Path, records: JobStore
) -> None:
    """It prints address, headers, body and cost, stores nothing and needs no Redis."""
    flags = ["--image", "cat.png", "--prompt", "A cat", "--priority", "low", "--dry-run"]
    done = run("submit", IMAGE, *flags, "--id", "j1", REDIS_URL=None)
    assert 0 == done.exit_code
    assert f"POST https://queue.fal.run/{IMAGE}?fal_webhook=" in done.stdout
    assert "X-Fal-Queue-Priority: low\n" in done.stdout
    assert "X-Fal-Tags: job_id=j1\n" in done.stdout
    assert f'"image_url": "upload://{named(PNG)}"' in done.stdout
    assert "about $1.40" in done.stdout
    assert ([], []) == (list(jobs_of(records)), stored(home))


def test_a_dry_run_with_json(run: Run) -> None:
    """The request is one JSON object."""
    done = run("submit", *FOX, "--id", "j1", "--dry-run", "--json", "--tag", "team=films")
    output = json.loads(done.stdout)
    assert ("j1", {"prompt": "A fox"}, "1.40") == (
        output["id"],
        output["arguments"],
        output["estimate"]["usd"],
    )
    assert {"X-Fal-Tags": "job_id=j1,team=films"} == output["headers"]
    limited = [TEXT, "--prompt", "A fox", "--max-queue-length", "3", "--dry-run"]
    address = f"POST https://queue.fal.run/{TEXT}?fal_max_queue_length=3&fal_webhook="
    assert address in run("submit", *limited).stdout


def test_the_same_id_is_reported_as_an_existing_job(run: Run) -> None:
    """No cost is shown, and metadata and options that are ignored are named."""
    first = run("submit", *FOX, "--id", "a1")
    again = run("submit", *FOX, "--id", "a1")
    assert (True, False) == ("about $1.40" in first.stdout, "$" in again.stdout)
    assert "This job exists already, created 2" in again.stdout
    assert again.stdout.endswith(" UTC.\n")
    other = run("submit", *FOX, "--id", "a1", "--priority", "low", "--metadata", "n=1")
    assert "Its metadata and options were not changed." in other.stdout
    assert False is submitted(run, *FOX, "--id", "a1")["new"]


def test_unusable_files(run: Run, home: Path) -> None:
    """The error names each file and everything else that is wrong."""
    stderr = refused(run, IMAGE, "--image", "notes.txt", "--prompt", "A", "duration=7")
    assert 'image_url "notes.txt": must be an image' in stderr
    assert 'duration "7": must be one of "5", "10"' in stderr
    assert "No such file" in refused(run, IMAGE, "--prompt", "A", "--image", "dog.png")
    assert "takes no audio" in refused(run, IMAGE, "--audio", "speech.mp3")
    assert "--image is passed 2 times" in refused(
        run, IMAGE, "--image", "a.png", "--image", "b.png"
    )
    assert [] == stored(home)


def test_unchecked(run: Run) -> None:
    """--unchecked accepts any endpoint of fal, and reads values as JSON if possible."""
    job = submitted(run, "acme/dolly", "--unchecked", "--prompt", "hi", "n=1", "image=file:cat.png")
    expected = {"prompt": "hi", "n": 1, "image": f"upload://{named(PNG)}"}
    assert expected == job["arguments"]
    assert "is not in the catalogue" in refused(run, "acme/dolly", "--prompt", "hi")


def test_unchecked_words_stay_words(run: Run) -> None:
    """A prompt of digits stays text, and one that begins with data: is not a file."""
    flags = ["--unchecked", "prompt=2024", "negative_prompt=data: is the new oil", "seed=7"]
    expected = {"prompt": "2024", "negative_prompt": "data: is the new oil", "seed": 7}
    assert expected == submitted(run, "acme/dolly", *flags)["arguments"]


@pytest.mark.parametrize("endpoint", ["acme/dolly", IMAGE])
def test_an_unchecked_image_flag_is_still_a_file(run: Run, home: Path, endpoint: str) -> None:
    """A path in --image is staged as a file, a URL is passed unchanged."""
    (home / "my cat%20.png").write_bytes(PNG)
    job = submitted(run, endpoint, "--unchecked", "--image", "my cat%20.png")
    assert {"image_url": f"upload://{named(PNG)}"} == job["arguments"]
    job = submitted(run, endpoint, "--unchecked", "--image", "https://a.b/c d.png")
    assert {"image_url": "https://a.b/c d.png"} == job["arguments"]


def test_an_endpoint_or_a_file_must_be_named(run: Run) -> None:
    """Neither of them, or --from with inputs, is an error."""
    assert "Name an ENDPOINT" in refused(run)
    assert "remove: prompt" in refused(run, "--from", "jobs.jsonl", "--prompt", "A")
    assert "FALHOOK_CATALOGUE" in refused(run, *FOX, FALHOOK_CATALOGUE="/nowhere")


def test_a_rejection_is_a_json_error(run: Run) -> None:
    """Each problem has path, value, message and hint; standard output is empty."""
    error = error_of(run, TEXT, "promt=fox", "duration=7", "--priority", "low", "--tag", "A=x")
    assert "invalid_arguments" == error["reason"]
    assert ["promt", "duration", "prompt", "tags.A"] == [
        problem["path"] for problem in error["problems"]
    ]
    expected = {
        "path": "duration",
        "value": '"7"',
        "message": 'must be one of "5", "10"',
        "hint": "",
    }
    assert expected == error["problems"][1]
    assert 'duration "7": must be' in error["sentence"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["acme/dolly"], "unknown_endpoint"),
        ([TEXT, "prompt"], "bad_usage"),
        ([TEXT, "--prompt", "a", "--id", "a b"], "bad_job"),
        ([], "bad_usage"),
    ],
)
def test_other_rejections_have_a_reason_code_too(
    run: Run, arguments: list[str], reason: str
) -> None:
    """Every error has a reason code to branch on."""
    assert reason == error_of(run, *arguments)["reason"]


@pytest.mark.parametrize("value", ['"\\ud83d"', "NaN", "[Infinity]"])
def test_metadata_of_a_row_that_json_cannot_carry(
    run: Run, home: Path, records: JobStore, value: str
) -> None:
    """The error has the line, and no job is created."""
    path = home / "jobs.jsonl"
    row = f'{{"arguments": {{"prompt": "a"}}, "metadata": {{"a": {value}}}}}'
    path.write_text(f'{{"arguments": {{"prompt": "a"}}}}\n{row}\n')
    stderr = refused(run, "--from", str(path), TEXT, "--yes")
    assert "line 2: " in stderr
    assert [] == list(jobs_of(records))


@pytest.mark.parametrize("duration", ["1e30", "-50", "0", "86401"])
def test_an_impossible_length_has_no_price(run: Run, duration: str) -> None:
    """With --unchecked it is passed on, without an estimate."""
    flags = ["--unchecked", "--arguments", f'{{"duration": {duration}}}']
    job = submitted(run, TEXT, "--prompt", "a", *flags)
    assert ({}, float(duration)) == (job["estimate"], float(job["arguments"]["duration"]))
