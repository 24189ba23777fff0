"""MLflow's UI for the configured store: its server, and links to the newest runs."""
