// Which instruction set runs: the widest the machine has, unless one is asked for by name.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace softgrad {

struct InstructionSet {
    const char* name;
    const Kernels* kernels;
};

// The instruction sets that this machine has, the widest first.
const std::vector<InstructionSet>& available_instruction_sets();

// The instruction set in use. Throws std::runtime_error, naming the choices, if `SOFTGRAD_ISA` asks for one that is
// not there.
const InstructionSet& instruction_set();

}  // namespace softgrad
