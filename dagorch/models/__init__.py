"""What is passed around: requests, usage, policies, events, results; plain records."""
