"""Patterns as graph builders: pure, each a page; what runs them is above."""
