"""Sync: feeds read, plans made, kept and applied, runs looked through."""
