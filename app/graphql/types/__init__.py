"""The types of the schema, one module a noun.

Each wraps a frozen record; what it lacks comes from the operation's reading.
"""
