"""HTTP code that `providers/` and `sources/` share; it knows no service and no message format."""
