#include "dispatch/dispatch.hpp"

#include <cstdlib>
#include <stdexcept>

#if defined(SOFTGRAD_X86_64)
#include "dispatch/x86_64.hpp"
#endif

// The lines of isa.def for this architecture, given to SOFTGRAD_SET(name, has).
#define SOFTGRAD_KEEP(...) __VA_ARGS__
#define SOFTGRAD_DROP(...)
#if defined(SOFTGRAD_X86_64)
#define SOFTGRAD_ON_X86_64 SOFTGRAD_KEEP
#else
#define SOFTGRAD_ON_X86_64 SOFTGRAD_DROP
#endif
#if defined(SOFTGRAD_ARM64)
#define SOFTGRAD_ON_ARM64 SOFTGRAD_KEEP
#else
#define SOFTGRAD_ON_ARM64 SOFTGRAD_DROP
#endif
#if defined(SOFTGRAD_OTHER)
#define SOFTGRAD_ON_OTHER SOFTGRAD_KEEP
#else
#define SOFTGRAD_ON_OTHER SOFTGRAD_DROP
#endif
#define SOFTGRAD_ISA(architecture, name, operations, bytes, flags, has) \
    SOFTGRAD_ON_##architecture(SOFTGRAD_SET(name, has))

namespace softgrad {

#define SOFTGRAD_SET(name, has)   \
    namespace name {              \
    extern const Kernels kernels; \
    }
#include "dispatch/isa.def"
#undef SOFTGRAD_SET

namespace {

struct Compiled {
    InstructionSet set;
    bool available;
};

const std::vector<Compiled>& compiled_instruction_sets() {
    static const std::vector<Compiled> all = {
#define SOFTGRAD_SET(name, has) {{#name, &name::kernels}, static_cast<bool>(has)},
#include "dispatch/isa.def"
#undef SOFTGRAD_SET
    };
    return all;
}

InstructionSet choose() {
    const auto& available = available_instruction_sets();
    const char* wanted = std::getenv("SOFTGRAD_ISA");
    if (wanted == nullptr || *wanted == '\0') return available.front();
    std::string known, present;
    for (const auto& [set, is_available] : compiled_instruction_sets()) {
        if (is_available && set.name == std::string(wanted)) return set;
        known += (known.empty() ? "" : ", ") + std::string(set.name);
        if (is_available) present += (present.empty() ? "" : ", ") + std::string(set.name);
    }
    throw std::runtime_error("SOFTGRAD_ISA is '" + std::string(wanted) + "'; softgrad is built for " + known +
                             ", and this machine has " + present);
}

}  // namespace

const std::vector<InstructionSet>& available_instruction_sets() {
    static const std::vector<InstructionSet> available = [] {
        std::vector<InstructionSet> sets;
        for (const auto& [set, is_available] : compiled_instruction_sets())
            if (is_available) sets.push_back(set);
        return sets;
    }();
    return available;
}

const InstructionSet& instruction_set() {
    static const InstructionSet chosen = choose();
    return chosen;
}

}  // namespace softgrad
