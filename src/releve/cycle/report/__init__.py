"""Facts -> documents. `decide.run_report` is the report of an incident; rendering is an adapter's work."""
