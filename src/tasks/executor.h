#pragma once

// One way to carry out a task. The TaskRunner asks its executors in order, and the first that takes
// a task carries it out; the last of them takes every one (tasks/answer_executor.h).
//
// One that needs a slot gets the task in its turn, leased and running, and leaves in it what is to
// be stored: done, failed, or queued. One that needs none is handed the task as soon as that is
// decided, still queued, keeps on disk what must survive a crash, and tells `released` of each task
// that it lets go. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "base/ids.h"
#include "chat/decision.h"
#include "lane/lanes.h"
#include "tasks/task.h"

namespace minimill::tasks {

namespace asio = boost::asio;

/// Where a task that was attempted waits next, if it does at once.
enum class Next { kNowhere, kToCloud, kToDevice };

class Executor {
 public:
  using Released = std::function<void(const RunId&, const TaskId&)>;

  virtual ~Executor() = default;

  /// Is this one for it, decided so?
  virtual bool takes(const Task& task, const chat::Decision& decision) const = 0;
  virtual bool needs_slot() const { return true; }
  /// `slot`: an empty one where none is needed; the answer is then kNowhere. `task` outlives it.
  virtual asio::awaitable<Next> carry_out(Task& task, chat::Decision decision, lane::Slot slot) = 0;
  /// For one that keeps tasks beyond carry_out.
  virtual void on_released(Released released) { static_cast<void>(released); }
};

}  // namespace minimill::tasks
