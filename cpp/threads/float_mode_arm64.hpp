// The floating-point mode of 64-bit ARM, FPCR.
#pragma once

#include <cstdint>

namespace softgrad {

class FloatMode {
  public:
    static constexpr uint64_t ieee = 0, flushing = 1 << 24;

    static uint64_t current() {
        uint64_t mode;
        asm volatile("mrs %0, fpcr" : "=r"(mode));
        return mode;
    }
    static void set(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
};

}  // namespace softgrad
