#include "python/regression_sums.hpp"

#include <type_traits>

#include "arrays/regression_sums.hpp"
#include "python/features.hpp"

namespace softgrad::python {

namespace {

// What both sums are given, beside the features.
struct Terms {
    Array weights, weight, out;
    OptionalArray bias, out_bias;

    Terms(nb::handle of_rows, nb::handle weight, nb::handle bias, nb::handle out, nb::handle out_bias)
        : weights(of_rows, Array::read),
          weight(weight, Array::read),
          out(out, Array::write),
          bias(optional_array(bias, Array::read)),
          out_bias(optional_array(out_bias, Array::write)) {}

    // Calls work(features, weights, logits, out) where all shapes match; `classes_first`: those of the weight.
    template <class Features, class Work>
    void with(const Features& features, bool classes_first, const Work& work) const {
        using T = typename Features::Entry;
        const int64_t k = weight.length(classes_first ? 0 : 1), d = weight.length(classes_first ? 1 : 0);
        const bool match = weights.size() == features.n && d == features.d && k >= 1 && k <= most_tile_classes &&
                           out.length(0) == weight.length(0) && out.length(1) == weight.length(1) &&
                           !bias == !out_bias && (!bias || (bias->size() == k && out_bias->size() == k));
        if (!match) throw nb::type_error("softgrad._core: shapes that do not match");
        constexpr char format = format_of<T>;
        work(features, weights.contiguous<const double>('d'),
             AffineLogits<T>{weight.contiguous<const T>(format), data_or_null<const T>(bias, format), k},
             ByAffine<T>{out.contiguous<T>(format), data_or_null<double>(out_bias, 'd')});
    }

    // Of features x as python/features.hpp says.
    template <class Work>
    void with_features(nb::handle x, const Work& work) const {
        if (!nb::isinstance<nb::tuple>(x))
            return with_dense(x, [&](const auto& features) { with(features, true, work); });
        const nb::tuple parts = nb::borrow<nb::tuple>(x);
        if (parts.size() != 3) throw nb::type_error("softgrad._core: wrong buffer");
        with_sparse(parts[0], parts[1], parts[2], weight.length(0),
                    [&](const auto& features) { with(features, false, work); });
    }
};

}  // namespace

double add_loss_gradient(nb::handle x, nb::handle labels, nb::handle weights, double least, nb::handle weight,
                         nb::handle bias, nb::handle out, nb::handle out_bias) {
    const Terms terms(weights, weight, bias, out, out_bias);
    const Array of_rows(labels, Array::read);
    double loss = 0.0;
    terms.with_features(x, [&](const auto& features, const double* row_weights, const auto& logits, const auto& to) {
        const auto* classes = of_rows.contiguous<const int64_t>('l');
        bool inside = of_rows.size() == features.n;
        for (int64_t i = 0; inside && i < features.n; ++i) inside = classes[i] >= 0 && classes[i] < logits.k;
        if (!inside) throw std::out_of_range("softgrad._core: a label that is no class");
        loss = softgrad::add_loss_gradient(features, classes, row_weights, least, logits, to);
    });
    return loss;
}

void add_hessian_product(nb::handle x, nb::handle probabilities, nb::handle weights, double least, nb::handle weight,
                         nb::handle bias, nb::handle out, nb::handle out_bias) {
    const Terms terms(weights, weight, bias, out, out_bias);
    const Array p(probabilities, Array::read);
    terms.with_features(x, [&](const auto& features, const double* row_weights, const auto& logits, const auto& to) {
        using T = typename std::decay_t<decltype(features)>::Entry;
        if (p.length(0) != features.n || p.length(1) != logits.k)
            throw nb::type_error("softgrad._core: shapes that do not match");
        softgrad::add_hessian_product(features, p.contiguous<const T>(format_of<T>), row_weights, least, logits, to);
    });
}

void add_hessian_matrix(nb::handle x, nb::handle weight, nb::handle weights, nb::handle others, nb::handle out) {
    const Array matrix(weight, Array::read), of_rows(weights, Array::read), classes(others, Array::read);
    const Array sums(out, Array::write);
    with_dense(x, [&]<class T>(const DenseFeatures<T>& features) {
        const int64_t k = matrix.length(0), m = classes.size(), unknowns = m * features.d;
        const auto* of_others = classes.contiguous<const int64_t>('l');
        bool match = k >= 1 && k <= most_tile_classes && matrix.length(1) == features.d &&
                     of_rows.size() == features.n && sums.size() == unknowns * unknowns;
        for (int64_t c = 0; c < m; ++c) match &= of_others[c] >= 0 && of_others[c] < k;
        if (!match) throw nb::type_error("softgrad._core: shapes that do not match");
        softgrad::add_hessian_matrix(features, matrix.contiguous<const T>(format_of<T>), k,
                                     of_rows.contiguous<const double>('d'), of_others, m, sums.contiguous<double>('d'));
    });
}

}  // namespace softgrad::python
