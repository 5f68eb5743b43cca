"""`falhook models`: list endpoints, show inputs and prices, add an endpoint."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests import ROOT
from tests.factories.catalogue import CATALOGUE, CHECKED
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Status
from worker.catalogue.openapi import description
from worker.cli.main import cli

ENDPOINT = "acme/dolly/video"
EXAMPLE = ROOT / "tests/factories/openapi_example.json"
IMAGE = "fal-ai/kling-video/v2.6/pro/image-to-video"
Run = Callable[..., Result]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The user's own catalogue, empty at first."""
    directory = tmp_path / "own"
    directory.mkdir()
    return directory


@pytest.fixture
def run(own: Path) -> Run:
    """Run `falhook` with this catalogue and no Redis."""

    def run(*arguments: str, **changes: str) -> Result:
        environ = {"FALHOOK_CATALOGUE": str(own), "REDIS_URL": None, "COLUMNS": "200", **changes}
        return CliRunner(env=environ).invoke(cli, arguments, catch_exceptions=False)

    return run


def test_the_list_has_inputs_and_price(run: Run) -> None:
    """Every endpoint is a row; with words, those whose id contains all of them."""
    every = run("models", "--json").stdout.splitlines()
    assert len(CATALOGUE.search()) == len(every)
    stdout = run("models", "2.6", "pro/image").stdout
    assert IMAGE in stdout
    assert "prompt*, start_image_url*, end_image_url" in stdout
    assert "$0.14/s, $0.07 silent" in stdout
    assert stdout == run("models", "--search", "2.6 pro/image").stdout
    (only,) = run("models", "2.6", "pro/image", "--json").stdout.splitlines()
    row = json.loads(only)
    assert (IMAGE, ["prompt", "start_image_url"]) == (row["endpoint"], row["required"])


@pytest.mark.parametrize("columns", ["80", "200"])
def test_a_list_for_a_pipe_is_a_line_for_each_endpoint(run: Run, columns: str) -> None:
    """At any width of the screen, cut -f1 gives whole ids."""
    rows = [line.split("\t") for line in run("models", COLUMNS=columns).stdout.splitlines()]
    ids = [model.endpoint for model in CATALOGUE.search()]
    assert ids == [row[0].partition(" ")[0] for row in rows]
    assert {3} == {len(row) for row in rows}


def test_a_list_for_a_screen_keeps_ids_whole(run: Run) -> None:
    """Ids are whole in a table, and in the lines of a narrow screen."""
    for columns in ("80", "119", "120", "200"):
        output = run("models", COLUMNS=columns, FORCE_COLOR="1", NO_COLOR="1").stdout
        assert [] == [
            model.endpoint for model in CATALOGUE.search() if model.endpoint not in output
        ]


@pytest.mark.parametrize("columns", [60, 80, 119])
def test_a_narrow_screen_gets_a_line_for_each_endpoint(run: Run, columns: int) -> None:
    """No line is wrapped by the terminal; each begins with a whole id, and a hint is the last."""
    output = run("models", COLUMNS=str(columns), FORCE_COLOR="1", NO_COLOR="1").stdout
    *lines, hint = output.splitlines()
    assert hint.startswith("falhook models show ENDPOINT")
    assert [model.endpoint for model in CATALOGUE.search()] == [line.split()[0] for line in lines]
    longest = max(len(model.endpoint) for model in CATALOGUE.search())
    assert [] == [line for line in lines if len(line) > max(columns, longest)]


def test_words_that_match_no_endpoint(run: Run) -> None:
    """The error names the words; the exit code is 2."""
    done = run("models", "nothing", "like", "it")
    assert (2, "") == (done.exit_code, done.stdout)
    assert "'nothing like it'" in done.stderr


@pytest.mark.parametrize("model", CATALOGUE.search(), ids=lambda model: model.endpoint)
def test_every_endpoint_can_be_shown(run: Run, model: object) -> None:
    """The last line is a command that submits the example, or says why there is none."""
    endpoint = getattr(model, "endpoint")  # noqa: B009
    done = run("models", "show", endpoint)
    assert 0 == done.exit_code
    last = done.stdout.splitlines()[-1]
    served = endpoint in {checked.endpoint for checked in CHECKED}
    assert served == last.startswith(f"falhook submit {endpoint} ")
    assert 0 == run("models", "show", endpoint, "--json").exit_code


