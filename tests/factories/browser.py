"""A real browser that plays a published file or playlist, and says what it saw and heard."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import ROOT

PLAYER = ROOT / "tests" / "vendor" / "hls.light.min.js"
_PATIENCE = 60  # seconds for a browser to start and to play a clip
_TYPES = {".html": "text/html", ".mp4": "video/mp4", ".m4s": "video/mp4", ".js": "text/javascript"}

# `heard`: the times at which sound was first heard after a silence, and `silent` those of the looks
# before, at which there was none: a loaded machine looks late. `moves`: those at which the
# frame changed for the first time, and the lightness of that frame. Chromium runs no animation
# frames in a hidden page, so a timer looks.
_PAGE = """<!doctype html><video muted playsinline></video><script src="hls.js"></script><script>
const video = document.querySelector("video");
const seen = {heard: [], silent: [], moves: [], jumps: 0, errors: []};
const report = () => fetch("done", {method: "POST", body: JSON.stringify({...seen,
  duration: video.duration, width: video.videoWidth, height: video.videoHeight})});
const address = new URLSearchParams(location.search).get("play");
const audio = new AudioContext(), analyser = audio.createAnalyser();
analyser.fftSize = 256;
const samples = new Float32Array(256), canvas = document.createElement("canvas");
canvas.width = canvas.height = 16;
const context = canvas.getContext("2d", {willReadFrequently: true});
let loud = false, before = "", last = 0, looked = performance.now();
const look = () => {
  if (video.seeking || video.readyState < 2) return;
  const now = video.currentTime;
  analyser.getFloatTimeDomainData(samples);
  const is = samples.some(sample => Math.abs(sample) > 0.01);
  if (is && !loud) { seen.heard.push(now); seen.silent.push(last); }
  loud = is;
  context.drawImage(video, 0, 0, 16, 16);
  const frame = context.getImageData(0, 0, 16, 16).data.join();
  if (frame !== before && seen.moves.length < 500) seen.moves.push(now);
  before = frame;
  const passed = (performance.now() - looked) / 1000;
  if (now - last > passed + 0.5) seen.jumps += 1;
  [last, looked] = [now, performance.now()];
};
video.onended = report;
setTimeout(() => { seen.errors.push("unfinished at " + video.currentTime); report(); }, 30000);
video.onerror = () => { seen.errors.push(String(video.error && video.error.message)); report(); };
const play = async () => {
  audio.createMediaElementSource(video).connect(analyser);
  await audio.resume();
  video.muted = false;
  setInterval(look, 10);
  await video.play();
};
if (address.endsWith(".m3u8")) {
  const hls = new Hls({enableWorker: false});
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) { seen.errors.push(data.details); report(); }
  });
  hls.on(Hls.Events.MANIFEST_PARSED, play);
  hls.loadSource(address);
  hls.attachMedia(video);
} else { video.src = address; play(); }
</script>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a browser saw and heard of a clip, in seconds of its own clock.

    `heard`: when sound was first heard, after each silence, whose last moment is in `silent`: it
    began in between. `moves`: when the picture changed. `jumps`: how
    often its clock jumped by more than half a second. `errors`: fatal ones, of hls.js or the video.
    """

    duration: float
    width: int
    height: int
    heard: list[float]
    silent: list[float]
    moves: list[float]
    jumps: int
    errors: list[str]


def browser() -> str:
    """Return the path of Chromium; skip the test without one."""
    if path := shutil.which("chromium") or shutil.which("google-chrome"):
        return path
    pytest.skip("chromium is not installed")


def played(path: Path) -> Played:
    """Play a file natively, or a playlist with hls.js, to its end; return what was noticed."""
    program, answers = browser(), queue.Queue[bytes]()
    with (
        _served(path.parent, answers) as address,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio"]
        flags += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}"]
        flags += ["--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking"]
        process = subprocess.Popen(
            [program, *flags, f"{address}/player.html?play={path.name}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            answer = json.loads(answers.get(timeout=_PATIENCE))
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its helpers, too
            process.wait()
    return Played(**answer)


@contextlib.contextmanager
def _served(directory: Path, answers: "queue.Queue[bytes]") -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory, answers))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Serves the player and one directory, byte ranges too, and takes the page's report."""

    protocol_version = "HTTP/1.1"

    def __init__(self, directory: Path, answers: "queue.Queue[bytes]", *connection: object) -> None:
        self._directory, self._answers = directory, answers
        super().__init__(*connection)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with the player, hls.js, or a file of the directory."""
        name = urlsplit(self.path).path.removeprefix("/")
        path = self._directory / name
        if name == "player.html":
            self._send(200, _PAGE.encode(), "text/html")
        elif name == "hls.js":
            self._send(200, PLAYER.read_bytes(), "text/javascript")
        elif path.is_file():
            self._send_file(path)
        else:
            self._send(404, b"", "text/plain")

    def do_POST(self) -> None:
        """Take the report of the page."""
        self._answers.put(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(200, b"", "text/plain")

    def _send_file(self, path: Path) -> None:
        data, kind = path.read_bytes(), _TYPES.get(path.suffix, "application/octet-stream")
        if not (asked := self.headers.get("Range")):
            return self._send(200, data, kind)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        place = f"bytes {begin}-{end}/{len(data)}"
        return self._send(206, data[begin : end + 1], kind, ("Content-Range", place))

    def _send(self, code: int, body: bytes, kind: str, *headers: tuple[str, str]) -> None:
        self.send_response(code)
        sent = (("Content-Type", kind), ("Content-Length", str(len(body))), *headers)
        for name, value in (*sent, ("Accept-Ranges", "bytes")):
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
