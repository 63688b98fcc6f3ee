"""Graph builders of the patterns; pure functions."""
