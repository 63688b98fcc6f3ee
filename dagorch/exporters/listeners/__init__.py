"""Listeners that hand a run's events on: to a console, a file, a log, a trace."""
