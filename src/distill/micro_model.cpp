#include "distill/micro_model.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "base/sha256.h"
#include "distill/words.h"
#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr std::string_view kMagic = "minimill micro-model 1\n";
constexpr std::size_t kChecksumBytes = 64;
constexpr std::size_t kMostAlike = 65'536;
constexpr std::size_t kMostAnswersAlike = 8;
constexpr std::size_t kManyExamples = 2'500;  // from here one fold of five is held out, not all
constexpr std::uint32_t kFolds = 5;
/// A text less familiar than nearly all that were held out is novel.
constexpr double kFloorQuantile = 0.02;
constexpr double kBelowFloor = 0.7;
constexpr std::size_t kFewestForFloor = 12;

void mix(std::uint32_t& hash, std::uint64_t value) {
  hash = term_hash({reinterpret_cast<const char*>(&value), sizeof value}, hash);
}

bool is_json_number(std::string_view text) {
  const Result<json::value> value = parse_json(text);
  return value && value->is_number();
}

}  // namespace

std::uint64_t near_duplicate_key(std::string_view text) {
  std::uint64_t key = 14695981039346656037ULL;
  bool digits = false;
  for (const char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 'A' && byte <= 'Z') byte += 'a' - 'A';
    const bool is_digit = byte >= '0' && byte <= '9';
    const bool is_letter = (byte >= 'a' && byte <= 'z') || byte >= 0x80;
    if (!is_digit && !is_letter) continue;
    if (is_digit && digits) continue;
    digits = is_digit;
    key = (key ^ (is_digit ? '0' : byte)) * 1099511628211ULL;
  }
  return key;
}

/// An example read by the form.
struct MicroModel::Row {
  const Example* example = nullptr;
  Form::Values values;
  std::uint64_t key = 0;
  std::uint32_t fold = 0;
};

Result<MicroModel> MicroModel::train(std::span<const Example> examples, const Form& form) {
  std::vector<Row> rows;
  std::map<Form::Values, std::size_t> answers;
  for (const Example& example : examples) {
    std::optional<Form::Values> values = form.read(example.answer, example.text);
    if (!values) continue;
    ++answers[*values];
    const std::uint64_t key = near_duplicate_key(example.text);
    rows.push_back({.example = &example,
                    .values = std::move(*values),
                    .key = key,
                    .fold = static_cast<std::uint32_t>((key >> 20) % kFolds)});
  }
  if (rows.size() < Form::kFewestExamples) {
    return fail(ErrorCode::kInvalidArgument, "too few answers fit the form");
  }
  MicroModel model;
  model.form_ = form;
  std::vector<const Row*> all;
  for (const Row& row : rows) all.push_back(&row);
  model.fit_heads(all);
  model.fit_calibration(rows);
  const auto most = std::ranges::max_element(answers, {}, &decltype(answers)::value_type::second);
  model.commonest_share_ = static_cast<float>(most->second) / static_cast<float>(rows.size());
  return model;
}

