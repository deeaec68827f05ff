"""Where personal and health data lie: counted, never kept. `reader.sensitive` is the way in."""
