#include "python/products.hpp"

#include <optional>

#include "arrays/products.hpp"
#include "python/by_dtype.hpp"
#include "python/transform.hpp"

namespace softgrad::python {

namespace {

Product product_named(const std::string& name) {
    if (name == "softmax") return Product::softmax;
    if (name == "log_softmax_tangent") return Product::log_softmax_tangent;
    if (name == "log_softmax_cotangent") return Product::log_softmax_cotangent;
    if (name == "probabilities") return Product::probabilities;
    if (name == "variances") return Product::variances;
    if (name == "softmax_second") return Product::softmax_second;
    throw nb::value_error("softgrad._core: no such product");
}

void require_format(const Array& vector, const Array& from) {
    if (vector.format() != from.format()) throw nb::type_error("softgrad._core: a vector of another dtype");
}

void map_vectors_of_output(Product product, const Array& from, const Array& vector, const Axes& axes,
                           const RowView* mask, double scale, const Array& to) {
    const RowView from_rows = from.rows(axes), vector_rows = vector.rows(axes), to_rows = to.rows(axes);
    compute(from, [&]<class S>() { map_products_of_output<S>(product, from_rows, vector_rows, mask, scale, to_rows); });
}

}  // namespace

void row_products(const std::string& name, nb::handle x, nb::handle v, nb::handle w, const Axes& axes, nb::handle where,
                  double temperature, nb::handle factor, double scale, bool massless_is_zero, nb::handle out) {
    const Product product = product_named(name);
    const Array from(x, Array::read), to(out, Array::write);
    const OptionalArray vectors[2] = {optional_array(v, Array::read), optional_array(w, Array::read)};
    const OptionalArray factors = optional_array(factor, Array::read);
    const TransformArrays with(where, axes, no_softcap, temperature);
    const RowView from_rows = from.rows(axes), to_rows = to.rows(axes);
    std::optional<RowView> vector_rows[2];
    for (int i = 0; i < 2; ++i) {
        if (!vectors[i]) continue;
        require_format(*vectors[i], from);
        vector_rows[i] = vectors[i]->rows(axes);
    }
    const double* of_rows = data_or_null<const double>(factors, 'd');
    compute(from, [&]<class S>() {
        const RowView *first = vector_rows[0] ? &*vector_rows[0] : nullptr,
                      *second = vector_rows[1] ? &*vector_rows[1] : nullptr;
        map_products<S>(product, from_rows, first, second, with.transform, of_rows, scale, massless_is_zero, to_rows);
    });
}

void products_of_output(const std::string& name, nb::handle output, nb::handle v, const Axes& axes, nb::handle where,
                        double scale, nb::handle out) {
    const Product product = product_named(name);
    const Array from(output, Array::read), vector(v, Array::read), to(out, Array::write);
    require_format(vector, from);
    const TransformArrays with(where, axes, no_softcap, 1.0);
    const RowView* const mask = with.transform.where ? &*with.transform.where : nullptr;
    map_vectors_of_output(product, from, vector, axes, mask, scale, to);
}

bool products_of_output_if_plain(const std::string& name, nb::handle output, nb::handle v, nb::handle out) {
    const OptionalArray from = array_or_null(output, Array::read), vector = array_or_null(v, Array::read),
                        to = array_or_null(out, Array::write);
    if (!from || !vector || !to || !from->floating() || from->ndim() == 0) return false;
    if (!vector->has_shape_and_dtype_of(*from) || !to->takes_results_of(*from) || !to->apart_from(*vector))
        return false;
    map_vectors_of_output(product_named(name), *from, *vector, from->last_axis(), nullptr, 1.0, *to);
    return true;
}

void softmax_means(nb::handle x, nb::handle v, const Axes& axes, nb::handle where, nb::handle out) {
    const Array from(x, Array::read), vector(v, Array::read), to(out, Array::write);
    require_format(vector, from);
    const TransformArrays with(where, axes, no_softcap, 1.0);
    const RowView from_rows = from.rows(axes), vector_rows = vector.rows(axes);
    double* means = to.contiguous<double>('d');
    compute(from, [&]<class S>() { softgrad::softmax_means<S>(from_rows, vector_rows, with.transform, means); });
}

}  // namespace softgrad::python
