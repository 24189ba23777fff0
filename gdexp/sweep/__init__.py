"""The sweep: Optuna chooses, gdexp descends, MLflow records, all traces answer together."""
