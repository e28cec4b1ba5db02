"""The catalogs that come with the program load without a fault, and so does what they publish of their shape."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.catalogs.catalog_files import load_catalog
from app.catalogs.catalog_format import catalog_schema
from app.catalogs.documents import read_document
from app.domain.catalog import Catalog, Group, Operation, Permission, Polarity
from app.domain.requirements import AllOf, AnyOf, Enforcement
from app.domain.values import LevelType, MembersType, QuantityType, ScopeType
from app.services.systems import find_catalog_files
from app.settings import find_seeds
from tests.factories import SEEDS

TEXTS = Path(__file__).parents[3] / "shared" / "seeds"  # the manuals themselves, which are not ours to publish
SHAPE = find_seeds() / "catalog.schema.json"
FILES = [*find_catalog_files(find_seeds()), *find_catalog_files(SEEDS)]
MANUALS = {
    "web2contact": "000_fdc6b1a937f4aea5.txt",
    "ringover": "001_ce4baf2120c0e723.txt",
    "storm": "002_4b62e0062b7a83f2.txt",
    "maxcontact": "003_c0bc46b253f11496.txt",
    "core": "004_4b6f646100ccd4c5.txt",
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(find_catalog_files(find_seeds()))


def test_the_five_manuals_are_there(catalog: Catalog) -> None:
    assert {system.key for system in catalog.systems} >= set(MANUALS)
    for key, manual in MANUALS.items():
        cited = {node.source.document for node in catalog.systems_by_key[key].nodes}
        assert (key, cited) == (key, {manual})


def test_every_node_cites_a_heading(catalog: Catalog) -> None:
    assert [node.key for node in catalog.nodes.values() if not node.source.heading.strip()] == []


def test_keys_are_lower_case_with_underscores(catalog: Catalog) -> None:
    for key, node in catalog.nodes.items():
        first, *rest = key.split(".")
        assert first == node.system
        assert rest and all(
            part.replace("_", "").isalnum() and part == part.lower() and part.isascii() for part in rest
        )


def test_catalogs_load_alone_and_together(catalog: Catalog) -> None:
    """A system needs no other to be sound, but for those that share nothing with it."""
    for path in find_catalog_files(find_seeds()):
        alone = load_catalog([path])
        (system,) = [found for found in alone.systems if found.key == path.stem]
        assert [node.key for node in system.nodes] == [node.key for node in catalog.systems_by_key[path.stem].nodes]


# ---------------------------------------------------------------------- what the manuals say

PERMISSIONS = {  # of each manual, under each of its headings
    "web2contact": {
        "Domain management": 6, "User Management": 6, "Campaigns management": 15, "Manage incoming calls": 4,
        "Statistics management": 10, "New features": 3,
    },
    "ringover": {
        "Software Customization": 14, "Calls": 10, "Add-ons": 3, "Recording and Monitoring": 7,
        "Dashboard Access": 8,  # beside the 34 with a line of their own, those that it names in prose
    },
    "storm": {"Privileges": 89},
    "maxcontact": {
        "Page Level Admin": 78, "Tag Group": 5, "QA": 12, "Dashboard": 3, "Agent": 50, "Telephony": 9, "Web API": 35,
        "Lead Management": 7, "CTU": 9, "Email Templating": 4, "Scripting": 3, "Omni Channel": 18,
    },
}  # fmt: skip
STORM_ROWS = {  # of the tables of storm: 149
    "Staff Management": 16, "Calls Management (Administrator)": 24, "Webchat Management (Administrator)": 9,
    "Email Management (Administrator)": 9, "SMS Management (Administrator)": 3,
    "Safe-Pay Management (Administrator)": 3, "Agent Assets Management (Administrator)": 4,
    "Data Management (Administrator)": 11,
    "Customer-related tasks (Administrator)": 5, "System Management (Administrator)": 10, "Agent/Supervisor": 52,
    "Third-party CRM integration (Agent)": 3,
}  # fmt: skip
# The second operation of a row that holds two.
STORM_SECOND = [
    "storm.agent_supervisor.view_queue_alerts",
    "storm.system.configure_web_portal_of_agents",
    "storm.system.use_offline_reporting",
]
WITHOUT_A_MENU = {"Agent/Supervisor", "Third-party CRM integration (Agent)"}
WEB2CONTACT_MENUS = {  # that a right opens, each with the right
    "Campaign exploitation reports": "Display reports and statistics menu",
    "Domain management > Manage teams": "Access to team management module",
    "Domain management > Manage users": "Access to user management module",
    "Home > My call history": "Access to call history module",
    "Reports and statistics": "Display reports and statistics menu",
    "Reports and statistics > Call recordings": "Access to call records module",
    "Reports and statistics > Incoming calls by distribution queue": "Access to incoming statistics module",
    "Reports and statistics > Outgoing calls by campaign / agent": "Access to incoming statistics module",
    "Reports and statistics > Real time": "Access the real-time module",
    "Reports and statistics > User connection": "Access to agent history module",
    "Settings": "Managing email templates",
    "Settings > Campaign management": "Access the Manage Campaigns module",
    "Settings > Distribution queues": "Access to Queues module",
    "Settings > IVR & Call Scenarios": "Access the Call Scenarios module",
    "Settings > Manage alerts/reminders": "Allow to manage appointments",
    "Settings > Number management": "Access to phone numbers management",
    "Settings > Sounds and music": "Access to sounds & musics module",
    "Ticket exploitation reports": "Display reports and statistics menu",
}

RESTRICTIONS = {
    "maxcontact.tag_group.block_cross_tag_assignment",
    "maxcontact.tag_group.filter_data_to_tag_groups",
    "ringover.calls.make_all_incoming_calls_anonymous",
    "ringover.calls.note_required",
    "ringover.calls.tags_required",
    "ringover.software_customization.only_show_your_logs",
    "storm.privileges.emails_must_be_reviewed",
}
SETTINGS = {
    "ringover.calls.after_call_work_duration",
    "ringover.recording_and_monitoring.call_recording_volume",
    "ringover.recording_and_monitoring.notify_when_recording",
    "ringover.recording_and_monitoring.record_conversations",
    "ringover.recording_and_monitoring.the_user_can_be_listened_to",
    "storm.privileges.automatic_logout",
    "storm.privileges.logout_timeout",
    "storm.privileges.logout_warning_period",
    "web2contact.user_management.record_users_calls",
    "web2contact.user_management.set_user_to_available_when_he_comes_to_homepage",
    "web2contact.user_management.set_user_to_unavailable_on_logout",
}
ENFORCED = {
    "maxcontact.page_level_admin.dnc_bulk_removal": "Import DNC Access",
    "maxcontact.tag_group.assign_tags": "View Assigned Tags",
    "maxcontact.tag_group.view_all_tags": "View Assigned Tags",
    "web2contact.domain_management.allowed_to_create_new_users": "Access to user management module",
    "web2contact.statistics_management.access_the_real_time_module": "Display reports and statistics menu",
    "web2contact.statistics_management.access_to_incoming_statistics_module": "Display reports and statistics menu",
    "web2contact.statistics_management.allow_to_manage_user_status": (
        "Display reports and statistics menu and Access the real-time module"
    ),
    "web2contact.statistics_management.allowed_to_spy_call": "Access the real-time module",
    "web2contact.statistics_management.creation_of_automatic_reports": "Display reports and statistics menu",
    "web2contact.user_management.allowed_to_send_text_messages": "credit_balance > 0",
}
IMPLIED = {
    "maxcontact.agent.can_edit_contact_details": ["Can Read Contact Details"],
    "maxcontact.dashboard.dashboards_access_management": ["Dashboards - View Access"],
    "ringover.dashboard_access.technical_access": ["User management: all", "IVRs: Write"],
}
OPERATIONS_OF_MORE = {  # those that need more than one thing, or one of several
    "core.virtual_pbx.listen_to_the_call_records_of_the_linked_subscriber": (
        "Access to Virtual PBX: Without access and subscriber_linked"
    ),
    "core.virtual_pbx.use_click_to_call": "Access to Virtual PBX: Without access and subscriber_linked",
    "ringover.recording_and_monitoring.double_listen": (
        "the target's The user can be listened to and (Profile: Supervisor or Profile: Admin)"
    ),
    **dict.fromkeys(
        ["storm.calls.define_call_flows", "storm.email.define_email_flows", "storm.webchat.define_webchat_flows"],
        "Routing Flows: Modify and Access to Flow Editor",
    ),
    "storm.calls.change_user_configurable_parameters_for_call_flows": (
        "Service numbers: Modify or Routing Flows: Modify"
    ),
    **dict.fromkeys(
        [
            "storm.agent_supervisor.record_calls_of_agents",
            "storm.agent_supervisor.view_agent_alerts",
            "storm.data.view_live_agents",
        ],
        "Supervisor Portal: Agents Identified or Supervisor Portal: Agents Anonymous",
    ),
    **dict.fromkeys(
        [
            "storm.agent_supervisor.change_queue_availability_of_agents",
            "storm.agent_supervisor.set_statuses_of_agents",
            "storm.data.change_the_call_queue_availability_of_an_agent",
            "storm.data.change_the_status_of_an_agent",
        ],
        "Supervisor Agent Control and Agent Queue Selection",
    ),
}
LADDERS = {  # of more than one rung; those of CORE aside, which are one ladder
    "ringover.dashboard_access.ivrs": ["Read", "Write"],
    "storm.privileges.crm": ["Modify", "Modify and delete"],
    "storm.privileges.offline_reporting_channels": ["View only", "Modify"],
    "storm.privileges.reports": ["View only", "Modify"],
    "storm.privileges.users": ["Modify", "Modify and Assign Roles"],
    "storm.privileges.wallboards": ["View only", "Modify"],
}
SCOPES = {  # each name with those below it
    "ringover.dashboard_access.profile": {"Supervisor": set(), "Admin": set()},
    "ringover.dashboard_access.user_management": {"within groups": set(), "all": {"within groups"}},
    "ringover.software_customization.play_recordings": {"own": set(), "all": {"own"}},
    "storm.privileges.other_agents_status": {
        "Same Queue": set(), "Same Group": set(), "All": {"Same Queue", "Same Group"},
    },
    "storm.privileges.service_numbers": {"Modify": set(), "Can allocate": set()},
    "storm.privileges.supervisor_portal": {
        "Queues Only": set(), "Agents Anonymous": set(), "Agents Identified": set(),
    },
}  # fmt: skip
REACHING = {
    "ringover.dashboard_access.user_management",
    "ringover.software_customization.play_recordings",
    "storm.privileges.other_agents_status",
}
AMOUNTS = {
    "ringover.calls.after_call_work_duration": ("seconds", None),
    "ringover.calls.maximum_number_of_channels": ("channels", None),
    "ringover.recording_and_monitoring.call_recording_volume": ("percent", 100),
    "storm.privileges.logout_timeout": ("units of time", None),
    "storm.privileges.logout_warning_period": ("units of time", None),
}
NAMES = {
    "maxcontact.tag_group.block_cross_tag_assignment": (),
    "maxcontact.tag_group.filter_data_to_tag_groups": (),
    "ringover.add_ons.edit_caller_id": ("assigned_ivr_numbers",),
}
PRODUCTS = {
    "core": "System [CORE]",
    "telephony": "Telephony",
    "virtual_pbx": "Virtual PBX",
    "automated_calls": "Automated calls",
    "chatbots": "Chatbots",
    "integrations_and_api": "Integrations and API v2.0",
    "contact_center_ai": "Contact Center AI",
}


def permissions_of_manuals(catalog: Catalog) -> list[Permission]:
    """All that the manuals name: without access levels, and without the rights of the gateway itself."""
    return [found for found in catalog.permissions if found.system in MANUALS and not found.access_level]


@pytest.mark.parametrize("system", PERMISSIONS)
def test_every_right_of_a_manual_is_there(catalog: Catalog, system: str) -> None:
    found = Counter(
        catalog.path_of(node)[1] for node in catalog.systems_by_key[system].nodes if isinstance(node, Permission)
    )
    assert found == PERMISSIONS[system]


def test_the_menus_of_web2contact_open(catalog: Catalog) -> None:
    assert {
        " > ".join(node.menu_path): catalog.render(node.requirement)
        for node in catalog.systems_by_key["web2contact"].nodes
        if isinstance(node, Operation) and node.label.startswith("Open ") and node.menu_path
    } == WEB2CONTACT_MENUS


def test_every_row_of_storm_is_an_operation(catalog: Catalog) -> None:
    operations = [node for node in catalog.systems_by_key["storm"].nodes if isinstance(node, Operation)]
    assert sum(STORM_ROWS.values()) == 149
    assert sorted(node.key for node in operations if node.key in STORM_SECOND) == STORM_SECOND
    assert Counter(catalog.path_of(node)[1] for node in operations if node.key not in STORM_SECOND) == STORM_ROWS


def test_storm_gives_the_menus_of_administrators_alone(catalog: Catalog) -> None:
    for node in catalog.systems_by_key["storm"].nodes:
        if isinstance(node, Operation) and node.key != "storm.system.use_offline_reporting":
            assert (node.key, bool(node.menu_path)) == (node.key, catalog.path_of(node)[1] not in WITHOUT_A_MENU)


def test_a_label_of_two_sections_of_storm_is_two_nodes(catalog: Catalog) -> None:
    labels = Counter(node.label for node in catalog.systems_by_key["storm"].nodes if isinstance(node, Operation))
    (twice,) = [label for label, number in labels.items() if number > 1]
    assert {node.key for node in catalog.operations if node.label == twice} == {
        "storm.calls.define_when_in_queue_announcements_are_played",
        "storm.webchat.define_when_in_queue_announcements_are_played",
    }


def test_what_restricts_and_what_sets(catalog: Catalog) -> None:
    for polarity, keys in {Polarity.RESTRICTION: RESTRICTIONS, Polarity.SETTING: SETTINGS}.items():
        assert {found.key for found in permissions_of_manuals(catalog) if found.polarity is polarity} == keys


def test_what_is_enforced_and_what_comes_along(catalog: Catalog) -> None:
    """All of it, and nothing that the manuals do not state."""
    permissions = permissions_of_manuals(catalog)
    assert {
        found.key: catalog.render(rule.requirement)
        for found in permissions
        for rule in found.rules
        if rule.enforcement is Enforcement.ENFORCED
    } == ENFORCED
    assert {
        found.key: [catalog.render(implied) for implied in found.implies] for found in permissions if found.implies
    } == IMPLIED


def test_what_needs_several_things_or_one_of_several(catalog: Catalog) -> None:
    assert {
        node.key: catalog.render(node.requirement)
        for node in catalog.operations
        if isinstance(node.requirement, AllOf | AnyOf)
    } == OPERATIONS_OF_MORE


def test_the_types_of_values(catalog: Catalog) -> None:
    """Whatever is not here is a switch, or in storm a ladder of one rung."""
    ladders, scopes, reaching, amounts, names = {}, {}, set(), {}, {}
    for found in permissions_of_manuals(catalog):
        match found.value_type:
            case LevelType(levels=(_, *levels)) if len(levels) > 1:
                ladders[found.key] = levels
            case ScopeType() as scope:
                scopes[found.key] = {name: set(scope.below[name]) for name in scope.names}
                reaching |= {found.key} if scope.reach else set()
            case QuantityType() as quantity:
                assert not quantity.descending
                amounts[found.key] = (quantity.unit, quantity.maximum)
            case MembersType() as members:
                assert members.options is None
                names[found.key] = members.reserved
    assert (ladders, scopes, reaching, amounts, names) == (LADDERS, SCOPES, REACHING, AMOUNTS, NAMES)


def test_the_products_and_what_each_level_opens(catalog: Catalog) -> None:
    assert {product.key: product.label for product in catalog.products} == PRODUCTS
    for product in PRODUCTS:
        levels = catalog.access_nodes[product]
        assert isinstance(levels.value_type, LevelType)
        assert levels.value_type.levels == ("Not in the contract", "Without access", "User", "Administrator", "Owner")
        found = {
            node.key.removeprefix(f"core.{product}."): catalog.render(node.requirement)
            for node in catalog.operations
            if node.product == product
        }
        managing = "manage_roles" if product == "core" else "manage_access"
        assert found.items() >= {
            ("use", f"{levels.label}: Without access"),
            ("view_settings", f"{levels.label}: User"),
            ("change_settings", f"{levels.label}: Administrator"),
            (managing, "Access to System [CORE]: Administrator"),
        }


def test_the_roles_that_a_manual_describes(catalog: Catalog) -> None:
    found = {key: [catalog.render(grant) for grant in role.grants] for key, role in catalog.templates.items()}
    assert found == {
        "ringover.technical": ["Technical access"],
        "ringover.supervisor": [
            "Profile: Supervisor", "Activities", "Logs", "Statistics", "User management: within groups",
        ],
    }  # fmt: skip


def squeeze(text: str) -> str:
    """Without what the layout of a manual puts between the words."""
    return re.sub(r"[\s;-]+", " ", text)


@pytest.mark.skipif(not TEXTS.is_dir(), reason="the texts of the manuals are not beside this repository")
@pytest.mark.parametrize("system", MANUALS)
def test_nothing_is_invented(catalog: Catalog, system: str) -> None:
    """Descriptions, headings and the labels of rights are the manual's words."""
    manual = squeeze((TEXTS / MANUALS[system]).read_text("utf-8"))
    found = catalog.systems_by_key[system]
    texts = [*(found.description or "").split("\n"), *(template.description or "" for template in found.templates)]
    for node in found.nodes:
        texts += [node.description or "", node.source.heading]
        named_by_us = node.parent == "ringover.dashboard_access" or node.key in {
            "storm.privileges",  # the manual has tables of operations, and lists its privileges nowhere
            "storm.privileges.flow_editor",
        }
        if isinstance(node, Group | Permission) and system != "core" and not named_by_us:
            texts.append(node.label)
    assert [text for text in texts if squeeze(text) not in manual] == []


