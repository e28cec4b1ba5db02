"""Faults beneath the gateway, F1 to F33 as docs/reliability.md numbers them: each with its figure.

What takes root, a tool that is not everywhere, or minutes is marked `deep`; what is quick of it runs always.
"""
