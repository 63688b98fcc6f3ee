"""Listeners that pass a run's events on: to a console, a file, a log or a trace."""
