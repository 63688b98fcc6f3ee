"""A run as one record, and what is made of it: a timeline, a page."""
