// Whatever a tasks file and a model say, reading the one and checking the other neither crashes nor
// hangs. The first line is a task, the rest is the answer to it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "check/check.h"
#include "tasks/task.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\n');
  const Result<tasks::TaskSpec> task = tasks::parse_task(input.substr(0, end), "fuzz:1");
  if (!task) {
    if (!task.error().message.starts_with("fuzz:1: ")) std::abort();
    return 0;
  }
  // What we write we must be able to read.
  const std::string written = boost::json::serialize(tasks::to_json(*task));
  const Result<tasks::TaskSpec> again = tasks::parse_task(written, "again");
  if (!again && again.error().code != ErrorCode::kTooLarge) std::abort();
  if (task->check.is_null()) return 0;
  const Result<check::Check> check = check::Check::parse(task->check);
  if (!check) std::abort();  // parse_task has parsed it
  (void)check->run(end == std::string_view::npos ? std::string_view() : input.substr(end + 1));
  return 0;
}
