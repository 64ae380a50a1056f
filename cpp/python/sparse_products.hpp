// Products of sparse rows, in CSR form, with a dense matrix.
#pragma once

#include <nanobind/nanobind.h>

#include "python/buffers.hpp"

namespace softgrad::python {

void sparse_product(nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense, nb::handle bias,
                    nb::handle out);
void sparse_transposed_product(nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense,
                               nb::handle out);

}  // namespace softgrad::python
