// One function per verb adds it to the command line; command/<verb>.cc has it. A new one needs its
// file and a line in table.cc.
#pragma once

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "client/context.h"

namespace baton::client {

void AddCancel(CLI::App& app, Context& context);
void AddChaos(CLI::App& app, Context& context);
void AddCheckpoints(CLI::App& app, Context& context);
void AddCollect(CLI::App& app, Context& context);
void AddCompletion(CLI::App& app, Context& context);
void AddData(CLI::App& app, Context& context);
// push, ls and rm of the verb `data`.
void AddPushedData(CLI::App& data, Context& context);
void AddDelete(CLI::App& app, Context& context);
void AddDoctor(CLI::App& app, Context& context);
void AddDrain(CLI::App& app, Context& context);
void AddExec(CLI::App& app, Context& context);
void AddJobs(CLI::App& app, Context& context);
void AddLocal(CLI::App& app, Context& context);
void AddLogin(CLI::App& app, Context& context);
void AddLogs(CLI::App& app, Context& context);
void AddMetrics(CLI::App& app, Context& context);
void AddModel(CLI::App& app, Context& context);
void AddNodes(CLI::App& app, Context& context);
void AddPause(CLI::App& app, Context& context);
void AddPredict(CLI::App& app, Context& context);
void AddReplay(CLI::App& app, Context& context);
void AddResume(CLI::App& app, Context& context);
void AddRetry(CLI::App& app, Context& context);
void AddShow(CLI::App& app, Context& context);
void AddSweep(CLI::App& app, Context& context);
void AddSweeps(CLI::App& app, Context& context);
void AddToken(CLI::App& app, Context& context);
void AddTrain(CLI::App& app, Context& context);
void AddTrials(CLI::App& app, Context& context);
void AddVerify(CLI::App& app, Context& context);
void AddWait(CLI::App& app, Context& context);
void AddWhy(CLI::App& app, Context& context);

// All of them, in the order of `baton --help`.
void AddCommands(CLI::App& app, Context& context);

// Prints the verbs and flags that may stand where the last of `words` begins: what a completion
// script asks by `baton __complete WORD..`. Jobs and nodes too, where the scheduler answers at
// once.
void Complete(CLI::App& app, Context& context, const std::vector<std::string>& words);

// The words of the command line without those that are a script's own: they are put into `taken`
// when the verb is `train`, or one of its other names.
std::vector<std::string> TakeTrainWords(const CLI::App& app, const std::vector<std::string>& words,
                                        TrainWords* taken);

// After a parse that failed: what to say of a word that stands where a verb should and is none; ""
// when that was not the mistake.
std::string UnknownVerb(const CLI::App& app);

// A check for whole numbers that are not below `least`.
CLI::Validator NumberFrom(int64_t least);

// What is wrong with the capacities of a local cluster's workers, "spot,spot,on-demand", or with
// the CPUs of each; empty: nothing.
std::string CheckWorkers(const std::string& list);
std::string CheckCpus(const std::string& word);

// A verb of `parent`; its --help ends with the example.
CLI::App* AddVerb(CLI::App& parent, const std::string& name, const std::string& what,
                  const std::string& example);

// Adds --output/-o text|json (and csv where `csv` says so) to a verb.
enum class Csv { kNo, kYes };
void AddOutputFlag(CLI::App& verb, Context& context, Csv csv = Csv::kNo);

// Runs `body` when the verb was typed and takes its status to the exit code.
template <typename Body>
void OnVerb(CLI::App& verb, Context& context, Body body) {
  verb.callback([&context, body]() mutable { context.Finish(body()); });
}

}  // namespace baton::client
