"""What a browser sends, made plain once: text in UTF-8 without NUL, or a 400. Nobody further in has to think of it.

The framework's own reading of forms believes whatever letters a part claims to be in, some of which take seconds, and
remembers the last thousand bodies with the passwords in them.
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException
from multipart import MultipartSegment, PushMultipartParser

from web.security import UPLOAD

# Our longest list, tickets of a dispute, has at most 1,500 in a body of 64 KB.
MOST_FIELDS = 2_000
UTF_8 = frozenset({"utf-8", "utf8"})


class PlainRequest(Request[Any, Any, Any]):
    """The request that every handler gets. A body is as large as its route allows."""

    _fields: FormMultiDict | None = None

    @property
    def carries_form(self) -> bool:
        """Whether `form()` finds fields here. A form with a file comes only to a route that says UPLOAD."""
        return self.content_type[0] == RequestEncodingType.URL_ENCODED or self._is_upload

    async def form(self) -> FormMultiDict:
        """The fields as they were typed, none if it is no form. Raises a 400 for what no browser sends.

        NUL is left out, since PostgreSQL keeps none; of a password too, each time alike. Lone surrogates are no UTF-8.
        """
        if self._fields is None:
            try:
                self._fields = FormMultiDict([field async for field in self._read()])
            except ValueError:
                raise ClientException("not a form of ours") from None  # the error would quote what was typed
        return self._fields

    @property
    def _is_multipart(self) -> bool:
        return self.content_type[0] == RequestEncodingType.MULTI_PART

    @property
    def _is_upload(self) -> bool:
        return self._is_multipart and bool(self.route_handler.opt.get(UPLOAD))

    async def _read(self) -> AsyncIterator[tuple[str, str | UploadFile]]:
        if self._is_upload:
            async for part, data in self._read_parts():
                yield _plain(part.name or ""), _file(part, data) if part.filename else _plain(data.decode())
        elif self._is_multipart:
            raise ValueError("nobody here takes a file")
        elif self.carries_form:
            typed = (await self.body()).decode()
            for name, value in parse_qsl(typed, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS):
                yield _plain(name), _plain(value)

    async def _read_parts(self) -> AsyncIterator[tuple[MultipartSegment, bytearray]]:
        boundary = self.content_type[1].get("boundary", "")
        with PushMultipartParser(boundary, max_segment_count=MOST_FIELDS) as parser:
            async for chunk in self.stream():
                for found in parser.parse(chunk):
                    if isinstance(found, MultipartSegment):
                        part, data = _checked(found), bytearray()
                    elif found:
                        data += found
                    else:
                        yield part, data


def _checked(part: MultipartSegment) -> MultipartSegment:
    """Before a letter is decoded."""
    if part.charset and part.charset.lower() not in UTF_8:
        raise ValueError("not UTF-8")
    return part


def _file(part: MultipartSegment, data: bytearray) -> UploadFile:
    """In memory: the route has limited it, and somebody looks at it now."""
    return UploadFile(part.content_type or "", part.filename, file_data=bytes(data), max_spool_size=0)


def _plain(text: str) -> str:
    return text.replace("\0", "")
