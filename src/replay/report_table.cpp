#include <fmt/format.h>

#include "replay/report.h"

namespace minimill::replay {
namespace {

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

std::string passed_text(const LaneFigures& lane) {
  if (lane.checked == 0) return "-";
  return fmt::format("{}/{} ({:.0f} %)", lane.passed, lane.checked,
                     percent(lane.passed, lane.checked));
}

std::string day_row(std::string_view label, const Figures& figures) {
  return fmt::format(
      "{:<6} {:>6} {:>7.0f} % {:>7} {:>7} {:>7} {:>9.2f} s {:>9.2f} s {:>9.2f} s {:>9.4f} $\n",
      label, figures.tasks, 100 * figures.share_local, figures.by_micro_model, figures.escalated,
      figures.failed, figures.mean_duration_s, figures.p95_duration_s, figures.mean_queue_age_s,
      figures.cost_usd);
}

std::string lane_row(std::string_view name, const LaneFigures& lane) {
  return fmt::format("  {:<6} {:>9} answered {:>9} tried   checks passed {}\n", name, lane.answered,
                     lane.tried, passed_text(lane));
}

std::string world_row(std::string_view name, double mean_duration_s, double p95_duration_s,
                      double queue_age_s, double p95_queue_age_s, double throughput_per_h) {
  return fmt::format("  {:<38} {:>8.2f} s {:>8.2f} s {:>8.2f} s {:>8.2f} s {:>9.0f}/h\n", name,
                     mean_duration_s, p95_duration_s, queue_age_s, p95_queue_age_s,
                     throughput_per_h);
}

std::string world_row(std::string_view name, const SimulatedResult& world) {
  return world_row(name, world.mean_duration_s, world.p95_duration_s, world.mean_queue_age_s,
                   world.p95_queue_age_s, world.throughput_per_h);
}

}  // namespace

std::string to_table(const Report& report) {
  const Figures& all = report.all;
  std::string out;
  if (!report.warning.empty()) out += report.warning + "\n\n";
  out += fmt::format("{} ({})\n", report.name, report.run);
  out += fmt::format("local: {}   cloud: {}\n\n", report.local_model, report.cloud);

  out += fmt::format("{:<6} {:>6} {:>9} {:>7} {:>7} {:>7} {:>11} {:>11} {:>11} {:>11}\n", "day",
                     "tasks", "local", "micro", "escal.", "failed", "duration", "p95", "queue age",
                     "cost");
  for (std::size_t i = 0; i < report.days.size(); ++i) {
    out += day_row(std::to_string(report.day_numbers[i]), report.days[i]);
  }
  out += day_row("all", all);
  out += fmt::format("\nlocal share: {:.0f} % of {} done, {:.0f} % on the best day\n",
                     100 * all.share_local, all.done, 100 * report.peak_share_local);
  out += lane_row("local", all.local);
  out += lane_row("cloud", all.cloud);
  if (all.by_micro_model > 0) {
    out += fmt::format("  {} of the local ones by micro-models learnt from the cloud's answers\n",
                       all.by_micro_model);
  }
  if (all.batched > 0) out += fmt::format("  {} of the cloud's through batches\n", all.batched);
  out += fmt::format("tokens: {} in, {} out\n", all.prompt_tokens, all.completion_tokens);
  out += fmt::format("cost: {:.4f} USD; had all gone to the cloud: {:.4f} USD ({:.0f} % saved)\n\n",
                     all.cost_usd, all.all_cloud_cost_usd,
                     percent(all.all_cloud_cost_usd - all.cost_usd, all.all_cloud_cost_usd));

  out += fmt::format("  {:<38} {:>10} {:>10} {:>10} {:>10} {:>11}\n", "", "duration", "p95",
                     "queue age", "p95", "throughput");
  out += world_row("two lanes (measured)", all.mean_duration_s, all.p95_duration_s,
                   all.mean_queue_age_s, all.p95_queue_age_s, all.throughput_per_h);
  out += world_row("one queue, one worker (simulated)", report.one_queue);
  out += world_row(fmt::format("one queue, {} workers (simulated)", report.pooled_workers),
                   report.one_queue_pooled);
  out +=
      "  The simulated rows have the same arrivals and service times, by the same scheduler "
      "code.\n";
  if (!report.warning.empty()) out += "\n" + report.warning + "\n";
  return out;
}

}  // namespace minimill::replay
