#include <fmt/format.h>
#include <openssl/evp.h>

#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/embeddings.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol {
namespace {

using Vector = std::vector<float>;

std::unexpected<Error> fail_vector(std::string_view what) {
  return fail(ErrorCode::kUpstream, fmt::format("embeddings {}", what));
}

Result<Vector> parse_vector(const json::object& entry) {
  const json::array* numbers = array_in(entry, "embedding");
  if (numbers == nullptr || numbers->empty() ||
      numbers->size() > static_cast<std::size_t>(kMaxEmbeddingDimensions)) {
    return fail_vector("with an entry that has no vector");
  }
  Vector vector;
  vector.reserve(numbers->size());
  for (const json::value& each : *numbers) {
    const double number = each.is_number() ? each.to_number<double>() : NAN;
    // Also false for what is no number at all.
    if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
      return fail_vector("with an entry that is no number");
    }
    vector.push_back(static_cast<float>(number));
  }
  return vector;
}

/// Puts each entry of "data" where its index says, or where it stands if it has none.
Result<> parse_data(const json::array& data, std::vector<Vector>& vectors) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const json::object* entry = data[i].if_object();
    if (entry == nullptr) return fail_vector("with an entry that is no object");
    const std::size_t index =
        entry->contains("index") ? static_cast<std::size_t>(tokens_in(*entry, "index").value_or(-1))
                                 : i;
    if (index >= vectors.size() || !vectors[index].empty()) {
      return fail_vector("with an impossible index");
    }
    Result<Vector> vector = parse_vector(*entry);
    if (!vector) return std::unexpected(std::move(vector.error()));
    if (i == 0) length = vector->size();
    if (vector->size() != length) return fail_vector("of different lengths");
    vectors[index] = std::move(*vector);
  }
  return {};
}

/// Little-endian float32, whatever this machine is.
std::string bytes_of(const Vector& vector) {
  std::string bytes;
  bytes.reserve(vector.size() * 4);
  for (const float number : vector) {
    const auto bits = std::bit_cast<std::uint32_t>(number);
    for (const unsigned shift : {0U, 8U, 16U, 24U}) {
      bytes += static_cast<char>(bits >> shift & 0xffU);
    }
  }
  return bytes;
}

std::string base64_of(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends it with a zero
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

Result<EmbeddingAnswer> parse_embedding_answer(std::string_view body, std::size_t inputs) {
  const Result<json::object> parsed = parse_json_object(body);
  if (!parsed) return garbage("embeddings", body);
  const json::array* data = array_in(*parsed, "data");
  if (data == nullptr) {
    const std::string said = error_message(*parsed);
    if (said.empty()) return garbage("embeddings", body);
    return fail_vector(fmt::format("were asked for, and an error came: {}", said));
  }
  if (data->size() != inputs) {
    return fail_vector(fmt::format("of {} inputs were asked for, {} came", inputs, data->size()));
  }
  EmbeddingAnswer answer;
  answer.model = text_in(*parsed, "model");
  answer.vectors.resize(inputs);
  if (Result<> read = parse_data(*data, answer.vectors); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (const json::object* usage = object_in(*parsed, "usage")) {
    answer.prompt_tokens = tokens_in(*usage, "prompt_tokens").value_or(0);
  }
  return answer;
}

void append_vector(std::string& out, const Vector& vector) {
  out += '[';
  for (std::size_t i = 0; i < vector.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ",", vector[i]);
  }
  out += ']';
}

std::string write_embedding_answer(const EmbeddingAnswer& answer, bool base64) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < answer.vectors.size(); ++i) {
    fmt::format_to(std::back_inserter(out), R"({}{{"object":"embedding","index":{},"embedding":)",
                   i == 0 ? "" : ",", i);
    if (base64) {
      out += '"' + base64_of(bytes_of(answer.vectors[i])) + '"';
    } else {
      append_vector(out, answer.vectors[i]);
    }
    out += '}';
  }
  out += R"(],"model":)";
  append_json_string(out, answer.model);
  fmt::format_to(std::back_inserter(out),
                 R"(,"usage":{{"prompt_tokens":{0},"total_tokens":{0}}}}})", answer.prompt_tokens);
  return out;
}

Result<EmbeddingAnswer> shorten(EmbeddingAnswer answer, std::int64_t dimensions) {
  for (Vector& vector : answer.vectors) {
    if (dimensions < 1 || static_cast<std::size_t>(dimensions) > vector.size()) {
      return fail_field(
          "dimensions",
          fmt::format("'dimensions' must be 1 to {}, as many as the model has, not {}",
                      vector.size(), dimensions));
    }
    vector.resize(static_cast<std::size_t>(dimensions));
    double squares = 0;
    for (const float number : vector) squares += static_cast<double>(number) * number;
    if (squares == 0) continue;  // it points nowhere
    const double length = std::sqrt(squares);
    for (float& number : vector) number = static_cast<float>(number / length);
  }
  return answer;
}

}  // namespace minimill::protocol
