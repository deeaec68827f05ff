"""Figures, each beside its peer in the same run; raw values go to `bench/results/`."""
