#include "python/labels.hpp"

#include "arrays/token_logprobs.hpp"
#include "python/by_dtype.hpp"

namespace softgrad::python {

Probabilities probabilities_of(const Array& array, const Axes& axes) {
    return by_dtype(array, [&]<class S>() { return Probabilities{array.rows(axes), read_as_double<S>}; });
}

int64_t first_outside(nb::handle labels, int64_t classes) {
    const Array array(labels, Array::read);
    const int64_t* data = array.contiguous<const int64_t>('l');
    const Unlocked unlocked(array);
    return softgrad::first_outside(data, array.size(), classes);
}

void probability_weights(nb::handle probabilities, const Axes& axes, nb::handle class_weight, nb::handle out) {
    const Array given(probabilities, Array::read), to(out, Array::write);
    const OptionalArray weights = optional_array(class_weight, Array::read);
    const Probabilities rows = probabilities_of(given, axes);
    const double* w = data_or_null<const double>(weights, 'd');
    double* result = to.contiguous<double>('d');
    const Unlocked unlocked(given);
    softgrad::probability_weights(rows, w, result);
}

void token_logprobs(nb::handle logits, const Axes& axes, nb::handle labels, nb::handle logprobs, nb::handle entropies,
                    nb::handle ranks) {
    const Array from(logits, Array::read), indices(labels, Array::read);
    const Array first(logprobs, Array::write), second(entropies, Array::write), third(ranks, Array::write);
    const RowView rows = from.rows(axes);
    const int64_t* classes = indices.contiguous<const int64_t>('l');
    double* logprob = first.contiguous<double>('d');
    double* entropy = second.contiguous<double>('d');
    int64_t* rank = third.contiguous<int64_t>('l');
    compute(from, [&]<class S>() { softgrad::token_logprobs<S>(rows, classes, logprob, entropy, rank); });
}

}  // namespace softgrad::python
