"""Commands and functions that run in a child process with bounded time, memory and output."""
