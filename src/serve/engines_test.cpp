#include "serve/engines.h"

#include <gtest/gtest.h>

#include "serve/engine_backend.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"
#include "support/tiny_gguf.h"

namespace minimill::serve {
namespace {

class EnginesTest : public testing::Test {
 protected:
  EnginesTest() {
    std::filesystem::create_directories(folder / "models");
    test::write_tiny_gguf(folder / "models" / "smollm2-135m-x.gguf");
    config.data_dir = folder.path();
    config.local.model = "smollm2-135m-x";
    config::EngineConfig remote;
    remote.name = "gpu";
    remote.base_url = "http://10.0.0.7:8000/v1";
    remote.destination = chat::Destination::kHouse;
    config.engines.push_back(remote);
    engines.emplace(client, clock, config, environment, pool, folder.path());
  }

  test::EventLoop loop;
  test::TempDir folder;
  ManualClock clock;
  http::Client client{loop.io()};
  config::Config config;
  config::Environment environment;
  engine::EnginePool pool{loop.io(), client, clock, {}, {}};
  std::optional<Engines> engines;
};

TEST_F(EnginesTest, FourSpellingsOfAModelAreOneEngine) {
  engine::Backend* const engine = engines->find("smollm2-135m-x").value();

  for (const char* spelling : {"smollm2:135m-x", "smollm2-135m:x", "smollm2:135m:x"}) {
    EXPECT_EQ(engines->find(spelling).value(), engine) << spelling;
  }
  EXPECT_EQ(engines->find((folder / "models" / "smollm2-135m-x.gguf").string()).value(), engine);
  EXPECT_NE(engines->find_embedder("smollm2:135m-x").value(), engine);
  EXPECT_EQ(pool.statuses().size(), 2);
}

TEST_F(EnginesTest, ModelThatIsPulledLaterIsFound) {
  EXPECT_EQ(engines->find("later").error().code, ErrorCode::kNotFound);

  test::write_tiny_gguf(folder / "models" / "later.gguf");

  EXPECT_TRUE(engines->find("later"));
}

TEST_F(EnginesTest, KnowWhoseMachineAModelIsOn) {
  EXPECT_EQ(engines->find("smollm2-135m-x").value()->destination(), chat::Destination::kDevice);
  EXPECT_EQ(engines->find("gpu").value()->destination(), chat::Destination::kHouse);
  EXPECT_EQ(engines->find_embedder("gpu").value(), engines->find("gpu").value());
}

TEST_F(EnginesTest, WhatIsLocalOnlyDoesNotGoToAnotherMachine) {
  SeededRandom random(1);
  EngineBackend backend(*engines, random);
  policy::Request request;
  request.privacy = policy::Privacy::kLocalOnly;
  Call call;
  call.model = "gpu";

  const Result<chat::ChatAnswer> answer = loop.run(backend.complete(request, call));

  EXPECT_EQ(answer.error().code, ErrorCode::kForbidden);
  EXPECT_TRUE(answer.error().message.starts_with("gpu is on another machine"));
}

}  // namespace
}  // namespace minimill::serve
