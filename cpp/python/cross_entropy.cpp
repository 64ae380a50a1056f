#include "python/cross_entropy.hpp"

#include <optional>

#include "arrays/cross_entropy.hpp"
#include "python/by_dtype.hpp"
#include "python/labels.hpp"
#include "python/transform.hpp"

namespace softgrad::python {

namespace {

// The parts that both forms of cross-entropy have, held for the length of the call.
struct CrossEntropyArrays {
    Array logits, losses;
    OptionalArray gradient, tangent, weight, upstream;
    CrossEntropyCall call;

    CrossEntropyArrays(nb::handle x, const Axes& axes, nb::handle weights, nb::handle upstreams, double scale,
                       nb::handle loss, nb::handle grad, nb::handle vector)
        : logits(x, Array::read),
          losses(loss, Array::write),
          gradient(optional_array(grad, Array::write)),
          tangent(optional_array(vector, Array::read)),
          weight(optional_array(weights, Array::read)),
          upstream(optional_array(upstreams, Array::read)),
          call{logits.rows(axes),
               gradient ? std::optional<RowView>(gradient->rows(axes)) : std::nullopt,
               tangent ? std::optional<RowView>(tangent->rows(axes)) : std::nullopt,
               data_or_null<const double>(weight, 'd'),
               data_or_null<const double>(upstream, 'd'),
               scale,
               losses.contiguous<double>('d')} {}
};

}  // namespace

void cross_entropy(nb::handle logits, const Axes& axes, nb::handle labels, nb::handle weight, nb::handle upstream,
                   double scale, nb::handle losses, nb::handle gradient, nb::handle tangent) {
    const CrossEntropyArrays arrays(logits, axes, weight, upstream, scale, losses, gradient, tangent);
    const Array indices(labels, Array::read);
    const int64_t* classes = indices.contiguous<const int64_t>('l');
    compute(arrays.logits, [&]<class S>() { softgrad::cross_entropy<S>(arrays.call, classes); });
}

void soft_cross_entropy(nb::handle logits, const Axes& axes, nb::handle labels, nb::handle probabilities,
                        nb::handle class_weight, double smoothing, nb::handle where, double softcap, double temperature,
                        double z_loss, nb::handle weight, nb::handle upstream, double scale, nb::handle losses,
                        nb::handle gradient, nb::handle tangent) {
    const CrossEntropyArrays arrays(logits, axes, weight, upstream, scale, losses, gradient, tangent);
    const TransformArrays with(where, axes, softcap, temperature);
    const OptionalArray indices = optional_array(labels, Array::read);
    const OptionalArray given = optional_array(probabilities, Array::read);
    const OptionalArray weights = optional_array(class_weight, Array::read);
    const Targets targets{data_or_null<const int64_t>(indices, 'l'),
                          given ? std::optional<Probabilities>(probabilities_of(*given, axes)) : std::nullopt,
                          data_or_null<const double>(weights, 'd'), smoothing};
    compute(arrays.logits,
            [&]<class S>() { softgrad::soft_cross_entropy<S>(arrays.call, targets, with.transform, z_loss); });
}

}  // namespace softgrad::python
