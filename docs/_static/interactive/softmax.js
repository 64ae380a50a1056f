/* softmax, cross-entropy and their gradients for one row of logits x, a target t and a temperature T.

With z = x / T, its first maximum m = z_k and R the sum of exp(z_j - m) over j != k:

    p_j = exp(z_j - m) / (1 + R)      log p_j = (z_j - m) - log1p(R)      1 - p_k = R / (1 + R)

The 1 of the maximum stays out of R: beside it a small R would be lost, and with it the loss of a confident row. */

// Not a module: browsers load modules over http alone, and the page is also opened from a folder.
const softmaxRow = (() => {
  function statistics(x, temperature) {
    const z = x.map((logit) => logit / temperature);
    const maximum = Math.max(...z);
    const first = z.indexOf(maximum);
    const shifted = z.map((value) => value - maximum);
    const exponentials = shifted.map((value) => Math.exp(value));
    const rest = exponentials.reduce((sum, value, j) => (j === first ? sum : sum + value), 0);
    return { first, shifted, exponentials, rest };
  }

  function softmax(x, temperature) {
    const { exponentials, rest } = statistics(x, temperature);
    return exponentials.map((value) => value / (1 + rest));
  }

  function logSoftmax(x, temperature) {
    const { shifted, rest } = statistics(x, temperature);
    return shifted.map((value) => value - Math.log1p(rest));
  }

  /** 1 - p without cancellation: where p is not the first maximum it is at most 1/2. */
  function complement(x, temperature) {
    const { first, rest } = statistics(x, temperature);
    return softmax(x, temperature).map((p, j) => (j === first ? rest / (1 + rest) : 1 - p));
  }

  /** dp_i / dx_j = p_i (delta_ij - p_j) / T, by rows. */
  function jacobian(x, temperature) {
    const p = softmax(x, temperature);
    const others = complement(x, temperature);
    return p.map((row, i) => p.map((column, j) => (i === j ? row * others[i] : -row * column) / temperature));
  }

  /** -log p_t. */
  function crossEntropy(x, target, temperature) {
    const { shifted, rest } = statistics(x, temperature);
    return Math.log1p(rest) - shifted[target];
  }

  /** (p - y) / T, with y one-hot. */
  function crossEntropyGradient(x, target, temperature) {
    const others = complement(x, temperature);
    return softmax(x, temperature).map((p, j) => (j === target ? -others[j] : p) / temperature);
  }

  return { softmax, logSoftmax, jacobian, crossEntropy, crossEntropyGradient };
})();
