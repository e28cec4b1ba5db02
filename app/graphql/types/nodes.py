"""What has an id."""

import strawberry


@strawberry.interface(description="Anything with an id. Ids are opaque, typed and never given twice.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque id; hand it back as it came.")
