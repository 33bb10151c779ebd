#include "protocol/translation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace minimill::protocol {
namespace {

constexpr std::string_view kTargetNames[] = {"the local engine", "an OpenAI-compatible provider",
                                             "Anthropic"};
constexpr std::string_view kProtocolNames[] = {"OpenAI chat completions", "Anthropic messages",
                                               "OpenAI responses", "Ollama", "OpenAI completions"};

bool speaks(chat::Protocol protocol, Target target) {
  return target == Target::kAnthropic ? protocol == chat::Protocol::kAnthropic
                                      : protocol == chat::Protocol::kOpenAi;
}

/// Marks for caching stand on blocks, not at the top.
bool has_cache_control(const json::value& value, int depth) {
  constexpr int kDeepest = 5;  // messages, message, content, block
  if (depth > kDeepest) return false;
  const auto inside = [depth](const json::value& each) {
    return has_cache_control(each, depth + 1);
  };
  if (const json::array* array = value.if_array()) return std::ranges::any_of(*array, inside);
  const json::object* object = value.if_object();
  if (object == nullptr) return false;
  if (object->contains("cache_control")) return true;
  const json::value* content = object->if_contains("content");
  return content != nullptr && inside(*content);
}

bool is_asked(const FieldRule& rule, std::string_view field, const json::object& body) {
  if (field == "cache_control") {
    return std::ranges::any_of(std::array{"system", "messages", "tools"}, [&body](const char* key) {
      const json::value* value = body.if_contains(key);
      return value != nullptr && has_cache_control(*value, 0);
    });
  }
  const json::value* value = field_at(body, field);
  if (value == nullptr || value->is_null()) return false;
  return rule.neutral.empty() || *value != json::parse(rule.neutral);
}

bool is_ruled(std::string_view key, std::size_t protocol) {
  return std::ranges::any_of(field_rules(), [key, protocol](const FieldRule& rule) {
    const std::string_view name = rule.names[protocol];
    return name.substr(0, name.find('.')) == key;
  });
}

Error refusal(Target target, const std::string& field, std::string_view what) {
  return Error{.code = ErrorCode::kUnsupported,
               .message = fmt::format("{} has no {}", kTargetNames[static_cast<int>(target)], what),
               .hint = "leave it out, or ask for a model that has it",
               .field = field,
               .retry_after = {}};
}

/// What stands within Anthropic's messages and tools, and that only Anthropic can do.
Result<> fit_blocks(const json::object& body, Target target, Fit& fit) {
  const json::value* tools = body.if_contains("tools");
  if (tools != nullptr && tools->is_array()) {
    for (std::size_t i = 0; i < tools->get_array().size(); ++i) {
      const json::value* type = tools->get_array()[i].get_object().if_contains("type");
      if (type == nullptr || *type == "custom") continue;
      return std::unexpected(refusal(target, fmt::format("tools[{}].type", i),
                                     fmt::format("tool of the type {}", json::serialize(*type))));
    }
  }
  bool thinking = false;
  const json::array& messages = body.at("messages").get_array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const json::value* content = messages[i].get_object().if_contains("content");
    if (content == nullptr || !content->is_array()) continue;
    for (std::size_t j = 0; j < content->get_array().size(); ++j) {
      const json::object* block = content->get_array()[j].if_object();
      const json::value* type = block == nullptr ? nullptr : block->if_contains("type");
      if (type == nullptr || !type->is_string()) continue;
      const std::string_view named = type->get_string();
      thinking = thinking || named == "thinking" || named == "redacted_thinking";
      const bool known = named == "text" || named == "image" || named == "tool_use" ||
                         named == "tool_result" || named == "thinking" ||
                         named == "redacted_thinking";
      if (known) continue;
      return std::unexpected(refusal(target, fmt::format("messages[{}].content[{}].type", i, j),
                                     fmt::format("block of the type {}", json::serialize(*type))));
    }
  }
  if (thinking) fit.left_out.emplace_back("thinking blocks");
  return {};
}

}  // namespace

