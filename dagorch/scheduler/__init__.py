"""The sans-IO core: it decides what happens to node runs, and does nothing."""
