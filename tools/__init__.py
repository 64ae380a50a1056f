"""What maintainers of softgrad run; none of it is in the package."""
