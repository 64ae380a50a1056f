// The floating-point mode of x86-64, MXCSR without the bits that record what happened.
#pragma once

#include <cstdint>

namespace softgrad {

class FloatMode {
  public:
    static constexpr uint64_t ieee = 0x1f80, flushing = ieee | 0x8000;

    static uint64_t current() { return __builtin_ia32_stmxcsr() & control; }
    static void set(uint64_t mode) {
        const auto happened = __builtin_ia32_stmxcsr() & ~static_cast<uint32_t>(control);
        __builtin_ia32_ldmxcsr(static_cast<uint32_t>(mode) | happened);
    }

  private:
    static constexpr uint64_t control = 0xffc0;
};

}  // namespace softgrad
