"""The words of docs/accuracy.md; the tables stand between them."""

HEAD = """\
# Accuracy

Written by this command, from measurement; do not edit:

```sh
python -m benchmarks.accuracy --seed {seed}
```

{machine}.

For each library and instruction set {values:,} values, in rows of {lengths}, each compared
with the exact result for the given input: long double with the maximum left out of the sum (`tests/oracles/exact.py`),
which the tests hold to mpmath at 50 digits.{missing}

The unit is the ulp of the exact result: the spacing of the result's dtype there, the smallest subnormal for a subnormal
result; for logsumexp the spacing at max(abs lse, max abs x). Losses of float16 and bfloat16 logits are float32 here and
measured in that unit, whatever a peer returns.

- *lost*: all digits lost; an error as large as the result, which is no subnormal.
- *inf*: a zero, an infinity or a NaN where something else is right, or something else where one of them is.
- **Bold**: beyond softgrad's bound. A dash: the library has no such function, or the inputs do not apply.

{verdict}

## The worst error of all inputs

PyTorch: `torch.softmax` and its like, `F.cross_entropy`, autograd. JAX: `jax.nn`, the loss as -log_softmax at the
label, `jax.grad`. SciPy: `scipy.special` (softmax, log_softmax, logsumexp, expit, log_expit), rounded to the dtype of
the input where it gives another.
"""

BY_FAMILY = """
## By family of inputs: softgrad

In this order where they differ: {sets}. The families (`tests/oracles/inputs.py`):
*normal* logits of scale 1, 5, 30; *offset*, scale 5, both signs; *gap*: one logit that far above the highest other;
*dominant*: one logit 12 or 17 above so many that they count; *equal, ties*: all the same, or small integers;
*masked*: a third at -inf; *subnormal, wide*: probabilities from the smallest normal number to 0, and logits far beyond
where an exponential overflows; *halfway*: where the argument reduction changes; *cancelling*: m near -log1p(R);
*{every}*: the whole range of the dtype, for two bytes each of its values.
"""

PEERS_BY_FAMILY = """
## By family of inputs: the peers

In this order where they differ: {peers}.
"""

BOUNDS_KEPT = """
## How the bounds are kept

With m the maximum of a row and R the sum of the others' exp(x_j - m):

- log1p(R), never the log of a sum that holds the maximum's 1: a confident row keeps its digits.
- The gradient at the target is -R / (1 + R) where the target is the maximum, else p - 1 with p <= 1/2.
- The loss is (m - x_t) + log1p(R), two terms >= 0. It never passes through logsumexp, so an offset costs nothing.
- The exponential reduces x itself, not the rounded x - m; ln 2 is in two parts, and the rounding of the reduced
  argument does not reach the result.
- Exponentials are held 2^64 (float64: 2^256) too large, so that none is subnormal before the last rounding.
- Sums are taken in float64, for float64 in two doubles, over fixed lanes, or in float32 with all that an addition
  rounds away; what the rounding of each exponential takes away is summed too. 1 / S is kept in two parts.
- float16 and bfloat16 are worked on in float32 and rounded once.

`tests/test_mutations.py` builds the contrary of most of these, one at a time, and requires that tests fail.
"""

SAME_BITS = """
## The same bits

Promised, and tested by `tests/test_same_bits.py`: the result for a row has the same bits whatever the number of
threads, the other rows of the batch and its place among them, strides and memory order, the class axis first or last,
in place or not, on AVX2 or AVX-512. The lanes of every sum are fixed, whatever the width of the vectors.

A mean or sum over rows is taken over their losses in float64, before these are rounded to the dtype of the result: in
two doubles, over fixed lanes, by one thread, in the C order of the batch. It depends on the losses and their order
alone; the same rows in another order may differ in the last bit.

Not promised, or not possible:

- **The instruction set `baseline`**: x86-64 without a fused multiply-add rounds a * b + c twice. Its bits are others,
  its bounds the same.
- **Arm NEON against x86**: both fuse and have the same lanes, so the bits should agree; no test compares them.
- **Another compiler or another version of softgrad**: the order of operations stands in the sources and contraction is
  off, but a polynomial or a constant may become better.
- **softcap, and temperature with float64**: they go through the C library's tanh, sinh and cosh, and through long
  double, which has 80 bits on x86-64 and others elsewhere. The bits may differ between platforms and C libraries, not
  between instruction sets.
- **linear_cross_entropy**: its logits and gradients come from the BLAS behind NumPy, whose sums depend on the sizes, on
  the threads of the BLAS and on the processor. softgrad's own threads change nothing.
- **vjp, jvp, jacobian, quadratic, kl_divergence**: NumPy adds up over the classes. Threads and layout change nothing;
  another version of NumPy, or another processor, for which it has other loops, may.
"""

SCIPY = """
## SciPy's own tests

`tests/test_scipy_suite.py` runs SciPy's tests of softmax, log_softmax and logsumexp with softgrad's functions in place
of SciPy's, axis=None being the default. They pass but for these, some of which fail for some of their arguments only:
"""
