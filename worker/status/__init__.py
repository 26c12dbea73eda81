"""The status page: what is open and when it is due, and whether the worker itself is well. Reads only."""
