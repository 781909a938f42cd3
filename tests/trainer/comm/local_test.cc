#include "trainer/comm/local.h"

#include "tests/trainer/comm/group_contract.h"

namespace baton::trainer {

INSTANTIATE_TEST_SUITE_P(Local, GroupContract, testing::Values(GroupKind{"local", MakeLocalGroup}),
                         [](const auto& param) { return param.param.name; });

}  // namespace baton::trainer
