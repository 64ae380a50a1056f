"""The objective of softmax regression with its derivatives: sums over the rows that `_data` gives."""
