// What the field's launchers and libraries read of their environment: torchrun's variables,
// TensorFlow's, CUDA's, Gloo's and NCCL's. The names are theirs.
#pragma once

#include <map>
#include <string>

#include "worker/task/environment.h"

namespace baton::worker {

// A rank finds torchrun's variables. A program that starts the ranks of its node itself finds
// NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT, and the same by the names that torchrun reads
// (PET_*); RANK, LOCAL_RANK and WORLD_SIZE are its ranks' own, and no launcher may think that it is
// one of them.
void SetField(const EnvironmentInput& input, std::map<std::string, std::string>* variables);

// Gloo looks for the address of the machine's name, which on many is a loopback one, and NCCL takes
// the first network that it finds; other ranks know this node by its data address. A default, which
// the job's own environment may change; nothing where the network is not known.
void SetInterfaces(const EnvironmentInput& input, std::map<std::string, std::string>* variables);

// Name of the network interface that has the IP address; empty: none has, or it is loopback.
std::string InterfaceOf(const std::string& address);

}  // namespace baton::worker
