"""Ways to the minimum of the objective, and what becomes of them: which is taken, what is reported, what is kept."""