const json::value* field_at(const json::object& body, std::string_view path) {
  const json::object* object = &body;
  while (true) {
    const std::size_t dot = path.find('.');
    const json::value* value = object->if_contains(path.substr(0, dot));
    if (dot == std::string_view::npos || value == nullptr) return value;
    object = value->if_object();
    if (object == nullptr) return nullptr;
    path.remove_prefix(dot + 1);
  }
}

std::string_view name(Treatment treatment) {
  switch (treatment) {
    case Treatment::kPassed:
      return "passed";
    case Treatment::kTranslated:
      return "translated";
    case Treatment::kEmulated:
      return "emulated";
    case Treatment::kLeftOut:
      return "left out";
    case Treatment::kRefused:
      return "refused";
  }
  return "";
}

Treatment treatment(const FieldRule& rule, chat::Protocol protocol, Target target) {
  const Treatment ruled = rule.by_target[static_cast<std::size_t>(target)];
  const bool provider = target != Target::kLlamaServer;
  if (!speaks(protocol, target)) {
    // The same thing by another name.
    const std::string_view theirs = rule.names[target == Target::kAnthropic ? 1 : 0];
    const bool renamed = rule.names[static_cast<std::size_t>(protocol)] != theirs;
    return ruled == Treatment::kPassed && renamed ? Treatment::kTranslated : ruled;
  }
  // A provider of the app's own protocol gets the body as it is, but for the model's name.
  const std::string_view first = rule.names.front();
  const bool ours = first == "model" || first == "stream" || first == "stream_options" ||
                    ((first == "max_completion_tokens" || first == "tool_choice") && !provider);
  if (provider && !ours) return Treatment::kPassed;
  return ruled == Treatment::kTranslated && !ours ? Treatment::kPassed : ruled;
}

Result<Fit> fit_request(const chat::ChatRequest& request, Target target) {
  Fit fit;
  fit.emulated = request.emulated;
  const chat::OriginalRequest* original = request.original();
  if (original == nullptr) return fit;
  const auto protocol = static_cast<std::size_t>(original->protocol);
  for (const FieldRule& rule : field_rules()) {
    const std::string_view field = rule.names[protocol];
    if (field.empty()) continue;
    const Treatment how = treatment(rule, original->protocol, target);
    if (how == Treatment::kPassed || how == Treatment::kTranslated) continue;
    if (!is_asked(rule, field, original->body)) continue;
    switch (how) {
      case Treatment::kRefused:
        return std::unexpected(refusal(target, std::string(field), fmt::format("'{}'", field)));
      case Treatment::kEmulated:
        fit.emulated.emplace_back(field);
        break;
      default:
        fit.left_out.emplace_back(field);
    }
  }
  if (speaks(original->protocol, target)) return fit;  // what we have never heard of goes along
  if (original->protocol == chat::Protocol::kAnthropic) {
    if (Result<> blocks = fit_blocks(original->body, target, fit); !blocks) {
      return std::unexpected(std::move(blocks.error()));
    }
  }
  for (const auto& [key, value] : original->body) {
    if (!value.is_null() && !is_ruled(key, protocol)) fit.left_out.emplace_back(key);
  }
  return fit;
}

std::string translation_tables() {
  std::string out;
  for (std::size_t p = 0; p < kProtocols; ++p) {
    const auto protocol = static_cast<chat::Protocol>(p);
    fmt::format_to(std::back_inserter(out),
                   "## {}\n\n| field | local engine | OpenAI-compatible | Anthropic | how |\n"
                   "|---|---|---|---|---|\n",
                   kProtocolNames[p]);
    for (const FieldRule& rule : field_rules()) {
      if (rule.names[p].empty()) continue;
      fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} | {} |\n", rule.names[p],
                     name(treatment(rule, protocol, Target::kLlamaServer)),
                     name(treatment(rule, protocol, Target::kOpenAi)),
                     name(treatment(rule, protocol, Target::kAnthropic)), rule.how);
    }
    const bool openai = protocol == chat::Protocol::kOpenAi;
    const bool anthropic = protocol == chat::Protocol::kAnthropic;
    fmt::format_to(std::back_inserter(out), "| any other | {} | {} | {} | |\n\n",
                   openai ? "passed" : "left out", openai ? "passed" : "left out",
                   anthropic ? "passed" : "left out");
  }
  return out;
}

}  // namespace minimill::protocol
