// Any bytes with a right checksum are taken as a micro-model, or refused: what is taken predicts,
// and is written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/sha256.h"
#include "distill/micro_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const Result<distill::MicroModel> model = distill::MicroModel::decode(sha256_hex(bytes) + bytes);
  if (!model) {
    if (model.error().message.empty()) std::abort();
    return 0;
  }
  const auto prediction = model->predict("Can I have a table for 4 people at 7:15 on August 23rd?");
  if (!(prediction.p_right >= 0 && prediction.p_right <= 1)) std::abort();
  if (!distill::MicroModel::decode(model->encode())) std::abort();
  return 0;
}
