"""What graphql-core says of values, in GraphQL's words: it shows those of variables as Python writes them."""

import json
import re
from ast import literal_eval

MAX_READ = 2000  # characters of a message that are read: it is cut far shorter, and may hold a name as long as a body
_SHOWN = re.compile(
    r"(Variable '\$\w+' has invalid value[^:]*: .*?(?:[Ff]ound|cannot represent [^:]*value): )(.*)", re.DOTALL
)
_WORD = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?P<colon>:)?|\b(?P<word>None|True|False)\b|(?P<brace>{(?!})|(?<!{)})""",
    re.DOTALL,
)
_WORDS = {"None": "null", "True": "true", "False": "false", "{": "{ ", "}": " }"}
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")


def reword(message: str) -> str:
    """A message of graphql-core's; values in it read as literals of a document do in its messages."""
    message = message[:MAX_READ].replace(" not to be None.", " not to be null.")
    found = _SHOWN.fullmatch(message)
    return message if found is None else found[1] + _WORD.sub(_write, found[2])


def _write(found: re.Match[str]) -> str:
    if found["text"] is None:
        return _WORDS[found[0]]
    try:
        text = literal_eval(found["text"])
    except (SyntaxError, ValueError):  # a long one is shown without its middle, which may have begun in an escape
        return found[0]
    if found["colon"] and _NAME.fullmatch(text):
        return f"{text}:"
    return json.dumps(text, ensure_ascii=not text.isprintable()) + (found["colon"] or "")
