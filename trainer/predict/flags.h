// The command line of `baton-trainer predict`.
#pragma once

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "trainer/predict/predict.h"

namespace baton::trainer {

// `options` is filled by the parse and must outlive the app.
CLI::App* AddPredict(CLI::App& app, PredictOptions& options);

}  // namespace baton::trainer
