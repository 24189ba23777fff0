"""Benchmarks of gdexp; each is a ratio of two things measured alternately in one run."""
