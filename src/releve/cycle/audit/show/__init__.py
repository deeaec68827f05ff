"""What an audit found, as people and programs read it: text, JSON, SARIF, a map."""
