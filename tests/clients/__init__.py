"""Clients that front ends use, as their packages come from npm."""
