"""Carrying out what the core decides, on anyio."""
