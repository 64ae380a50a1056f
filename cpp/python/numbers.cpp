#include "python/numbers.hpp"

#include "arrays/kernels_of.hpp"

namespace softgrad::python {

double sum(nb::handle values) {
    const Array array(values, Array::read);
    const double* data = array.contiguous<const double>('d');
    const Unlocked unlocked(array);
    return softgrad::sum(data, array.size());
}

void store_rounded(double value, nb::handle out) {
    const Array to(out, Array::write);
    if (to.format() == 'd')
        *to.contiguous<double>('d') = value;
    else
        *to.contiguous<float>('f') = static_cast<float>(value);
}

}  // namespace softgrad::python
