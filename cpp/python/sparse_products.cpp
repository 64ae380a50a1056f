#include "python/sparse_products.hpp"

#include <type_traits>

#include "python/features.hpp"

namespace softgrad::python {

void sparse_product(nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense, nb::handle bias,
                    nb::handle out) {
    const Array from(dense, Array::read), to(out, Array::write);
    const OptionalArray origin = optional_array(bias, Array::read);
    const int64_t width = from.length(0), k = from.length(1);
    with_sparse(data, indices, indptr, width, [&](const auto& rows) {
        using Features = std::decay_t<decltype(rows)>;
        using T = typename Features::Entry;
        if (to.length(0) != rows.n || to.length(1) != k || (origin && origin->size() != k))
            throw nb::type_error("softgrad._core: shapes that do not match");
        typename Features::Affine product(rows, from.contiguous<const T>(format_of<T>),
                                          data_or_null<const T>(origin, format_of<T>), k);
        product(0, rows.n, to.contiguous<T>(format_of<T>));
    });
}

void sparse_transposed_product(nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense,
                               nb::handle out) {
    const Array from(dense, Array::read), to(out, Array::write);
    const int64_t width = to.length(0), k = to.length(1);
    with_sparse(data, indices, indptr, width, [&](const auto& rows) {
        using T = typename std::decay_t<decltype(rows)>::Entry;
        if (from.length(0) != rows.n || from.length(1) != k)
            throw nb::type_error("softgrad._core: shapes that do not match");
        rows.gather_rows(0, rows.n, from.contiguous<const T>(format_of<T>), k, to.contiguous<T>(format_of<T>));
    });
}

}  // namespace softgrad::python
