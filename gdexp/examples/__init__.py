"""Trainings to start from: copy one and change it."""
