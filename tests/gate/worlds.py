"""Two contracts that have nothing in common but the account, each with everything that can hang on one.

Whatever is of `C-B` carries the word `beta` in its names and texts; whatever hangs on people of `C-A` carries `alpha`.
"""

from app.domain.callers import Right
from tests.factories import Gateway, holder

VIEWS = [right for right in Right if right.endswith(".view")]


async def stock_two_contracts(gateway: Gateway) -> None:
    """nora sees nothing but herself, vera may view everything in C-A; ann and abe are of C-A, bob and bea of C-B."""
    await gateway.create_users("nora", "vera", "ann", "abe")
    for name in ("bob", "bea"):
        await gateway.create_user(f"{name}-beta", email=f"{name}@beta.example", externalId=f"hr-beta-{name}")
    await gateway.register_contract("C-A", owner="abe")
    await gateway.register_contract("C-B-beta", owner="bea-beta", products=["core", "pbx"])
    for user, number in (("vera", "C-A"), ("ann", "C-A"), ("bob-beta", "C-B-beta")):
        await gateway.set_level(number, user)
        await gateway.set_level(number, user, "pbx")
    await gateway.create_role("common", "desk.reports.menu", "desk.staff.read_contacts")
    await gateway.create_team("crew", kind="GROUP")
    a, b = {"number": "C-A"}, {"number": "C-B-beta"}
    for user, contract, word in (("ann", a, "alpha"), ("bob-beta", b, "beta")):
        reason = f"because of {word}"
        await gateway.grant(
            holder(user=user), {"permission": "desk.reports.export", "contract": contract}, reason=reason
        )
        await gateway.limit(
            holder(user=user), {"permission": "desk.calls.channels", "contract": contract}, reason=reason
        )
        asked = {"holder": holder(user=user), "roles": [{"role": {"key": "common"}, "contract": contract}]}
        await gateway.mutate("assignRoles", {**asked, "reason": reason})
        await gateway.join("crew", user, contract=contract, reason=reason)
        await gateway.grant(
            holder(role="common"), {"permission": "desk.calls.channels", "value": {"amount": 3}, "contract": contract}
        )
        asked = {"user": {"userName": user}, "subscriber": f"subscriber-{word}", "contract": contract}
        await gateway.mutate("linkSubscriber", {**asked, "reason": reason})
        await gateway.set_facts({"credit_balance": "4141" if contract == a else "4242"}, contract=contract)
        await gateway.set_facts({"trained": "true"}, contract=contract, user={"userName": user})
        await gateway.issue_token(user)
    await gateway.grant(holder(user="bob-beta"), "desk.calls.withhold_number")
    gateway.ids["token nora"] = (await gateway.issue_token("nora"))[1]
    gateway.ids["token vera"] = await gateway.trust("vera", *VIEWS, contract="C-A")
