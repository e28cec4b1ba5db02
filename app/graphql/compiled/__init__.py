"""Plans: validated queries, compiled once into plain Python, without a text of anybody's being run.

graphql-core asks the same questions of every field of every object: what is its type, what are its arguments, is it to
be left out, can it be waited for, may it be null. A plan asks them once for a document, and leaves functions behind
that read attributes and call resolvers. strawberry stays the only definition of the schema: a plan is made of its
fields, its resolvers and its types. Guards live in the services that resolvers call, so that no plan can skip them.

What comes of a plan is, data and errors, to the letter what comes of graphql-core: the same messages, paths, locations
and order. `tests/graphql/compiled` holds the two together with random documents over the whole schema.

How it goes: `Compiler.compile` looks a document over and makes a `Plan`, or gives None for what plans do not know:
mutations, subscriptions, questions about the schema, directives but `@skip` and `@include`, fields with an extension or
a permission class. `Plan.bind` coerces variables and gives a `Run`, `Run.execute_operation` the result, or a coroutine
where something has to be waited for. Whatever is unusual on the way (a variable that is wrong, an argument that is
none) is given to the functions of graphql-core that would have looked at it.

| module | holds |
| --- | --- |
| `plans` | the compiler; a plan, and its variants by how `@skip` and `@include` turn out |
| `selections` | a selection as one function: what is read, what is called, what is spliced in |
| `values` | completing values by type: leaves, objects, interfaces, unions, lists |
| `resolvers` | calling what strawberry's resolver calls |
| `arguments` | arguments in the document, and what resolvers are given |
| `variables` | variables of a request |
| `runs` | one execution: errors, waiting, rests |
| `info` | what a resolver is told |
| `splices` | answers that are there as JSON already: whoever has them registers a `Splice` for a field |

Who may import it: `app/graphql`. A `Run` has what `app/graphql/execution.py` uses of graphql-core's `Executor`.
"""

from app.graphql.compiled.plans import Compiler, Plan
from app.graphql.compiled.runs import Run
from app.graphql.compiled.splices import Keep, Partly, Splice, Splices

__all__ = ["Compiler", "Keep", "Partly", "Plan", "Run", "Splice", "Splices"]
