// The reference's operation behind this backend's tensors: slow, for what has no own one yet.
#pragma once

#include <cstdint>
#include <memory>

#include "trainer/backend/backend.h"
#include "trainer/backend/cpu/context.h"

namespace baton::trainer::cpu {

std::unique_ptr<Operation> MakeFromReference(const OperationShape& shape, int64_t batch_max,
                                             Context& context);

}  // namespace baton::trainer::cpu
