"""From drafts to a catalog: every kind of fault, all of them at once, and what can be relied upon in a sound one."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from app.domain.catalog import (
    Catalog,
    Fact,
    FactOwner,
    FactType,
    ManualReference,
    ObligationKind,
    Operation,
    Polarity,
    Product,
)
from app.domain.catalog_building import (
    CatalogFaults,
    DraftAll,
    DraftAny,
    DraftAtom,
    DraftGrant,
    DraftNode,
    DraftObligation,
    DraftRule,
    DraftSystem,
    DraftTemplate,
    Fault,
    build_catalog,
)
from app.domain.contracts import ACCESS_LEVEL_TYPE
from app.domain.requirements import AllOf, AnyOf, AtLeast, Enforcement, FactHolds, FactTest, Rule, TargetAtLeast
from app.domain.values import (
    MAX_AMOUNT,
    Level,
    LevelType,
    Members,
    MembersType,
    Quantity,
    QuantityType,
    Reach,
    Scope,
    ScopeType,
    Switch,
    ValueType,
)
from tests.drafts import (
    FACTS,
    PAGE,
    access,
    alfa,
    catalog_of,
    core,
    every,
    fact,
    group,
    operation,
    permission,
    some,
    subject,
    target,
)
from tests.worlds import Case, cases, scope_type

LEVELS = LevelType(("none", "view", "modify"))
SCOPES = scope_type("own group all", "own<group group<all")
CHANNELS = QuantityType("channels", 1, 5)
TAGS = MembersType(("a", "b"))


def faults_of(*nodes: DraftNode, **more: object) -> list[tuple[str, str]]:
    """The faults of these nodes in a system `alfa`, each as key and message."""
    return faults_of_systems(core("tel"), alfa(*nodes, **more))


def faults_of_systems(*systems: DraftSystem) -> list[tuple[str, str]]:
    with pytest.raises(CatalogFaults) as refusal:
        build_catalog(systems, digest="")
    assert str(refusal.value) == "\n".join(f"{f.place}: {f.key}: {f.message}" for f in refusal.value.faults)
    return [(fault.key, fault.message) for fault in refusal.value.faults]


# ---------------------------------------------------------------------- names and keys


def test_a_node_key_that_stands_twice_is_told_with_the_first_place() -> None:
    with pytest.raises(CatalogFaults) as refusal:
        build_catalog(
            [alfa(permission("alfa.p", place="alfa.yaml:3"), permission("alfa.p", place="alfa.yaml:9"))], digest=""
        )
    assert refusal.value.faults == (Fault("alfa.yaml:9", "alfa.p", "this node key stands already at alfa.yaml:3"),)
    assert str(refusal.value) == "alfa.yaml:9: alfa.p: this node key stands already at alfa.yaml:3"


def test_systems_facts_products_and_templates_stand_once_as_well() -> None:
    template = DraftTemplate(key="alfa.agent", label="Agent", grants=(), source=PAGE, place="here")
    product = (Product("tel", "Telephony"), "here")
    twice = alfa(facts=((FACTS[0], "here"),) * 2, templates=(template,) * 2)
    again = replace(twice, facts=(), templates=())
    assert faults_of_systems(replace(core("tel"), products=(product, product)), twice, again) == [
        ("alfa", "this system key stands already at drafts.py"),
        ("credit", "this fact key stands already at here"),
        ("tel", "this product key stands already at here"),
        ("alfa.agent", "this template key stands already at here"),
    ]


@pytest.mark.parametrize(
    "key", ["alfa.Barge", "alfa..barge", "alfa.barge-in", "alfa.", "1alfa.p", "alfa.p q", "alfa.é"]
)
def test_a_key_is_lower_case_letters_digits_underscores_and_dots(key: str) -> None:
    assert faults_of(permission(key)) == [
        (key, "a key is made of lower-case letters, digits and underscores, its parts joined by dots")
    ]


def test_a_key_begins_with_its_system() -> None:
    assert faults_of(permission("beta.p")) == [("beta.p", "the key must begin with `alfa.`")]
    assert faults_of(permission("alfab.p")) == [("alfab.p", "the key must begin with `alfa.`")]


def test_label_manual_and_heading_must_be_there() -> None:
    nameless = replace(permission("alfa.p"), label=" ")
    sourceless = replace(permission("alfa.q"), source=ManualReference("a manual", ""))
    assert faults_of(nameless, sourceless) == [
        ("alfa.p", "the label is empty"),
        ("alfa.q", "the manual and the heading that name it are missing"),
    ]


def test_a_parent_is_a_group_that_is_there() -> None:
    message = "its parent `{}` is not a group of this system"
    assert faults_of(permission("alfa.p", parent="alfa.none"), permission("alfa.q", parent="alfa.p")) == [
        ("alfa.p", message.format("alfa.none")),
        ("alfa.q", message.format("alfa.p")),
    ]


def test_a_parent_is_a_group_of_the_same_system() -> None:
    beta = DraftSystem(key="beta", label="Beta", place="here", nodes=(group("beta.main"),))
    assert faults_of_systems(beta, alfa(permission("alfa.p", parent="beta.main"))) == [
        ("alfa.p", "its parent `beta.main` is not a group of this system")
    ]


def test_groups_do_not_lie_in_one_another_in_a_circle() -> None:
    faults = faults_of(group("alfa.a", parent="alfa.b"), group("alfa.b", parent="alfa.a"))
    assert {key for key, _ in faults} & {"alfa.a", "alfa.b"}


# ---------------------------------------------------------------------- value types


@pytest.mark.parametrize(
    ("kind", "messages"),
    [
        (LevelType(("none",)), ["a level needs a name for nothing and at least one above it"]),
        (LevelType(("none", "View only", "view_only")), ["the value `view_only` stands twice"]),
        (LevelType(("none", "a, b")), ["`a, b` is no name: it is empty or has a comma"]),
        (ScopeType(()), ["a scope needs at least one name"]),
        (scope_type("own all own"), ["the value `own` stands twice"]),
        (ScopeType(("own", " ")), ["` ` is no name: it is empty or has a comma"]),
        (
            ScopeType(("own",), {"own": frozenset({"team"})}, {"all": Reach.ALL}),
            ["`all` is not one of its scopes", "`team` is not one of its scopes"],
        ),
        (
            scope_type("a b", "a<b b<a"),
            ["the order of scopes has a cycle through `a`", "the order of scopes has a cycle through `b`"],
        ),
        (QuantityType("s", 5, 3), [f"amounts must lie between 0 and {MAX_AMOUNT}, the minimum not above the maximum"]),
        (QuantityType("s", -1, 3), [f"amounts must lie between 0 and {MAX_AMOUNT}, the minimum not above the maximum"]),
        (
            QuantityType("s", 0, MAX_AMOUNT + 1),
            [f"amounts must lie between 0 and {MAX_AMOUNT}, the minimum not above the maximum"],
        ),
        (QuantityType(" ", 0, 3), ["a quantity needs a unit"]),
        (MembersType(()), ["a closed list of options cannot be empty"]),
        (MembersType(("a",), ("A",)), ["the value `A` stands twice"]),
        (MembersType(("a,b",)), ["`a,b` is no name: it is empty or has a comma"]),
    ],
)
def test_a_value_type_that_is_none_is_refused(kind: ValueType, messages: list[str]) -> None:
    assert faults_of(permission("alfa.p", kind)) == [("alfa.p", message) for message in messages]


# ---------------------------------------------------------------------- products and access levels


def test_a_product_must_be_there() -> None:
    nodes = (permission("core.p", product="fax"), operation("core.o", subject("p"), product="fax"))
    assert faults_of_systems(replace(core("tel"), nodes=nodes)) == [
        ("core.p", "there is no product `fax`"),
        ("core.o", "there is no product `fax`"),
    ]


def test_an_access_level_names_a_product_and_has_the_five_levels() -> None:
    message = "an access level names a product and has the five access levels"
    assert faults_of_systems(
        replace(
            core("tel"),
            nodes=(replace(access("tel"), product=None), replace(access("tel"), key="core.other", value_type=LEVELS)),
        )
    ) == [("core.access.tel", message), ("core.other", message)]


# ---------------------------------------------------------------------- requirements


def test_what_a_requirement_names_must_be_there_and_be_a_permission() -> None:
    assert faults_of(
        group("alfa.g"),
        operation("alfa.o", subject("nowhere")),
        permission("alfa.p", None, every(subject("beta.p"), some(target("alfa.g"), fact("luck")))),
        permission("alfa.q", None, subject("o")),
    ) == [
        ("alfa.o", "there is no node `nowhere`"),
        ("alfa.p", "there is no node `beta.p`"),
        ("alfa.p", "it requires `alfa.g`, which is not a permission"),
        ("alfa.p", "there is no fact `luck`"),
        ("alfa.q", "it requires `alfa.o`, which is not a permission"),
    ]


def test_a_value_that_a_requirement_names_must_be_one_above_nothing() -> None:
    faults = faults_of(
        permission("alfa.lv", LEVELS), permission("alfa.tags", TAGS), permission("alfa.scope", SCOPES),
        permission("alfa.p", None, subject("lv", "delete"), subject("lv", "none"), subject("tags"), subject("scope")),
    )  # fmt: skip
    assert faults == [
        (
            "alfa.p",
            "of `alfa.lv`: `delete` is not a value of this right; expected one of the levels `none`, `view`, `modify`",
        ),
        ("alfa.p", "`none` of `alfa.lv` is nothing at all"),
        ("alfa.p", "say which value of `alfa.tags`: names out of `a`, `b`"),
    ]


def test_only_operations_and_restrictions_require_restrictions() -> None:
    tags = permission("alfa.r", polarity=Polarity.RESTRICTION)
    message = "it requires the restriction `alfa.r`; only operations and restrictions may"
    assert faults_of(
        tags, permission("alfa.p", None, subject("r")),
        permission("alfa.s", None, target("r"), polarity=Polarity.SETTING),
    ) == [("alfa.p", message), ("alfa.s", message)]  # fmt: skip
    sound = catalog_of(
        tags, operation("alfa.o", subject("r")), permission("alfa.q", None, subject("r"), polarity=Polarity.RESTRICTION)
    )
    assert sound.require_permission("alfa.q").rules == (Rule(AtLeast("alfa.r", Switch(True))),)


def test_a_fact_is_asked_as_its_type_allows() -> None:
    assert faults_of(operation("alfa.o", every(fact("trained", 1), fact("credit"), DraftAtom("fact", "score")))) == [
        ("alfa.o", "the fact `trained` is of type boolean and cannot be asked `>=`"),
        ("alfa.o", "the fact `credit` is of type decimal and cannot be asked `is true`"),
        ("alfa.o", "the fact `score` is of type integer and cannot be asked `is true`"),
    ]


def test_a_number_is_compared_with_a_bound() -> None:
    unbounded = DraftAtom("fact", "credit", test=FactTest.ABOVE)
    assert [key for key, _ in faults_of(operation("alfa.o", unbounded))] == ["alfa.o"]


def test_an_operation_needs_a_requirement() -> None:
    message = "an operation needs a requirement"
    assert faults_of(
        operation("alfa.a", None), operation("alfa.b", DraftAll(())), operation("alfa.c", DraftAny(()))
    ) == [("alfa.a", message), ("alfa.b", message), ("alfa.c", message)]


def test_a_value_that_nobody_can_ever_reach_is_refused() -> None:
    message = "nobody can ever reach this value: an either-or is empty"
    assert faults_of(
        permission("alfa.p", None, every(fact("trained"), some())),
        permission("alfa.q", LEVELS, DraftRule(some(), "modify")),
    ) == [("alfa.p", message), ("alfa.q", message)]


def test_an_operation_that_nobody_can_ever_do_is_refused() -> None:
    faults = faults_of(permission("alfa.p"), operation("alfa.o", every(subject("p"), some())))
    assert [key for key, _ in faults] == ["alfa.o"]


@pytest.mark.parametrize(
    ("kind", "applies_from", "message"),
    [
        (TAGS, "a", "a requirement never belongs to one of the members"),
        (TAGS, "all", "a requirement never belongs to one of the members"),
        (
            LEVELS,
            "delete",
            "a rule applies from `delete` is not a value of this right; expected " + LEVELS.expected(),
        ),
        (LEVELS, "none", "`none` is not one value above nothing"),
        (CHANNELS, "unset", "`unset` is not one value above nothing"),
        (QuantityType("s"), "unlimited", "`unlimited` is not one value above nothing"),
        (scope_type("x y"), "x, y", "`x, y` is not one value above nothing"),
        (SCOPES, "none", "`none` is not one value above nothing"),
        (None, "off", "`off` is not one value above nothing"),
    ],
)
def test_a_rule_applies_from_one_value_above_nothing(kind: ValueType | None, applies_from: str, message: str) -> None:
    assert faults_of(permission("alfa.p", kind, DraftRule(fact("trained"), applies_from))) == [("alfa.p", message)]


def test_a_requirement_on_the_target_is_decided_without_a_third_person() -> None:
    faults = faults_of(
        permission("alfa.heard"),
        permission("alfa.listen", None, target("heard")),
        permission("alfa.coach", None, subject("listen")),
        operation("alfa.watch", target("coach")),
        permission("alfa.follow", None, some(subject("heard"), target("listen"))),
    )
    assert faults == [
        ("alfa.watch", "it asks the target for `alfa.coach`, which needs a target itself"),
        ("alfa.follow", "it asks the target for `alfa.listen`, which needs a target itself"),
    ]


# ---------------------------------------------------------------------- cycles


def test_a_cycle_of_requirements_is_told_by_its_path() -> None:
    assert faults_of(
        permission("alfa.a", None, some(fact("trained"), subject("b"))),
        permission("alfa.b", LEVELS, DraftRule(subject("c"), "modify")),
        permission("alfa.c", None, every(subject("a"))),
        permission("alfa.d", None, subject("a")),
    ) == [("alfa.a", "a cycle in `requires`: alfa.a > alfa.b > alfa.c > alfa.a")]


def test_a_permission_that_requires_itself_is_a_cycle() -> None:
    assert faults_of(permission("alfa.a", LEVELS, DraftRule(subject("a", "view"), "modify"))) == [
        ("alfa.a", "a cycle in `requires`: alfa.a > alfa.a")
    ]


def test_a_cycle_of_implications_is_told_by_its_path() -> None:
    assert faults_of(
        permission("alfa.a", implies=(DraftGrant("b"),)), permission("alfa.b", implies=(DraftGrant("alfa.a"),))
    ) == [("alfa.a", "a cycle in `implies`: alfa.a > alfa.b > alfa.a")]


def test_requiring_what_one_implies_is_no_cycle() -> None:
    catalog = catalog_of(permission("alfa.a", None, subject("b"), implies=(DraftGrant("b"),)), permission("alfa.b"))
    assert [node.key for node in catalog.permissions if node.system == "alfa"] == ["alfa.b", "alfa.a"]


def test_a_target_may_be_asked_for_the_very_right() -> None:
    # "The target has at least V of N" says nothing of the subject, so it puts nothing in order.
    catalog = catalog_of(permission("alfa.a"), permission("alfa.b", None, target("a")))
    assert catalog.leaning_on_target == {"alfa.b"}


# ---------------------------------------------------------------------- implications, obligations, templates, renaming


def test_what_is_given_along_is_grantable_a_value_and_of_like_polarity() -> None:
    polarities = "it cannot give `{}` along: polarities differ or restrict"
    assert faults_of(
        permission("alfa.p", implies=(DraftGrant("nowhere"), DraftGrant("o"), DraftGrant("core.access.tel"))),
        operation("alfa.o", fact("trained")),
        permission("alfa.lv", LEVELS),
        permission("alfa.q", implies=(DraftGrant("lv", "none"), DraftGrant("lv", "delete"), DraftGrant("s"))),
        permission("alfa.s", polarity=Polarity.SETTING, implies=(DraftGrant("p"),)),
        permission("alfa.r", polarity=Polarity.RESTRICTION, implies=(DraftGrant("r2"),)),
        permission("alfa.r2", polarity=Polarity.RESTRICTION),
    ) == [
        ("alfa.p", "there is no node `nowhere`"),
        ("alfa.p", "`alfa.o` cannot be granted"),
        ("alfa.p", "`core.access.tel` cannot be granted"),
        ("alfa.q", "`none` of `alfa.lv` is nothing at all"),
        (
            "alfa.q",
            "of `alfa.lv`: `delete` is not a value of this right; expected one of the levels `none`, `view`, `modify`",
        ),
        ("alfa.q", polarities.format("alfa.s")),
        ("alfa.s", polarities.format("alfa.p")),
        ("alfa.r", polarities.format("alfa.r2")),
    ]


def test_an_obligation_names_nodes_members_and_the_parts_of_a_mask() -> None:
    obligations = (
        DraftObligation(kind=ObligationKind.FILTER_TAGS, on=("nowhere",), place="here", values_of="p"),
        DraftObligation(kind=ObligationKind.MASK, on=("p",), place="here", unless=subject("gone")),
        DraftObligation(kind=ObligationKind.MASK, on=("alfa",), place="here", fields=("phone",)),
        DraftObligation(kind=ObligationKind.FILTER_TAGS, on=("p",), place="here", when=fact("luck"), values_of="lost"),
    )
    mask, tags = "obligation MASK", "obligation FILTER_TAGS"
    assert faults_of(permission("alfa.p"), obligations=obligations) == [
        (tags, "there is no node `nowhere`"),
        (tags, "`p` is not a permission whose values are members"),
        (mask, "a mask says which fields and how many characters to keep"),
        (mask, "there is no node `gone`"),
        (mask, "a mask says which fields and how many characters to keep"),
        (tags, "`lost` is not a permission whose values are members"),
        (tags, "there is no fact `luck`"),
    ]


def test_a_template_grants_what_is_there() -> None:
    templates = (
        DraftTemplate(
            key="alfa.agent", label="Agent", grants=(DraftGrant("p"), DraftGrant("lv", "top")), source=PAGE, place="x"
        ),
        DraftTemplate(key="agent", label="Agent", grants=(DraftGrant("gone"),), source=PAGE, place="x"),
    )
    assert faults_of(permission("alfa.p"), permission("alfa.lv", LEVELS), templates=templates) == [
        (
            "alfa.agent",
            "of `alfa.lv`: `top` is not a value of this right; expected one of the levels `none`, `view`, `modify`",
        ),
        ("agent", "the key must begin with `alfa.`"),
        ("agent", "there is no node `gone`"),
    ]


def test_a_renamed_node_is_gone_and_its_new_one_a_permission() -> None:
    renamed = {"alfa.p": "alfa.q", "alfa.old": "alfa.gone", "alfa.older": "alfa.o", "alfa.oldest": "alfa.q"}
    assert faults_of(
        permission("alfa.p"), permission("alfa.q"), operation("alfa.o", subject("p")), renamed=renamed
    ) == [
        ("alfa.p", "it is renamed and still there"),
        ("alfa.old", "it is renamed to `alfa.gone`, which is not a permission"),
        ("alfa.older", "it is renamed to `alfa.o`, which is not a permission"),
    ]


# ---------------------------------------------------------------------- all at once


def test_faults_of_every_kind_are_told_together_each_at_its_place() -> None:
    with pytest.raises(CatalogFaults) as refusal:
        build_catalog(
            [
                alfa(
                    replace(permission("alfa.a", None, subject("b"), place="a:1"), label=""),
                    permission("alfa.b", LevelType(("none",)), subject("a"), place="a:2"),
                    permission("alfa.c", None, some(), subject("nowhere"), product="fax", place="a:3"),
                    permission("alfa.c", place="a:4"),
                    operation("alfa.Do", fact("luck"), place="a:5"),
                    renamed={"alfa.z": "alfa.y"},
                )
            ],
            digest="",
        )
    told = {(fault.place, fault.key, fault.message.split(":")[0]) for fault in refusal.value.faults}
    assert told == {
        ("a:1", "alfa.a", "the label is empty"),
        ("a:1", "alfa.a", "a cycle in `requires`"),
        ("a:2", "alfa.b", "a level needs a name for nothing and at least one above it"),
        ("a:3", "alfa.c", "nobody can ever reach this value"),
        ("a:3", "alfa.c", "there is no node `nowhere`"),
        ("a:3", "alfa.c", "there is no product `fax`"),
        ("a:4", "alfa.c", "this node key stands already at a"),
        ("a:5", "alfa.Do", "a key is made of lower-case letters, digits and underscores, its parts joined by dots"),
        ("a:5", "alfa.Do", "there is no fact `luck`"),
        ("drafts.py", "alfa.z", "it is renamed to `alfa.y`, which is not a permission"),
    }  # fmt: skip


# ---------------------------------------------------------------------- sound catalogs


def test_a_sound_draft_becomes_records_with_values_resolved() -> None:
    catalog = catalog_of(
        group("alfa.main"),
        permission(
            "alfa.channels", CHANNELS,
            DraftRule(every(subject("alfa.lv"), subject("tags", "b, a"), fact("credit", 0, FactTest.ABOVE)), "3"),
            DraftRule(some(target("lv", "modify"), fact("trained")), None, Enforcement.ADVISORY),
            implies=(DraftGrant("lv"), DraftGrant("scope", "group")), parent="alfa.main",
        ),
        permission("alfa.lv", LEVELS), permission("alfa.tags", TAGS), permission("alfa.scope", SCOPES),
        operation("alfa.do", subject("core.access.tel", "User")),
    )  # fmt: skip
    channels = catalog.require_permission("alfa.channels")
    assert channels.rules == (
        Rule(
            AllOf((
                AtLeast("alfa.lv", Level(1)),
                AtLeast("alfa.tags", Members(frozenset("ab"))),
                FactHolds("credit", FactTest.ABOVE, Decimal(0)),
            )),
            Quantity(3),
        ),
        Rule(
            AnyOf((TargetAtLeast("alfa.lv", Level(2)), FactHolds("trained", FactTest.TRUE))), None, Enforcement.ADVISORY
        ),
    )  # fmt: skip
    assert channels.implies == (AtLeast("alfa.lv", Level(1)), AtLeast("alfa.scope", Scope(frozenset({"own", "group"}))))
    assert (channels.system, channels.parent, channels.product) == ("alfa", "alfa.main", None)
    operated = catalog.nodes["alfa.do"]
    assert isinstance(operated, Operation)
    assert operated.requirement == AtLeast("core.access.tel", Level(2))
    assert catalog.require_permission("core.access.tel").value_type == ACCESS_LEVEL_TYPE
    assert catalog.digest == "by hand"


def test_permissions_are_numbered_after_what_they_need_and_else_as_the_manual_has_them() -> None:
    catalog = catalog_of(
        permission("alfa.a", None, subject("d")), permission("alfa.b"),
        permission("alfa.c", None, subject("b")), permission("alfa.d", None, subject("c")),
    )  # fmt: skip
    assert [p.key for p in catalog.permissions] == ["core.access.tel", "alfa.b", "alfa.c", "alfa.d", "alfa.a"]
    assert [node.key for node in catalog.systems_by_key["alfa"].nodes] == ["alfa.a", "alfa.b", "alfa.c", "alfa.d"]


def test_a_reference_may_leave_out_the_system_and_a_whole_one_goes_first() -> None:
    # `core.access.tel` could be read within `alfa` as well; whole keys win.
    catalog = catalog_of(permission("alfa.core.access.tel"), operation("alfa.o", subject("core.access.tel", "Owner")))
    operated = catalog.nodes["alfa.o"]
    assert isinstance(operated, Operation)
    assert operated.requirement == AtLeast("core.access.tel", Level(4))


@given(cases())
def test_every_requirement_of_a_catalog_names_only_what_comes_before(case: Case) -> None:
    catalog: Catalog = case.catalog
    for permission_ in catalog.permissions:
        for rule in permission_.rules:
            named = [atom.node for atom in _leaves(rule) if isinstance(atom, AtLeast)]
            assert all(catalog.number_of[key] < catalog.number_of[permission_.key] for key in named)


def _leaves(rule: Rule) -> list[object]:
    waiting, found = [rule.requirement], list[object]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, AllOf | AnyOf):
            waiting += part.parts
        else:
            found.append(part)
    return found


def test_facts_of_every_owner_are_kept_by_name() -> None:
    known = Fact("balance", FactType.DECIMAL, "EUR", FactOwner.CONTRACT, "money left", "alfa")
    catalog = build_catalog([alfa(facts=((known, "here"),))], digest="")
    assert catalog.facts == {"balance": known}
