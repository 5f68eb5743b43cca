"""The fields of a submitted form, with its files.

https://url.spec.whatwg.org/#application/x-www-form-urlencoded
https://www.rfc-editor.org/rfc/rfc7578
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.problems import ProblemError
from api.request_body import media_type, read_body

# Fields of one form at most.
_MOST = 200
_BOUNDARY = re.compile(r'boundary="?([A-Za-z0-9\'()+_,./:=? -]{1,70})"?')
_NAME = re.compile(rb'[; ]name="([^"\r\n]*)"')
_FILE = re.compile(rb'[; ]filename="([^"\r\n]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The text of each field, and the bytes of each file that was chosen."""

    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, name: str) -> str:
        """Return the text of a field without space around it; "" without the field."""
        return self.fields.get(name, "").strip()


async def read_form(request: Request, most: int) -> Form:
    """Return the form of a request, of at most `most` bytes. Raises ProblemError."""
    kind = media_type(request)
    body = await read_body(request, most)
    if kind == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST, errors="replace"
            )
        except ValueError:
            raise _unreadable() from None
        return Form(fields=dict(pairs))
    if kind == "multipart/form-data":
        return _multipart(request.headers["content-type"], body)
    raise ProblemError("unsupported_media_type", "send the form as a browser does")


def _multipart(content_type: str, body: bytes) -> Form:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise _unreadable()
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for head, content in _parts(body, match[1].encode()):
        name = _NAME.search(head)
        if name is None or len(fields) + len(files) >= _MOST:
            raise _unreadable()
        file = _FILE.search(head)
        if file is None:
            fields[name[1].decode(errors="replace")] = content.decode(errors="replace")
        elif file[1] or content:
            files[name[1].decode(errors="replace")] = content
    return Form(fields=fields, files=files)


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the header lines and the content of each part."""
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise _unreadable()
    for part in parts[:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank:
            raise _unreadable()
        yield head, content


def _unreadable() -> ProblemError:
    return ProblemError("bad_request", "the form cannot be read: send it as a browser does")
