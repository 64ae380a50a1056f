"""Cross-entropy of a linear classifier, hidden @ weight.T + bias, without the matrix of its logits.

`_loss.py` has the function and its derivatives, `_head.py` a call of one of them, checked, `_operands.py` what they are
functions of, `_products.py` the products of matrices (`_bfloat16.py` those in bfloat16), `_sizes.py` what is taken at a
time, `_row_blocks.py` and `_class_blocks.py` the passes over it, `_gradients.py` what the gradients are added up in,
`_predictions.py` which logit of a row is the largest.
"""

from softgrad.losses._linear_cross_entropy._gradients import LinearGradients
from softgrad.losses._linear_cross_entropy._loss import LinearCrossEntropy, linear_cross_entropy

__all__ = ["LinearCrossEntropy", "LinearGradients", "linear_cross_entropy"]
