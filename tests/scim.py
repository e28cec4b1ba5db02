"""An identity provider: speaks SCIM to the real application, over the small contact centre of `factories.stock`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.factories import Answer, Gateway

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
SCIM = "application/scim+json"


@dataclass
class Provider:
    """Calls with one token, the owner's unless another is given. Its source is `scim:` and the name of the caller."""

    gateway: Gateway
    token: str

    async def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        """One request below `/scim/v2`; other headers may be given, with `_` for `-`."""
        sent = {"authorization": f"Bearer {self.token}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        return await self.gateway.client.request(method, f"/scim/v2{path}", json=body, params=query, headers=sent)

    async def get(self, path: str, **query: str) -> Answer:
        response = await self.call("GET", path, query=query)
        assert response.status_code == 200, response.text
        answer: Answer = response.json()
        return answer

    async def create(self, user_name: str, **given: Any) -> Answer:
        """A new user, as it is answered."""
        response = await self.call("POST", "/Users", {"schemas": [USER], "userName": user_name, **given})
        assert response.status_code == 201, response.text
        answer: Answer = response.json()
        return answer

    async def create_group(self, display_name: str, *members: str) -> Answer:
        """A new group with these people, as it is answered."""
        listed = [{"value": one} for one in members]
        response = await self.call(
            "POST", "/Groups", {"schemas": [GROUP], "displayName": display_name, "members": listed}
        )
        assert response.status_code == 201, response.text
        answer: Answer = response.json()
        return answer

    async def try_patch(self, path: str, *operations: Mapping[str, Any], **headers: str) -> httpx.Response:
        return await self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)

    async def patch(self, path: str, *operations: Mapping[str, Any]) -> Answer:
        """The resource after these operations."""
        response = await self.try_patch(path, *operations)
        assert response.status_code == 200, response.text
        answer: Answer = response.json()
        return answer


def fault_of(response: httpx.Response) -> tuple[int, str | None, str]:
    """Status, keyword and detail of a refusal, whose form is checked."""
    body = response.json()
    assert body["schemas"] == [ERROR], body
    assert body["status"] == str(response.status_code)
    assert set(body) <= {"schemas", "status", "scimType", "detail"}
    assert response.headers["content-type"] == f"{SCIM}; charset=utf-8"
    return response.status_code, body.get("scimType"), body["detail"]


def values_of(resource: Answer, attribute: str) -> list[str]:
    """The values of an attribute of many, sorted."""
    return sorted(one["value"] for one in resource.get(attribute, []))
