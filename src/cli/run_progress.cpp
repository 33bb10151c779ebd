#include "cli/run_progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace minimill::cli {

void RunProgress::show(const boost::json::object& progress) {
  const auto count = [&progress](std::string_view key) { return progress.at(key).as_int64(); };
  const std::int64_t total = std::max<std::int64_t>(count("total"), 1);
  const std::int64_t done = count("done_local") + count("done_cloud") + count("done_batch");
  const std::int64_t ended = done + count("failed") + count("cancelled");
  const double share =
      done == 0 ? 0 : 100.0 * static_cast<double>(count("done_local")) / static_cast<double>(done);
  const double queue_age = progress.at("mean_queue_age_s").to_number<double>();
  const std::int64_t batched = count("running_batch") + count("done_batch");
  const std::string batch = batched == 0 ? std::string{}
                                         : fmt::format("batch {} running, {} done | ",
                                                       count("running_batch"), count("done_batch"));
  const std::string text = fmt::format(
      "{}/{} tasks | local {} running, {} done | cloud {} running, {} done | {}{:.0f} % local | "
      "queue age {:.1f} s",
      ended, count("total"), count("running_local"), count("done_local"), count("running_cloud"),
      count("done_cloud"), batch, share, queue_age);
  if (line_.rewrites()) {
    constexpr int kBarWidth = 20;
    line_.update(bar(static_cast<double>(ended) / static_cast<double>(total), kBarWidth) + " " +
                 text);
    return;
  }
  constexpr std::int64_t kSteps = 10;
  if (const std::int64_t tenth = kSteps * ended / total; tenth > last_tenth_) {
    last_tenth_ = tenth;
    line_.plain(text);
  }
}

}  // namespace minimill::cli
