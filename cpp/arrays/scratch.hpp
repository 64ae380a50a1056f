// Memory that a thread keeps from call to call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace softgrad {

constexpr int64_t scratch_kept = 1 << 20;

enum class Use { losses, rows, other_rows, target, staged, gradient, terms, vector, columns };

// Memory that a thread keeps from call to call (touching fresh pages costs more than the arithmetic on them), from the
// beginning of a line on: a vector that lies in two lines is read twice.
template <class T, Use use>
class Scratch {
    struct alignas(64) Line {
        T elements[64 / sizeof(T)];
    };
    static constexpr int64_t per_line = 64 / sizeof(T);

  public:
    explicit Scratch(int64_t elements) {
        const size_t lines = static_cast<size_t>((elements + per_line - 1) / per_line);
        if (storage().size() < lines) storage().resize(lines);
    }
    ~Scratch() {
        if (static_cast<int64_t>(storage().size()) * per_line > scratch_kept) std::vector<Line>().swap(storage());
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return reinterpret_cast<T*>(storage().data()); }

  private:
    static std::vector<Line>& storage() {
        thread_local std::vector<Line> memory;
        return memory;
    }
};

}  // namespace softgrad
