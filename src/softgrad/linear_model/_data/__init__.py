"""The rows of a fit and what they are fitted to, from arrays, iterables or files. It knows nothing of the model."""
