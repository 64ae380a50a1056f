"""The version of softgrad. The build reads it here, so that the import need not look it up."""

__version__ = "0.1.0"
