// baton-gpu-check: all that can only be checked on a card, as one program (tests/gpu/README.md).
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_format.h"
#include "common/status.h"
#include "tests/gpu/checks.h"
#include "trainer/backend/plugin.h"
#include "trainer/backend/reference/reference_backend.h"
#include "trainer/device.h"
#include "trainer/nvidia_driver.h"

namespace baton::trainer {
namespace {

constexpr int kExitNoCard = 77;  // ctest's and automake's word for skipped

struct Options {
  uint64_t seed = 1;
  int rounds = 40;
  int card = 0;
  bool unasked = false;
  std::string backend = "cuda";
  std::string only;
};

absl::StatusOr<Device> Open(const Options& options) {
  if (options.backend == "reference") {
    return Device{CreateReferenceBackend(), "", "the reference itself"};
  }
  if (options.backend == "cuda" && !options.unasked) {
    return OpenDevice("cuda", options.card, BackendFolders());
  }
  BATON_ASSIGN_OR_RETURN(const std::string path, FindBackend(options.backend, BackendFolders()));
  BATON_ASSIGN_OR_RETURN(LoadedBackend loaded, LoadBackend(path, {options.card}));
  return Device{std::move(loaded.backend), "", path};
}

// The cards after the first, as many as the training has shards for.
absl::StatusOr<std::vector<Device>> OpenOthers() {
  constexpr int kCardsMax = 5;
  std::vector<Device> others;
  // Numbers go round.
  for (int card = 1; card < kCardsMax; ++card) {
    BATON_ASSIGN_OR_RETURN(const NvidiaCard found, FindNvidiaCard(card));
    if (found.index != card) break;
    BATON_ASSIGN_OR_RETURN(Device device, OpenDevice("cuda", card, BackendFolders()));
    others.push_back(std::move(device));
  }
  return others;
}

void CheckSeveralCards(Backend& first, Table& table) {
  const absl::StatusOr<std::vector<Device>> others = OpenOthers();
  if (!others.ok()) {
    table.Row("the other cards", false, 0, std::string(others.status().message()));
    return;
  }
  std::vector<Backend*> cards = {&first};
  for (const Device& other : *others) cards.push_back(other.backend.get());
  CheckBetweenCards(cards, table);
}

int Run(const Options& options) {
  absl::StatusOr<Device> device = Open(options);
  if (!device.ok()) {
    absl::PrintF("no card to check: %s\n", device.status().message());
    return kExitNoCard;
  }
  Backend& card = *device->backend;
  absl::PrintF("%s\n%s\nseed %d\n\n", device->choice, card.identity(), options.seed);
  Table table;
  table.Header();
  CheckOperations(card, options.seed, options.rounds, options.only, table);
  if (options.only.empty()) {
    CheckLosses(card, options.seed, table);
    CheckVectors(card, options.seed, table);
    CheckTraining(card, table);
  }
  if (options.only.empty() && options.backend == "cuda" && !options.unasked && options.card == 0) {
    CheckSeveralCards(card, table);
  }
  absl::PrintF("\n%d bad\n", table.bad());
  return table.bad() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace baton::trainer

int main(int argc, char** argv) {
  CLI::App app("Checks the CUDA backend on this machine's card against plain loops.",
               "baton-gpu-check");
  app.footer("Exit codes: 0 all good, 1 something is bad, 77 no card or driver (it says what).");
  baton::trainer::Options options;
  app.add_option("--seed", options.seed, "of the random shapes and values");
  app.add_option("--rounds", options.rounds, "random shapes per operation")
      ->check(CLI::Range(1, 100000));
  app.add_option("--card", options.card, "which card, from 0")->check(CLI::Range(0, 1 << 10));
  app.add_option("--only", options.only, "the operations with this in their name, nothing else");
  app.add_flag("--unasked", options.unasked, "load the backend without asking the driver first");
  app.add_option("--backend", options.backend, "what is checked; others than cuda test the checks")
      ->check(CLI::IsMember({"cuda", "cpu", "reference"}));
  CLI11_PARSE(app, argc, argv);
  return baton::trainer::Run(options);
}
