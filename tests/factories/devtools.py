"""A page in a real browser, driven through its DevTools over pipes: no port and no library.

https://chromedevtools.github.io/devtools-protocol/
"""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

from tests.factories.browser import browser

_PATIENCE = 90  # seconds for any answer
_WATCH = """window.violations = [];
document.addEventListener("securitypolicyviolation", event => window.violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));"""
# Chromium reads commands from descriptor 3 and writes to 4.
_ON_PIPES = """import os, sys
commands, answers = (os.dup(int(number)) for number in sys.argv[1:3])
os.dup2(commands, 3), os.dup2(answers, 4)
os.set_inheritable(3, True), os.set_inheritable(4, True)
os.execv(sys.argv[3], sys.argv[3:])"""


class Page:
    """One page; `requests` and `complaints` collect what the browser reports meanwhile."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._commands, self._numbers = commands, itertools.count(1)
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._session: dict[str, str] = {}
        threading.Thread(target=self._read, args=(answers,), daemon=True).start()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.send(f"{domain}.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)

    def open(self, url: str) -> None:
        """Go to the address."""
        self.send("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, of a promise what it resolves to."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Return when the condition is true, which is looked at whenever the page changes."""
        self.evaluate(
            f"""new Promise(done => {{
                const look = () => ({condition}) && done();
                new MutationObserver(look).observe(document, {{childList: true, subtree: true}});
                look();
            }})"""
        )

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._messages.get(timeout=_PATIENCE)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _note(self, message: dict[str, Any]) -> None:
        values = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(values["request"]["url"])
            case "Log.entryAdded" if values["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(values["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(values["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if values["type"] in {"error", "warning"}:
                self.complaints.append(str(values["args"]))

    def _read(self, answers: BinaryIO) -> None:
        rest = b""
        while data := os.read(answers.fileno(), 1 << 16):
            *messages, rest = (rest + data).split(b"\0")
            for message in messages:
                self._messages.put(json.loads(message))


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """Run Chromium and yield an empty page; skip the test without it."""
    program = browser()
    (their_commands, our_commands), (our_answers, their_answers) = os.pipe(), os.pipe()
    with (
        os.fdopen(our_commands, "wb") as commands,
        os.fdopen(our_answers, "rb") as answers,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={profile}", "--no-first-run", "--disable-dev-shm-usage"]
        flags += ["--disable-background-networking", "--disable-component-update"]
        pipes = [str(their_commands), str(their_answers)]
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_PIPES, *pipes, program, *flags],
            pass_fds=(their_commands, their_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(their_commands)
        os.close(their_answers)
        try:
            yield Page(commands, answers)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its helpers, too
            process.wait()
