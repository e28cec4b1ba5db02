"""What a SCIM client may ask of the service itself: what it supports, which resources there are, and their schemas."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from scim2_models import Context

from app.web.scim.resources import GROUP, USER, Group, Person

_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
_SET_BY_US = {("emails", "type"), ("emails", "primary"), *(("roles", name) for name in ("display", "type", "primary"))}
MAX_COUNT = 200  # resources in one page: what identity providers ask for at most
DEFAULT_COUNT = 100


def describe_service(base: str, *, most_bytes: int) -> dict[str, Any]:
    """The `ServiceProviderConfig`; `most_bytes` of one request."""
    return {
        "schemas": [_CONFIG],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": most_bytes},
        "filter": {"supported": True, "maxResults": MAX_COUNT},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token of a service account: `Authorization: Bearer <token>`.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def describe_types(base: str) -> list[dict[str, Any]]:
    """The resource types."""
    return [
        {
            "schemas": [_TYPE],
            "id": name,
            "name": name,
            "description": description,
            "endpoint": f"/{name}s",
            "schema": str(schema),
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
        }
        for name, description, schema in (("User", "A person.", USER), ("Group", "A team and its people.", GROUP))
    ]


def describe_schemas(base: str, roles: Sequence[str]) -> list[dict[str, Any]]:
    """The schemas, of what is kept alone; with the roles that a person may be given."""
    found = [_with_roles(schema, roles) for schema in _schemas()]
    return [{**one, "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{one['id']}"}} for one in found]


def _with_roles(schema: dict[str, Any], roles: Sequence[str]) -> dict[str, Any]:
    attributes = []
    for attribute in schema["attributes"]:
        if attribute["name"] == "roles":
            parts = [
                {**part, "canonicalValues": list(roles)} if part["name"] == "value" and roles else part
                for part in attribute["subAttributes"]
            ]
            attribute = {**attribute, "subAttributes": parts}  # noqa: PLW2901  # the kept one stays as it is
        attributes.append(attribute)
    return {**schema, "attributes": attributes}


@cache
def _schemas() -> tuple[dict[str, Any], ...]:
    found = []
    for model, name in ((Person, "User"), (Group, "Group")):
        schema = model.to_schema()
        schema.name = name
        schema.attributes = [one for one in schema.attributes or () if one.name != "meta"]  # common to all resources
        content = schema.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
        for attribute in content["attributes"]:
            attribute["subAttributes"] = [
                _describe_part(attribute["name"], part)
                for part in attribute.pop("subAttributes", ())
                if part["returned"] != "never"
            ]
            if not attribute["subAttributes"]:
                del attribute["subAttributes"]
        found.append(content)
    return tuple(found)


def _describe_part(attribute: str, part: dict[str, Any]) -> dict[str, Any]:
    """A part of an attribute as a client should know it: what is accepted and not kept is not the client's to say."""
    if (attribute, part["name"]) in _SET_BY_US:
        return {**part, "mutability": "readOnly"}
    if part["name"] == "$ref":
        return {**part, "type": "reference", "referenceTypes": ["Group" if attribute == "groups" else "User"]}
    return part
