#include "protocol/ollama_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "protocol/request_limits.h"

namespace minimill::protocol::ollama {
namespace {

constexpr std::size_t kMaxOptions = 64;
constexpr std::size_t kMaxOptionNameBytes = 40;
constexpr std::size_t kMaxDurationBytes = 64;
constexpr std::chrono::seconds kForever{-1};
constexpr double kLongestS = 100.0 * 365 * 24 * 3600;

/// Options that a ChatRequest has a place for.
constexpr std::array<std::string_view, 10> kModelled{"temperature",
                                                     "top_p",
                                                     "top_k",
                                                     "min_p",
                                                     "seed",
                                                     "num_predict",
                                                     "repeat_penalty",
                                                     "presence_penalty",
                                                     "frequency_penalty",
                                                     "stop"};

std::chrono::seconds whole_seconds(double seconds) {
  if (seconds < 0 || seconds > kLongestS) return kForever;
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(seconds)));
}

/// Seconds in one of Go's units of time; 0 for what is none.
double unit_seconds(std::string_view unit) {
  if (unit == "h") return 3600;
  if (unit == "m") return 60;
  if (unit == "s" || unit.empty()) return 1;
  if (unit == "ms") return 1e-3;
  if (unit == "us" || unit == "\u00b5s" || unit == "\u03bcs") return 1e-6;
  return unit == "ns" ? 1e-9 : 0;
}

/// Takes a number such as "1" or "1.5" off the beginning of `text`.
std::optional<double> take_number(std::string_view& text) {
  double digits = 0;
  double scale = 1;
  bool any = false;
  bool point = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    const char c = text.front();
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      any = true;
      digits = digits * 10 + (c - '0');
      if (point) scale *= 10;
    } else {
      break;
    }
  }
  if (!any) return std::nullopt;
  return digits / scale;
}

/// "1h30m", "-1", "1.5s": a sign, then numbers with their units. A number alone is of seconds.
std::optional<double> duration_seconds(std::string_view text) {
  if (text.size() > kMaxDurationBytes) return std::nullopt;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  for (bool first = true; !text.empty(); first = false) {
    const std::optional<double> number = take_number(text);
    if (!number) return std::nullopt;
    const std::string_view unit = text.substr(0, text.find_first_of(".0123456789"));
    text.remove_prefix(unit.size());
    const double factor = unit_seconds(unit);
    const bool alone = first && text.empty();
    if (factor == 0 || (unit.empty() && !alone)) return std::nullopt;
    seconds += *number * factor;
  }
  return negative ? -seconds : seconds;
}

/// The names end up in headers and logs.
bool is_option_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxOptionNameBytes &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

bool is_modelled(std::string_view name) {
  return std::ranges::find(kModelled, name) != kModelled.end();
}

/// The object of options, where there is one and each of its names is fit to be shown.
const json::object* options_in(Fields& fields) {
  const json::object* options = fields.optional_object("options");
  if (options == nullptr) return nullptr;
  if (options->size() > kMaxOptions) {
    fields.reject("options", fmt::format("has more than {} entries", kMaxOptions));
    return nullptr;
  }
  for (const auto& entry : *options) {
    if (is_option_name(entry.key())) continue;
    fields.reject("options", "has a name that no option has",
                  "use the parameters of Ollama's Modelfile");
    return nullptr;
  }
  return options;
}

void note(std::string_view option, std::vector<std::string>& emulated) {
  emulated.push_back(fmt::format("options.{} left to the engine", option));
}

void read_stop(Fields& options, chat::Sampling& sampling) {
  const json::value* stop = options.find("stop");
  if (stop == nullptr) return;
  if (stop->is_string()) {
    sampling.stop.emplace_back(stop->get_string());
    return;
  }
  const json::array* list = stop->if_array();
  if (list == nullptr || list->size() > kMaxStopSequences) {
    options.reject("stop",
                   fmt::format("must be a string or at most {} strings", kMaxStopSequences));
    return;
  }
  for (const json::value& each : *list) {
    const json::string* text = each.if_string();
    if (text == nullptr) {
      options.reject("stop", "must hold strings only");
      return;
    }
    sampling.stop.emplace_back(*text);
  }
}

void read_sampling(Fields& options, chat::Sampling& sampling) {
  sampling.temperature = options.optional_number("temperature", 0, 100);
  sampling.top_p = options.optional_number("top_p", 0, 1);
  sampling.min_p = options.optional_number("min_p", 0, 1);
  sampling.top_k = options.optional_integer("top_k", -1, 1 << 24);
  sampling.repeat_penalty = options.optional_number("repeat_penalty", 0, 100);
  sampling.presence_penalty = options.optional_number("presence_penalty", -2, 2);
  sampling.frequency_penalty = options.optional_number("frequency_penalty", -2, 2);
  sampling.seed = options.optional_integer("seed");
  if (sampling.seed && *sampling.seed < 0) sampling.seed.reset();  // -1: another one each time
  // -1: as many as it takes; -2: until the context is full.
  sampling.max_tokens = options.optional_integer("num_predict", -2, kMaxAnswerTokens);
  if (sampling.max_tokens && *sampling.max_tokens <= 0) sampling.max_tokens.reset();
  read_stop(options, sampling);
}

}  // namespace

std::string read_model(Fields& fields) {
  const std::string_view key = fields.find("model") == nullptr ? "name" : "model";
  std::string model = fields.string_or(key, "");
  if (model.empty() || model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  return model;
}

std::optional<std::chrono::seconds> read_keep_alive(Fields& fields) {
  const json::value* value = fields.find("keep_alive");
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return whole_seconds(value->to_number<double>());
  const json::string* text = value->if_string();
  const std::optional<double> seconds = text == nullptr ? std::nullopt : duration_seconds(*text);
  if (!seconds) {
    fields.reject("keep_alive", "must be seconds or a duration",
                  "use a number, or a text such as \"5m\", \"1h30m\" or \"-1\"");
    return std::nullopt;
  }
  return whole_seconds(*seconds);
}

Result<> read_options(const json::object& body, chat::RequestDraft& request) {
  Fields fields(body);
  const json::object* options = options_in(fields);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (options == nullptr) return {};
  Fields inner(*options, "options.");
  read_sampling(inner, request.sampling);
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  for (const auto& [name, value] : *options) {
    if (!value.is_null() && !is_modelled(name)) note(name, request.emulated);
  }
  return {};
}

Result<> note_options(const json::object& body, std::vector<std::string>& emulated) {
  Fields fields(body);
  const json::object* options = options_in(fields);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (options == nullptr) return {};
  for (const auto& [name, value] : *options) {
    if (!value.is_null()) note(name, emulated);
  }
  return {};
}

}  // namespace minimill::protocol::ollama
