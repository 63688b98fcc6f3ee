"""Plain records that all layers share: requests, usage, policies, events, results."""
