"""Sync: the desired state of what a source manages, what differs from it, whether it is safe (SEMANTICS section 10)."""
