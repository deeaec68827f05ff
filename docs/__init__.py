"""Documentation, and the part of it that is written from the code."""
