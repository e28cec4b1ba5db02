// The tour: one tab each, in the order in which a newcomer would ask. README.md tells what comes of them; a test compares
// the two, so change both.
'use strict';
const TOUR = [
  {
    query: `# Who is asking? What is asked and changed here is asked and
# changed by the person whose token stands above.
query WhoAmI {
  viewer { user { userName displayName isOwner } }
}
`,
  },
  {
    query: `# What may agent ana do in contract C-100?
# Leave the system out, and the rights of all of them come.
query WhatMayAnaDo {
  user(ref: {userName: "ana"}) {
    effectiveRights(
      contract: {number: "C-100"}, system: "ringover", states: [ACTIVE]
    ) {
      permission { label }
      value { text }
    }
  }
}
`,
  },
  {
    query: `# Why may she read contact details, what comes with the yes,
# and what would make it a no?
query WhyMayAna {
  user(ref: {userName: "ana"}) {
    can(
      node: "maxcontact.agent.can_read_contact_details"
      contract: {number: "C-100"}
    ) {
      allowed
      state
      obligations { kind fields keep }
      explanation {
        summary
        contributions { holders { displayName } }
        wouldDeny {
          removals {
            ... on TeamMembership { team { displayName } }
            ... on ProductAccess { product { label } level }
          }
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Why can supervisor sam not spy on calls?
# And what would allow it?
query WhyNotSam {
  check(input: {
    user: {userName: "sam"}
    node: "web2contact.statistics_management.allowed_to_spy_call"
    contract: {number: "C-100"}
  }) {
    allowed
    state
    missing { text }
    explanation {
      summary
      steps { rule outcome detail }
      contributions { holders { displayName } }
      wouldAllow {
        other
        grants {
          permission { label }
          holder { displayName }
          contract { number }
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Who can delete recordings? In storm it takes a level of a
# privilege, in MaxContact it is a right of its own.
query WhoDeletes {
  storm: permissionNode(
    key: "storm.customers.delete_recordings_and_chat_messages"
  ) {
    ... on Operation {
      menuPath
      requirement { text }
      holders(contract: {number: "C-100"}) {
        totalCount
        edges { node { displayName isOwner } }
      }
    }
  }
  maxcontact: permissionNode(
    key: "maxcontact.qa.can_delete_recording"
  ) {
    ... on Permission {
      holders(contract: {number: "C-200"}) {
        totalCount
        edges { node { displayName isOwner } }
      }
    }
  }
}
`,
  },
  {
    query: `# Which storm operations are open to quentin,
# and where are they in the menus?
query OpenToQuentin {
  user(ref: {userName: "quentin"}) {
    operations(
      system: "storm", contract: {number: "C-100"}, allowed: true
    ) {
      node {
        key
        ... on Operation { menuPath requirement { text } }
      }
    }
  }
}
`,
  },
  {
    query: `# May stefan listen in on a call? That hangs on whose call it is.
query ListeningIn {
  user(ref: {userName: "stefan"}) {
    onSomebody: can(
      node: "ringover.recording_and_monitoring.double_listen"
      contract: {number: "C-200"}
    ) { ...answer }
    onMilo: can(
      node: "ringover.recording_and_monitoring.double_listen"
      contract: {number: "C-200"}
      target: {userName: "milo"}
    ) { ...answer }
    onPia: can(
      node: "ringover.recording_and_monitoring.double_listen"
      contract: {number: "C-200"}
      target: {userName: "pia"}
    ) { ...answer }
  }
}

fragment answer on Decision {
  allowed
  state
  missing { text }
  missingFacts
}
`,
  },
  {
    query: `# Let quality analysts spy on calls.
# Their role has neither of the rights that this one needs.
mutation Grant {
  grantPermissions(input: {
    holder: {role: {key: "quality_analyst"}}
    grants: [{
      permission: "web2contact.statistics_management.allowed_to_spy_call"
    }]
  }) {
    revision
    errors {
      code
      path
      message
      ... on PrerequisiteNotMet {
        missing { text }
        fixes { grants { permission { label } } }
      }
    }
  }
}
`,
  },
  {
    query: `# The same, and what it needs along: three changes, one revision.
mutation GrantInclude {
  grantPermissions(input: {
    holder: {role: {key: "quality_analyst"}}
    grants: [{
      permission: "web2contact.statistics_management.allowed_to_spy_call"
    }]
    onMissingPrerequisites: INCLUDE
    reason: "quality listens in this week"
  }) {
    revision
    changes { action permission { label } before after }
    errors { code message }
  }
}
`,
  },
  {
    query: `# Take the reports menu away again. The other two need it.
mutation Revoke {
  revokePermissions(input: {
    holder: {role: {key: "quality_analyst"}}
    revokes: [{
      permission: "web2contact.statistics_management.display_reports_and_statistics_menu"
    }]
  }) {
    revision
    errors {
      code
      path
      message
      ... on DependentsExist { dependents { label } }
    }
  }
}
`,
  },
  {
    query: `# The same, and what needs it along: they go together.
mutation RevokeCascade {
  revokePermissions(input: {
    holder: {role: {key: "quality_analyst"}}
    revokes: [{
      permission: "web2contact.statistics_management.display_reports_and_statistics_menu"
    }]
    onDependents: CASCADE
  }) {
    revision
    changes { action permission { label } before after }
    errors { code message }
  }
}
`,
  },
  {
    query: `# What was done, by whom and why?
# One entry for each revision, chained by hash.
query WhatWasDone {
  auditLog(first: 2) {
    edges {
      node { revision actor reason action changes { detail } }
    }
  }
}
`,
  },
  {
    query: `# What would a feed do that brings a role without what it needs?
# Nothing: the plan is refused, and says what is missing.
mutation PlanANight {
  planSync(input: {
    source: "roles"
    roles: [{
      key: "removers"
      grants: [{permission: "maxcontact.page_level_admin.dnc_bulk_removal"}]
    }]
  }) {
    run { status creates refused }
    errors {
      code message path
      ... on PrerequisiteNotMet {
        fixes { grants { permission { key } value { text } } }
      }
    }
  }
}
`,
  },
  {
    query: `# How does each source stand this morning?
query TheMorningAfter {
  syncSources {
    source manages drift lastAppliedAt
    lastRun {
      status plannedBy
      items(action: REFUSED) { edges { node { subject path } } }
    }
  }
}
`,
  },
];
