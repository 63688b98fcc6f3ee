"""Graphs and runs as pictures and text: one drawing, and a file for each way to write it down."""
