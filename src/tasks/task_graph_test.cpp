#include "tasks/task_graph.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minimill::tasks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TaskSpec task(std::string id, std::vector<std::string> after = {}) {
  TaskSpec spec;
  spec.id = {std::move(id)};
  for (std::string& each : after) spec.after.push_back({std::move(each)});
  return spec;
}

Result<std::vector<std::size_t>> order_of(const std::vector<TaskSpec>& tasks) {
  std::vector<const TaskSpec*> pointers;
  for (const TaskSpec& each : tasks) pointers.push_back(&each);
  return dependency_order(pointers);
}

TEST(TaskGraph, EveryTaskStandsBehindThoseItComesAfter) {
  const auto order = order_of({task("c", {"b"}), task("a"), task("b", {"a"}), task("d")});

  EXPECT_THAT(order.value(), ElementsAre(1, 2, 0, 3));
}

TEST(TaskGraph, CycleIsNamedWhole) {
  const auto order = order_of({task("x", {"a"}), task("a", {"b"}), task("b", {"a"})});

  ASSERT_FALSE(order.has_value());
  EXPECT_THAT(order.error().message, HasSubstr("a → b → a"));
  EXPECT_EQ(order.error().field, "after");
}

TEST(TaskGraph, TaskThatComesAfterItselfIsACycle) {
  EXPECT_THAT(order_of({task("a", {"a"})}).error().message, HasSubstr("a → a"));
}

TEST(TaskGraph, ChainOfManyIsOrderedAndAlongCycleIsNamedInPart) {
  constexpr int kMany = 100'000;
  std::vector<TaskSpec> tasks;
  for (int i = 0; i < kMany; ++i)
    tasks.push_back(task(fmt::format("t{}", i), {fmt::format("t{}", i + 1)}));
  EXPECT_EQ(order_of(tasks).value().front(), static_cast<std::size_t>(kMany - 1));

  tasks.push_back(task(fmt::format("t{}", kMany), {"t0"}));
  const auto order = order_of(tasks);

  ASSERT_FALSE(order.has_value());
  EXPECT_LT(order.error().message.size(), 1000U);
}

}  // namespace
}  // namespace minimill::tasks
