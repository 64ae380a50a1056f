#include "arrays/staged_rows.hpp"

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
    if (transform.has_softcap()) {
        const W c = static_cast<W>(transform.softcap);
        x = c * std::tanh(x / c);
    }
    return x / static_cast<W>(transform.temperature);
}

// transformed(x) - transformed(m) from x - m, so that an offset that both have costs nothing.
template <class W>
class Difference {
    W m_, softcap_, temperature_, cosine_;
    bool has_softcap_;

    // Beyond it tanh is 1, and cosh would overflow before long.
    static constexpr W saturated = 40;

  public:
    Difference(const Transform& transform, W m)
        : m_(m),
          softcap_(static_cast<W>(transform.softcap)),
          temperature_(static_cast<W>(transform.temperature)),
          cosine_(std::cosh(m / softcap_)),
          has_softcap_(transform.has_softcap()) {}

    W operator()(W x) const {
        if (!has_softcap_) return (x - m_) / temperature_;
        const W a = x / softcap_, b = m_ / softcap_;
        // tanh a - tanh b = sinh(a - b) / (cosh a cosh b)
        if (std::fabs(a) < saturated && std::fabs(b) < saturated)
            return softcap_ * std::sinh((x - m_) / softcap_) / (std::cosh(a) * cosine_) / temperature_;
        return softcap_ * (std::tanh(a) - std::tanh(b)) / temperature_;
    }
};

const unsigned char* mask_of_row(const Transform& transform, int64_t row, int64_t n, unsigned char* memory,
                                 int64_t& count) {
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

bool Transform::has_softcap() const { return std::isfinite(softcap); }

bool Transform::is_identity() const { return !where && !has_softcap() && temperature == 1.0; }

template <class T>
StagedRow stage_row(const T* x, int64_t n, const Transform& transform, int64_t row, double* memory) {
    using W = Wide<T>;
    constexpr W infinity = std::numeric_limits<W>::infinity();
    StagedRow result{memory, memory + n, nullptr, n, 0.0, 0.0};
    result.allowed =
        mask_of_row(transform, row, n, reinterpret_cast<unsigned char*>(memory + 2 * n), result.allowed_count);

    // The transformation is monotonic: its maximum is at the maximum.
    T largest = -std::numeric_limits<T>::infinity();
    for (int64_t j = 0; j < n; ++j)
        if ((!result.allowed || result.allowed[j]) && x[j] > largest) largest = x[j];
    const bool regular = std::isfinite(largest) || transform.has_softcap();
    if (regular) {
        const W maximum = transformed(transform, static_cast<W>(largest));
        result.maximum = static_cast<double>(maximum);
        if (std::isfinite(result.maximum))
            result.maximum_low = static_cast<double>(maximum - static_cast<W>(result.maximum));
    }

    const Difference<W> difference(transform, static_cast<W>(largest));
    for (int64_t j = 0; j < n; ++j) {
        W z = -infinity;
        if (!result.allowed || result.allowed[j])
            z = regular ? difference(static_cast<W>(x[j])) : transformed(transform, static_cast<W>(x[j]));
        result.high[j] = static_cast<double>(z);
        result.low[j] = std::isfinite(result.high[j]) ? static_cast<double>(z - static_cast<W>(result.high[j])) : 0.0;
    }
    return result;
}

template StagedRow stage_row<float>(const float*, int64_t, const Transform&, int64_t, double*);
template StagedRow stage_row<double>(const double*, int64_t, const Transform&, int64_t, double*);

template <class T>
T pulled_back(const Transform& transform, T x, double gradient) {
    using W = Wide<T>;
    W factor = 1 / static_cast<W>(transform.temperature);
    if (transform.has_softcap()) {
        // 1 - tanh^2 = 1 / cosh^2, without the cancellation.
        const W cosine = std::cosh(static_cast<W>(x) / static_cast<W>(transform.softcap));
        factor /= cosine * cosine;
    }
    return static_cast<T>(static_cast<W>(gradient) * factor);
}

template float pulled_back<float>(const Transform&, float, double);
template double pulled_back<double>(const Transform&, double, double);

}  // namespace softgrad
