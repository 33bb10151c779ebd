#include "engine/llama_server_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "support/temp_dir.h"

namespace minimill::engine {
namespace {

namespace fs = std::filesystem;

/// A program that prints `says` whatever it is asked.
fs::path make_program(const fs::path& path, std::string_view says) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "#!/bin/sh\necho '" << says << "' >&2\n";
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

constexpr std::string_view kNew = "version: 0.5.1 (build 7, commit abc)";
constexpr std::string_view kOld = "version: 6123 (abc)";

TEST(LlamaServerVersion, IsAtLeast05AndNoBuildNumber) {
  for (const std::string_view good :
       {"version: 0.5.0-dev (build 1, commit de3ff81)", "version: v0.5", "version: 0.12.3",
        "version: 1.0", "ggml: found 1 device\nversion: 0.6.0"}) {
    EXPECT_TRUE(is_new_enough(good)) << good;
  }
  for (const std::string_view bad : {"version: 6123 (abc)", "version: 0.4.9", "version: ", "",
                                     "0.5", "version: 0.", "version: 99999999999.9"}) {
    EXPECT_FALSE(is_new_enough(bad)) << bad;
  }
}

TEST(LlamaServerSearch, TakesWhatIsAskedForBeforeWhatIsConfigured) {
  const test::TempDir folder;
  const fs::path asked = make_program(folder / "asked", kOld);
  const fs::path configured = make_program(folder / "configured", kOld);

  EXPECT_EQ(find_llama_server({asked, configured, "", ""}), asked);
  EXPECT_EQ(find_llama_server({"", configured, "", ""}), configured);
}

TEST(LlamaServerSearch, SaysWhoNamedAProgramThatIsNone) {
  const test::TempDir folder;
  std::ofstream(folder / "text") << "not to be run";

  for (const fs::path& wrong : {folder / "text", folder / "nothing", folder.path()}) {
    const Error error = find_llama_server({wrong, "", "", ""}).error();
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_THAT(error.message, testing::HasSubstr("MINIMILL_LLAMA_SERVER"));
    EXPECT_THAT(find_llama_server({"", wrong, "", ""}).error().message,
                testing::HasSubstr("[local] llama_server"));
  }
}

TEST(LlamaServerSearch, TakesTheFirstOnPathThatIsNewEnough) {
  const test::TempDir folder;
  make_program(folder / "a" / "llama-server", kOld);
  const fs::path good = make_program(folder / "b" / "llama-server", kNew);
  make_program(folder / "c" / "llama-server", kNew);
  const std::string path =
      (folder / "a").string() + "::" + (folder / "b").string() + ":" + (folder / "c").string();

  EXPECT_EQ(find_llama_server({"", "", path, ""}), good);
}

TEST(LlamaServerSearch, DoesNotTakeAProgramOfTheFolderOneStandsIn) {
  const test::TempDir folder;
  make_program(folder / "llama-server", kNew);
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());

  const Result<fs::path> found = find_llama_server({"", "", ".::", ""});

  fs::current_path(before);
  EXPECT_FALSE(found);
}

TEST(LlamaServerSearch, TakesTheOneBuiltLastElseTheNewest) {
  const test::TempDir folder;
  const fs::path older = make_program(folder / "v1" / "bin" / "llama-server", kNew);
  const fs::path newer = make_program(folder / "v2" / "bin" / "llama-server", kNew);
  fs::last_write_time(older, fs::last_write_time(newer) - std::chrono::hours(1));
  EXPECT_EQ(find_llama_server({"", "", "", folder.path()}), newer);

  std::ofstream(folder / "current") << older.string() << "\n";
  EXPECT_EQ(find_llama_server({"", "", "", folder.path()}), older);

  fs::remove(older);
  EXPECT_EQ(find_llama_server({"", "", "", folder.path()}), newer);
}

TEST(LlamaServerSearch, SaysHowToGetOneWhereThereIsNone) {
  const Error error = find_llama_server({"", "", "/nowhere/bin", "/nowhere/cache"}).error();

  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, testing::HasSubstr("/nowhere/cache"));
  EXPECT_THAT(error.hint, testing::HasSubstr("run make"));
}

TEST(LlamaServerPlaces, ComeFromTheEnvironmentThatIsGiven) {
  std::map<std::string_view, std::string_view> variables = {
      {"HOME", "/home/me"}, {"PATH", "/bin"}, {"MINIMILL_LLAMA_SERVER", "/opt/ls"}};
  const auto read = [&](std::string_view name) { return variables[name]; };

  const LlamaServerPlaces places = llama_server_places(read, "/configured");
  EXPECT_EQ(places.asked_for, "/opt/ls");
  EXPECT_EQ(places.configured, "/configured");
  EXPECT_EQ(places.search_path, "/bin");
  EXPECT_EQ(places.cache, "/home/me/.cache/minimill/llama.cpp");

  variables["XDG_CACHE_HOME"] = "/caches";
  EXPECT_EQ(llama_server_places(read, "").cache, "/caches/minimill/llama.cpp");
}

}  // namespace
}  // namespace minimill::engine
