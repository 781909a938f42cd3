// What every group must do, whatever carries its bytes. A test program names its groups and links
// group_contract.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "trainer/comm/group.h"

namespace baton::trainer {

// Makes one connected member per rank, in order.
using GroupFactory = std::function<std::vector<std::unique_ptr<Group>>(int size)>;

struct GroupKind {
  std::string name;
  GroupFactory make;
};

class GroupContract : public testing::TestWithParam<GroupKind> {};

// Runs `body` for each member in a thread of its own and joins them.
void OnEachRank(std::vector<std::unique_ptr<Group>>& members,
                const std::function<void(std::unique_ptr<Group>& member)>& body);

}  // namespace baton::trainer