def test_the_table_has_all_facts_of_an_input(run: Run) -> None:
    """A row has name, requirement, type, default, allowed values and description."""
    stdout = run("models", "show", "fal-ai/kling-video/v1/standard/image-to-video").stdout
    rows = [" ".join(line.split()) for line in stdout.splitlines()]
    assert any(row.startswith("prompt* text") for row in rows)
    assert any(row.startswith('duration seconds "5" one of "5", "10"') for row in rows)
    assert any(row.startswith("dynamic_masks[].mask_url* url") for row in rows)
    assert "confidence medium-high, from fal's model page" in stdout


def test_rules_between_inputs_are_shown(run: Run) -> None:
    """Rules are a line for people and a list in JSON; without rules there is no line."""
    path = "fal-ai/kling-video/o3/pro/reference-to-video"
    rules = [
        "exactly one of prompt, multi_prompt",
        "at most 4 of image_urls and elements, counted together if elements[].video_url is passed",
        "frontal_image_url, reference_image_urls or video_url in each of elements",
        "at most 1 of elements[].video_url",
    ]
    assert f"takes  {'; '.join(rules)}\n" in run("models", "show", path).stdout
    assert rules == json.loads(run("models", "show", path, "--json").stdout)["rules"]
    assert "takes  " not in run("models", "show", IMAGE).stdout


def test_an_unknown_endpoint(run: Run) -> None:
    """The error suggests the nearest endpoint."""
    done = run("models", "show", IMAGE.replace("pro", "por"))
    assert 2 == done.exit_code
    assert f"did you mean {IMAGE}" in done.stderr


def test_json_has_long_lists_of_choices_whole(run: Run) -> None:
    """The table shortens the list and names the command that prints all of it."""
    path = "fal-ai/kling-video/v1.6/pro/effects"
    lines = " ".join(run("models", "show", path, COLUMNS="1000").stdout.split())
    assert "and 182 more, which `falhook models show … --json` lists" in lines
    output = json.loads(run("models", "show", path, "--json").stdout)
    assert {198} == {
        len(row["choices"]) for row in output["inputs"] if row["input"] == "effect_scene"
    }


def test_an_added_endpoint_is_like_any_other(run: Run, own: Path) -> None:
    """It is listed, shown and validated; inputs without validation are named."""
    done = run("models", "add", ENDPOINT, "--from", str(EXAMPLE))
    assert 0 == done.exit_code, done.stderr
    assert [own / "acme--dolly--video.json"] == list(own.iterdir())
    assert ENDPOINT in run("models", "acme").stdout
    assert "text of 1 to 20 characters" in run("models", "show", ENDPOINT).stdout
    bad = run("submit", ENDPOINT, "promt=a", "--dry-run")
    assert "did you mean prompt?" in bad.stderr
    good = run(
        "submit", ENDPOINT, "prompt=a", 'frames=[{"image_url": "https://a.b/c"}]', "--dry-run"
    )
    assert 0 == good.exit_code, good.stderr
    assert 2 == run("models", "show", ENDPOINT, FALHOOK_CATALOGUE="").exit_code


def test_adding_an_endpoint_with_json(run: Run, own: Path) -> None:
    """The output is one JSON object with the file and the inputs that are not validated."""
    output = json.loads(run("models", "add", ENDPOINT, "--from", str(EXAMPLE), "--json").stdout)
    assert str(own / "acme--dolly--video.json") == output["file"]
    assert [] == output["unchecked"]


def test_keywords_that_are_not_validated_are_named(run: Run, own: Path) -> None:
    """They are named when the endpoint is added and when it is shown; the others are validated."""
    code = {"type": "string", "contentEncoding": "base64"}
    source = described(own.parent, ENDPOINT, code=code, size={"type": "integer", "multipleOf": 8})
    done = run("models", "add", ENDPOINT, "--from", source)
    assert "Not validated: code (contentEncoding)\n" in done.stdout
    assert "a string; not validated: contentEncoding" in run("models", "show", ENDPOINT).stdout
    wrong = run("submit", ENDPOINT, "code=a", "size=9", "--dry-run")
    assert "size 9: must be a multiple of 8" in wrong.stderr


