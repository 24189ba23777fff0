"""What each command does, one per file; the command line in `__main__` chooses."""
