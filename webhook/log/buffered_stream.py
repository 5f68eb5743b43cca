"""Log lines handed on together: one write for each turn of the event loop, not one for each."""

import asyncio
from typing import TextIO


class BufferedStream:
    """What `log.configure` takes for a stream. A crash may lose the lines of the last turn."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []

    def isatty(self) -> bool:
        """Whether people read along."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Take text, which is written when the event loop comes round, or at once without one."""
        first = not self._waiting
        self._waiting.append(text)
        if first:
            try:
                asyncio.get_running_loop().call_soon(self._hand_on)
            except RuntimeError:
                self._hand_on()
        return len(text)

    def flush(self) -> None:
        """Nothing: whoever writes a line would otherwise force it out alone."""

    def _hand_on(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._stream.write("".join(waiting))
        self._stream.flush()
