"""The words of the trade: values, units, calendars, errors and ports. Imports nothing of ours."""
