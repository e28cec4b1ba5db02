"""What fields cost, where that is more than one, and how long lists are whose length no argument bounds.

One is what it takes to answer a plain field, some 25 microseconds. The weights were measured against
it on the demo; `benchmarks/limits.py` measures them again. A price need not be exact: it has to keep a request that
takes a second from looking like one that takes a millisecond.
"""

UNIT_S = 25e-6  # seconds of the processor that one unit stands for
REQUEST = 100  # what every request takes before its first field: a token looked up, a snapshot opened
MUTATION = 400  # judging a change by the rules, and a transaction
DEFAULT_LIST = 3  # entries of a list that is not named below: the parents of a role, the parts of a requirement

WEIGHTS = {
    "Query.check": 150,
    "Query.checkMany": 10,  # for each question
    "Query.simulate": 100,  # for each change
    "Query.verifyAudit": 2000,  # reads the whole log, beside the event loop
    "Query.syncSources": 200,
    "Mutation.planSync": 2000,
    "Mutation.applySync": 2000,
    "User.can": 10,
    "User.effectiveRights": 300,
    "User.operations": 300,
    "User.facts": 5,
    "Role.rights": 100,
    "Role.members": 20,
    "Team.members": 20,
    "Permission.holders": 80,  # the rights of everybody
    "Operation.holders": 80,
    "Contract.access": 100,
    "ProductAccess.settable": 10,
    "Explanation.complete": 100,  # the search for the smallest changes, which is made once for these three
    "Explanation.wouldAllow": 100,
    "Explanation.wouldDeny": 100,
    "Explanation.contributions": 10,
    "EffectiveRight.contributions": 15,
    "AuditEntry.subjects": 20,
    "PrerequisiteNotMet.fixes": 30,
}

SIZED_BY = {  # as many as the list in this argument has; it multiplies the weight as well
    "Query.checkMany": "inputs",
    "Query.nodes": "ids",
    "Query.simulate": "changes",
}

LISTS = {
    "User.effectiveRights": 250,  # the permissions of the catalogs that come with the program: 218
    "User.operations": 300,  # their operations: 281
    "Role.rights": 50,
    "User.grants": 10,
    "Role.grants": 20,
    "Team.grants": 10,
    "Holder.grants": 10,
    "AuditEntry.changes": 10,
    "RightsChanged.differences": 10,
    "PermissionGroup.children": 10,
    "System.groups": 10,
    "System.facts": 10,
    "System.templates": 10,
    "RoleTemplate.grants": 20,
    "Query.products": 10,
    "Explanation.steps": 6,
    "SyncItem.errors": 1,  # most have none
    "Decision.errors": 1,
    "Decision.missing": 1,
    "Decision.obligations": 1,
    "EffectiveRight.missing": 1,
    "EffectiveRight.contributions": 1,
}


def weigh(place: str) -> int:
    """The cost of a field by itself, such as `User.effectiveRights`, what it selects left out."""
    return WEIGHTS.get(place) or (MUTATION if place.startswith("Mutation.") else 1)


def expect_entries(place: str) -> int:
    """How many entries the list of a field is expected to have."""
    return LISTS.get(place, DEFAULT_LIST)
