// The sigmoids of arrays.
#pragma once

#include "arrays/layout.hpp"

namespace softgrad {

enum class ElementMap { sigmoid, log_sigmoid };

template <class S>
void map_elements(ElementMap function, const Elements& x, const Elements& out);

}  // namespace softgrad
