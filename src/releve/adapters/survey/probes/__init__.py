"""Programs that are sent as source to the machine they ask: standard library only, Python 3.8 or later."""
