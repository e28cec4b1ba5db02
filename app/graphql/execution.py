"""Running a document: parsed, validated and compiled once, over the schema that strawberry built.

A query is run by its plan (`app/graphql/compiled`), where there is one; everything else by graphql-core.

Strawberry's own pipeline is left out: it parses and validates anew for every request and does not tell in which phase
an error arose, which decides the status of the answer.

A request is admitted first: its document read, its variables coerced, its cost counted. What was admitted is executed
within a time, and by `app/web/admission.py` within what its caller may take.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import sha256
from inspect import isawaitable, iscoroutine
from time import perf_counter, thread_time
from typing import Any, NamedTuple, TypeVar, cast

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    parse,
    validate,
)
from graphql.execution import create_source_event_stream
from strawberry.exceptions import StrawberryInputCoercionError

from app.domain.callers import Caller
from app.domain.errors import Refused
from app.domain.outages import Outage
from app.graphql.compiled import Compiler, Plan, Run
from app.graphql.context import Moved, Operation
from app.graphql.costs import UNIT_S
from app.graphql.documents import Documents, Refusals
from app.graphql.faults import Fault, FaultCode, fault_of, log_outage, read_outage
from app.graphql.limits import Costs, check_shape, find_root_fields, order_fragments
from app.graphql.listening import Listener
from app.graphql.pieces import PiecewiseExecution
from app.graphql.policy import OPEN, Policy, Trust, find_introspection
from app.graphql.rules import RULES
from app.graphql.schema import build_schema
from app.graphql.spliced import SPLICES
from app.graphql.usual import Usual, read_usual
from app.graphql.wording import reword
from app.services.context import Services
from app.services.index import RightsIndex
from app.settings import Limits
from app.telemetry import log

MAX_ERRORS = 8  # errors reported of one document: enough to mend it by
MAX_MESSAGE = 200  # characters of an error's message, which may repeat a name as long as the document
MAX_LOCATIONS = 8  # of an error: one that is about every field of a document names each
BESIDE = 32 * 1024  # bytes of a request that takes longer to read than others should wait: it is read beside the loop
LONG_TEXT = 2000  # characters of a document that may take as long to validate
AGAIN_S = 1.0  # after which what was called off and goes on, having begun to commit, is called off again
LONG = frozenset({"planSync", "applySync", "verifyAudit"})  # what takes as long as there is much of it
ANSWERED = frozenset({OperationType.QUERY, OperationType.MUTATION})  # with one answer
LISTENED = frozenset({OperationType.SUBSCRIPTION})
T = TypeVar("T")
Hear = Callable[[], Awaitable["asyncio.Future[None] | None"]]
Execution = PiecewiseExecution | Run
"""Of one operation: by graphql-core, or by a plan."""


class RequestFault(Exception):
    """The request cannot be executed; `errors` say why. Nothing was run, so there is no `data`.

    `effort` is what finding out took, in units of cost.
    """

    def __init__(self, errors: list[GraphQLError], code: FaultCode) -> None:
        self.errors = [_with_code(error, code) for error in errors[:MAX_ERRORS]]
        self.effort = 0
        super().__init__("; ".join(error.message[:MAX_MESSAGE] for error in self.errors))


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


class DeadlinePassed(RequestFault):
    """What was asked took too long and was called off: nothing is left of it that was not committed by then."""

    def __init__(self, seconds: float) -> None:
        message = f"there was no answer within {seconds:g} seconds: what was not committed by then is undone"
        super().__init__([GraphQLError(message)], FaultCode.GATEWAY_TIMEOUT)


class SubscriptionEnded(RequestFault):
    """A subscription cannot begin, or (`begun`) not go on. `code` says why, one error for all of it."""

    def __init__(self, error: GraphQLError, *, begun: bool) -> None:
        super().__init__([error], FaultCode.BAD_USER_INPUT)
        self.code = FaultCode((error.extensions or {})["code"])
        self.begun = begun


class Request(NamedTuple):
    """A GraphQL request, its shape already checked: it has `query`, or `document_id`, or the hash of a document."""

    query: str | None = None
    document_id: str | None = None  # of a trusted document
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    min_revision: int | None = None  # to be answered from this revision, or a later one
    size: int = 0  # bytes of the message that it came in


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is valid for the schema and has no more of anything than is taken."""

    node: DocumentNode
    costs: Costs
    is_long: bool  # it asks for something that takes as long as there is much of it
    plans: dict[int, Plan | None] = field(default_factory=dict)  # by the identity of an operation, once it is run
    chosen: dict[str | None, OperationDefinitionNode] = field(default_factory=dict)  # by the name that was asked for
    usual: dict[str | None, Usual | None] = field(default_factory=dict)  # likewise


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be run: what for, at what cost, and how long it may take. `effort`: what reading it took."""

    request: Request
    kind: OperationType
    cost: int
    effort: int
    timeout_s: float
    execution: Execution


class Executor:
    """The schema, and the documents it has seen."""

    def __init__(self, schema: strawberry.Schema | None = None) -> None:
        self.schema: GraphQLSchema = (schema or build_schema())._schema  # noqa: SLF001  # the graphql-core schema inside
        self.compiler = Compiler(self.schema, SPLICES if schema is None else None)
        self.policy = OPEN
        self.limits = Limits()
        self._forget_documents()

    def _forget_documents(self) -> None:
        self._documents: Documents[Document] = Documents()
        self._refusals: Refusals[RequestFault] = Refusals()
        self._trusted: dict[tuple[str, bool], Document | RequestFault] = {}  # as many as the policy has

    def under(self, policy: Policy) -> "Executor":
        """The same schema and the documents that were seen, under another policy."""
        other = copy(self)
        other.policy = policy
        return other

    def within(self, limits: Limits) -> "Executor":
        """The same schema, within other limits; where they are the same, with the documents that were seen."""
        if limits == self.limits:
            return self
        other = copy(self)
        other.limits = limits
        other._forget_documents()  # noqa: SLF001  # what was taken and refused by the limits of this one
        return other

    def find_document(self, request: Request, caller: Caller) -> Document:
        """The document that a caller asks for, by its text or by its id. Raises `RequestFault`."""
        text, trusted = self._find_text(request, caller)
        return self.prepare(text, may_introspect=self.policy.may_introspect(caller), trusted=trusted)

    def recall_document(self, request: Request, caller: Caller) -> Document | None:
        """The same, where finding it takes no longer than a look; None for one that was never seen, or not for long.

        Raises `RequestFault`, as for one that is known to be refused.
        """
        text, trusted = self._find_text(request, caller)
        may_introspect = self.policy.may_introspect(caller)
        if trusted:
            return self.prepare(text, may_introspect=may_introspect, trusted=True)
        return self._recall(text, may_introspect)

    def recall_usual(self, request: Request, caller: Caller) -> Usual | None:
        """The usual query that is asked, where it is one and its document is known. Raises `RequestFault`."""
        document = self.recall_document(request, caller) if self.policy.compiled else None
        if document is None:
            return None
        name = request.operation_name
        if name not in document.usual:
            document.usual[name] = read_usual(document.node, self.choose(document, name), document.costs)
        return document.usual[name]

    def _find_text(self, request: Request, caller: Caller) -> tuple[str, bool]:
        """The text that a caller asks for, and whether it is that of a trusted document. Raises `RequestFault`."""
        trust = self.policy.trust_of(caller)
        if request.document_id is None:
            if trust is Trust.REQUIRE:
                message = "documents of your own are not taken: name a trusted one by `documentId`"
                raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_ID_REQUIRED)
            if request.query is None:
                message = "documents that clients sent before are not kept: send the document as `query`"
                raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_NOT_SUPPORTED)
            return request.query, False
        if trust is Trust.OFF:
            message = "trusted documents are not in use: send the document as `query`"
            raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_NOT_SUPPORTED)
        text = self.policy.documents.get(request.document_id)
        if text is None:
            message = "there is no trusted document of this id"
            raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_NOT_FOUND)
        return text, True

    def prepare(self, text: str, *, may_introspect: bool = True, trusted: bool = False) -> Document:
        """The document of a text, valid for the schema. Raises `RequestFault`.

        Who may not introspect is told of no name that they did not write; a trusted document is kept for good.
        """
        if trusted:
            outcome = self._trusted.get((text, may_introspect))
            if outcome is None:
                outcome = self._trusted[text, may_introspect] = self._prepare_text(text, may_introspect)
            return _give(outcome)
        document = self._recall(text, may_introspect)
        if document is not None:
            return document
        outcome = self._prepare_text(text, may_introspect)
        if isinstance(outcome, RequestFault):
            self._refusals.keep(text, _bare(outcome), may_introspect)
        else:
            self._documents.keep(text, outcome, may_introspect)
        return _give(outcome)

    def _recall(self, text: str, may_introspect: bool) -> Document | None:
        """The document of a text that is known. Raises `RequestFault` for one that is known to be refused."""
        document = self._documents.find(text, may_introspect)
        if document is None:
            refusal = self._refusals.find(text, may_introspect)
            if refusal is not None:
                raise _renew(refusal)
        return document

    def _prepare_text(self, text: str, may_introspect: bool) -> Document | RequestFault:
        """What a text is made into: its document, or why there is none."""
        limits, size = self.limits, len(text.encode())
        if size > limits.max_document_bytes:
            too_long = GraphQLError(f"a document has at most {limits.max_document_bytes} bytes; this one has {size}")
            return RequestFault([too_long], FaultCode.GRAPHQL_PARSE_FAILED)
        try:
            node = parse(text, max_tokens=limits.max_tokens, allow_empty_selection_sets=False)
        except GraphQLSyntaxError as error:
            return RequestFault([error], FaultCode.GRAPHQL_PARSE_FAILED)
        except RecursionError:
            too_deep = GraphQLError("the document is nested too deeply")
            return RequestFault([too_deep], FaultCode.GRAPHQL_PARSE_FAILED)
        try:
            fragments = order_fragments(node)
        except GraphQLError as error:
            return RequestFault([error], FaultCode.GRAPHQL_VALIDATION_FAILED)
        # The shape comes first: it takes no longer than the text, while some rules of validation compare all with all.
        errors = check_shape(self.schema, node, fragments, limits) or validate(
            self.schema, node, RULES, max_errors=MAX_ERRORS, hide_suggestions=not may_introspect
        )
        if not errors and not may_introspect:
            errors = find_introspection(node)
        if errors:
            return RequestFault(errors, FaultCode.GRAPHQL_VALIDATION_FAILED)
        is_long = not LONG.isdisjoint(find_root_fields(node, fragments))
        return Document(node, Costs(self.schema, fragments), is_long)

    def choose(self, document: Document, name: str | None) -> OperationDefinitionNode:
        """The operation to run: the one named, or the only one. Raises `RequestFault`."""
        known = document.chosen.get(name)
        if known is None:
            known = document.chosen[name] = self._choose(document, name)
        return known

    def _choose(self, document: Document, name: str | None) -> OperationDefinitionNode:
        operations = [node for node in document.node.definitions if isinstance(node, OperationDefinitionNode)]
        chosen = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
        if len(chosen) == 1:
            return chosen[0]
        message = "name one of the operations of the document" if operations else "the document has no operation"
        if name is not None:
            message = "the document has no operation of this name"
        raise RequestFault([GraphQLError(message)], FaultCode.OPERATION_RESOLUTION_FAILURE)

    # ------------------------------------------------------------------ before anything is run

    async def admit(
        self,
        request: Request,
        caller: Caller,
        *,
        only: frozenset[OperationType] = ANSWERED,
        document: Document | None = None,
    ) -> Admitted:
        """A request that may be run as far as it itself goes. Raises `RequestFault` where it may not.

        `document`: what `recall_document` gave. A long one that is not known is read beside the event loop, which
        others go on with, and so are many variables.
        """
        if request.size <= BESIDE and (document is not None or len(request.query or "") <= LONG_TEXT):
            return self._admit(request, caller, only, document)
        return await asyncio.to_thread(self._admit, request, caller, only, document)

    def _admit(
        self, request: Request, caller: Caller, only: frozenset[OperationType], document: Document | None = None
    ) -> Admitted:
        # Of one that is known little is left to do, and to ask for the time of a thread takes a call of the system.
        clock = thread_time if document is None else perf_counter
        started = clock()
        try:
            document = document or self.find_document(request, caller)
            chosen = self.choose(document, request.operation_name)
            if chosen.operation not in only:
                message = f"a {chosen.operation.value} cannot be asked this way"
                raise RequestFault([GraphQLError(message)], FaultCode.BAD_REQUEST)
            execution = self._bind(document, request, caller)
            variables = execution.coerced if isinstance(execution, Run) else execution.variable_values.coerced
            cost = document.costs.count(chosen, variables)
            if cost > self.limits.max_cost:
                raise RequestFault([_too_expensive(cost, self.limits.max_cost)], FaultCode.COST_ESTIMATED_TOO_EXPENSIVE)
        except RequestFault as fault:
            fault.effort = round((clock() - started) / UNIT_S)
            raise
        effort = round((clock() - started) / UNIT_S)
        return Admitted(request, chosen.operation, cost, effort, self._find_timeout(document, chosen), execution)

    def _bind(self, document: Document, request: Request, caller: Caller) -> Execution:
        """An execution of the document with the variables, which are coerced here and nowhere else."""
        plan = self._find_plan(document, request.operation_name) if self.policy.compiled else None
        hide = not self.policy.may_introspect(caller)
        execution: Execution | list[GraphQLError] | None = None
        if plan is not None:
            execution = plan.bind(request.variables or {}, max_errors=MAX_ERRORS, hide_suggestions=hide)
        if execution is None:
            execution = cast(Execution | list[GraphQLError], PiecewiseExecution.build(
                self.schema, document.node, raw_variable_values=dict(request.variables or {}),
                operation_name=request.operation_name, max_coercion_errors=MAX_ERRORS, hide_suggestions=hide,
            ))  # fmt: skip
        if isinstance(execution, list):
            raise RequestFault(execution, FaultCode.BAD_USER_INPUT)
        return execution

    def _find_plan(self, document: Document, name: str | None) -> Plan | None:
        """The plan of an operation of a document; None where graphql-core runs it."""
        operation = self.choose(document, name)
        if id(operation) not in document.plans:
            document.plans[id(operation)] = self.compiler.compile(document.node, operation)
        return document.plans[id(operation)]

    def _find_timeout(self, document: Document, chosen: OperationDefinitionNode) -> float:
        if document.is_long:
            return self.limits.sync_timeout_s
        is_change = chosen.operation is OperationType.MUTATION
        return self.limits.mutation_timeout_s if is_change else self.limits.query_timeout_s

    async def wait_for_revision(self, services: Services, admitted: Admitted) -> None:
        """Waits a little for a revision that the request must not be answered before. Raises `RequestFault`."""
        wanted = admitted.request.min_revision
        if wanted is None:
            return
        current = await services.wait_for(wanted)
        if current < wanted:
            message = f"revision `{wanted}` is not here yet; the gateway is at `{current}`: try again"
            error = GraphQLError(message, extensions={"code": FaultCode.REVISION_NOT_REACHED, "revision": str(current)})
            raise RequestFault([error], FaultCode.REVISION_NOT_REACHED)

    # ------------------------------------------------------------------ running it

    async def execute(
        self,
        services: Services,
        caller: Caller,
        admitted: Admitted,
        *,
        hear: Hear | None = None,
        index: RightsIndex | None = None,
    ) -> dict[str, Any]:
        """The answer to what was admitted, ready to be written; at once where there is nothing to wait for.

        `index`: the latest one, where somebody has looked already since this was asked for.

        Raises `DeadlinePassed` where it took too long. Before something is waited for `hear` is asked for what is done
        when nobody waits for the answer any more; it raises `Abandoned` if that is so already. A query is called off
        then, and `Abandoned` raised; a change that has begun is brought to its end.
        """
        if admitted.kind is not OperationType.QUERY:
            if hear is not None:
                await hear()
            operation = Operation(services, caller)
            return await within(admitted.timeout_s, self._answer(operation, admitted))
        least = admitted.request.min_revision or 0
        operation = Operation(services, caller, may_index=True, index=index, min_revision=least)
        operation.hold()  # what an error has left beside it goes on by itself, whoever waits
        result: Any = None
        try:
            result = _begin(operation, admitted.execution)
            if isinstance(result, ExecutionResult) and operation.is_at_rest:
                index = operation.find_index()
                if index is not None:
                    if result.errors:
                        await operation.end()
                    return _show_result(result, index.revision)
            leaving = None if hear is None else await hear()
            operation.let_in()
        except BaseException:
            if iscoroutine(result):
                result.close()
            admitted.execution.drop()
            await operation.end()
            raise
        return await within(admitted.timeout_s, self._answer(operation, admitted, result), leaving=leaving)

    async def _answer(self, operation: Operation, admitted: Admitted, begun: Any = None) -> dict[str, Any]:
        """Answers from the index, as far as that goes; and from the database alone, where that was overtaken."""
        answer = await _finish(operation, admitted.execution, begun)
        if answer is None:
            services, caller = operation.services, operation.caller
            execution = self._bind(self.find_document(admitted.request, caller), admitted.request, caller)
            operation = Operation(services, caller)
            answer = await _finish(operation, execution)
        assert answer is not None, "what is not answered from the index is not overtaken"
        return answer

    async def listen(self, listener: Listener, admitted: Admitted) -> AsyncGenerator[dict[str, Any], None]:
        """The answers to a subscription, one for each event, none of them read before the last one was taken.

        Raises `RequestFault` where nothing could be run, `SubscriptionEnded` where it is over.
        """
        execution = admitted.execution
        assert not isinstance(execution, Run), "subscriptions are run by graphql-core"
        execution.context_value = listener
        events = create_source_event_stream(execution)
        if isawaitable(events):
            events = await events
        if isinstance(events, ExecutionResult):
            raise SubscriptionEnded(_mask((events.errors or [])[0]), begun=False)
        assert isinstance(events, AsyncGenerator), "every subscription is a generator"
        try:
            async for event in events:
                answer = await within(admitted.timeout_s, _answer_event(execution, event, listener))
                await listener.rest()
                yield answer
        except DeadlinePassed as passed:
            raise SubscriptionEnded(passed.errors[0], begun=True) from None
        except Refused as refused:
            raise SubscriptionEnded(fault_of(refused.errors), begun=listener.turns > 1) from None
        except Fault as fault:
            raise SubscriptionEnded(fault, begun=listener.turns > 0) from None
        except Exception as error:
            raise SubscriptionEnded(_mask(GraphQLError("", original_error=error)), begun=True) from None
        finally:
            await events.aclose()
            await listener.rest()


def _begin(operation: Operation, execution: Execution) -> Any:
    """The result of an execution, or what has to be awaited for it."""
    execution.context_value = operation
    return execution.execute_operation()


async def _finish(operation: Operation, execution: Execution, begun: Any = None) -> dict[str, Any] | None:
    """The answer of an execution, which may have begun; None where the operation has moved."""
    try:
        result = _begin(operation, execution) if begun is None else begun
        if isawaitable(result):
            result = await result
        revision = await _find_revision(operation)
    finally:
        await operation.end()
    return None if operation.has_moved else _show_result(result, revision)


async def _find_revision(operation: Operation) -> int | None:
    """The revision an answer is of. What was done is told all the same where the database does not answer any more."""
    if operation.revision is not None:
        return operation.revision
    try:
        return (await operation.read()).revision
    except Moved:
        return None
    except Outage as outage:
        log("an answer is of no revision", level=30, exception=outage)
        return None


async def _answer_event(execution: PiecewiseExecution, event: Any, listener: Listener) -> dict[str, Any]:
    showing = execution.build_per_event_executor(event)
    showing.context_value = listener.operation
    result: Any = showing.execute_operation(serially=False)
    if isawaitable(result):
        result = await result
    return _show_result(result, event.revision)


async def within(seconds: float, work: Coroutine[Any, Any, T], *, leaving: asyncio.Future[None] | None = None) -> T:
    """What some work gives, which is called off when it takes too long, or when nobody waits for it any more.

    Raises `DeadlinePassed` or `Abandoned`. What has begun to commit goes on to the end of that, and what it gives is
    given. Returns only when nothing of the work is left.
    """
    task = asyncio.create_task(work)
    try:
        ends: set[asyncio.Future[Any]] = {task} if leaving is None else {task, leaving}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=AGAIN_S)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    if task.cancelled():
        raise Abandoned if leaving is not None and leaving.done() else DeadlinePassed(seconds)
    return task.result()


def _give(outcome: Document | RequestFault) -> Document:
    """A document. Raises what there is in its place."""
    if isinstance(outcome, RequestFault):
        raise _renew(outcome)
    return outcome


def _renew(fault: RequestFault) -> RequestFault:
    """A fault that was raised before, for another request."""
    return RequestFault(fault.errors, FaultCode(fault.errors[0].extensions["code"]))  # type: ignore[index]  # every error of a fault has a code


def _bare(fault: RequestFault) -> RequestFault:
    """A fault that says the same and holds on to nothing of the document."""
    bare = []
    for error in fault.errors:
        one = GraphQLError(error.message, extensions=error.extensions)
        one.locations = error.locations
        bare.append(one)
    return RequestFault(bare, FaultCode.BAD_REQUEST)


def _too_expensive(cost: int, most: int) -> GraphQLError:
    message = f"the operation costs {cost} and may cost {most}: ask for smaller pages, or for less of each entry"
    code = FaultCode.COST_ESTIMATED_TOO_EXPENSIVE.value
    return GraphQLError(message, extensions={"code": code, "requested": cost, "limit": most})


def _show_result(result: ExecutionResult, revision: int | None) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if result.errors:
        answer["errors"] = [_show(error) for error in result.errors[:MAX_ERRORS]]
    answer["data"] = result.data
    answer["extensions"] = {} if revision is None else {"revision": str(revision)}
    return answer


def _show(error: GraphQLError) -> Mapping[str, Any]:
    return _mask(error).formatted


def _mask(error: GraphQLError) -> GraphQLError:
    """An error for the client. What was not meant for it is logged, and shown as a reference to the log."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None or isinstance(original, Fault | StrawberryInputCoercionError) or _is_of_argument(original):
        return _with_code(error, FaultCode.BAD_USER_INPUT)
    if isinstance(original, Outage):
        log_outage(original)
        shown = read_outage(original)
        return GraphQLError(shown.message, nodes=error.nodes, path=error.path, extensions=shown.extensions)
    reference = sha256(repr((error.message, error.path)).encode()).hexdigest()[:12]
    log("a field failed", level=40, exception=original, reference=reference, path=error.path)
    return GraphQLError(
        f"internal error, reference {reference}", nodes=error.nodes, path=error.path,
        extensions={"code": FaultCode.INTERNAL_SERVER_ERROR.value},
    )  # fmt: skip


def _is_of_argument(error: BaseException) -> bool:
    """Whether graphql-core could not read an argument. Its errors about results point at fields, or nowhere."""
    nodes = error.nodes if isinstance(error, GraphQLError) else None
    return bool(nodes) and all(isinstance(node, ValueNode) for node in nodes or ())


def _with_code(error: GraphQLError, code: FaultCode) -> GraphQLError:
    """An error with a code (this one, where it has none), in GraphQL's words; what it repeats is cut short."""
    if not error.extensions or "code" not in error.extensions:
        error.message = reword(error.message)
        error.extensions = {**(error.extensions or {}), "code": code.value}
    if len(error.message) > MAX_MESSAGE:
        error.message = error.message[: MAX_MESSAGE - 1] + "\u2026"
    if error.locations is not None:
        error.locations = error.locations[:MAX_LOCATIONS]
    return error
