#include "api/overview.h"

#include <gtest/gtest.h>

namespace minimill::api {
namespace {

namespace json = boost::json;

ledger::FiguresRow row(chat::Lane lane, std::string origin = "app") {
  ledger::FiguresRow row;
  row.day = WallTime{std::chrono::days{20'000}};
  row.app = "mail";
  row.operation = "triage";
  row.origin = std::move(origin);
  row.lane = chat::index(lane);
  row.figures.requests = 10;
  row.figures.answered = 10;
  return row;
}

json::object overview(const std::vector<ledger::FiguresRow>& rows) {
  return overview_json({}, rows, {});
}

double number(const json::object& of, std::string_view path) {
  json::value at = of;
  std::error_code ignored;
  return at.find_pointer(path, ignored)->to_number<double>();
}

TEST(Overview, SavedIsWhatTheCloudWouldHaveTakenForTheDevicesAnswers) {
  ledger::FiguresRow local = row(chat::Lane::kLocal);
  local.figures.cloud_usd = 5;
  ledger::FiguresRow cloud = row(chat::Lane::kCloud);
  cloud.figures.cost_usd = 2;

  const json::object shown = overview({local, cloud});

  EXPECT_DOUBLE_EQ(number(shown, "/all/share_local/share"), 0.5);
  EXPECT_DOUBLE_EQ(number(shown, "/all/money/spent_usd"), 2);
  EXPECT_DOUBLE_EQ(number(shown, "/all/money/all_cloud_usd"), 7);
  EXPECT_DOUBLE_EQ(number(shown, "/all/money/saved_usd"), 5);
  EXPECT_TRUE(shown.at("all").at("money").at("saved_low_usd").is_null());
}

TEST(Overview, ComparisonsCorrectTheEstimateAndCostWhatTheyCost) {
  ledger::FiguresRow local = row(chat::Lane::kLocal);
  local.figures.cloud_usd = 10;
  ledger::FiguresRow compared = row(chat::Lane::kCloud, "shadow");
  compared.figures.cost_usd = 3;
  // Two pairs, (1, 1) and (1, 2): the cloud takes 1.5 times what is estimated for it.
  compared.figures.pairs = 2;
  compared.figures.pair_x = 2;
  compared.figures.pair_y = 3;
  compared.figures.pair_xx = 2;
  compared.figures.pair_xy = 3;
  compared.figures.pair_yy = 5;

  const json::object shown = overview({local, compared});

  EXPECT_DOUBLE_EQ(number(shown, "/all/requests"), 10);  // whoever compares asks for nobody
  EXPECT_DOUBLE_EQ(number(shown, "/all/money/all_cloud_usd"), 15);
  EXPECT_DOUBLE_EQ(number(shown, "/all/money/saved_usd"), 12);
  EXPECT_DOUBLE_EQ(number(shown, "/all/money/comparing_usd"), 3);
  // s² = 0.5, so that the ratio's standard error is 0.5.
  EXPECT_NEAR(number(shown, "/all/money/saved_low_usd"), 10 * (1.5 - 1.96 * 0.5) - 3, 1e-9);
  EXPECT_NEAR(number(shown, "/all/money/saved_high_usd"), 10 * (1.5 + 1.96 * 0.5) - 3, 1e-9);
}

TEST(Overview, GroupsAddUpToAll) {
  ledger::FiguresRow other = row(chat::Lane::kCloud);
  other.app = "crm";
  other.day += std::chrono::days{1};

  const json::object shown = overview({row(chat::Lane::kLocal), other});

  for (const char* group : {"by_day", "by_app", "by_provider", "by_operation"}) {
    double requests = 0;
    for (const json::value& each : shown.at(group).as_array()) {
      requests += each.at("requests").to_number<double>();
    }
    EXPECT_EQ(requests, 20) << group;
  }
  EXPECT_EQ(shown.at("by_day").as_array().size(), 2U);
  EXPECT_EQ(shown.at("by_day").at(0).at("day").as_string(), "2024-10-04");
}

TEST(Overview, ShareComesWithAnIntervalAndNothingWithNone) {
  EXPECT_TRUE(share_json(0, 0).at("share").is_null());

  const json::object shown = share_json(8, 10);  // Wilson's, as tables have it
  EXPECT_NEAR(shown.at("low").as_double(), 0.4902, 5e-4);
  EXPECT_NEAR(shown.at("high").as_double(), 0.9433, 5e-4);
}

}  // namespace
}  // namespace minimill::api
