"""The seeds' experiments: each a script that prints its numbers and draws its picture, and `softgrad experiment NAME`."""
