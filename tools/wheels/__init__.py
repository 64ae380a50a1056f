"""Wheels and the source distribution, built and checked: `python -m tools.wheels`."""