def test_added_again_it_is_replaced(run: Run, own: Path) -> None:
    """A newer description replaces the older one."""
    run("models", "add", ENDPOINT, "--from", str(EXAMPLE))
    newer = own.parent / "newer.json"
    newer.write_text(EXAMPLE.read_text().replace('"maxLength": 20', '"maxLength": 30'))
    assert 0 == run("models", "add", ENDPOINT, "--from", str(newer)).exit_code
    assert "text of 1 to 30 characters" in run("models", "show", ENDPOINT).stdout


def described(directory: Path, endpoint: str, **inputs: object) -> str:
    """Write fal's description of an endpoint with these inputs to a file."""
    text = EXAMPLE.read_text().replace(ENDPOINT, endpoint)
    document = json.loads(text)
    taken = document["components"]["schemas"]["DollyVideoInput"]
    taken |= {"properties": inputs, "required": [], "x-fal-order-properties": []}
    file = directory / "described.json"
    file.write_text(json.dumps(document))
    return str(file)


PROMPTS: dict[str, object] = {
    "prompt": {"type": "string"},
    "multi_prompt": {"type": "array", "items": {"type": "string"}},
}


def test_what_no_schema_says_is_kept(run: Run, own: Path) -> None:
    """The package's price, rules and file sizes apply to a newer description of its endpoint."""
    path = "fal-ai/kling-video/v3/turbo/pro/image-to-video"
    source = described(own.parent, path, **PROMPTS, image_url={"type": "string"})
    for _ in range(2):
        done = run("models", "add", path, "--from", source)
        assert 0 == done.exit_code, done.stderr
        kept = "price $0.14/s; exactly one of prompt, multi_prompt; image_url of at most 50 MB"
        kept += "; image_url as jpg or png"
        assert f"Kept from the catalogue: {kept}" in done.stdout
    assert "Removed" not in done.stdout
    model = Catalogue.load(own).find(path)
    before = CATALOGUE.find(path)
    assert (before.price, before.rules) == (model.price, model.rules)
    limits = {item.name: (item.max_megabytes, item.formats) for item in model.inputs}
    nothing = (None, ())
    expected = {"prompt": nothing, "multi_prompt": nothing, "image_url": (50, ("jpg", "png"))}
    assert expected == limits
    both = run("submit", path, "prompt=a", 'multi_prompt=["a"]', "--dry-run")
    assert "pass prompt or multi_prompt, not both" in both.stderr


def test_an_announced_endpoint_keeps_its_price(run: Run, own: Path) -> None:
    """The price that was known before the schema is kept when the schema is added."""
    announced = "fal-ai/kling-video/o3/4k/video-to-video/edit"
    source = described(own.parent, announced, prompt={"type": "string"})
    output = json.loads(run("models", "add", announced, "--from", source, "--json").stdout)
    assert "$0.42/s" == output["price"]
    assert (["price $0.42/s"], []) == (output["kept"], output["lost"])


def test_an_impossible_schema_is_not_added(run: Run, own: Path) -> None:
    """A negative length would break every submit; it is named, and no file is left."""
    source = described(own.parent, ENDPOINT, prompt={"type": "string", "minLength": -1})
    done = run("models", "add", ENDPOINT, "--from", source)
    assert (2, []) == (done.exit_code, list(own.iterdir()))
    assert f"the description of {ENDPOINT} is invalid at" in done.stderr
    assert "prompt.minLength: -1" in done.stderr


def test_a_rule_about_a_removed_input_is_reported(run: Run, own: Path) -> None:
    """The command reports that the rule no longer applies."""
    path = "fal-ai/kling-video/v3/pro/text-to-video"
    source = described(own.parent, path, prompt={"type": "string"})
    done = run("models", "add", path, "--from", source)
    lost = "Removed (the endpoint no longer has these inputs): exactly one of prompt, multi_prompt"
    assert lost in done.stdout
    assert 0 == run("models", "show", path).exit_code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["acme/other", "--from", str(EXAMPLE)], "is it for another endpoint?"),
        ([ENDPOINT, "--from", "/nowhere.json"], "cannot be read"),
        ([ENDPOINT, "--from", __file__], "is not valid JSON"),
        ([ENDPOINT, "--from", "https://127.0.0.1:1/x"], "try --from FILE"),
        (["../../etc/passwd", "--from", str(EXAMPLE)], "is not an endpoint id"),
        (["acme", "--from", str(EXAMPLE)], "is not an endpoint id"),
    ],
)
def test_an_unusable_description_is_not_added(
    run: Run, own: Path, arguments: list[str], words: str
) -> None:
    """The error is one sentence, and no file is left."""
    done = run("models", "add", *arguments)
    assert (2, "", []) == (done.exit_code, done.stdout, list(own.iterdir()))
    assert words in done.stderr


