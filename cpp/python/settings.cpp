#include "python/settings.hpp"

#include "arrays/dtypes.hpp"
#include "dispatch/dispatch.hpp"
#include "threads/float_mode.hpp"

namespace softgrad::python {

std::vector<std::string> available_instruction_sets() {
    std::vector<std::string> names;
    for (const auto& set : softgrad::available_instruction_sets()) names.push_back(set.name);
    return names;
}

std::vector<std::string> dtypes() {
    return {
#define SOFTGRAD_NAME(name, S, character) #name,
        SOFTGRAD_DTYPES(SOFTGRAD_NAME)
#undef SOFTGRAD_NAME
    };
}

std::optional<uint64_t> enter_ieee_mode() {
    const uint64_t before = FloatMode::current();
    if (before == FloatMode::ieee) return std::nullopt;
    FloatMode::set(FloatMode::ieee);
    return before;
}

}  // namespace softgrad::python
