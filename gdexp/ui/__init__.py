"""MLflow's UI for the configured store: its server, and links to what was done last."""
