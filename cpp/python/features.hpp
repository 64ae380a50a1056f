// Rows of features as they come in: an array (n, d), or the data, indices and indptr of a matrix in CSR form.
#pragma once

#include <stdexcept>

#include "arrays/features.hpp"
#include "python/buffers.hpp"

namespace softgrad::python {

template <class T>
constexpr char format_of = sizeof(T) == 4 ? 'f' : 'd';

// Calls work(rows in CSR form of `width` columns), without the lock of the interpreter.
template <class Work>
void with_sparse(nb::handle data, nb::handle indices, nb::handle indptr, int64_t width, const Work& work) {
    const Array values(data, Array::read), columns(indices, Array::read), starts(indptr, Array::read);
    auto of = [&]<class T, class Index>() {
        constexpr char index = sizeof(Index) == 4 ? 'i' : 'l';
        const SparseFeatures<T, Index> rows(values.contiguous<const T>(format_of<T>),
                                            columns.contiguous<const Index>(index),
                                            starts.contiguous<const Index>(index), starts.size() - 1, width);
        const nb::gil_scoped_release released;
        if (!rows.within(std::min(values.size(), columns.size())))
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

template <class Work>
void with_dense(nb::handle x, const Work& work) {
    const Array array(x, Array::read);
    auto of = [&]<class T>() {
        const DenseFeatures<T> rows(array.contiguous<const T>(format_of<T>), array.length(0), array.length(1));
        const nb::gil_scoped_release released;
        work(rows);
    };
    if (array.format() == 'd')
        of.template operator()<double>();
    else
        of.template operator()<float>();
}

}  // namespace softgrad::python
