// The floating-point mode as C++ knows it, the rounding alone: it has no word for subnormals.
#pragma once

#include <cfenv>
#include <cstdint>

namespace softgrad {

class FloatMode {
  public:
    static constexpr uint64_t ieee = FE_TONEAREST, flushing = ieee;

    static uint64_t current() { return static_cast<uint64_t>(std::fegetround()); }
    static void set(uint64_t mode) { std::fesetround(static_cast<int>(mode)); }
};

}  // namespace softgrad