void MicroModel::fit_heads(std::span<const Row* const> rows) {
  closed_.clear();
  span_fields_.clear();
  alike_.clear();
  for (std::uint32_t field = 0; field < form_.fields.size(); ++field) {
    if (form_.fields[field].kind != FieldKind::kClosed) {
      span_fields_.push_back(field);
      continue;
    }
    Closed head;
    head.field = field;
    std::map<std::int32_t, std::uint32_t> labels;
    std::vector<LogisticModel::Example> examples;
    for (const Row* row : rows) {
      std::int32_t value = -1;
      if (row->values[field]) {
        const auto& values = form_.fields[field].values;
        value = static_cast<std::int32_t>(std::ranges::find(values, *row->values[field]) -
                                          values.begin());
      }
      const auto [label, added] =
          labels.try_emplace(value, static_cast<std::uint32_t>(labels.size()));
      if (added) head.classes.push_back(value);
      examples.push_back(
          {.text = row->example->text, .label = label->second, .weight = row->example->weight});
    }
    head.model = LogisticModel::train(examples, head.classes.size());
    closed_.push_back(std::move(head));
  }
  if (!span_fields_.empty()) {
    std::vector<SpanTagger::Example> examples;
    for (const Row* row : rows) {
      const std::vector<Word> words = words_of(row->example->text);
      SpanTagger::Spans spans;
      for (const std::uint32_t field : span_fields_) {
        spans.push_back(row->values[field]
                            ? find_value(row->example->text, words, *row->values[field])
                            : std::nullopt);
      }
      examples.push_back(
          {.text = row->example->text, .spans = std::move(spans), .weight = row->example->weight});
    }
    tagger_ = SpanTagger::train(examples, span_fields_.size());
  }
  std::vector<std::string_view> texts;
  for (const Row* row : rows) texts.push_back(row->example->text);
  vocabulary_ = TextFeatures::fit(texts);
  for (const Row* row : rows) {
    if (alike_.size() >= kMostAlike) break;
    // The structure of the answer that was given, in the terms of read().
    std::uint32_t structure = 0;
    for (const Closed& head : closed_) {
      mix(structure, head.field);
      mix(structure, term_hash(row->values[head.field].value_or("")));
    }
    const std::vector<Word> words = words_of(row->example->text);
    for (const std::uint32_t field : span_fields_) {
      const auto& value = row->values[field];
      const auto span = value ? find_value(row->example->text, words, *value) : std::nullopt;
      mix(structure, span ? (span->first << 16U) + span->last : 0);
    }
    std::vector<Alike>& answers = alike_[row->key];
    const auto known = std::ranges::find(answers, structure, &Alike::structure);
    if (known != answers.end()) {
      if (known->count < 60'000) ++known->count;
    } else if (answers.size() < kMostAnswersAlike) {
      answers.push_back({.structure = structure, .count = 1});
    }
  }
}

void MicroModel::fit_calibration(std::span<const Row> rows) {
  std::vector<Calibration::Outcome> outcomes;
  std::vector<double> familiarities;
  const std::uint32_t held = rows.size() >= kManyExamples ? 1 : kFolds;
  for (std::uint32_t fold = 0; fold < held; ++fold) {
    std::vector<const Row*> rest;
    for (const Row& row : rows) {
      if (row.fold != fold) rest.push_back(&row);
    }
    if (rest.size() == rows.size() || rest.size() < 2) continue;
    MicroModel part;
    part.form_ = form_;
    part.fit_heads(rest);
    for (const Row& row : rows) {
      if (row.fold != fold) continue;
      const std::optional<Raw> raw = part.read(row.example->text);
      if (!raw) continue;
      familiarities.push_back(raw->signs.familiarity);
      outcomes.push_back(
          {.signs = raw->signs, .right = raw->values == row.values, .weight = row.example->weight});
    }
  }
  calibration_ = Calibration::fit(outcomes);
  familiarity_floor_ = 0;
  if (familiarities.size() >= kFewestForFloor) {
    std::ranges::sort(familiarities);
    const auto at =
        static_cast<std::size_t>(kFloorQuantile * static_cast<double>(familiarities.size()));
    familiarity_floor_ = static_cast<float>(kBelowFloor * familiarities[at]);
  }
}

bool MicroModel::read_closed(const Closed& head, std::string_view text, Raw& raw) const {
  const std::vector<float> p = head.model.predict(text);
  if (p.empty()) return false;
  const auto best = static_cast<std::size_t>(std::ranges::max_element(p) - p.begin());
  double next = 0;
  for (std::size_t c = 0; c < p.size(); ++c) {
    if (c != best) next = std::max<double>(next, p[c]);
  }
  raw.signs.runner_up = std::max(raw.signs.runner_up * p[best], raw.signs.probability * next);
  raw.signs.probability *= p[best];
  const std::int32_t value = head.classes[best];
  std::optional<std::string>& out = raw.values[head.field];
  if (value >= 0) out = form_.fields[head.field].values[static_cast<std::size_t>(value)];
  // Where there are several fields a part is "this field is there", else the class.
  if (form_.fields.size() == 1) {
    raw.signs.parts.push_back(static_cast<std::uint32_t>(value + 1));
    raw.cluster = static_cast<std::uint32_t>(value + 1);
  } else if (value >= 0) {
    raw.signs.parts.push_back(head.field);
    raw.cluster |= 1U << head.field;
  }
  mix(raw.structure, head.field);
  mix(raw.structure, term_hash(out.value_or("")));
  return true;
}

bool MicroModel::read_spans(std::string_view text, Raw& raw) const {
  const std::optional<SpanTagger::Answer> answer = tagger_.predict(text);
  if (!answer) return false;
  const std::vector<Word> words = words_of(text);
  raw.signs.runner_up = std::max(raw.signs.runner_up * answer->probability,
                                 raw.signs.probability * answer->runner_up);
  raw.signs.probability *= answer->probability;
  for (std::size_t i = 0; i < span_fields_.size(); ++i) {
    const std::optional<WordRange>& span = answer->spans[i];
    mix(raw.structure, span ? (span->first << 16U) + span->last : 0);
    if (!span) continue;
    const std::uint32_t field = span_fields_[i];
    const std::size_t begin = words[span->first].begin;
    raw.values[field] = std::string(text.substr(begin, words[span->last - 1].end - begin));
    raw.signs.parts.push_back(field);
    raw.cluster |= 1U << field;
    if (form_.fields[field].kind == FieldKind::kNumber && !is_json_number(*raw.values[field])) {
      return false;
    }
  }
  return form_.json || raw.values.front().has_value();
}

std::optional<MicroModel::Raw> MicroModel::read(std::string_view text) const {
  Raw raw;
  raw.values.resize(form_.fields.size());
  raw.signs.probability = 1;
  for (const Closed& head : closed_) {
    if (!read_closed(head, text, raw)) return std::nullopt;
  }
  if (!span_fields_.empty() && !read_spans(text, raw)) return std::nullopt;
  raw.signs.words = static_cast<std::uint32_t>(words_of(text).size());
  raw.signs.familiarity = vocabulary_.familiarity(text);
  raw.signs.agreement = agreement(near_duplicate_key(text), raw.structure);
  return raw;
}

double MicroModel::agreement(std::uint64_t key, std::uint32_t structure) const {
  const auto found = alike_.find(key);
  if (found == alike_.end()) return 0;
  double with = 0;
  double against = 0;
  for (const Alike& each : found->second) {
    (each.structure == structure ? with : against) += each.count;
  }
  return (with - against) / (with + against + 0.5);
}

MicroModel::Prediction MicroModel::predict(std::string_view text) const {
  Prediction prediction;
  const std::optional<Raw> raw = read(text);
  if (!raw) return prediction;
  prediction.cluster = raw->cluster;
  prediction.novel = raw->signs.familiarity < familiarity_floor_;
  prediction.answer = form_.write(raw->values);
  prediction.p_right = prediction.novel ? 0 : calibration_.p_right(raw->signs);
  return prediction;
}

std::vector<std::pair<std::string, double>> MicroModel::weights(std::string_view text) const {
  std::vector<std::pair<std::string, double>> all;
  if (form_.fields.size() != 1 || closed_.size() != 1) return all;
  const Closed& head = closed_.front();
  const std::vector<float> p = head.model.predict(text);
  for (std::size_t c = 0; c < p.size(); ++c) {
    if (head.classes[c] < 0) continue;
    all.emplace_back(
        form_.write({form_.fields[0].values[static_cast<std::size_t>(head.classes[c])]}), p[c]);
  }
  return all;
}

std::string MicroModel::encode() const {
  std::string out(kMagic);
  form_.append_state(out);
  route::append_number(out, familiarity_floor_);
  route::append_number(out, commonest_share_);
  for (const Closed& head : closed_) {
    route::append_number(out, static_cast<std::uint32_t>(head.classes.size()));
    for (const std::int32_t value : head.classes) route::append_number(out, value);
    head.model.append_state(out);
  }
  if (!span_fields_.empty()) tagger_.append_state(out);
  vocabulary_.append_state(out);
  calibration_.append_state(out);
  std::vector<std::uint64_t> keys;  // in order: the same model is the same bytes
  for (const auto& [key, answers] : alike_) keys.push_back(key);
  std::ranges::sort(keys);
  route::append_number(out, static_cast<std::uint32_t>(keys.size()));
  for (const std::uint64_t key : keys) {
    out.append(reinterpret_cast<const char*>(&key), sizeof key);
    const std::vector<Alike>& answers = alike_.at(key);
    route::append_number(out, static_cast<std::uint8_t>(answers.size()));
    for (const Alike& each : answers) {
      route::append_number(out, each.structure);
      route::append_number(out, each.count);
    }
  }
  return sha256_hex(out) + out;
}

namespace {

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt, "the micro-model is damaged: " + std::string(what),
              "it is learnt again from the traces");
}

}  // namespace

