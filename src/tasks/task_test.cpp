#include "tasks/task.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temp_dir.h"

namespace minimill::tasks {
namespace {

Result<TaskSpec> parse(std::string_view line) { return parse_task(line, "week.jsonl:12"); }

std::string error_of(std::string_view line) {
  const Result<TaskSpec> task = parse(line);
  return task ? "accepted" : task.error().to_string();
}

TEST(Task, ReadsEveryField) {
  const Result<TaskSpec> task = parse(
      R"({"id": "mon-01", "title": "Tag this", "notes": "n", "day": 2, "arrives_s": 1.5,
          "check": {"type": "equals", "value": "it"}, "privacy": "local-only", "deadline_s": 60,
          "label": {"hard": false}})");

  ASSERT_TRUE(task.has_value()) << task.error().to_string();
  EXPECT_EQ(task->id.value, "mon-01");
  EXPECT_EQ(task->day, 2);
  EXPECT_EQ(task->arrives_s, 1.5);
  EXPECT_EQ(task->privacy, policy::Privacy::kLocalOnly);
  EXPECT_FALSE(parse(R"({"id": "a", "title": "t"})")->privacy.has_value());  // intake's to fill in
  EXPECT_EQ(task->deadline_s, 60);
  EXPECT_EQ(task->check.at("value").get_string(), "it");
}

TEST(Task, WhatIsWrittenReadsTheSame) {
  const TaskSpec task = parse(R"({"id": "a", "title": "t", "privacy": "local-only", "deadline_s": 5,
                "check": {"type": "final_number", "value": 4}, "label": 1})")
                            .value();

  const TaskSpec again = parse(json::serialize(to_json(task))).value();

  EXPECT_EQ(to_json(again), to_json(task));
}

TEST(Task, LabelIsNotInWhatTheModelIsSent) {
  Task task;
  task.spec =
      parse(R"({"id": "a", "title": "t", "notes": "n", "label": {"hard": "secret"}})").value();

  EXPECT_EQ(task.prompt(), "t\n\nn");
}

TEST(Task, ErrorsSayWhereWhatAndWhatToDo) {
  EXPECT_EQ(error_of(R"({"id": "a", "title": "t", "check": {"type": "equal", "value": "x"}})"),
            "week.jsonl:12: unknown check type 'equal' (use equals, contains, regex, final_number, "
            "json_fields, json_schema)");
  EXPECT_TRUE(error_of(R"({"id": "a", "title": "t", "note": "x"})")
                  .starts_with("week.jsonl:12: unknown field 'note' (a task has id, title, "));
  for (const char* line :
       {R"({"title": "t"})", R"({"id": "", "title": "t"})", R"({"id": "a b", "title": "t"})",
        R"({"id": "a", "title": ""})", R"({"id": "a", "title": 3})",
        R"({"id": "a", "title": "t", "day": -1})", R"({"id": "a", "title": "t", "day": 1.5})",
        R"({"id": "a", "title": "t", "arrives_s": -1})",
        R"({"id": "a", "title": "t", "arrives_s": 1e300})",
        R"({"id": "a", "title": "t", "privacy": "secret"})", R"({"id": "a")", "[]", "\"\xff\""}) {
    EXPECT_TRUE(error_of(line).starts_with("week.jsonl:12: ")) << line << " " << error_of(line);
  }
  EXPECT_NE(error_of(R"({"id": ")" + std::string(129, 'x') + R"(", "title": "t"})"), "accepted");
  EXPECT_NE(error_of(std::string(kMaxTaskBytes + 1, ' ')), "accepted");
}

class TasksFile : public testing::Test {
 protected:
  std::string write(std::string_view content) {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }
  std::string error_of_file(std::string_view content) {
    const auto tasks = read_tasks_file(write(content));
    return tasks ? "accepted" : tasks.error().message;
  }

  test::TempDir folder_;
  std::string path_ = (folder_.path() / "week.jsonl").string();
};

TEST_F(TasksFile, TakesCarriageReturnsByteOrderMarkAndBlankLines) {
  const auto tasks =
      read_tasks_file(write("\xef\xbb\xbf{\"id\": \"a\", \"title\": \"t\"}\r\n\r\n  \n{\"id\": "
                            "\"b\", \"title\": \"t\"}"));

  ASSERT_TRUE(tasks.has_value()) << tasks.error().to_string();
  EXPECT_EQ(tasks->size(), 2U);
}

TEST_F(TasksFile, DuplicateIdNamesBothLines) {
  EXPECT_EQ(
      error_of_file("{\"id\": \"a\", \"title\": \"t\"}\n\n{\"id\": \"a\", \"title\": \"u\"}\n"),
      "week.jsonl:3: the id 'a' is taken by line 1");
}

TEST_F(TasksFile, BadLineIsNamed) {
  EXPECT_TRUE(error_of_file("{\"id\": \"a\", \"title\": \"t\"}\n{\"id\": \n")
                  .starts_with("week.jsonl:2: "));
  EXPECT_TRUE(error_of_file(std::string(kMaxTaskBytes + 2, 'x')).starts_with("week.jsonl:1: "));
}

TEST_F(TasksFile, WhatIsNoFileOfTasksIsRefused) {
  EXPECT_TRUE(error_of_file("").ends_with("has no tasks"));
  EXPECT_TRUE(error_of_file("\n \r\n").ends_with("has no tasks"));
  EXPECT_EQ(read_tasks_file((folder_.path() / "none.jsonl").string()).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(read_tasks_file(folder_.path().string()).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace minimill::tasks
