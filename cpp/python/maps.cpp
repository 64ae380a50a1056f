#include "python/maps.hpp"

#include "arrays/elementwise.hpp"
#include "arrays/logsumexp.hpp"
#include "arrays/softmax.hpp"
#include "python/by_dtype.hpp"
#include "python/transform.hpp"

namespace softgrad::python {

namespace {

void map_arrays(RowMap function, const Array& from, const Array& to, const Axes& axes, const Transform& transform) {
    const RowView from_rows = from.rows(axes), to_rows = to.rows(axes);
    compute(from, [&]<class S>() { map_rows<S>(function, from_rows, transform, to_rows); });
}

void map_rows_of(RowMap function, nb::handle x, nb::handle out, const Axes& axes, nb::handle where,
                 double temperature) {
    const TransformArrays with(where, axes, no_softcap, temperature);
    map_arrays(function, Array(x, Array::read), Array(out, Array::write), axes, with.transform);
}

void logsumexp_of(const Array& from, const Array& to, const Axes& axes, const Transform& transform) {
    const RowView rows = from.rows(axes);
    void* values = to.contiguous<void>(from.format());
    compute(from, [&]<class S>() { softgrad::logsumexp<S>(rows, transform, static_cast<S*>(values)); });
}

template <class Work>
bool if_plain(nb::handle x, nb::handle out, const Work& work) {
    const OptionalArray from = array_or_null(x, Array::read), to = array_or_null(out, Array::write);
    if (!from || !to || !from->floating() || from->ndim() == 0) return false;
    return work(*from, *to);
}

bool map_if_plain(RowMap function, nb::handle x, nb::handle out) {
    return if_plain(x, out, [&](const Array& from, const Array& to) {
        if (!to.takes_results_of(from)) return false;
        map_arrays(function, from, to, from.last_axis(), no_transform);
        return true;
    });
}

void map_elements_of(ElementMap function, nb::handle x, nb::handle out) {
    const Array from(x, Array::read), to(out, Array::write);
    const Elements from_elements = from.elements(), to_elements = to.elements();
    compute(from, [&]<class S>() { map_elements<S>(function, from_elements, to_elements); });
}

}  // namespace

void softmax(nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature) {
    map_rows_of(RowMap::softmax, x, out, axes, where, temperature);
}

void log_softmax(nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature) {
    map_rows_of(RowMap::log_softmax, x, out, axes, where, temperature);
}

void logsumexp(nb::handle x, nb::handle out, const Axes& axes, nb::handle where) {
    const TransformArrays with(where, axes, no_softcap, 1.0);
    logsumexp_of(Array(x, Array::read), Array(out, Array::write), axes, with.transform);
}

bool softmax_if_plain(nb::handle x, nb::handle out) { return map_if_plain(RowMap::softmax, x, out); }

bool log_softmax_if_plain(nb::handle x, nb::handle out) { return map_if_plain(RowMap::log_softmax, x, out); }

bool logsumexp_if_plain(nb::handle x, nb::handle out) {
    return if_plain(x, out, [](const Array& from, const Array& to) {
        logsumexp_of(from, to, from.last_axis(), no_transform);
        return true;
    });
}

void sigmoid(nb::handle x, nb::handle out) { map_elements_of(ElementMap::sigmoid, x, out); }

void log_sigmoid(nb::handle x, nb::handle out) { map_elements_of(ElementMap::log_sigmoid, x, out); }

}  // namespace softgrad::python
