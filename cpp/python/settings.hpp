// What the core runs on, and how a thread computes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace softgrad::python {

std::vector<std::string> available_instruction_sets();
std::vector<std::string> dtypes();

// For arithmetic that is NumPy's: the mode of this thread as it was, for set_float_mode in the end; none if it is
// IEEE's already.
std::optional<uint64_t> enter_ieee_mode();

}  // namespace softgrad::python
