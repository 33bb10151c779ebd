#pragma once

// Carries out a task by one answer: of the lane whose turn it is, judged by the task's check. Takes
// every task.

#include "base/clock.h"
#include "serve/service.h"
#include "tasks/executor.h"
#include "tasks/task_judge.h"

namespace minimill::tasks {

class AnswerExecutor final : public Executor {
 public:
  AnswerExecutor(const Clock& clock, TaskJudge& judge, serve::Service& service)
      : clock_(clock), judge_(judge), service_(service) {}

  bool takes(const Task& /*task*/, const chat::Decision& /*decision*/) const override {
    return true;
  }
  asio::awaitable<Next> carry_out(Task& task, chat::Decision decision, lane::Slot slot) override;

 private:
  /// What becomes of a task whose attempt in that lane has failed.
  Next failed(Task& task, chat::Lane lane, const Error& error);

  const Clock& clock_;
  TaskJudge& judge_;
  serve::Service& service_;
};

}  // namespace minimill::tasks
