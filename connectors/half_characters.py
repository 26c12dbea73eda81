"""Half characters in JSON: a text that was cut in the middle of an emoji, such as `\\ud83d` without its other half.

No decoder takes one, and it stands in the answer for a whole page. It becomes U+FFFD, so that one record's cut text
does not keep all the others from being read.
"""

from __future__ import annotations

import re

_ANY = re.compile(rb"\\u[dD][89a-fA-F]")
_WHOLE = rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rb"\\(?:" + _WHOLE + rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)


def mended(body: bytes) -> bytes:
    """The same JSON without half characters; whole ones and escaped backslashes stay as they are."""
    if _ANY.search(body) is None:
        return body
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)
