"""Experiments with softmax and cross-entropy: each a script that prints its numbers and draws its picture.

`python examples/NAME.py` runs one, and so does `softgrad experiment NAME`; `pip install "softgrad[experiments]"` first.
"""
