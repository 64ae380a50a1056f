// How a thread rounds, and what becomes of its subnormal numbers: a program may have set both for itself (frameworks flush
// subnormals to zero for speed), and a new thread begins with what the one that started it had. The core works as IEEE 754
// says by default: nearest even, subnormals kept, no traps.
#pragma once

#include <cstdint>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <cfenv>
#endif

namespace softgrad {

// The bits that say how to work, without those that record what happened.
class FloatMode {
  public:
#if defined(__x86_64__)
    static constexpr uint64_t ieee = 0x1f80, control = 0xffc0;

    static uint64_t current() { return __builtin_ia32_stmxcsr() & control; }
    static void set(uint64_t mode) {
        const auto happened = __builtin_ia32_stmxcsr() & ~static_cast<uint32_t>(control);
        __builtin_ia32_ldmxcsr(static_cast<uint32_t>(mode) | happened);
    }
#elif defined(__aarch64__)
    static constexpr uint64_t ieee = 0;

    static uint64_t current() {
        uint64_t mode;
        asm volatile("mrs %0, fpcr" : "=r"(mode));
        return mode;
    }
    static void set(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
    // Without a mode for subnormals in C++'s own vocabulary, and, as far as we know, in the scalar units of what else there is.
    static constexpr uint64_t ieee = FE_TONEAREST;

    static uint64_t current() { return static_cast<uint64_t>(std::fegetround()); }
    static void set(uint64_t mode) { std::fesetround(static_cast<int>(mode)); }
#endif
};

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
