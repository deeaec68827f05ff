"""What a person reads of the objectives, and the same as JSON-ready values. Pure: no terminal in here."""
