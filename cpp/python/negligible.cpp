#include "python/negligible.hpp"

#include <optional>

#include "arrays/negligible.hpp"

namespace softgrad::python {

void clear_below(nb::handle rows, nb::handle thresholds, nb::handle vectors) {
    const Array array(rows, Array::write), least(thresholds, Array::read);
    const OptionalArray beside = optional_array(vectors, Array::read);
    const double* of_rows = least.contiguous<const double>('d');
    const RowView view = array.rows(array.last_axis());
    const auto clear = [&]<class T>() {
        std::optional<RowView> of_vectors;
        if (beside) of_vectors = beside->rows(beside->last_axis());
        const bool fits =
            view.entries.contiguous(sizeof(T)) && view.rows.size() == least.size() &&
            (!beside || (beside->has_shape_and_dtype_of(array) && of_vectors->entries.contiguous(sizeof(T))));
        if (!fits) throw nb::type_error("softgrad._core: wrong buffer");
        const Unlocked unlocked(array);
        softgrad::clear_below<T>(view, of_rows, beside ? &*of_vectors : nullptr);
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
