"""The Python API: the same engine as the command line, and objects in place of names."""
