#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"
#include "support/temp_dir.h"

namespace minimill::config {
namespace {

using testing::HasSubstr;

Result<Config> read(const std::string& toml) {
  const test::TempDir folder;
  Environment environment;
  environment.home = folder.path().string();
  return parse_config(toml, "config.toml", environment);
}

std::string engine(const std::string& url, const std::string& more = {}) {
  return "[[engine]]\nname = \"gpu\"\nbase_url = \"" + url + "\"\n" + more + "\n";
}

TEST(EngineConfig, OnThisMachineIsTheDevice) {
  for (const char* url :
       {"http://127.0.0.1:11434/v1", "http://localhost/v1", "http://[::1]:8/v1"}) {
    const Result<Config> config = read(engine(url));
    ASSERT_TRUE(config) << config.error().to_string();
    EXPECT_EQ(config->engines.front().destination, chat::Destination::kDevice);
  }
}

TEST(EngineConfig, OnAnotherMachineIsRefusedUnlessItIsTrusted) {
  for (const char* url : {"http://10.0.0.7:8000/v1", "https://llm.example.com/v1"}) {
    const Error error = read(engine(url)).error();
    EXPECT_THAT(error.message, HasSubstr("is another machine"));
    EXPECT_THAT(error.hint, HasSubstr("trusted = true"));
  }

  const Config config = read(engine("http://10.0.0.7:8000/v1", "trusted = true")).value();
  EXPECT_EQ(config.engines.front().destination, chat::Destination::kHouse);
}

TEST(EngineConfig, UrlThatAProxyMightReadInAnotherWayIsRefused) {
  EXPECT_FALSE(read(engine("http://127.0.0.1@evil.example/v1")));
}

TEST(LocalConfig, MemoryAndNumberOfEnginesAreRead) {
  const Config config = read("[local]\nmax_engines = 2\nmemory = \"6GB\"\n").value();

  EXPECT_EQ(config.local.max_engines, 2);
  EXPECT_EQ(config.local.memory, 6'000'000'000U);
  EXPECT_THAT(read("[local]\nmemory = \"much\"\n").error().message,
              HasSubstr("no amount of memory"));
}

TEST(LocalConfig, WhatIsShownIsReadBackAsTheSame) {
  const Config config = read("[local]\nmax_engines = 2\nmemory = \"1.5GiB\"\n" +
                             engine("http://10.0.0.7:8000/v1", "trusted = true"))
                            .value();

  const Config again = read(to_toml(config)).value();

  EXPECT_EQ(again.local.max_engines, 2);
  EXPECT_EQ(again.local.memory, config.local.memory);
  EXPECT_EQ(again.engines.front().destination, chat::Destination::kHouse);
}

}  // namespace
}  // namespace minimill::config
