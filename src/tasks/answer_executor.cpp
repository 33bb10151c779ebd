#include "tasks/answer_executor.h"

#include <algorithm>
#include <utility>

#include "base/retry.h"

namespace minimill::tasks {
namespace {

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

asio::awaitable<Next> AnswerExecutor::carry_out(Task& task, chat::Decision decision,
                                                lane::Slot slot) {
  const chat::Lane lane = slot.lane();
  judge_.begin(task, decision, lane);
  const double p_before = decision.p_local_ok;
  policy::Request request = judge_.request(task, lane);
  // The lease's end is the attempt's.
  const SteadyTime lease_end = clock_.steady() + judge_.options().lease;
  request.chat.deadline = std::min(request.chat.deadline.value_or(lease_end), lease_end);
  serve::Turn turn{.id = task.request, .slot = std::move(slot), .decision = std::move(decision)};
  const SteadyTime began = clock_.steady();
  Result<serve::Served> served = co_await service_.complete(std::move(request), std::move(turn));
  (lane == chat::Lane::kLocal ? task.local_s : task.cloud_s) += seconds(clock_.steady() - began);
  if (!served) co_return failed(task, lane, served.error());
  judge_.answered(task, lane, *served, p_before);
  co_return task.state == TaskState::kQueued ? Next::kToCloud : Next::kNowhere;
}

Next AnswerExecutor::failed(Task& task, chat::Lane lane, const Error& error) {
  // A moment's trouble of the device's is tried there again; what it can't do is the cloud's.
  const bool lasting = task.attempts > 1 || !is_transient(error.code);
  if (lane == chat::Lane::kLocal && lasting && judge_.may_escalate(task)) {
    judge_.escalate(task, error.message);
    return Next::kToCloud;
  }
  if (lane == chat::Lane::kCloud && judge_.may_degrade(task, error)) {
    task.error = error.to_string();
    task.state = TaskState::kQueued;
    return Next::kToDevice;
  }
  judge_.plan_retry(task, error);
  return Next::kNowhere;
}

}  // namespace minimill::tasks
