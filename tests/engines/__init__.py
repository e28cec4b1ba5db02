"""Engines that others wrote, asked the same questions of the same worlds."""
