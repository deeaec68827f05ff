"""A laboratory: two sites of machines on one kernel, with real servers, and faults that can be put in.

Not shipped. `python -m lab` runs it, the tests and `make lab` look at it with the product.
"""