def test_an_invalid_description_leaves_the_old_one(run: Run, own: Path) -> None:
    """Lengths of a wrong type are rejected, and the previous file is kept."""
    run("models", "add", ENDPOINT, "--from", str(EXAMPLE))
    before = (own / "acme--dolly--video.json").read_bytes()
    broken = own.parent / "broken.json"
    broken.write_text(EXAMPLE.read_text().replace('"maxLength": 20,', '"maxLength": "many",'))
    assert 2 == run("models", "add", ENDPOINT, "--from", str(broken)).exit_code
    assert before == (own / "acme--dolly--video.json").read_bytes()


@pytest.fixture
def site() -> Iterator[str]:
    """A web server: a description under /openapi.json, too much under /large, nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            pages = {"/openapi.json": EXAMPLE.read_bytes(), "/large": b" " * (5 * 1024 * 1024)}
            self.send_response(200 if path in pages else 404)
            self.end_headers()
            # The client hangs up in the middle of what is too large.
            with suppress(ConnectionError):
                self.wfile.write(pages.get(path, b""))

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_descriptions_from_the_network(
    run: Run, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description comes from a URL, or from fal's own address with the endpoint's id."""
    assert 0 == run("models", "add", ENDPOINT, "--from", f"{site}/openapi.json").exit_code
    url = description.URL.replace("https://fal.ai/api/openapi/queue", site)
    assert url != description.URL
    monkeypatch.setattr(description, "URL", url)
    assert 0 == run("models", "add", ENDPOINT).exit_code
    output = json.loads(run("models", "show", ENDPOINT, "--json").stdout)
    assert [f"{site}/openapi.json?endpoint_id={ENDPOINT}"] == output["sources"]
    assert "answered 404" in run("models", "add", ENDPOINT, "--from", f"{site}/no").stderr
    assert (
        "larger than 4,194,304" in run("models", "add", ENDPOINT, "--from", f"{site}/large").stderr
    )


def test_without_a_directory_nothing_is_added(run: Run, own: Path) -> None:
    """The error names FALHOOK_CATALOGUE if it is missing or not a directory."""
    done = run("models", "add", ENDPOINT, "--from", str(EXAMPLE), FALHOOK_CATALOGUE="")
    assert "FALHOOK_CATALOGUE is not set" in done.stderr
    shutil.rmtree(own)
    assert "is not an existing directory" in run("models").stderr


def test_statuses_are_listed(run: Run) -> None:
    """Endpoints that fal has withdrawn are listed as withdrawn."""
    output = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert {str(status) for status in Status} >= {row["status"] for row in output}
    assert "(withdrawn)" in run("models", "v1/pro").stdout


def test_a_union_of_all_inputs_together_is_validated(run: Run, own: Path) -> None:
    """The sentence names what is required."""
    text = {"type": "string"}
    source = described(own.parent, ENDPOINT, a=text, b=text)
    document = json.loads(Path(source).read_text())
    request = document["components"]["schemas"]["DollyVideoInput"]
    request["anyOf"] = [{"required": ["a"]}, {"required": ["b"]}]
    Path(source).write_text(json.dumps(document))
    run("models", "add", ENDPOINT, "--from", source)
    wrong = run("submit", ENDPOINT, "--dry-run")
    assert "arguments: must be an object with a, or an object with b" in wrong.stderr
    assert 0 == run("submit", ENDPOINT, "b=x", "--dry-run").exit_code


def test_an_older_file_without_a_schema_stays_readable(run: Run, own: Path) -> None:
    """It is validated by its declared inputs, and shows what is not validated."""
    source = described(own.parent, ENDPOINT, code={"type": "string"})
    run("models", "add", ENDPOINT, "--from", source)
    (file,) = own.iterdir()
    older = json.loads(file.read_text())
    older["models"][ENDPOINT] |= {"unchecked": ["anyOf"]}
    del older["models"][ENDPOINT]["json_schema"]
    older["fields"][f"{ENDPOINT}:code"]["unchecked"] = ["pattern"]
    file.write_text(json.dumps(older))
    assert "takes  not validated: anyOf\n" in run("models", "show", ENDPOINT).stdout
    assert 0 == run("submit", ENDPOINT, "code=a", "--dry-run").exit_code
