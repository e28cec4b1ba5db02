"""Running a document: parsed and validated once, executed by graphql-core over the schema that strawberry built.

Strawberry's own pipeline is left out: it parses and validates anew for every request and does not tell in which phase
an error arose, which decides the status of the answer.
"""

from collections.abc import AsyncGenerator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from inspect import isawaitable
from typing import Any

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
    execute,
    parse,
    validate,
)
from graphql import Executor as Execution
from graphql.execution import create_source_event_stream, get_variable_values
from strawberry.exceptions import StrawberryInputCoercionError

from app.domain.callers import Caller
from app.domain.errors import Refused
from app.graphql.context import Operation
from app.graphql.faults import Fault, FaultCode, fault_of
from app.graphql.listening import Authenticate, Listener
from app.graphql.policy import OPEN, Policy, Trust, find_introspection
from app.graphql.rules import RULES
from app.graphql.schema import build_schema
from app.services.context import Services
from app.telemetry import log

MAX_DOCUMENTS = 512  # parsed documents kept: more than a frontend has, a few megabytes
MAX_TOKENS = 2000  # tokens of a document; a screen of a large client has under 1,000
MAX_ERRORS = 8  # errors reported of one document: enough to mend it by


class RequestFault(Exception):
    """The request cannot be executed; `errors` say why. Nothing was run, so there is no `data`."""

    def __init__(self, errors: list[GraphQLError], code: FaultCode) -> None:
        self.errors = [_with_code(error, code) for error in errors[:MAX_ERRORS]]
        super().__init__("; ".join(error.message for error in errors))


