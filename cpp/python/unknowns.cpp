#include "python/unknowns.hpp"

#include "arrays/unknowns.hpp"
#include "python/buffers.hpp"

namespace softgrad::python {

namespace {

void check(bool match) {
    if (!match) throw nb::type_error("softgrad._core: shapes that do not match");
}

// The range of the columns of a matrix, if there is one, and if the others have its shape and dtype.
template <class... Others>
Columns columns_of(Range range, const Array& array, const Others&... others) {
    check(0 <= range.first && range.first <= range.second && range.second <= array.length(1));
    check((others.has_shape_and_dtype_of(array) && ...));
    return {array.length(0), array.length(1), range.first, range.second};
}

const double* numbers(const Array& array) { return array.contiguous<const double>('d'); }
double* changed(const Array& array) { return array.contiguous<double>('d'); }

const double* of_length(const Array& array, int64_t length) {
    check(array.size() == length);
    return numbers(array);
}

Standardisation standardisation(const Array& centre, const Array& inverse_scale) {
    return {numbers(centre), of_length(inverse_scale, centre.size()), centre.size()};
}

// Whether an array is of k classes and d features, in the order said.
bool is_by_feature(const Array& array, int64_t k, int64_t d, bool transposed) {
    return array.length(transposed ? 1 : 0) == k && array.length(transposed ? 0 : 1) == d;
}

}  // namespace

void advance(Range range, double length, nb::handle search, nb::handle curved, nb::handle direction,
             nb::handle residual) {
    const Array s(search, Array::read), c(curved, Array::read), d(direction, Array::write), r(residual, Array::write);
    const Columns columns = columns_of(range, s, c, d, r);
    const Unlocked unlocked(s);
    softgrad::advance(columns, length, numbers(s), numbers(c), changed(d), changed(r));
}

void turn(Range range, double ratio, nb::handle next, nb::handle search) {
    const Array n(next, Array::read), s(search, Array::write);
    const Columns columns = columns_of(range, n, s);
    const Unlocked unlocked(s);
    softgrad::turn(columns, ratio, numbers(n), changed(s));
}

double divide(Range range, nb::handle residual, nb::handle diagonal, nb::handle out) {
    const Array r(residual, Array::read), d(diagonal, Array::read), o(out, Array::write);
    const Columns columns = columns_of(range, r, d, o);
    const Unlocked unlocked(r);
    return softgrad::divide(columns, numbers(r), numbers(d), changed(o));
}

std::pair<double, double> add_pull(Range range, nb::handle ridge, nb::handle theta, nb::handle result) {
    const Array weights(ridge, Array::read), t(theta, Array::read), r(result, Array::write);
    const Columns columns = columns_of(range, t, r);
    const double* const of_columns = of_length(weights, columns.p);
    const Unlocked unlocked(t);
    const InnerProducts products = softgrad::add_pull(columns, of_columns, numbers(t), changed(r));
    return {products.with_result, products.with_pull};
}

void to_weights(Range range, nb::handle theta, nb::handle centre, nb::handle inverse_scale, bool transposed,
                nb::handle weights, nb::handle along) {
    const Array t(theta, Array::read), c(centre, Array::read), i(inverse_scale, Array::read);
    const Array w(weights, Array::write), a(along, Array::write);
    const Columns columns = columns_of(range, t);
    const Standardisation of = standardisation(c, i);
    check(columns.p - of.d <= 1 && columns.p >= of.d && is_by_feature(w, columns.k, of.d, transposed));
    check(a.size() == columns.k);
    const Unlocked unlocked(t);
    const auto work = [&]<class T>(T* to) {
        softgrad::to_weights(columns, numbers(t), of, transposed, to, changed(a));
    };
    w.format() == 'd' ? work(changed(w)) : work(w.contiguous<float>('f'));
}

void from_weights(Range range, nb::handle by_weights, nb::handle by_biases, nb::handle centre, nb::handle inverse_scale,
                  bool transposed, nb::handle by_theta) {
    const Array w(by_weights, Array::read), c(centre, Array::read), i(inverse_scale, Array::read);
    const Array t(by_theta, Array::write);
    const OptionalArray b = optional_array(by_biases, Array::read);
    const Columns columns = columns_of(range, t);
    const Standardisation of = standardisation(c, i);
    check(columns.p == of.d + (b ? 1 : 0) && is_by_feature(w, columns.k, of.d, transposed));
    const double* const of_biases = b ? of_length(*b, columns.k) : nullptr;
    const Unlocked unlocked(t);
    softgrad::from_weights(columns, numbers(w), of_biases, of, transposed, changed(t));
}

}  // namespace softgrad::python
