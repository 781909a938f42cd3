// The backend of plain loops in double precision: slow, short, and the specification that other
// backends are held against. Layouts are row-major everywhere.
#pragma once

#include <memory>

#include "trainer/backend/backend.h"

namespace baton::trainer {

std::unique_ptr<Backend> CreateReferenceBackend();

}  // namespace baton::trainer
