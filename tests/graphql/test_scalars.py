"""DateTime and Revision: strict in what they take, one form in what they give."""

from tests.factories import Gateway, each_of

AT = """query ($at: DateTime) { user(ref: {userName: "olga"}) {
  can(node: "desk.reports.menu", at: $at) { evaluatedAt }
} }"""
AFTER = "query ($r: Revision) { auditLog(filter: {afterRevision: $r}) { totalCount } }"


@each_of(
    ("given", "shown"),
    [
        ("2026-06-01T09:00:00Z", "2026-06-01T09:00:00Z"),
        ("2026-06-01t09:00:00z", "2026-06-01T09:00:00Z"),
        ("2026-06-01T09:00:00+00:00", "2026-06-01T09:00:00Z"),
        ("2026-06-01T09:00:00-00:00", "2026-06-01T09:00:00Z"),
        ("2026-06-01T09:00:00+02:00", "2026-06-01T07:00:00Z"),
        ("2026-06-01T09:00:00.5Z", "2026-06-01T09:00:00.500000Z"),
        ("2026-06-01T09:00:00.123456Z", "2026-06-01T09:00:00.123456Z"),
        ("2026-06-01T09:00:00.123456789Z", "2026-06-01T09:00:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
    ],
)
async def test_a_moment_is_answered_in_utc(gateway: Gateway, given: str, shown: str) -> None:
    data = await gateway.gql(AT, {"at": given})

    assert data["user"]["can"]["evaluatedAt"] == shown
    data = await gateway.gql(AT.replace("query ($at: DateTime)", "query").replace("$at", f'"{given}"'))
    assert data["user"]["can"]["evaluatedAt"] == shown


@each_of(
    "given",
    [
        "", "now", "2026-06-01", "2026-06-01T09:00:00", "2026-06-01 09:00:00Z", "2026-06-01T09:00Z",
        "2026-06-01T09:00:00 Z",
        "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-06-01T24:00:00Z", "2026-06-01T09:60:00Z",
        "2026-06-01T09:00:00+25:00", "2026-06-01T09:00:00+0200", "2026-06-01T09:00:00.Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00", "\u0662026-06-01T09:00:00Z", "2026-W23-1T09:00:00Z", "2026-06-01T09:00:00Z\n",
        1780300800, 1.5, True, [], {},
    ],
)  # fmt: skip
async def test_what_is_no_moment_is_refused(gateway: Gateway, given: object) -> None:
    answer = await gateway.ask(AT, {"at": given})

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "RFC 3339" in error["message"]
    assert set(answer) == {"errors"}


async def test_revisions_are_texts_of_digits(world: Gateway) -> None:
    last = await world.revision()

    assert (await world.gql(AFTER, {"r": "0"}))["auditLog"]["totalCount"] == last
    assert (await world.gql(AFTER, {"r": str(last - 1)}))["auditLog"]["totalCount"] == 1
    assert (await world.gql(AFTER, {"r": "999999999999999999"}))["auditLog"]["totalCount"] == 0


@each_of("given", ["", "-1", "01", "1.0", "1e3", "x", " 1", "\u0661", "9" * 19, 1, 1.0, True, [], {}])
async def test_what_is_no_revision_is_refused(gateway: Gateway, given: object) -> None:
    answer = await gateway.ask(AFTER, {"r": given})

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "handed back as it was handed out" in error["message"]


async def test_in_a_document_they_are_texts_as_well(gateway: Gateway) -> None:
    for literal in ("1", "1.5", "true", "ENUM", '"-1"', "[]", "{}"):
        answer = await gateway.ask(AFTER.replace("query ($r: Revision)", "query").replace("$r", literal))
        assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
