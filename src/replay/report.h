#pragma once

// What a run was worth: the figures, from finished tasks alone, and their table.

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "replay/simulate.h"
#include "tasks/task.h"

namespace minimill::replay {

namespace json = boost::json;

struct LaneFigures {
  int answered = 0;  // tasks whose last answer this lane gave
  int tried = 0;     // tasks it answered at all
  int checked = 0;
  int passed = 0;
};

struct Figures {
  int tasks = 0;
  int done = 0;
  int failed = 0;
  int cancelled = 0;
  int escalated = 0;
  int by_micro_model = 0;  // answered by what was learnt from the cloud; among the local ones
  int batched = 0;         // answered through a batch; among the cloud's, too
  LaneFigures local;
  LaneFigures cloud;
  double share_local = 0;  // of done tasks
  double mean_duration_s = 0;
  double p95_duration_s = 0;
  double mean_queue_age_s = 0;
  double p95_queue_age_s = 0;
  double throughput_per_h = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0;
  double all_cloud_cost_usd = 0;
};

struct Report {
  std::string run;
  std::string name;
  std::string cloud;  // which cloud answered: "sim-cloud (simulated)", "openai", …
  std::string local_model;
  std::string warning;  // "the local answers mean nothing: …"; empty otherwise
  std::vector<Figures> days;
  std::vector<int> day_numbers;
  Figures all;
  double peak_share_local = 0;       // of the best day
  SimulatedResult one_queue;         // one worker, as in the published case
  SimulatedResult one_queue_pooled;  // as many workers as both lanes have
  int pooled_workers = 0;
};

Report make_report(const std::vector<tasks::Task>& tasks, int total_slots);
json::object to_json(const Report& report);
/// Aligned columns for a terminal, at most 100 wide.
std::string to_table(const Report& report);

}  // namespace minimill::replay
