"""Use cases: one module a noun, one async function an operation. It opens a unit of work, asks the domain,
writes, audits.

GraphQL, the web and the command line call them; services know none of those, and no SQL.
"""
