"""Trainings: mini-batches, metrics, checkpoints and foreign loops."""
