// How a thread rounds, and what becomes of its subnormal numbers: a program may have set both for itself (frameworks
// flush subnormals to zero for speed), and a new thread begins with what the one that started it had. The core works as
// IEEE 754 says by default: nearest even, subnormals kept, no traps; for products of matrices without subnormals.
#pragma once

#if defined(__x86_64__) && !defined(SOFTGRAD_OTHER)
#include "threads/float_mode_x86_64.hpp"
#elif defined(__aarch64__) && !defined(SOFTGRAD_OTHER)
#include "threads/float_mode_arm64.hpp"
#else
#include "threads/float_mode_generic.hpp"
#endif

namespace softgrad {

// Works in a mode from here to the end of the block, and leaves the thread as it was.
template <uint64_t mode>
class InMode {
  public:
    InMode() : before_(FloatMode::current()) {
        if (before_ != mode) FloatMode::set(mode);
    }
    ~InMode() {
        if (before_ != mode) FloatMode::set(before_);
    }
    InMode(const InMode&) = delete;
    InMode& operator=(const InMode&) = delete;

  private:
    const uint64_t before_;
};

using IeeeMode = InMode<FloatMode::ieee>;
// IEEE's, but that results which would be subnormal are 0: many processors take a hundred times as long for one.
using FlushingMode = InMode<FloatMode::flushing>;

}  // namespace softgrad
