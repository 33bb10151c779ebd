#include "support/tiny_gguf.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace minimill::test {
namespace {

constexpr std::uint32_t kEmbedding = 64;
constexpr std::uint32_t kLayers = 2;
constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kFeedForward = 128;
constexpr std::uint32_t kContext = 4096;
constexpr std::size_t kAlignment = 32;
constexpr int kByteTokens = 256;

enum TokenType : std::int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6 };
enum ValueType : std::uint32_t {
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9
};

/// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  float centred() {  // in [-1, 1)
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return static_cast<float>(static_cast<double>(z >> 11) * 0x1.0p-52 - 1.0);
  }

 private:
  std::uint64_t state_;
};

struct Token {
  std::string text;
  float score;
  TokenType type;
};

/// llama.cpp's "llama" tokenizer: specials, bytes to fall back on, then letters and short words.
/// What is meant to be said is plain ASCII, so that any answer is valid UTF-8.
std::vector<Token> vocabulary() {
  std::vector<Token> tokens{{"<unk>", 0, kUnknown}, {"<s>", 0, kControl}, {"</s>", 0, kControl}};
  for (int byte = 0; byte < kByteTokens; ++byte) {
    constexpr const char* kHex = "0123456789ABCDEF";
    tokens.push_back({std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">", 0, kByte});
  }
  const std::string space = "\u2581";
  for (char c = 'a'; c <= 'z'; ++c) {
    tokens.push_back({std::string(1, c), -10, kNormal});
    tokens.push_back({space + c, -9, kNormal});
  }
  for (const char* word :
       {"the", "and", "steel", "mill", "small", "lane", "work", "local", "cloud", "task"}) {
    tokens.push_back({space + word, -1, kNormal});
  }
  tokens.push_back({space, -8, kNormal});
  return tokens;
}

constexpr std::size_t kFirstSpoken = 3 + kByteTokens;

class Writer {
 public:
  template <class Number>
  void number(Number value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void string(const std::string& text) {
    number<std::uint64_t>(text.size());
    out_ += text;
  }
  void key(const std::string& name, std::uint32_t type) {
    string(name);
    number(type);
    ++entries_;
  }
  void entry(const std::string& name, std::uint32_t value) { key(name, kUint32), number(value); }
  void entry(const std::string& name, float value) { key(name, kFloat32), number(value); }
  void entry(const std::string& name, const std::string& value) {
    key(name, kString), string(value);
  }
  void entry(const std::string& name, bool value) { key(name, kBool), number<std::uint8_t>(value); }
  void begin_array(const std::string& name, std::uint32_t item, std::size_t count) {
    key(name, kArray);
    number(item);
    number<std::uint64_t>(count);
  }

  const std::string& bytes() const { return out_; }
  std::uint64_t entries() const { return entries_; }

 private:
  std::string out_;
  std::uint64_t entries_ = 0;
};

struct Tensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // innermost first
  std::vector<float> values;
};

Tensor random_tensor(std::string name, std::vector<std::uint64_t> shape, Random& random) {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) count *= size;
  Tensor tensor{std::move(name), std::move(shape), std::vector<float>(count)};
  const float scale = 1.7F / std::sqrt(static_cast<float>(tensor.shape[0]));
  for (float& value : tensor.values) value = scale * random.centred();
  return tensor;
}

Tensor ones(std::string name, std::uint64_t size) {
  return {std::move(name), {size}, std::vector<float>(size, 1.0F)};
}

std::vector<Tensor> weights(std::size_t vocabulary_size, std::uint64_t seed) {
  Random random(seed);
  std::vector<Tensor> tensors;
  tensors.push_back(random_tensor("token_embd.weight", {kEmbedding, vocabulary_size}, random));
  for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    tensors.push_back(ones(block + "attn_norm.weight", kEmbedding));
    tensors.push_back(ones(block + "ffn_norm.weight", kEmbedding));
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      tensors.push_back(random_tensor(block + name + ".weight", {kEmbedding, kEmbedding}, random));
    }
    tensors.push_back(random_tensor(block + "ffn_gate.weight", {kEmbedding, kFeedForward}, random));
    tensors.push_back(random_tensor(block + "ffn_up.weight", {kEmbedding, kFeedForward}, random));
    tensors.push_back(random_tensor(block + "ffn_down.weight", {kFeedForward, kEmbedding}, random));
  }
  tensors.push_back(ones("output_norm.weight", kEmbedding));
  Tensor output = random_tensor("output.weight", {kEmbedding, vocabulary_size}, random);
  // Rows of nought give logits of nought: the end and lone bytes lose against words at temperature
  // 0.
  std::fill_n(output.values.begin(), kFirstSpoken * kEmbedding, 0.0F);
  tensors.push_back(std::move(output));
  return tensors;
}

void write_metadata(Writer& head, const std::vector<Token>& tokens) {
  head.entry("general.architecture", std::string("llama"));
  head.entry("general.name", std::string("minimill-tiny-random"));
  head.entry("general.alignment", static_cast<std::uint32_t>(kAlignment));
  head.entry("llama.context_length", kContext);
  head.entry("llama.embedding_length", kEmbedding);
  head.entry("llama.block_count", kLayers);
  head.entry("llama.feed_forward_length", kFeedForward);
  head.entry("llama.attention.head_count", kHeads);
  head.entry("llama.attention.head_count_kv", kHeads);
  head.entry("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  head.entry("llama.rope.dimension_count", kEmbedding / kHeads);
  head.entry("llama.vocab_size", static_cast<std::uint32_t>(tokens.size()));
  head.entry("tokenizer.ggml.model", std::string("llama"));
  head.begin_array("tokenizer.ggml.tokens", kString, tokens.size());
  for (const Token& token : tokens) head.string(token.text);
  head.begin_array("tokenizer.ggml.scores", kFloat32, tokens.size());
  for (const Token& token : tokens) head.number(token.score);
  head.begin_array("tokenizer.ggml.token_type", kInt32, tokens.size());
  for (const Token& token : tokens) head.number<std::int32_t>(token.type);
  head.entry("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  head.entry("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  head.entry("tokenizer.ggml.add_bos_token", true);
  // So that the template's words are read back as they were written, as grammars want it.
  head.entry("tokenizer.ggml.add_space_prefix", false);
  head.entry(
      "tokenizer.chat_template",
      std::string("{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n"
                  "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"));
}

std::size_t aligned(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void write_tiny_gguf(const std::filesystem::path& path, std::uint64_t seed) {
  const std::vector<Token> tokens = vocabulary();
  const std::vector<Tensor> tensors = weights(tokens.size(), seed);

  Writer metadata;
  write_metadata(metadata, tokens);
  Writer table;
  std::size_t offset = 0;
  for (const Tensor& tensor : tensors) {
    constexpr std::uint32_t kF32 = 0;
    table.string(tensor.name);
    table.number<std::uint32_t>(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) table.number(size);
    table.number(kF32);
    table.number<std::uint64_t>(offset);
    offset += aligned(tensor.values.size() * sizeof(float));
  }
  Writer file;
  constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
  constexpr std::uint32_t kVersion = 3;
  file.number(kMagic);
  file.number(kVersion);
  file.number<std::uint64_t>(tensors.size());
  file.number<std::uint64_t>(metadata.entries());
  std::string bytes = file.bytes() + metadata.bytes() + table.bytes();
  bytes.resize(aligned(bytes.size()));
  for (const Tensor& tensor : tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()),
                 tensor.values.size() * sizeof(float));
    bytes.resize(aligned(bytes.size()));
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace minimill::test
