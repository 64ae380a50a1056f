// Any machine: no instruction but those that the compiler chooses.
#pragma once

#include "kernels/simd/portable.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

using namespace portable;

}  // namespace softgrad::SOFTGRAD_ISA_NAME
