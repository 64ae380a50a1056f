#include "python/negligible.hpp"

#include "arrays/negligible.hpp"

namespace softgrad::python {

void clear_below(nb::handle rows, nb::handle thresholds) {
    const Array array(rows, Array::write), least(thresholds, Array::read);
    const double* of_rows = least.contiguous<const double>('d');
    const RowView view = array.rows(array.last_axis());
    const auto clear = [&]<class T>() {
        if (!view.entries.contiguous(sizeof(T)) || view.rows.size() != least.size())
            throw nb::type_error("softgrad._core: wrong buffer");
        const Unlocked unlocked(array);
        softgrad::clear_below<T>(view, of_rows);
    };
    switch (array.format()) {
        case 'd':
            return clear.template operator()<double>();
        case 'f':
            return clear.template operator()<float>();
    }
    throw nb::type_error("softgrad._core: an array of another dtype");
}

}  // namespace softgrad::python