# ---------------------------------------------------------------------- the files


def test_the_digest_does_not_hang_on_the_order_of_files() -> None:
    paths = find_catalog_files(find_seeds())

    assert load_catalog(paths).digest == load_catalog(list(reversed(paths))).digest


def test_the_published_shape_is_current() -> None:
    expected = json.dumps(catalog_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    assert SHAPE.read_text("utf-8") == expected


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    shape = json.loads(SHAPE.read_text("utf-8"))
    Draft202012Validator.check_schema(shape)
    return Draft202012Validator(shape)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_every_catalog_has_that_shape(path: Path, validator: Draft202012Validator) -> None:
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(read_document(path).data)]

    assert faults == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_every_catalog_names_the_shape_to_editors(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]

    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == SHAPE.resolve()


@pytest.mark.parametrize(
    "edit",
    [
        {"nothing": 1},
        {"system": "Two Words"},
        {"label": ""},
        {"groups": [{"group": "G", "nodes": [{"permission": "P", "value": "dial"}]}]},
        {"groups": [{"group": "G", "nodes": [{"permission": "P", "requires": 5}]}]},
        {"groups": [{"group": "G", "nodes": [{"operation": "O"}]}]},
        {"facts": [{"name": "f", "type": "text", "of": "user"}]},
        {"obligations": [{"obligation": "MASK", "on": []}]},
    ],
)
def test_the_shape_has_teeth(validator: Draft202012Validator, edit: dict[str, Any]) -> None:
    sound = {"system": "x", "label": "X", "manual": "x.txt", "groups": [{"group": "G"}]}
    assert validator.is_valid(sound)

    assert not validator.is_valid(sound | edit)