class SubscriptionEnded(RequestFault):
    """A subscription cannot begin, or (`begun`) not go on. `code` says why, one error for all of it."""

    def __init__(self, error: GraphQLError, *, begun: bool) -> None:
        super().__init__([error], FaultCode.BAD_USER_INPUT)
        self.code = FaultCode((error.extensions or {})["code"])
        self.begun = begun


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request, its shape already checked: it has `query`, or `document_id`, or the hash of a document."""

    query: str | None = None
    document_id: str | None = None  # of a trusted document
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    min_revision: int | None = None  # to be answered from this revision, or a later one


class Executor:
    """The schema, and the documents it has seen."""

    def __init__(self, schema: strawberry.Schema | None = None) -> None:
        self.schema: GraphQLSchema = (schema or build_schema())._schema  # noqa: SLF001  # the graphql-core schema inside
        self._prepare = lru_cache(MAX_DOCUMENTS)(self._prepare_text)
        self._prepare_trusted = lru_cache(None)(self._prepare_text)  # as many as the policy has
        self.policy = OPEN

    def under(self, policy: Policy) -> "Executor":
        """The same schema and the documents that were seen, under another policy."""
        other = copy(self)
        other.policy = policy
        return other

    def find_document(self, request: Request, caller: Caller) -> DocumentNode:
        """The document that a caller asks for, by its text or by its id. Raises `RequestFault`."""
        trust, may_introspect = self.policy.trust_of(caller), self.policy.may_introspect(caller)
        if request.document_id is None:
            if trust is Trust.REQUIRE:
                message = "documents of your own are not taken: name a trusted one by `documentId`"
                raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_ID_REQUIRED)
            if request.query is None:
                message = "documents that clients sent before are not kept: send the document as `query`"
                raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_NOT_SUPPORTED)
            return self.prepare(request.query, may_introspect=may_introspect)
        if trust is Trust.OFF:
            message = "trusted documents are not in use: send the document as `query`"
            raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_NOT_SUPPORTED)
        text = self.policy.documents.get(request.document_id)
        if text is None:
            message = "there is no trusted document of this id"
            raise RequestFault([GraphQLError(message)], FaultCode.PERSISTED_QUERY_NOT_FOUND)
        return self.prepare(text, may_introspect=may_introspect, trusted=True)

    def prepare(self, text: str, *, may_introspect: bool = True, trusted: bool = False) -> DocumentNode:
        """The document of a text, valid for the schema. Raises `RequestFault`.

        Who may not introspect is told of no name that they did not write; a trusted document is kept for good.
        """
        outcome = (self._prepare_trusted if trusted else self._prepare)(text, may_introspect)
        if isinstance(outcome, RequestFault):
            raise RequestFault(outcome.errors, FaultCode(outcome.errors[0].extensions["code"]))  # type: ignore[index]  # every error of a fault has a code
        return outcome

    def _prepare_text(self, text: str, may_introspect: bool) -> DocumentNode | RequestFault:
        try:
            document = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLSyntaxError as error:
            return RequestFault([error], FaultCode.GRAPHQL_PARSE_FAILED)
        except RecursionError:
            too_deep = GraphQLError("the document is nested too deeply")
            return RequestFault([too_deep], FaultCode.GRAPHQL_PARSE_FAILED)
        errors = validate(self.schema, document, RULES, max_errors=MAX_ERRORS, hide_suggestions=not may_introspect)
        if not errors and not may_introspect:
            errors = find_introspection(document)
        return RequestFault(errors, FaultCode.GRAPHQL_VALIDATION_FAILED) if errors else document

    def choose(self, document: DocumentNode, name: str | None) -> OperationDefinitionNode:
        """The operation to run: the one named, or the only one. Raises `RequestFault`."""
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        chosen = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
        if len(chosen) == 1:
            return chosen[0]
        message = "name one of the operations of the document" if operations else "the document has no operation"
        if name is not None:
            message = "the document has no operation of this name"
        raise RequestFault([GraphQLError(message)], FaultCode.OPERATION_RESOLUTION_FAILURE)

    async def run(
        self,
        services: Services,
        caller: Caller,
        request: Request,
        *,
        only: frozenset[OperationType] = frozenset({OperationType.QUERY, OperationType.MUTATION}),
    ) -> dict[str, Any]:
        """The answer to a request, ready to be written. Raises `RequestFault` where nothing could be run."""
        document = self.find_document(request, caller)
        chosen = self.choose(document, request.operation_name)
        if chosen.operation not in only:
            message = f"a {chosen.operation.value} cannot be asked this way"
            raise RequestFault([GraphQLError(message)], FaultCode.BAD_REQUEST)
        self._check_variables(chosen, request.variables, caller)
        await _require_revision(services, request.min_revision)
        operation = Operation(services, caller)
        try:
            result = execute(
                self.schema, document, context_value=operation, variable_values=dict(request.variables or {}),
                operation_name=request.operation_name, hide_suggestions=not self.policy.may_introspect(caller),
            )  # fmt: skip
            if not isinstance(result, ExecutionResult):
                result = await result
            revision = (await operation.read()).revision
        finally:
            await operation.close()
        return _answer(result, revision)

    def find_kind(self, request: Request, caller: Caller) -> OperationType:
        """What a request is for. Raises `RequestFault`."""
        return self.choose(self.find_document(request, caller), request.operation_name).operation

    async def subscribe(
        self, services: Services, caller: Caller, authenticate: Authenticate, request: Request
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The answers to a subscription, one for each event, none of them read before the last one was taken.

        `authenticate` gives the caller anew, None where the token is not good any more. Raises `RequestFault` where
        nothing could be run, `SubscriptionEnded` where it is over.
        """
        document = self.find_document(request, caller)
        self._check_variables(self.choose(document, request.operation_name), request.variables, caller)
        await _require_revision(services, request.min_revision)
        listener = Listener(services, caller, authenticate)
        variables, name = dict(request.variables or {}), request.operation_name
        hide_suggestions = not self.policy.may_introspect(caller)
        execution = Execution.build(
            self.schema, document, None, listener, variables, name, hide_suggestions=hide_suggestions
        )
        assert isinstance(execution, Execution), "variables and operation were checked"
        events = create_source_event_stream(execution)
        if isawaitable(events):
            events = await events
        if isinstance(events, ExecutionResult):
            raise SubscriptionEnded(_mask((events.errors or [])[0]), begun=False)
        assert isinstance(events, AsyncGenerator), "every subscription is a generator"
        try:
            async for event in events:
                result = execute(
                    self.schema, document, event, listener.operation, variables, name,
                    hide_suggestions=hide_suggestions,
                )  # fmt: skip
                if not isinstance(result, ExecutionResult):
                    result = await result
                await listener.rest()
                yield _answer(result, event.revision)
        except Refused as refused:
            raise SubscriptionEnded(fault_of(refused.errors), begun=listener.turns > 1) from None
        except Fault as fault:
            raise SubscriptionEnded(fault, begun=listener.turns > 0) from None
        except Exception as error:
            raise SubscriptionEnded(_mask(GraphQLError("", original_error=error)), begun=True) from None
        finally:
            await events.aclose()
            await listener.rest()

    def _check_variables(
        self, chosen: OperationDefinitionNode, given: Mapping[str, Any] | None, caller: Caller
    ) -> None:
        """Refuses variables that do not fit before anything runs."""
        found = get_variable_values(
            self.schema, chosen.variable_definitions or (), dict(given or {}), max_errors=MAX_ERRORS,
            hide_suggestions=not self.policy.may_introspect(caller),
        )  # fmt: skip
        if isinstance(found, list):
            raise RequestFault(found, FaultCode.BAD_USER_INPUT)


async def _require_revision(services: Services, wanted: int | None) -> None:
    """Waits a little for a revision that a request must not be answered before. Raises `RequestFault`."""
    if wanted is None:
        return
    current = await services.wait_for(wanted)
    if current < wanted:
        message = f"revision `{wanted}` is not here yet; the gateway is at `{current}`: try again"
        error = GraphQLError(message, extensions={"code": FaultCode.REVISION_NOT_REACHED, "revision": str(current)})
        raise RequestFault([error], FaultCode.REVISION_NOT_REACHED)


def _answer(result: ExecutionResult, revision: int) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if result.errors:
        answer["errors"] = [_show(error) for error in result.errors[:MAX_ERRORS]]
    answer["data"] = result.data
    answer["extensions"] = {"revision": str(revision)}
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
    if not error.extensions or "code" not in error.extensions:
        error.extensions = {**(error.extensions or {}), "code": code.value}
    return error
