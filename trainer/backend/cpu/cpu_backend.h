// The CPU backend, on oneDNN with one thread per stream.
#pragma once

#include <memory>

#include "trainer/backend/backend.h"

namespace baton::trainer {

std::unique_ptr<Backend> CreateCpuBackend();

}  // namespace baton::trainer
