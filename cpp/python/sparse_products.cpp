#include "python/sparse_products.hpp"

#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "arrays/kernels_of.hpp"
#include "python/buffers.hpp"

namespace softgrad::python {

namespace {

template <class T>
constexpr char format_of = sizeof(T) == 4 ? 'f' : 'd';

// Rows in CSR form whose entries are T, whose places Index.
template <class T, class Index>
struct SparseRows {
    using Entry = T;

    const T* values;
    const Index *columns, *starts;
    int64_t n;

    // Whether every row lies within the entries, and every entry within `width` columns.
    bool within(int64_t entries, int64_t width) const {
        bool inside = starts[0] == 0 && starts[n] <= entries;
        for (int64_t i = 0; i < n; ++i) inside &= starts[i] <= starts[i + 1];
        if (!inside) return false;
        for (Index e = 0; e < starts[n]; ++e) inside &= columns[e] >= 0 && columns[e] < width;
        return inside;
    }
    const SparseKernels<T, Index>& kernels() const {
        const KernelsOf<T>& of_dtype = softgrad::kernels<T>();
        if constexpr (sizeof(Index) == 4)
            return of_dtype.sparse32;
        else
            return of_dtype.sparse64;
    }
};

// Calls work(rows) for rows that lie within the matrix (number of rows, width), without the interpreter.
template <class Work>
void with_sparse(nb::handle data, nb::handle indices, nb::handle indptr, int64_t width, const Work& work) {
    const Array values(data, Array::read), columns(indices, Array::read), starts(indptr, Array::read);
    auto of = [&]<class T, class Index>() {
        constexpr char index = sizeof(Index) == 4 ? 'i' : 'l';
        const SparseRows<T, Index> rows{values.contiguous<const T>(format_of<T>),
                                        columns.contiguous<const Index>(index), starts.contiguous<const Index>(index),
                                        starts.size() - 1};
        const nb::gil_scoped_release released;
        if (!rows.within(std::min(values.size(), columns.size()), width))
            throw std::out_of_range("softgrad._core: an entry outside the matrix");
        work(rows);
    };
    if (starts.size() < 1) throw nb::type_error("softgrad._core: wrong buffer");
    const bool wide = columns.format() == 'l';
    if (values.format() == 'd')
        wide ? of.template operator()<double, int64_t>() : of.template operator()<double, int32_t>();
    else
        wide ? of.template operator()<float, int64_t>() : of.template operator()<float, int32_t>();
}

}  // namespace

void sparse_product(nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense, nb::handle bias,
                    nb::handle out) {
    const Array from(dense, Array::read), to(out, Array::write);
    const OptionalArray origin = optional_array(bias, Array::read);
    const int64_t width = from.length(0), k = from.length(1);
    with_sparse(data, indices, indptr, width, [&](const auto& rows) {
        using T = typename std::decay_t<decltype(rows)>::Entry;
        if (to.length(0) != rows.n || to.length(1) != k || (origin && origin->size() != k))
            throw nb::type_error("softgrad._core: shapes that do not match");
        rows.kernels().product(rows.values, rows.columns, rows.starts, rows.n, from.contiguous<const T>(format_of<T>),
                               k, origin ? origin->contiguous<const T>(format_of<T>) : nullptr,
                               to.contiguous<T>(format_of<T>));
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
        rows.kernels().transposed_product(rows.values, rows.columns, rows.starts, rows.n,
                                          from.contiguous<const T>(format_of<T>), k, to.contiguous<T>(format_of<T>));
    });
}

}  // namespace softgrad::python
