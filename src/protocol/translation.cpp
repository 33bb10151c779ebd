#include "protocol/translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/anthropic_fields.h"
#include "protocol/files.h"
#include "protocol/responses_items.h"

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

std::string_view messages_name(chat::Protocol protocol) {
  switch (protocol) {
    case chat::Protocol::kResponses:
      return "input";
    case chat::Protocol::kCompletions:
      return "prompt";
    default:
      return "messages";
  }
}

/// What a message holds that is neither words nor calls, and that not every backend takes.
class FitPart {
 public:
  FitPart(chat::Protocol protocol, Target target) : protocol_(protocol), target_(target) {}

  Result<> operator()(const chat::Foreign& foreign) const {
    if (speaks(foreign.protocol, target_)) return {};
    const json::value* type = foreign.block.if_contains("type");
    return std::unexpected(refusal(
        target_, foreign.at + ".type",
        fmt::format("content of the type {}", type == nullptr ? "?" : json::serialize(*type))));
  }
  Result<> operator()(const chat::File& file) const {
    const bool takes = target_ == Target::kAnthropic ||
                       (target_ == Target::kOpenAi && base64_data(file.url).has_value());
    if (takes) return {};
    const bool by_url = target_ == Target::kOpenAi;
    return std::unexpected(refusal(target_, std::string(messages_name(protocol_)),
                                   by_url ? "documents by URL" : "documents"));
  }
  Result<> operator()(const chat::ToolResult& result) const {
    for (const chat::ToolResult::Shown& each : result.shown) {
      if (Result<> fits = std::visit(*this, each); !fits) return fits;
    }
    return {};
  }
  template <class Other>
  Result<> operator()(const Other& /*part*/) const {
    return {};
  }

 private:
  chat::Protocol protocol_;
  Target target_;
};

Result<> fit_parts(const chat::ChatRequest& request, chat::Protocol protocol, Target target) {
  const FitPart fit_part(protocol, target);
  for (const chat::Message& message : request.messages()) {
    for (const chat::Part& part : message.parts) {
      if (Result<> fits = std::visit(fit_part, part); !fits) return fits;
    }
  }
  return {};
}

std::string_view type_in(const json::value& value) {
  const json::object* object = value.if_object();
  return object == nullptr ? std::string_view() : text_in(*object, "type");
}

/// Tools that a backend of the protocol runs itself, or knows how to use. OpenAI's own apps offer
/// theirs with every request, wanted or not.
Result<> fit_tools(const chat::OriginalRequest& original, Target target, Fit& fit) {
  const json::array* tools = array_in(original.body, "tools");
  if (tools == nullptr) return {};
  const bool responses = original.protocol == chat::Protocol::kResponses;
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const std::string_view type = type_in((*tools)[i]);
    const bool known = type.empty() || type == "function" ||
                       (type == "custom" && original.protocol != chat::Protocol::kOpenAi);
    if (known) continue;
    if (responses) {
      fit.left_out.push_back(fmt::format("tools[{}] ({})", i, type));
      continue;
    }
    return std::unexpected(refusal(target, fmt::format("tools[{}].type", i),
                                   fmt::format("tool of the type \"{}\"", type)));
  }
  return {};
}

/// What Claude thought, which only Claude can read.
bool has_thinking(const json::object& body) {
  const json::array* messages = array_in(body, "messages");
  return messages != nullptr && std::ranges::any_of(*messages, [](const json::value& message) {
           const json::object* object = message.if_object();
           const json::array* content = object == nullptr ? nullptr : array_in(*object, "content");
           return content != nullptr && std::ranges::any_of(*content, [](const json::value& block) {
                    const std::string_view type = type_in(block);
                    return type == "thinking" || type == "redacted_thinking";
                  });
         });
}

/// What OpenAI's own tools left in the conversation.
void name_hosted_items(const json::object& body, Fit& fit) {
  const json::array* items = array_in(body, "input");
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    const std::string_view type = type_in((*items)[i]);
    if (responses::is_of_hosted_tool(type)) {
      fit.left_out.push_back(fmt::format("input[{}] ({})", i, type));
    }
  }
}

/// What Claude refuses, or does not know, of a request in another protocol.
void name_what_claude_refuses(const chat::ChatRequest& request, Fit& fit) {
  if (std::ranges::any_of(request.sampling().stop, anthropic::is_blank)) {
    fit.left_out.emplace_back("stop sequences of white space");
  }
  const auto is_strict = [](const chat::Tool& tool) { return tool.strict.value_or(false); };
  if (std::ranges::any_of(request.tools(), is_strict)) fit.left_out.emplace_back("tools[].strict");
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
  if (Result<> parts = fit_parts(request, original->protocol, target); !parts) {
    return std::unexpected(std::move(parts.error()));
  }
  if (speaks(original->protocol, target)) return fit;  // what we have never heard of goes along
  if (Result<> tools = fit_tools(*original, target, fit); !tools) {
    return std::unexpected(std::move(tools.error()));
  }
  if (original->protocol == chat::Protocol::kAnthropic && has_thinking(original->body)) {
    fit.left_out.emplace_back("thinking blocks");
  }
  if (original->protocol == chat::Protocol::kResponses) name_hosted_items(original->body, fit);
  if (target == Target::kAnthropic) name_what_claude_refuses(request, fit);
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
