"""The query fields, one module a noun. Every one needs a valid token."""
