"""Descents, single or in a batch, on the portable engine."""
