"""The documents that front ends were built with, as their build tools list them.

Three kinds of list are read, each a file of JSON: what GraphQL Code Generator and Relay's compiler write, an object of
ids and texts, and Apollo's manifest of operations. A document is known by the id of its list, and by `sha256:` and the
digest of its text. The gateway does not start with a document that it would refuse.
"""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.domain.holders import UserKind
from app.domain.names import show
from app.graphql.execution import Executor, RequestFault
from app.graphql.policy import Introspection, Policy, Trust
from app.settings import Settings, SettingsFaults

SETTING = "PERMGATE_TRUSTED_DOCUMENTS"
APOLLO = "apollo-persisted-query-manifest"
MAX_ID = 200  # characters, as many as a request may name
_LONE = re.compile("[\ud800-\udfff]")  # half a character: JSON can write it, UTF-8 cannot
_DIGEST = re.compile("(?:sha256:)?([0-9a-f]{64})")
_ID = re.compile(r"sha256:[0-9a-f]{64}|(?:x-[\w.~-]+:)?[\w.~-]+", re.ASCII)  # as the draft of HTTP has it


def make_policy(settings: Settings, executor: Executor) -> Policy:
    """The policy that the settings ask for. Raises `SettingsFaults` with every fault of the trusted documents."""
    return Policy(
        documents=load_trusted(settings.trusted_documents, executor),
        trust={UserKind(kind.upper()): Trust(trust) for kind, trust in settings.trusted_mode},
        introspection=Introspection(settings.introspection),
        compiled=settings.compiled,
    )


def load_trusted(path: Path | None, executor: Executor) -> dict[str, str]:
    """The texts of trusted documents by id, from a file or the `.json` files of a folder; none without a path.

    Raises `SettingsFaults` with every fault: file, id, what is wrong.
    """
    if path is None:
        return {}
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    faults = [] if files else [f"{SETTING}: `{path}` has no file that ends in `.json`"]
    found: dict[str, str] = {}
    for file in files:
        try:
            listed = list(_read_list(json.loads(file.read_bytes())))
        except OSError as error:
            faults.append(f"{SETTING}: {file.name}: it cannot be read: {error.strerror}")
            continue
        except (ValueError, RecursionError) as error:
            faults.append(f"{SETTING}: {file.name}: {error if isinstance(error, _NoList) else 'it is not JSON'}")
            continue
        for name, text in listed:
            fault = _find_fault(name, text, executor)
            if fault is None and found.get(name, text) != text:
                fault = "another document has this id"
            if fault is None:
                found[name] = found[f"sha256:{_digest(text)}"] = text
            else:
                faults.append(f"{SETTING}: {file.name}: `{show(str(name))}`: {fault}")
    if faults:
        raise SettingsFaults(faults)
    return found


class _NoList(ValueError):
    """A file is none of the lists that are known."""


def _read_list(content: Any) -> Iterator[tuple[Any, Any]]:
    """Ids and texts as they are listed, whatever they are."""
    if not isinstance(content, dict):
        raise _NoList("expected an object of ids and documents, or Apollo's manifest")
    if "format" not in content:
        yield from content.items()
        return
    operations = content.get("operations")
    if content["format"] != APOLLO or not isinstance(operations, list):
        raise _NoList(f"expected the format `{APOLLO}` with a list of `operations`")
    for operation in operations:
        entry = operation if isinstance(operation, dict) else {}
        yield entry.get("id"), entry.get("body")


def _find_fault(name: Any, text: Any, executor: Executor) -> str | None:
    """What is wrong with a document: None where nothing is."""
    if not isinstance(name, str) or len(name) > MAX_ID or _ID.fullmatch(name) is None:
        return f"expected an id of at most {MAX_ID} letters, digits and `-._~`, or `sha256:` and 64 hexadecimal digits"
    if not isinstance(text, str) or _LONE.search(text):
        return "expected a text: the GraphQL document"
    claimed = _DIGEST.fullmatch(name)
    if claimed is not None and claimed[1] != _digest(text):
        return f"its text has another digest, {_digest(text)}"
    try:
        executor.prepare(text, trusted=True)
    except RequestFault as fault:
        return "; ".join(error.message for error in fault.errors)
    return None


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
