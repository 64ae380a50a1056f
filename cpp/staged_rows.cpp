#include "staged_rows.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

namespace softgrad {
namespace {

// For float64 the extended precision of the machine, where it has one: a rounding of z costs |z| roundings of exp(z).
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, long double, double>;

template <class W>
W transformed(const Transform& transform, W x) {
    if (std::isfinite(transform.softcap)) {
        const W c = static_cast<W>(transform.softcap);
        x = c * std::tanh(x / c);
    }
    return x / static_cast<W>(transform.temperature);
}

const unsigned char* stage_mask(const Transform& transform, int64_t row, int64_t n, unsigned char* memory, int64_t& count) {
    count = n;
    if (!transform.where) return nullptr;
    count = 0;
    const char* at_row = transform.where->data + transform.where->rows.offset(row);
    transform.where->entries.each(0, n, [&](int64_t j, int64_t at) {
        memory[j] = at_row[at] != 0;
        count += memory[j];
    });
    return memory;
}

}  // namespace

bool Transform::is_identity() const { return !where && !std::isfinite(softcap) && temperature == 1.0; }

template <class T>
StagedRow stage_row(const T* x, int64_t n, const Transform& transform, int64_t row, double* memory) {
    using W = Wide<T>;
    constexpr W infinity = std::numeric_limits<W>::infinity();
    StagedRow staged{memory, memory + n, nullptr, n, 0.0, 0.0};
    staged.allowed = stage_mask(transform, row, n, reinterpret_cast<unsigned char*>(memory + 2 * n), staged.allowed_count);

    // The transformation is monotonic: its maximum is at the maximum.
    T largest = -std::numeric_limits<T>::infinity();
    for (int64_t j = 0; j < n; ++j)
        if ((!staged.allowed || staged.allowed[j]) && x[j] > largest) largest = x[j];
    const W z_largest = transformed(transform, static_cast<W>(largest));
    const W maximum = std::isfinite(z_largest) ? z_largest : W(0);
    staged.maximum = static_cast<double>(maximum);
    staged.maximum_low = static_cast<double>(maximum - static_cast<W>(staged.maximum));

    for (int64_t j = 0; j < n; ++j) {
        const bool allowed = !staged.allowed || staged.allowed[j];
        const W z = allowed ? transformed(transform, static_cast<W>(x[j])) - maximum : -infinity;
        staged.high[j] = static_cast<double>(z);
        staged.low[j] = std::isfinite(staged.high[j]) ? static_cast<double>(z - static_cast<W>(staged.high[j])) : 0.0;
    }
    return staged;
}

template StagedRow stage_row<float>(const float*, int64_t, const Transform&, int64_t, double*);
template StagedRow stage_row<double>(const double*, int64_t, const Transform&, int64_t, double*);

double derivative(const Transform& transform, double x) {
    if (!std::isfinite(transform.softcap)) return 1.0 / transform.temperature;
    // 1 - tanh^2 = 1 / cosh^2, without the cancellation.
    const double cosine = std::cosh(x / transform.softcap);
    return 1.0 / (cosine * cosine) / transform.temperature;
}

}  // namespace softgrad
