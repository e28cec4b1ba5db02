"""Hostile requests over HTTP, as data: each by name, the bytes that are sent, and what may come of it.

Texts in double braces are replaced by what there is in the demo.
"""

# One line a case, and letters that are mistaken for others on purpose:
# ruff: noqa: E501, RUF001

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

Bytes = bytes | Callable[[], bytes]  # what is long is made when it is needed


class Expect(Enum):
    """What may come of a request, beside that it is no accident."""

    REFUSED = auto()  # 4xx, 503 or a closed connection; or errors without data
    NOBODY = auto()  # nothing is found: data, all of it null or empty; or it is refused
    ANSWERED = auto()  # data without errors
    ANYTHING = auto()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request. `raw` is all that is sent; otherwise a request is made of the other fields."""

    name: str
    body: Bytes = b""
    raw: Bytes | None = None
    method: str = "POST"
    path: str = "/graphql"
    headers: dict[str, str] = field(default_factory=dict)
    caller: str = "owner"
    expect: Expect = Expect.REFUSED
    half_close: bool = False  # nothing more will be sent, says the client, and still wants an answer
    most_answers: int = 1
    long: bool = False  # it takes the server a second or more

    @property
    def is_graphql(self) -> bool:
        return self.path == "/graphql" and (self.raw is None or b"/sync/" not in _make(self.raw)[:200])

    def write(self, host: str, token: str, known: dict[str, str]) -> bytes:
        """The bytes for a server."""
        if self.raw is not None:
            return fill(_make(self.raw), {"HOST": host, "TOKEN": token, **known})
        body = fill(_make(self.body), known)
        headers = {
            "host": host, "authorization": f"Bearer {token}", "content-type": "application/json",
            "content-length": str(len(body)), "connection": "close",
        } | self.headers  # fmt: skip
        lines = [f"{self.method} {fill(self.path.encode(), known).decode()} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _make(given: Bytes) -> bytes:
    return given() if callable(given) else given


def fill(text: bytes, known: dict[str, str]) -> bytes:
    for name, value in known.items():
        text = text.replace(b"{{" + name.encode() + b"}}", value.encode())
    return text


def ask(document: str, variables: Any = None, **more: Any) -> bytes:
    content = {"query": document} | ({} if variables is None else {"variables": variables}) | more
    return json.dumps(content).encode()


HELLO = ask("{ __typename }")
USER = "query ($name: String!) { user(ref: {userName: $name}) { id } }"


# ---------------------------------------------------------------------- JSON


def json_cases() -> Iterator[Case]:
    refused = {
        "a byte order mark": b"\xef\xbb\xbf" + HELLO,
        "UTF-16 with a mark": '{"query":"{__typename}"}'.encode("utf-16"),
        "UTF-32": '{"query":"{__typename}"}'.encode("utf-32-le"),
        "an overlong encoding": b'{"query":"{__typename}","a":"\xc0\xaf"}',
        "a surrogate in UTF-8": b'{"query":"{__typename}","a":"\xed\xa0\x80"}',
        "a lone surrogate in the document": b'{"query":"{ user(ref: {userName: \\"\\ud800\\"}) { id } }"}',
        "a lone surrogate in a variable": json.dumps({"query": USER, "variables": {"name": "\ud800"}}).encode(),
        "infinity by an exponent": b'{"query":"query($n:Int){users(first:$n){totalCount}}","variables":{"n":1e400}}',
        "minus infinity": b'{"query":"query($n:Int){users(first:$n){totalCount}}","variables":{"n":-Infinity}}',
        "not a number": b'{"query":"query($n:Int){users(first:$n){totalCount}}","variables":{"n":NaN}}',
        "a number of 400 digits": b'{"query":"{__typename}","variables":{"n":' + b"9" * 400 + b"}}",
        "a large number for an Int": ask("query ($n: Int) { users(first: $n) { totalCount } }", {"n": 1e308}),
        "a number as a name": ask(USER, {"name": 5}),
        "a list of lists as a name": ask(USER, {"name": [[[["olga"]]]]}),
        "sixty lists around a name": ask(USER, {"name": json.loads("[" * 50 + '"x"' + "]" * 50)}),
        "two bodies": HELLO + b" " + HELLO,
        "a comment": b"/* hello */" + HELLO,
        "single quotes": b"{'query':'{__typename}'}",
        "a comma too many": b'{"query":"{__typename}",}',
        "nothing but white space": b" \r\n\t ",
        "nothing": b"",
        "keys in capitals": b'{"QUERY":"{__typename}"}',
        "variables in a text": b'{"query":"{__typename}","variables":"{\\"a\\":1}"}',
        "variables that are true": b'{"query":"{__typename}","variables":true}',
        "a document in a list": b'{"query":["{__typename}"]}',
        "the name of an operation in a list": b'{"query":"query A{__typename}","operationName":["A"]}',
        "a revision in other digits": ask("{ __typename }", extensions={"minRevision": "４２"}),
        "a revision far away": ask("{ __typename }", extensions={"minRevision": "999999999999999999"}),
        "a negative revision": ask("{ __typename }", extensions={"minRevision": "-1"}),
        "a document by a path": json.dumps({"documentId": "../../../../etc/passwd"}).encode(),
        "a persisted query that is not known": json.dumps(
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
        ).encode(),
        "a persisted query of no shape": json.dumps({"extensions": {"persistedQuery": [1, {"a": None}]}}).encode(),
        "fields of a prototype": ask(
            "mutation ($input: CreateUserInput!) { createUser(input: $input) { revision } }",
            {"input": {"userName": "x", "dryRun": True, "__proto__": {"isOwner": True}, "constructor": {}}},
        ),
    }
    for name, body in refused.items():
        yield Case(name=name, body=body)
    yield Case(name="lists without an end", body=lambda: b'{"query":"{__typename}","variables":' + b"[" * 100_000)
    yield Case(name="objects without an end", body=lambda: b'{"a":' * 100_000)
    yield Case(name="a text without an end", body=lambda: b'{"query":"' + b"\\" * 400_001)
    yield Case(name="ten operation names long", body=lambda: ask("query A { __typename }", operationName="A" * 100_000))
    anything = {
        "a key given twice": b'{"query":"{__typename}","query":"{users{totalCount}}"}',
        "variables of a prototype": ask("{ __typename }", {"__proto__": {"a": 1}, "constructor": {"prototype": {}}}),
        "minus nought": b'{"query":"query($n:Int){users(first:$n){totalCount}}","variables":{"n":-0}}',
        "a whole number with a point": ask("query ($n: Int) { users(first: $n) { totalCount } }", {"n": 1.0}),
        "a nul in a name": ask(USER, {"name": "olga\x00"}),
        "null for all": b'{"query":"{__typename}","variables":null,"operationName":null,"extensions":null}',
    }
    for name, body in anything.items():
        yield Case(name=name, body=body, expect=Expect.ANYTHING)
    yield Case(
        name="variables of a hundred thousand items", expect=Expect.ANYTHING,
        body=lambda: ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 100_000}),
    )  # fmt: skip
    yield Case(
        name="fifty thousand keys", expect=Expect.ANYTHING,
        body=lambda: ask("{ __typename }", {f"k{number}": number for number in range(50_000)}),
    )  # fmt: skip


# ---------------------------------------------------------------------- names, ids, cursors


def name_cases() -> Iterator[Case]:
    names = {
        "full width": "ｏｌｇａ", "zero width": "ol\u200bga", "bidi": "\u202eaglo", "a soft hyphen": "ol\u00adga",
        "a space behind": "olga ", "a space before": " olga", "capitals": "OLGA", "another script": "оlga",
        "a combining mark": "o\u0308lga", "a nul behind": "olga\u0000", "a line behind": "olga\n", "like": "olg_",
        "any": "%", "quotes": "' OR ''='", "a text of SQL": "x'; DROP TABLE users; --", "half a pair": "olga\ufffd",
        "nothing": "", "an astral letter": "𝐨𝐥𝐠𝐚",
    }  # fmt: skip
    for name, word in names.items():
        yield Case(name=f"a name in {name}", body=ask(USER, {"name": word}), expect=Expect.NOBODY)
        searched = ask("query ($s: String) { roles(filter: {search: $s}) { totalCount } }", {"s": word})
        yield Case(name=f"a search in {name}", body=searched, expect=Expect.ANYTHING)
    for number in ("Ｃ-１００", "C\u2011100", "c-100", "C-100\u0000", "C-0100", "C-1٠٠"):
        document = "query ($n: String!) { contract(ref: {number: $n}) { id } }"
        yield Case(name=f"the contract {number!a}", body=ask(document, {"n": number}), expect=Expect.NOBODY)
    ids = {
        "of another type": "rol_{{USER_TAIL}}", "cut short": "{{USER_CUT}}", "with a space": "{{USER}} ",
        "with a nul": "{{USER}}\\u0000", "with a sign": "+{{USER}}", "twice": "{{USER}}{{USER}}",
        "in full width": "ｕｓｒ_{{USER_TAIL}}", "of no type": "{{USER_TAIL}}", "of a type alone": "usr_",
        "in base 64": "VXNlcjox", "of a type in capitals": "USR_{{USER_TAIL}}",
        "of a type that is not there": "xyz_{{USER_TAIL}}", "that is a path": "../{{USER}}", "of nothing": "",
    }  # fmt: skip
    for name, written in ids.items():
        for document in (
            "query ($id: ID!) { node(id: $id) { id } }",
            "query ($id: ID!) { user(ref: {id: $id}) { id } }",
        ):
            body = ask(document, {"id": "{{ID}}"}).replace(b"{{ID}}", written.encode())
            yield Case(name=f"an id {name} by {document[20:24]}", body=body, expect=Expect.NOBODY)
    for written in ("0", "-1", "1e3", "٣", "999999999999999999999999"):
        yield Case(name=f"an id that is {written}", body=ask("query ($id: ID!) { node(id: $id) { id } }", {"id": written}),
                   expect=Expect.NOBODY)  # fmt: skip
    cursors = {
        "of another list": "{{USERS_CURSOR}}", "cut short": "{{ROLES_CUT}}", "with a line": "{{ROLES_CURSOR}}\\n",
        "bent": "A{{ROLES_CURSOR}}", "of nothing": "", "in base 64": "eyJhIjoxfQ==", "that is a number": "1",
        "of ten pluses": "++++++++++", "not in ASCII": "ｅｙＪ",
    }  # fmt: skip
    for name, cursor in cursors.items():
        document = "query ($c: String) { roles(first: 2, after: $c) { edges { node { key } } } }"
        yield Case(name=f"a cursor {name}", body=ask(document, {"c": "{{C}}"}).replace(b"{{C}}", cursor.encode()))
    yield Case(
        name="a cursor of a megabyte", body=lambda: ask('{ roles(after: "%s") { totalCount } }' % ("A" * 900_000))
    )
    pages = ("first: -1", "first: 2147483647", "first: 2147483648", "first: 101", "first: 1, last: 1", "last: -5", "last: 0",
             "first: 0", 'first: 1, after: "x", before: "y"', "first: 1e2", "first: 1.0", 'first: "1"')  # fmt: skip
    for page in pages:
        yield Case(name=f"a page of {page}", body=ask(f"{{ roles({page}) {{ totalCount }} }}"), expect=Expect.ANYTHING)


# ---------------------------------------------------------------------- documents


def page_of(depth: int) -> str:
    """Pages of the people of the roles of the people, so many levels."""
    inner = "id" if not depth else f"roles {{ role {{ members(first: 100) {{ {page_of(depth - 1)} }} }} }}"
    return f"edges {{ node {{ {inner} }} }}"


def document_cases() -> Iterator[Case]:
    chain = " ".join(f"fragment f{n} on Holder {{ ...f{n + 1} ...f{n + 1} }}" for n in range(24))
    laughs = f'{{ node(id: "x") {{ ...f0 }} }} {chain} fragment f24 on Holder {{ displayName }}'
    circle = " ".join(f"fragment f{n} on Query {{ ...f{(n + 1) % 50} }}" for n in range(50))
    skipped = " ".join(f"a{n}: users(first: 100) @skip(if: $no) {{ {page_of(2)} }}" for n in range(20))
    refused: dict[str, Bytes] = {
        "fragments that double over an interface": ask(laughs),
        "a circle of fifty fragments": ask(f"{{ ...f0 }} {circle}"),
        "lists within lists within lists": ask(f"{{ users(first: 100) {{ {page_of(4)} }} }}"),
        "what a variable does not skip": ask(f"query ($no: Boolean!) {{ {skipped} }}", {"no": False}),
        "five hundred directives on a field": ask("{ __typename " + "@include(if: true) " * 500 + "}"),
        "a directive of nobody": ask("{ __typename @deprecate(everything: true) }"),
        "a directive on an operation": ask("query @skip(if: false) { __typename }"),
        "a subscription by POST": ask("subscription { changes { revision } }"),
        "two subscriptions at once": ask("subscription { a: changes { revision } b: changes { revision } }"),
        "a fragment named on": ask("{ ...on } fragment on on Query { __typename }"),
        "variables on a fragment": ask("{ ...f } fragment f($x: Int = 1) on Query { __typename }"),
        "an argument twice": ask("{ users(first: 1, first: 100) { totalCount } }"),
        "an operation name twice": ask("query A { __typename } query A { users { totalCount } }", operationName="A"),
        "no such operation": ask("query A { __typename }", operationName="a"),
        "an Int of five thousand digits": ask("{ users(first: " + "9" * 5000 + ") { totalCount } }"),
        "a float that is too large": ask("{ users(first: 1e999999) { totalCount } }"),
        "an escape beyond unicode": ask('{ user(ref: {userName: "\\u{110000}"}) { id } }'),
        "half an escape": ask('{ user(ref: {userName: "\\uDC00"}) { id } }'),
        "a nul in the document": ask("{ __typename \x00 }"),
        "letters that are no names": ask("{ ｕsers { totalCount } }"),
        "a comment alone": ask("# hello"),
        "fragments alone": ask("fragment f on Query { __typename }"),
        "a schema": ask("schema { query: Query } type Query { a: Int }"),
        "an extension of the schema": ask("{ __typename } extend type Query { a: Int }"),
        "lists of lists in an argument": ask("{ nodes(ids: " + "[" * 150 + '"x"' + "]" * 150 + ") { id } }"),
        "objects within objects in an argument": ask("{ users(filter: " + "{a: " * 150 + "1" + "}" * 150 + ") { totalCount } }"),
        "a variable in its own default": ask("query ($a: String = $a) { user(ref: {userName: $a}) { id } }"),
        "a type of types": ask("query ($a: " + "[" * 150 + "ID" + "]" * 150 + ") { __typename }"),
        "one of two": ask('{ user(ref: {id: "x", userName: "olga"}) { id } }'),
        "one of none": ask("{ user(ref: {}) { id } }"),
        "a moment in the year 10000": ask('{ viewer { can(node: "x", at: "10000-01-01T00:00:00Z") { allowed } } }'),
        "the thirtieth of February": ask('{ viewer { can(node: "x", at: "2026-02-30T00:00:00Z") { allowed } } }'),
        "an offset of 99 hours": ask('{ viewer { can(node: "x", at: "2026-01-01T00:00:00+99:99") { allowed } } }'),
        "a moment without an offset": ask('{ viewer { can(node: "x", at: "2026-01-01T00:00:00") { allowed } } }'),
        "a name of a hundred thousand letters": lambda: ask("{ " + "a" * 100_000 + " }"),
        "an alias of a hundred thousand letters": lambda: ask("{ " + "a" * 100_000 + ": nothing }"),
        "a thousand operations": lambda: ask(" ".join(f"query A{n} {{ __typename }}" for n in range(1000)), operationName="A1"),
        "two thousand fragments": lambda: ask("{ __typename } " + " ".join(f"fragment f{n} on Query {{ __typename }}" for n in range(2000))),
        "two thousand variables": lambda: ask("query (" + " ".join(f"$v{n}: [ID!] = [\"x\"]" for n in range(2000)) + ") { __typename }"),
        "five thousand times the same": lambda: ask("{ " + " ".join(f"a{n}: __typename" for n in range(5000)) + " }"),
        "a block of half a megabyte": lambda: ask('{ user(ref: {userName: """' + "\n a" * 150_000 + '"""}) { id } }'),
        "half a megabyte of commas": lambda: ask("{ __typename " + "," * 500_000 + " }"),
        "fifty thousand nulls": lambda: ask("{ nodes(ids: [" + "null " * 50_000 + "]) { id } }"),
        "ten thousand ids": lambda: ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["{{USER}}"] * 10_000}),
        "five thousand checks": lambda: ask(
            "query ($in: [CheckInput!]!) { checkMany(inputs: $in) { allowed } }",
            {"in": [{"user": {"userName": "olga"}, "node": "x"}] * 5000},
        ),
        "five thousand changes to simulate": lambda: ask(
            "query ($c: [ChangeInput!]!) { simulate(changes: $c) { violations { code } } }",
            {"c": [{"assign": {"holder": {"user": {"userName": "olga"}}, "roles": [{"role": {"key": "x"}}]}}] * 5000},
        ),
        "two hundred mutations": lambda: ask(
            "mutation { " + " ".join(f'a{n}: createUser(input: {{userName: "u{n}", dryRun: true}}) {{ revision }}' for n in range(200)) + " }"
        ),
        "the schema through itself": ask("{ __schema { types { " + "fields { type { " * 12 + "name" + " } }" * 12 + " } } }"),
    }  # fmt: skip
    for name, body in refused.items():
        yield Case(name=name, body=body)
    anything: dict[str, Bytes] = {
        "a mark in the document": ask("\ufeff{ __typename }"),
        "the log with a head of 100 kB": lambda: ask("query ($h: String) { verifyAudit(head: $h) { __typename } }", {"h": "x" * 100_000}),
        "rights of ten thousand nodes": lambda: ask(
            "query ($n: [String!]) { viewer { user { effectiveRights(nodes: $n) { state } } } }", {"n": ["x"] * 10_000}
        ),
        "a period that ends before it begins": ask(
            '{ auditLog(filter: {since: "2031-01-01T00:00:00Z", until: "1970-01-01T00:00:00Z"}) { totalCount } }'
        ),
        "the first moment of all": ask('{ viewer { can(node: "x", at: "0001-01-01T00:00:00+14:00") { allowed } } }'),
        "the last moment of all": ask('{ viewer { can(node: "x", at: "9999-12-31T23:59:59-14:00") { allowed } } }'),
        "facts that are no numbers": ask(
            '{ check(input: {user: {userName: "olga"}, node: "x", facts: [{name: "credit", value: "1e400"}, {name: "", value: "NaN"}]}) { allowed } }'
        ),
        "a right far back": ask('{ user(ref: {userName: "olga"}) { effectiveRights(asOf: {revision: "0"}) { state } } }'),
        "everything about every node": ask("{ systems { nodes(search: \"\") { key } } }"),
        "a token with a label of controls": ask(
            'mutation { issueToken(input: {user: {userName: "olga"}, label: "\\u0000\\u001b[31m\\r\\nX", dryRun: true}) { errors { code } } }'
        ),
        "a token that ends before it begins": ask(
            'mutation { issueToken(input: {user: {userName: "olga"}, label: "x", expiresAt: "1970-01-01T00:00:00Z", dryRun: true}) { errors { code } } }'
        ),
        "a name that is all blank": ask('mutation { createUser(input: {userName: "\\u3000\\u200b", dryRun: true}) { errors { code } } }'),
        "a name of a megabyte": lambda: ask(
            "mutation ($n: String!) { createUser(input: {userName: $n, dryRun: true}) { errors { code } } }", {"n": "a" * 900_000}
        ),
        "a name that looks like another": ask('mutation { createUser(input: {userName: "оlga", dryRun: true}) { warnings { code } } }'),
        "a reason of a megabyte": lambda: ask(
            'mutation ($r: String) { createUser(input: {userName: "x", reason: $r, dryRun: true}) { errors { code } } }', {"r": "a" * 900_000}
        ),
    }  # fmt: skip
    for name, body in anything.items():
        yield Case(name=name, body=body, expect=Expect.ANYTHING)


# ---------------------------------------------------------------------- HTTP


def _raw(*lines: str, body: bytes = HELLO, length: bool = True) -> bytes:
    """A request line and headers as they are, with the token and a body."""
    head = [lines[0], "Host: {{HOST}}", "Authorization: Bearer {{TOKEN}}", "Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join([*head, "Connection: close", *lines[1:]]).encode("latin-1") + b"\r\n\r\n" + body


POST = "POST /graphql HTTP/1.1"


def http_cases() -> Iterator[Case]:
    for kind in (
        "application/json; charset=utf-8; charset=utf-16", "application/json; charset=latin-1", "text/json",
        "application/json, text/plain", "text/plain; application/json", "application/json-seq", "application/jsonx",
        "application/graphql", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "*/*", "application/ json",
    ):  # fmt: skip
        yield Case(name=f"the type {kind}", body=HELLO, headers={"content-type": kind})
    for kind in (
        "application/json;;;",
        "application/json; q=1",
        "Application/JSON",
        'application/json; charset="UTF-8"',
    ):
        yield Case(name=f"the type {kind}", body=HELLO, headers={"content-type": kind}, expect=Expect.ANYTHING)
    yield Case(name="no type", body=HELLO, headers={"content-type": ""})
    for encoding in ("br", "identity, gzip", "gzip, gzip", "compress", "ｇzip"):
        yield Case(name=f"packed by {encoding!a}", body=HELLO, headers={"content-encoding": encoding})
    yield Case(name="a bomb", body=lambda: gzip.compress(b" " * 20_000_000), headers={"content-encoding": "gzip"})
    for accept in ("text/html", "application/json;q=0", "image/*", "application/xml, text/plain;q=0.5"):
        yield Case(name=f"an answer as {accept}", body=HELLO, headers={"accept": accept})
    yield Case(name="ten thousand wishes", body=HELLO, expect=Expect.ANYTHING,
               headers={"accept": ",".join(f"a/b{n};q=0.{n % 10}" for n in range(4000))})  # fmt: skip
    for name in ("x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-forwarded-host"):
        yield Case(name=f"overridden by {name}", body=HELLO, headers={name: "DELETE"}, expect=Expect.ANSWERED)
    for token in ("Bearer", "Bearer  ", "Basic {{TOKEN}}", "bearer\t{{TOKEN}}x", "Bearer {{TOKEN}} {{TOKEN}}", "Bearer {{TOKEN}}\x7f",
                  "Bearer pgt_", "Bearer ｐｇｔ_", "Digest username=olga", "{{TOKEN}}"):  # fmt: skip
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: {{{{HOST}}}}\r\nAuthorization: {token}\r\nContent-Type: application/json"
        )
        yield Case(
            name=f"the authorization {token!a}",
            raw=f"{head}\r\nContent-Length: {len(HELLO)}\r\nConnection: close\r\n\r\n".encode() + HELLO,
        )
    yield Case(name="two tokens", raw=_raw(POST, "Authorization: Bearer x"))
    refused = {
        "two lengths that differ": _raw(POST, "Content-Length: 5"),
        "a length with a sign": _raw(POST, f"Content-Length: +{len(HELLO)}", length=False),
        "a length with a comma": _raw(POST, f"Content-Length: {len(HELLO)}, 5", length=False),
        "a length below nought": _raw(POST, "Content-Length: -1", length=False),
        "a length in hex": _raw(POST, "Content-Length: 0x18", length=False),
        "a length of many digits": _raw(POST, "Content-Length: " + "9" * 50, length=False),
        "a coding of nobody": _raw(POST, "Transfer-Encoding: xchunked", length=False),
        "a chunk below nought": _raw(POST, "Transfer-Encoding: chunked", length=False, body=b"-1\r\nx\r\n0\r\n\r\n"),
        "a chunk of no length": _raw(POST, "Transfer-Encoding: chunked", length=False, body=b"zz\r\nx\r\n0\r\n\r\n"),
        "a host that is a path": _raw(POST.replace("/graphql", "http://evil.example/else")),
        "a method in small letters": _raw("post /graphql HTTP/1.1"),
        "a method of nobody": _raw("BREW /graphql HTTP/1.1"),
        "a method of a thousand letters": _raw("P" * 1000 + " /graphql HTTP/1.1"),
        "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 64,
        "HTTP/9.9": _raw("POST /graphql HTTP/9.9"),
        "a greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        "a line without an end": b"POST /graphql" + b"A" * 100_000 + b"\r\n\r\n",
        "a header with a space in its name": _raw(POST, "X Y: 1"),
        "a header with a nul": _raw(POST, "X-A: a\x00b"),
        "the way to another host": _raw("CONNECT evil.example:443 HTTP/1.1", body=b""),
        "a trace": _raw("TRACE /graphql HTTP/1.1", body=b""),
        "DELETE": _raw("DELETE /graphql HTTP/1.1"),
        "a path around": _raw("POST /x/../graphql HTTP/1.1"),
        "a path around that is spelt": _raw("POST /graphql%2f..%2fgraphql HTTP/1.1"),
        "a nul in the path": _raw("POST /graphql%00 HTTP/1.1"),
        "a parameter of the path": _raw("POST /graphql;a=b HTTP/1.1"),
        "a query that is not UTF-8": _raw("GET /graphql?query=%ff%fe HTTP/1.1", body=b"", length=False),
        "a mutation by GET": _raw(
            "GET /graphql?query=mutation%7BcreateUser(input%3A%7BuserName%3A%22x%22%7D)%7Brevision%7D%7D HTTP/1.1", body=b"",
            length=False,
        ),
        "a query of a frame": _raw("POST /graphql?query=%7B__typename%7D HTTP/1.1", body=b""),
    }  # fmt: skip
    for name, raw in refused.items():
        yield Case(name=name, raw=raw)
    never = _raw(POST, "Transfer-Encoding: chunked", length=False, body=b"ffffffffffffffff\r\nx")
    yield Case(name="a chunk of more than there is", raw=never, long=True)
    anything = {
        "two lengths that are one": _raw(POST, f"Content-Length: {len(HELLO)}"),
        "a length and chunks": _raw(POST, "Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        "chunks in chunks": _raw(POST, "Transfer-Encoding: chunked, chunked", length=False, body=b"0\r\n\r\n"),
        "a chunk with a long extension": _raw(
            POST, "Transfer-Encoding: chunked", length=False,
            body=b"%x;" % len(HELLO) + b"a" * 20_000 + b"\r\n" + HELLO + b"\r\n0\r\n\r\n",
        ),
        "chunks with a trailer": _raw(
            POST, "Transfer-Encoding: chunked", "Trailer: Authorization", length=False,
            body=b"%x\r\n" % len(HELLO) + HELLO + b"\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
        ),
        "chunks of a byte": _raw(
            POST, "Transfer-Encoding: chunked", length=False,
            body=b"".join(b"1\r\n%c\r\n" % byte for byte in HELLO) + b"0\r\n\r\n",
        ),
        "an expectation": _raw(POST, "Expect: 100-continue"),
        "an expectation of nobody": _raw(POST, "Expect: 200-ok"),
        "HTTP/1.0 without a host": b"POST /graphql HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        "no host": _raw(POST).replace(b"Host: {{HOST}}\r\n", b""),
        "two hosts": _raw(POST, "Host: evil.example"),
        "a host of bytes": _raw(POST).replace(b"{{HOST}}", b"\xff\xfe:99999"),
        "everything": _raw("OPTIONS * HTTP/1.1", body=b""),
        "HTTP/2 in the clear": _raw(POST, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        "a socket of version 1": _raw(
            "GET /graphql HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Version: 1", body=b"", length=False
        ).replace(b"Connection: close", b"Connection: upgrade"),
        "a socket without a key": _raw(
            "GET /graphql HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Version: 13", body=b"", length=False
        ).replace(b"Connection: close", b"Connection: upgrade"),
        "a folded header": _raw(POST, "X-A: a\r\n b"),
        "two hundred headers": _raw(POST, *(f"X-{n}: {n}" for n in range(200))),
        "three hundred cookies": _raw(POST, *(f"Cookie: c{n}={n}" for n in range(300))),
        "ranges": _raw("GET /graphql?query=%7B__typename%7D HTTP/1.1", "Range: bytes=" + ",".join("0-1" for _ in range(1000)),
                       body=b"", length=False),
        "a spelt path": _raw("POST /%67raphql HTTP/1.1"),
        "two slashes": _raw("POST //graphql HTTP/1.1"),
        "a slash behind": _raw("POST /graphql/ HTTP/1.1"),
        "two queries by GET": _raw("GET /graphql?query=%7B__typename%7D&query=%7Busers%7BtotalCount%7D%7D HTTP/1.1", body=b"",
                                   length=False),
        "a GET with a body": _raw("GET /graphql?query=%7B__typename%7D HTTP/1.1"),
        "HEAD": _raw("HEAD /graphql?query=%7B__typename%7D HTTP/1.1", body=b"", length=False),
        "a query of sixty thousand letters": _raw("GET /graphql?query=%7B" + "a" * 60_000 + "%7D HTTP/1.1", body=b"", length=False),
        "ten thousand parameters": _raw("GET /graphql?" + "&".join(f"a{n}" for n in range(8000)) + " HTTP/1.1", body=b"", length=False),
        "an address with everything": _raw("POST http://user:pass@{{HOST}}/graphql#x HTTP/1.1"),
    }  # fmt: skip
    for name, raw in anything.items():
        yield Case(name=name, raw=raw, expect=Expect.ANYTHING)
    piped = _raw(POST).replace(b"Connection: close\r\n", b"")
    yield Case(name="fifty in one go", raw=piped * 49 + _raw(POST), expect=Expect.ANYTHING, most_answers=50)
    yield Case(name="a second one behind the length", raw=_raw(POST) + b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
               expect=Expect.ANYTHING)  # fmt: skip
    yield Case(name="nothing more to send", raw=_raw(POST), expect=Expect.ANYTHING, half_close=True)
    yield Case(name="half of it, and nothing more to send", raw=_raw(POST)[:-5], half_close=True)


# ---------------------------------------------------------------------- feeds

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join('*' + chr(97 + n) for _ in range(9))}]\n" for n in range(9)
)


def feed_cases() -> Iterator[Case]:
    def feed(name: str, body: Bytes, kind: str = "application/x-ndjson", **more: Any) -> Case:
        headers = {"content-type": kind} | more.pop("headers", {})
        return Case(
            name=f"a feed: {name}", body=body, path=more.pop("path", "/sync/directory"), headers=headers,
            **({"caller": "sync", "expect": Expect.ANYTHING} | more),
        )  # fmt: skip

    person = b'{"user": {"userName": "x", "displayName": "X"}}\n'
    yield feed("aliases of aliases", LAUGHS.encode(), "application/yaml")
    yield feed("an object of Python", b"!!python/object/apply:os.system ['echo hacked']", "application/yaml")
    yield feed("a name of Python", b"users: !!python/name:os.system", "application/yaml")
    yield feed("brackets in YAML", b"[" * 20_000, "application/yaml")
    yield feed("a merge of oneself", b"a: &a\n  <<: *a\n", "application/yaml")
    yield feed("an anchor of oneself", b"users: &a [*a]\n", "application/yaml")
    yield feed("a date of YAML", b"users: [{userName: 2026-01-01}]\n", "application/yaml")
    yield feed("two documents", b"users: []\n---\nusers: []\n", "application/yaml")
    yield feed("a quote without an end", lambda: b'userName,displayName\n"' + b"a,\n" * 300_000, "text/csv")
    yield feed("quotes alone", lambda: b"userName\n" + b'"' * 500_001, "text/csv")
    yield feed(
        "ten thousand columns", lambda: b",".join(b"c%d" % n for n in range(10_000)) + b"\n" + b"," * 9999, "text/csv"
    )
    yield feed("a column twice", b"userName,userName\na,b\n", "text/csv")
    yield feed("a nul in a table", b"userName\na\x00b\n", "text/csv")
    yield feed("lines that end in all ways", b"userName\ra\r\nb\x0bc\x0cd\xe2\x80\xa8e\n", "text/csv")
    yield feed("formulas", b"userName,displayName\n=cmd|'/c calc'!A1,@SUM(1)\n", "text/csv")
    yield feed("a line of five megabytes", lambda: b'{"user": {"userName": "' + b"a" * 5_000_000 + b'"}}\n')
    yield feed("no line in five megabytes", lambda: b" " * 5_000_000)
    yield feed("a line of brackets", b"[" * 100_000)
    yield feed("a line of digits", b'{"user": {"userName": ' + b"9" * 5000 + b"}}\n")
    yield feed("not a number", b'{"user": {"userName": NaN}}\n')
    yield feed("a key twice", b'{"user": {"userName": "a", "userName": "b"}}\n')
    yield feed("half a pair", b'{"user": {"userName": "\\ud800"}}\n')
    yield feed("a nul", b'{"user": {"userName": "a\\u0000b"}}\n')
    yield feed("a prototype", b'{"__proto__": {"user": 1}}\n')
    yield feed("not UTF-8", b'{"user": {"userName": "\xff"}}\n')
    yield feed("UTF-16", person.decode().encode("utf-16"))
    yield feed("one object", b'{"users": null}', "application/json")
    yield feed("an empty list", b'{"users": []}', "application/json")
    yield feed("ten thousand lines that are wrong", lambda: b"{}\n" * 10_000)
    yield feed("a bomb", lambda: gzip.compress(b" " * 20_000_000), headers={"content-encoding": "gzip"})
    yield feed(
        "a bomb of lines", lambda: gzip.compress(b"\n" * 1_000_000), headers={"content-encoding": "gzip"}, long=True
    )
    yield feed("a pack in a pack", gzip.compress(gzip.compress(person)), headers={"content-encoding": "gzip"})
    yield feed("a pack cut short", gzip.compress(person * 100)[:-9], headers={"content-encoding": "gzip"})
    yield feed("a pack with more behind", gzip.compress(person) + b"more", headers={"content-encoding": "gzip"})
    yield feed("no pack", person, headers={"content-encoding": "gzip"})
    yield feed("a thousand packs", lambda: gzip.compress(b"") * 5000, headers={"content-encoding": "gzip"})
    for source in (
        "..%2f..%2fetc",
        "%00",
        "a" * 300,
        "hr/../manual",
        "",
        "%F0%9F%98%80",
        "a%0d%0ab",
        "%ff",
        "manual",
        "%20hr",
    ):
        yield feed(f"from {source[:20]!a}", person, path=f"/sync/{source}")
    for query in ("mode=evil", "maxRemovals=-1", "maxRemovals=%EF%BC%91", "maxRemovals=" + "9" * 30, "mode=ATOMIC&mode=PARTIAL",
                  "nothing=1", "takeOver=1", "resume=true&takeOver=TRUE", "a" * 5000, "mode=%ff"):  # fmt: skip
        yield feed(f"with {query[:24]}", person, path=f"/sync/directory?{query}", expect=Expect.REFUSED)
    for kind in ("text/plain", "application/x-ndjson; charset=utf-16", "multipart/form-data; boundary=x", ""):
        yield feed(f"as {kind or 'nothing'}", person, kind, expect=Expect.REFUSED)
    yield feed("packed otherwise", person, headers={"content-encoding": "deflate"}, expect=Expect.REFUSED)
    yield feed("a key of 10 kB", person, headers={"idempotency-key": "k" * 10_000})
    yield feed("a key of blanks", person, headers={"idempotency-key": '"   "'})
    yield feed("by an agent", person, caller="agent", expect=Expect.REFUSED)
    for length in ("-5", "1e9", "٣", "0x10", "99999999999999999999"):
        yield feed(f"of a length of {length!a}", person, headers={"content-length": length}, half_close=True)
    yield Case(
        name="a feed: in chunks without a line", caller="sync", expect=Expect.ANYTHING,
        raw=lambda: _raw("POST /sync/directory HTTP/1.1", "Transfer-Encoding: chunked", length=False,
                         body=(b"10000\r\n" + b"a" * 65536 + b"\r\n") * 60 + b"0\r\n\r\n"
                         ).replace(b"application/json", b"application/x-ndjson"),
    )  # fmt: skip
    yield Case(
        name="a feed: that stops", caller="sync", expect=Expect.ANYTHING, half_close=True,
        raw=_raw("POST /sync/directory HTTP/1.1", "Content-Length: 100000", length=False, body=person).replace(
            b"application/json", b"text/csv"
        ),
    )  # fmt: skip


# ---------------------------------------------------------------------- SCIM


def scim_cases() -> Iterator[Case]:
    def scim(name: str, method: str, path: str, body: Any = None, **more: Any) -> Case:
        written: Bytes = b""
        if callable(body):
            written = lambda: json.dumps(body()).encode()  # noqa: E731  # made when it is needed
        elif body is not None:
            written = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/scim+json"} | more.pop("headers", {})
        return Case(
            name=f"SCIM: {name}", method=method, path=f"/scim/v2/{path}", body=written, headers=headers,
            **({"caller": "sync", "expect": Expect.ANYTHING} | more),
        )  # fmt: skip

    filters = {
        "parentheses": "(" * 3000 + 'userName%20eq%20"a"' + ")" * 3000,
        "denials": "not%20(" * 500 + 'userName%20eq%20"a"' + ")" * 500,
        "and after and": "%20and%20".join(['userName%20eq%20"a"'] * 1500),
        "brackets": "emails[" * 500 + "x" + "]" * 500, "a quote without an end": 'userName%20eq%20"a',
        "a backslash": 'userName%20eq%20"\\', "a number": "userName%20eq%20" + "9" * 5000, "a path of dots": "a." * 3000 + "b%20pr",
        "bytes": "userName%20eq%20%22%ff%22", "a nul": "userName%20eq%20%22%00%22", "an operator of nobody": 'userName%20xx%20"a"',
        "SQL": "userName%20eq%20%22'%20OR%201=1--%22", "a secret": 'password%20sw%20"a"', "blanks": "%20" * 5000,
        "an address of a schema": "urn:ietf:params:scim:schemas:core:2.0:User:userName%20pr", "like": 'userName%20co%20"%25_"',
    }  # fmt: skip
    for name, written in filters.items():
        yield scim(f"a filter of {name}", "GET", f"Users?filter={written}")
        yield scim(f"a filter of groups of {name}", "GET", f"Groups?filter={written}")
    for query in ("startIndex=-1", "startIndex=9223372036854775808", "startIndex=%D9%A3", "count=-1", "count=1000000000",
                  "count=1e3", "count=", "sortBy=password&sortOrder=up", "attributes=" + "a," * 5000, "excludedAttributes=id",
                  "attributes=emails.value.value.value", "count=1&count=2", "filter=&filter=", "startIndex=1_0"):  # fmt: skip
        yield scim(f"a list with {query[:30]}", "GET", f"Users?{query}")
    for path in ("Users/%00", "Users/..%2f..%2f", "Users/" + "a" * 5000, "Users/%ff", "Users//", "Nothing", "Users/x/y", "",
                 "Schemas/urn:x", "Me", ".search", "Bulk", "%2e%2e/graphql"):  # fmt: skip
        yield scim(f"the path {path[:20]}", "GET", path)
    user = "urn:ietf:params:scim:schemas:core:2.0:User"
    patch = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
    people: dict[str, Any] = {
        "nothing": b"", "a list": [], "a text": b'"x"', "nesting": b'{"a":' * 5000, "no schema": {"userName": "x"},
        "a schema of nobody": {"schemas": ["urn:x"], "userName": "x"}, "a name that is a list": {"schemas": [user], "userName": ["x"]},
        "a name of a nul": {"schemas": [user], "userName": "a\x00b"}, "half a pair": b'{"userName":"\\ud800"}',
        "an owner": {"schemas": [user], "userName": "x9", "isOwner": True, "roles": [{"value": "owner"}]},
        "a name in capitals and small": {"schemas": [user], "USERNAME": "x", "userName": "y"},
        "roles that are numbers": {"schemas": [user], "userName": "x8", "roles": [1, None, [], {}]},
        "an activity that is a text": {"schemas": [user], "userName": "x7", "active": "perhaps"},
        "two addresses that are first": {"schemas": [user], "userName": "x6", "emails": [{"value": "a@b", "primary": True}] * 2},
        "a number of 5000 digits": b'{"schemas":["' + user.encode() + b'"],"userName":' + b"9" * 5000 + b"}",
        "a megabyte": lambda: {"schemas": [user], "userName": "x5", "displayName": "a" * 900_000},
        "ten thousand roles": lambda: {"schemas": [user], "userName": "x4", "roles": [{"value": "agent"}] * 10_000},
    }  # fmt: skip
    for name, body in people.items():
        yield scim(f"a person of {name}", "POST", "Users", body)
        yield scim(f"a group of {name}", "POST", "Groups", body)
    operations: dict[str, Any] = {
        "none": [], "one that is a list": [[]], "one of nobody": [{"op": "evil", "path": "userName", "value": "x"}],
        "a path of brackets": [{"op": "replace", "path": "members[" * 200 + "x" + "]" * 200, "value": 1}],
        "a path of 100 kB": [{"op": "replace", "path": "a" * 100_000, "value": 1}],
        "a path of everything": [{"op": "remove", "path": "members[value pr and not (value eq \"x\")]"}],
        "a path of a prototype": [{"op": "add", "path": "__proto__.isOwner", "value": True}],
        "a path to oneself": [{"op": "replace", "path": "id", "value": "usr_x"}],
        "nothing to replace": [{"op": "replace"}], "a value in a value": [{"op": "add", "value": {"a": {"b": {"c": [1]}}}}],
        "another name for op": [{"OP": "Replace", "Path": "ACTIVE", "Value": "False"}],
    }  # fmt: skip
    for name, given in operations.items():
        content = {"schemas": [patch], "Operations": given}
        yield scim(f"changes: {name}", "PATCH", "Users/{{USER}}", content)
        yield scim(f"changes of a group: {name}", "PATCH", "Groups/{{TEAM}}", content)
    yield scim(
        "ten thousand changes", "PATCH", "Users/{{USER}}",
        lambda: {"schemas": [patch], "Operations": [{"op": "replace", "path": "displayName", "value": "x"}] * 10_000},
    )  # fmt: skip
    yield scim("a large bulk", "POST", "Bulk", lambda: {"Operations": [{"method": "POST", "path": "/Users"}] * 5000})
    yield scim("a search of everything", "POST", ".search", {"filter": "(" * 500})
    yield scim(
        "a match of everything", "PUT", "Users/{{USER}}", {"schemas": [user]}, headers={"if-match": 'W/"' + "1" * 5000}
    )
    yield scim("gone, by an agent", "DELETE", "Users/{{USER}}", caller="agent", expect=Expect.REFUSED)
    yield scim(
        "as text", "POST", "Users", {"schemas": [user]}, headers={"content-type": "text/plain"}, expect=Expect.REFUSED
    )


def all_cases() -> list[Case]:
    makers = (json_cases, name_cases, document_cases, http_cases, feed_cases, scim_cases)
    return [case for make in makers for case in make()]
