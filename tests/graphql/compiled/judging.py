"""The same document by both ways, and whether what comes of it is the same to the letter."""

import asyncio
import json
from collections.abc import Mapping
from inspect import isawaitable
from typing import Any

from graphql import DocumentNode, ExecutionResult, Executor, GraphQLSchema, OperationDefinitionNode

from app.graphql.compiled import Compiler

MAX_ERRORS = 8


def run_core(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any], context: Any = None) -> Any:
    """By graphql-core: a result, an awaitable of one, or a list of errors."""
    execution = Executor.build(
        schema, document, context_value=context, raw_variable_values=dict(variables), max_coercion_errors=MAX_ERRORS
    )
    return execution if isinstance(execution, list) else execution.execute_operation()


def run_plan(compiler: Compiler, document: DocumentNode, variables: Mapping[str, Any], context: Any = None) -> Any:
    """By a plan: the same; None where there is none."""
    (operation,) = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    plan = compiler.compile(document, operation)
    run = None if plan is None else plan.bind(variables, max_errors=MAX_ERRORS, hide_suggestions=False)
    if run is None or isinstance(run, list):
        return run
    run.context_value = context
    return run.execute_operation()


def write(result: ExecutionResult | list[Any]) -> str:
    """What a client would read."""
    if isinstance(result, list):
        return json.dumps({"errors": [one.formatted for one in result]})
    errors = [one.formatted for one in result.errors or ()]
    return json.dumps({"errors": errors, "data": result.data}, default=repr)


async def settle(result: Any) -> str:
    """What a client would read in the end, when all that was begun has come to its end."""
    found = write(await result if isawaitable(result) else result)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
    return found