Result<MicroModel> MicroModel::decode(std::string_view bytes) {
  if (bytes.size() > kMostFileBytes) return damaged("it is too large");
  if (bytes.size() < kChecksumBytes ||
      sha256_hex(bytes.substr(kChecksumBytes)) != bytes.substr(0, kChecksumBytes)) {
    return damaged("its checksum is wrong");
  }
  bytes.remove_prefix(kChecksumBytes);
  if (!bytes.starts_with(kMagic)) return damaged("it is of another version, or none");
  bytes.remove_prefix(kMagic.size());
  MicroModel model;
  if (Result<> taken = model.take_state(bytes); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  if (!bytes.empty()) return damaged("there is something behind it");
  return model;
}

Result<> MicroModel::take_heads(std::string_view& bytes) {
  std::size_t weights = 0;
  for (std::uint32_t field = 0; field < form_.fields.size(); ++field) {
    if (form_.fields[field].kind != FieldKind::kClosed) {
      span_fields_.push_back(field);
      continue;
    }
    Closed head;
    head.field = field;
    std::uint32_t count = 0;
    const auto values = static_cast<std::int32_t>(form_.fields[field].values.size());
    if (!route::take_number(bytes, count) || count > LogisticModel::kMostClasses) {
      return damaged("a head's classes");
    }
    head.classes.assign(count, 0);
    for (std::int32_t& value : head.classes) {
      if (!route::take_number(bytes, value) || value < -1 || value >= values) {
        return damaged("a head's classes");
      }
    }
    if (Result<> taken = head.model.take_state(bytes); !taken) return taken;
    weights += head.model.weights();
    if (head.model.classes() != count || weights > LogisticModel::kMostWeights) {
      return damaged("a head's weights");
    }
    closed_.push_back(std::move(head));
  }
  if (span_fields_.empty()) return {};
  if (Result<> taken = tagger_.take_state(bytes); !taken) return taken;
  if (tagger_.fields() != span_fields_.size()) return damaged("the tagger's fields");
  return {};
}

Result<> MicroModel::take_state(std::string_view& bytes) {
  if (Result<> taken = form_.take_state(bytes); !taken) return taken;
  if (!route::take_number(bytes, familiarity_floor_) ||
      !route::take_number(bytes, commonest_share_)) {
    return damaged("its limits");
  }
  if (Result<> taken = take_heads(bytes); !taken) return taken;
  if (Result<> taken = vocabulary_.take_state(bytes); !taken) return taken;
  if (Result<> taken = calibration_.take_state(bytes); !taken) return taken;
  std::uint32_t keys = 0;
  if (!route::take_number(bytes, keys) || keys > kMostAlike) return damaged("the texts alike");
  for (std::uint32_t i = 0; i < keys; ++i) {
    std::uint64_t key = 0;  // a hash, not a number that is learnt: any value will do
    std::uint8_t count = 0;
    if (bytes.size() < sizeof key) return damaged("the texts alike");
    bytes.copy(reinterpret_cast<char*>(&key), sizeof key);
    bytes.remove_prefix(sizeof key);
    if (!route::take_number(bytes, count) || count > kMostAnswersAlike) {
      return damaged("the texts alike");
    }
    std::vector<Alike>& answers = alike_[key];
    answers.assign(count, {});
    for (Alike& each : answers) {
      if (!route::take_number(bytes, each.structure) || !route::take_number(bytes, each.count)) {
        return damaged("the texts alike");
      }
    }
  }
  return {};
}

}  // namespace minimill::distill
