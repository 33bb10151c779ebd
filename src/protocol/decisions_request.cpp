#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/json.h"
#include "chat/closed_question.h"
#include "protocol/decisions.h"
#include "protocol/request_limits.h"

namespace minimill::protocol::decisions {
namespace {

constexpr std::size_t kMaxItems = 4'096;
constexpr std::size_t kMaxParts = 4'096;
constexpr std::size_t kMaxJsonBytes = 256 << 10;
constexpr std::string_view kInput = "input";

std::unexpected<Error> fail_at(std::string path, std::string_view what) {
  std::string message = fmt::format("'{}' {}", path, what);
  return fail_field(std::move(path), std::move(message));
}

/// Text and images of a content, as it is read.
struct Content {
  std::string text;
  std::vector<chat::Image>& images;

  void add(std::string_view more) {
    if (!text.empty() && !more.empty()) text += '\n';
    text += more;
  }
};

Result<> read_part(const json::object& part, const std::string& path, Content& content) {
  Fields fields(part, path + ".");
  const std::string type = fields.required_string("type");
  if (type == "input_text" || type == "output_text") {
    content.add(fields.required_string("text"));
  } else if (type == "refusal") {
    content.add(fields.required_string("refusal"));
  } else if (type == "input_image") {
    content.images.push_back({.url = fields.required_string("image_url")});
  } else if (type == "input_json") {
    const json::value* data = fields.find("data");
    if (data == nullptr || !(data->is_object() || data->is_array())) {
      fields.reject("data", "must be an object or an array of objects");
    } else {
      const std::string text = json::serialize(*data);
      if (text.size() > kMaxJsonBytes) fields.reject("data", "is longer than 256 KiB");
      content.add(text);
    }
  } else if (fields.ok()) {
    fields.reject("type", fmt::format("'{}' is no part of an input", type),
                  "use input_text, input_image or input_json");
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return {};
}

/// A text, or a list of parts.
Result<> read_content(const json::value* value, const std::string& path, Content& content) {
  if (value == nullptr) return fail_at(path, "is required");
  if (const json::string* text = value->if_string()) {
    content.add(*text);
    return {};
  }
  const json::array* parts = value->if_array();
  if (parts == nullptr || parts->empty() || parts->size() > kMaxParts) {
    return fail_at(path, "must be a text, or a list of parts");
  }
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    const json::object* part = (*parts)[i].if_object();
    if (part == nullptr) return fail_at(at, "must be an object");
    if (Result<> read = read_part(*part, at, content); !read) return read;
  }
  return {};
}

/// One entry of an input that is a list: a message, a call, or what came of it, as text.
Result<std::string> read_item(const json::object& item, const std::string& path, bool alone,
                              std::set<std::string, std::less<>>& calls,
                              std::vector<chat::Image>& images) {
  Fields fields(item, path + ".");
  const std::string type = fields.string_or("type", "message");
  Content content{.text = {}, .images = images};
  std::string heading;
  Result<> read;
  if (type == "message") {
    const std::string role = fields.required_string("role");
    if (role != "user" && role != "developer" && role != "system" && role != "assistant") {
      fields.reject("role", "must be user, developer, system or assistant");
    }
    read = read_content(fields.find("content"), path + ".content", content);
    if (!alone || role != "user") heading = role + ": ";
  } else if (type == "function_call" || type == "custom_tool_call") {
    calls.insert(fields.required_string("call_id"));
    heading = "call of " + fields.required_string("name") + ": ";
    content.add(fields.required_string(type == "function_call" ? "arguments" : kInput));
  } else if (type == "function_call_output" || type == "custom_tool_call_output") {
    const std::string call = fields.required_string("call_id");
    if (fields.ok() && !calls.contains(call)) {
      fields.reject("call_id", "names no call before it");
    }
    heading = "result: ";
    read = read_content(fields.find("output"), path + ".output", content);
  } else {
    fields.reject("type", fmt::format("'{}' is no kind of input", type));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (!read) return std::unexpected(std::move(read.error()));
  return heading + content.text;
}

Result<> read_input(const json::value& value, DecisionRequest& request) {
  if (const json::string* text = value.if_string()) {
    request.input = *text;
    return {};
  }
  const json::array* items = value.if_array();
  if (items == nullptr || items->empty() || items->size() > kMaxItems) {
    return fail_at("input", "must be a text, or a list of messages and calls");
  }
  std::set<std::string, std::less<>> calls;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const std::string at = fmt::format("input[{}]", i);
    const json::object* item = (*items)[i].if_object();
    if (item == nullptr) return fail_at(at, "must be an object");
    Result<std::string> text = read_item(*item, at, items->size() == 1, calls, request.images);
    if (!text) return std::unexpected(std::move(text.error()));
    if (!request.input.empty()) request.input += "\n\n";
    request.input += *text;
  }
  return {};
}

Result<> add_option(const json::value& each, std::string_view key, const std::string& path,
                    Question& question) {
  const json::object* object = each.if_object();
  if (object == nullptr) return fail_at(path, "must be an object");
  const std::string at = fmt::format("{}.{}", path, key);
  const json::value* value = object->if_contains(key);
  const bool is_text = value != nullptr && value->is_string() && !value->get_string().empty() &&
                       value->get_string().size() <= kMaxOptionBytes;
  const bool is_flag = value != nullptr && value->is_bool() && key == "value";
  if (!is_text && !is_flag) return fail_at(at, "must be a text that is not empty");
  Option option{.value = *value,
                .label = is_text ? std::string(value->get_string())
                                 : std::string(value->get_bool() ? "true" : "false"),
                .description = {}};
  const auto is_same = [&](const Option& other) { return other.value == option.value; };
  if (std::ranges::any_of(question.options, is_same)) return fail_at(at, "is there twice");
  const auto is_called_so = [&](const Option& other) { return other.label == option.label; };
  if (std::ranges::any_of(question.options, is_called_so)) {
    option.label += is_text ? " (text)" : " (boolean)";
  }
  Fields fields(*object, path + ".");
  option.description = fields.string_or("description", "");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  question.options.push_back(std::move(option));
  return {};
}

Result<> read_options(const json::object& object, std::string_view list, std::string_view key,
                      const std::string& path, Question& question) {
  const json::value* options = object.if_contains(list);
  const json::array* all = options == nullptr ? nullptr : options->if_array();
  const std::string at = fmt::format("{}.{}", path, list);
  if (all == nullptr || all->size() < 2 || all->size() > kMaxChoices) {
    return fail_at(at, fmt::format("must be a list of 2 to {}", kMaxChoices));
  }
  for (std::size_t i = 0; i < all->size(); ++i) {
    Result<> added = add_option((*all)[i], key, fmt::format("{}[{}]", at, i), question);
    if (!added) return added;
  }
  return {};
}

Result<Question> read_question(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_at(path, "must be an object");
  Question question;
  Fields fields(*object, path + ".");
  const std::string type = fields.required_string("type");
  question.name = fields.optional_string("name");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Content content{.text = {}, .images = question.images};
  Result<> read = read_content(fields.find("instructions"), path + ".instructions", content);
  question.instructions = std::move(content.text);
  if (read && question.instructions.empty() && question.images.empty()) {
    read = fail_at(path + ".instructions", "must not be empty");
  }
  if (!read) return std::unexpected(std::move(read.error()));
  if (type == "predicate") {
    question.kind = Kind::kPredicate;
    question.options = {{.value = true, .label = "true", .description = {}},
                        {.value = false, .label = "false", .description = {}}};
  } else if (type == "choice") {
    question.kind = Kind::kChoice;
    read = read_options(*object, "choices", "value", path, question);
  } else if (type == "score") {
    question.kind = Kind::kScore;
    read = read_options(*object, "levels", "label", path, question);
  } else {
    read = fail_at(path + ".type", "must be predicate, choice or score");
  }
  if (!read) return std::unexpected(std::move(read.error()));
  return question;
}

}  // namespace

Result<DecisionRequest> parse_decision_request(std::string_view text) {
  const Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(body.error());
  DecisionRequest request;
  Fields fields(*body);
  request.model = fields.required_string("model");
  if (request.model.empty() || request.model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  const json::value* input = fields.find("input");
  if (input == nullptr) fields.reject("input", "is required");
  const json::array* questions = fields.optional_array("questions");
  if (questions == nullptr || questions->empty() || questions->size() > kMaxQuestions) {
    fields.reject("questions", fmt::format("must be a list of 1 to {}", kMaxQuestions));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (Result<> read = read_input(*input, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  for (std::size_t i = 0; i < questions->size(); ++i) {
    Result<Question> question = read_question((*questions)[i], fmt::format("questions[{}]", i));
    if (!question) return std::unexpected(std::move(question.error()));
    request.questions.push_back(std::move(*question));
  }
  return request;
}

std::vector<std::string> labels_of(const Question& question) {
  std::vector<std::string> labels;
  for (const Option& option : question.options) labels.push_back(option.label);
  return labels;
}

chat::ChatRequest ask(const DecisionRequest& request, const Question& question) {
  std::string text = request.input + "\n\n";
  if (question.kind == Kind::kPredicate) text += "Is this true of it? ";
  text += question.instructions;
  const auto is_described = [](const Option& option) { return !option.description.empty(); };
  if (std::ranges::any_of(question.options, is_described)) {
    for (const Option& option : question.options) {
      text += fmt::format("\n- {}{}{}", option.label, option.description.empty() ? "" : ": ",
                          option.description);
    }
  }
  const std::vector<std::string> labels = labels_of(question);
  text += question.kind == Kind::kScore
              ? "\nFrom the lowest to the highest, answer with exactly one of: "
              : "\nAnswer with exactly one of: ";
  for (const std::string& label : labels) text += (&label == &labels.front() ? "" : ", ") + label;
  text += ".";
  std::vector<chat::Image> images = request.images;
  images.insert(images.end(), question.images.begin(), question.images.end());
  return chat::closed_question(request.model, std::move(text), std::move(images), labels);
}

}  // namespace minimill::protocol::decisions
