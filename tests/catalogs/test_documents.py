"""YAML documents: what is refused, with the line where it stands and what it is the value of."""

from pathlib import Path

import pytest

from app.catalogs.documents import DocumentFault, parse_document, read_document

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)  # what a few lines stand for: 387,420,489 texts


@pytest.mark.parametrize(
    ("text", "line", "where", "name"),
    [
        ("a: &one [1]\nb: *one\n", 2, "b", "one"),
        ("nodes:\n  - key: x\n  - &two\n    key: y\n  - requires: *two\n", 5, "nodes.2.requires", "two"),
        ("base: &base {label: x}\nnode:\n  <<: *base\n", 3, "node.<<", "base"),
        ("- &a 1\n- 2\n- *a\n", 3, "2", "a"),
        ("a: &a\n  again: *a\n", 2, "a.again", "a"),
        ("a: &k x\n*k : y\n", 2, "a key", "k"),
        (LAUGHS, 2, "b.0", "a"),
    ],
)
def test_an_alias_is_refused_where_it_stands(tmp_path: Path, text: str, line: int, where: str, name: str) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(text)

    with pytest.raises(DocumentFault) as told:
        read_document(path)

    assert str(told.value) == f"desk.yaml:{line}: `{where}` is the alias `*{name}`: write out what it stands for"


def test_a_name_that_nobody_refers_to_is_in_nobodys_way() -> None:
    assert parse_document("desk.yaml", "a: &a [1, yes]\n").data == {"a": [1, "yes"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "desk.yaml:3: the key `a` stands twice"),
        ("a: 1\n2: b\n", "desk.yaml:2: `2` is not a text, so no key"),
        ("a: [1\nb: 2\n", "desk.yaml:2: "),
    ],
)
def test_what_is_no_sound_document_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DocumentFault) as told:
        parse_document("desk.yaml", text)
    assert str(told.value).startswith(message)
