"""The command line; `main.main` is where it begins, and nothing else in dagorch imports it."""
