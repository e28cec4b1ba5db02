"""SCIM 2.0 (RFC 7643, RFC 7644): identity providers bring people and teams in their own language.

A second door to the services: it turns requests into what a source desires and records into resources, and decides
nothing. Filters, paths and PATCH are read and applied by scim2-models. Only `app.web.routes` imports it.
"""
