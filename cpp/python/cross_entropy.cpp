#include "python/cross_entropy.hpp"

#include <stdexcept>

#include "arrays/cross_entropy.hpp"
#include "python/by_dtype.hpp"
#include "python/labels.hpp"
#include "python/transform.hpp"

namespace softgrad::python {

namespace {

std::optional<RowView> rows_or_none(const OptionalArray& array, const Axes& axes) {
    return array ? std::optional<RowView>(array->rows(axes)) : std::nullopt;
}

// One number a row, or null.
template <class T>
T* of_rows(const OptionalArray& array, char format, int64_t rows) {
    if (array && array->size() != rows) throw nb::type_error("softgrad._core: wrong buffer");
    return data_or_null<T>(array, format);
}

Labels labels_of(const Array& labels, const Axes& axes, const OptionalArray& class_weight, double smoothing,
                 int64_t rows) {
    const double* weights = data_or_null<const double>(class_weight, 'd');
    if (labels.format() != 'l') return {nullptr, probabilities_of(labels, axes), weights, smoothing};
    if (labels.size() != rows) throw nb::type_error("softgrad._core: wrong buffer");
    return {labels.contiguous<const int64_t>('l'), std::nullopt, weights, smoothing};
}

}  // namespace

double cross_entropy_loss(nb::handle logits, nb::handle labels, const Axes& axes, nb::handle label_weight,
                          nb::handle sample_weight, nb::handle class_weight, double smoothing, nb::handle where,
                          double softcap, double temperature, double z_loss, nb::handle upstream, double scale,
                          double divisor, nb::handle losses, nb::handle gradient, nb::handle tangent) {
    const Array x(logits, Array::read), given(labels, Array::read);
    const OptionalArray of_labels = optional_array(label_weight, Array::read),
                        of_samples = optional_array(sample_weight, Array::read),
                        of_classes = optional_array(class_weight, Array::read),
                        above = optional_array(upstream, Array::read), out = optional_array(losses, Array::write),
                        slopes = optional_array(gradient, Array::write), along = optional_array(tangent, Array::read);
    const TransformArrays with(where, axes, softcap, temperature);
    const RowView view = x.rows(axes);
    const int64_t n = view.rows.size();
    const CrossEntropyRows rows{view,
                                rows_or_none(slopes, axes),
                                rows_or_none(along, axes),
                                of_rows<const double>(of_labels, 'd', n),
                                of_rows<const double>(of_samples, 'd', n),
                                of_rows<const double>(above, 'd', n),
                                scale,
                                of_rows<double>(out, 'd', n)};
    const Labels row_labels = labels_of(given, axes, of_classes, smoothing, n);
    const CrossEntropyOptions options{with.transform, z_loss};
    double result = 0.0;
    compute(x, [&]<class S>() { result = reduced_cross_entropy<S>(rows, row_labels, options, divisor); });
    return result;
}

std::optional<double> cross_entropy_if_plain(nb::handle logits, nb::handle labels, nb::handle gradient) {
    const OptionalArray x = array_or_null(logits, Array::read), given = array_or_null(labels, Array::read);
    if (!x || !given || !x->floating() || x->ndim() == 0 || !given->class_indices()) return std::nullopt;
    const Axes axes = x->last_axis();
    const RowView view = x->rows(axes);
    const int64_t n = view.rows.size();
    if (n == 0 || view.entries.size() == 0 || !given->has_shape_of_rows(*x)) return std::nullopt;
    const OptionalArray slopes = gradient.is_none() ? nullptr : array_or_null(gradient, Array::write);
    if (!gradient.is_none() && !(slopes && slopes->takes_results_of(*x) && slopes->apart_from(*given)))
        return std::nullopt;
    const CrossEntropyRows rows{view,    rows_or_none(slopes, axes),   std::nullopt, nullptr, nullptr,
                                nullptr, 1.0 / static_cast<double>(n), nullptr};
    const Labels indices{given->contiguous<const int64_t>('l'), std::nullopt, nullptr, 0.0};
    double result = 0.0;
    try {
        compute(*x, [&]<class S>() {
            result = reduced_cross_entropy<S>(rows, indices, {no_transform, 0.0}, static_cast<double>(n));
        });
    } catch (const std::out_of_range&) {
        return std::nullopt;  // a label that is no class, which has to be named
    }
    return result;
}

}  // namespace softgrad::python
