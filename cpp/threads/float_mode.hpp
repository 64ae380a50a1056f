// How a thread rounds, and what becomes of its subnormal numbers: a program may have set both for itself (frameworks
// flush subnormals to zero for speed), and a new thread begins with what the one that started it had. The core works as
// IEEE 754 says by default: nearest even, subnormals kept, no traps.
#pragma once

#if defined(__x86_64__) && !defined(SOFTGRAD_OTHER)
#include "threads/float_mode_x86_64.hpp"
#elif defined(__aarch64__) && !defined(SOFTGRAD_OTHER)
#include "threads/float_mode_arm64.hpp"
#else
#include "threads/float_mode_generic.hpp"
#endif

namespace softgrad {

// Works in the IEEE mode from here to the end of the block, and leaves the thread as it was.
class IeeeMode {
  public:
    IeeeMode() : before_(FloatMode::current()) {
        if (before_ != FloatMode::ieee) FloatMode::set(FloatMode::ieee);
    }
    ~IeeeMode() {
        if (before_ != FloatMode::ieee) FloatMode::set(before_);
    }
    IeeeMode(const IeeeMode&) = delete;
    IeeeMode& operator=(const IeeeMode&) = delete;

  private:
    const uint64_t before_;
};

}  // namespace softgrad
