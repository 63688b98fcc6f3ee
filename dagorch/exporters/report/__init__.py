"""The record of a run, its timeline, and the HTML report made from them."""
