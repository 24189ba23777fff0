"""Tests of the room `gdexp.suite`."""
