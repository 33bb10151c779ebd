#include "distill/template.h"

#include <algorithm>

#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr std::size_t kLeastConstants = 6;  // pieces two requests share, to be of one template
constexpr std::size_t kLeastRun = 5;        // pieces, of what they share between their ends
constexpr std::uint32_t kYoung = 5;         // requests seen, until the shape is kept
constexpr double kKeptWhileYoung = 0.7;
constexpr std::size_t kEdge = 3;  // pieces a settled template may lose at its gaps' edges
constexpr std::size_t kMostUnmatched = 8;
constexpr std::size_t kMostComparisons = 4'000'000;  // of pieces, in one alignment
constexpr double kLonger = 1.5;  // than the longest seen: nothing like it was there before
constexpr std::size_t kLongerBytes = 200;
constexpr std::size_t kMostParts = 32;

bool is_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte >= 0x80;
}

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  std::size_t at = 0;
  while (at < text.size() && pieces.size() <= Templates::kMostPieces) {
    if (static_cast<unsigned char>(text[at]) <= ' ') {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    while (is_letter(text[at]) && end < text.size() && is_letter(text[end])) ++end;
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

/// The text from piece `first` to before piece `last`.
std::string_view source(std::string_view text, const std::vector<std::string_view>& pieces,
                        std::size_t first, std::size_t last) {
  if (first >= last) return {};
  const auto begin = static_cast<std::size_t>(pieces[first].data() - text.data());
  const auto end = static_cast<std::size_t>(pieces[last - 1].data() - text.data());
  return text.substr(begin, end + pieces[last - 1].size() - begin);
}

using Flat = std::vector<std::string>;  // an empty piece is a gap

/// The longest run that both have within the ranges given, and those to its left and right.
struct Runs {
  const Flat& a;
  const std::vector<std::string_view>& b;
  std::vector<std::vector<std::string>> found;

  void find(std::size_t a_first, std::size_t a_last, std::size_t b_first, std::size_t b_last) {
    if (a_last - a_first < kLeastRun || b_last - b_first < kLeastRun) return;
    if ((a_last - a_first) * (b_last - b_first) > kMostComparisons) return;
    if (found.size() + 2 >= kMostParts) return;
    std::size_t best = 0;
    std::size_t a_end = 0;
    std::size_t b_end = 0;
    std::vector<std::uint32_t> run(b_last - b_first + 1);
    for (std::size_t i = a_first; i < a_last; ++i) {
      for (std::size_t j = b_last; j-- > b_first;) {
        std::uint32_t& here = run[j - b_first + 1];
        here = !a[i].empty() && a[i] == b[j] ? run[j - b_first] + 1 : 0;
        if (here > best) {
          best = here;
          a_end = i + 1;
          b_end = j + 1;
        }
      }
    }
    if (best < kLeastRun) return;
    find(a_first, a_end - best, b_first, b_end - best);
    found.emplace_back(a.begin() + static_cast<std::ptrdiff_t>(a_end - best),
                       a.begin() + static_cast<std::ptrdiff_t>(a_end));
    find(a_end, a_last, b_end, b_last);
  }
};

}  // namespace

std::size_t Templates::Template::constants() const {
  std::size_t count = 0;
  for (const Pieces& part : parts) count += part.size();
  return count;
}

std::optional<std::string> Templates::align(const Template& like, std::string_view request,
                                            const Views& pieces) {
  const Pieces& first = like.parts.front();
  if (like.constants() > pieces.size()) return std::nullopt;
  if (!std::equal(first.begin(), first.end(), pieces.begin())) return std::nullopt;
  if (like.parts.size() == 1) {
    return pieces.size() == first.size() ? std::optional(std::string()) : std::nullopt;
  }
  const Pieces& last = like.parts.back();
  const std::size_t end = pieces.size() - last.size();
  if (!std::equal(last.begin(), last.end(), pieces.begin() + static_cast<std::ptrdiff_t>(end))) {
    return std::nullopt;
  }
  std::string gaps;
  std::size_t at = first.size();
  for (std::size_t i = 1; i + 1 < like.parts.size(); ++i) {
    const Pieces& part = like.parts[i];
    const auto limit = pieces.begin() + static_cast<std::ptrdiff_t>(end);
    const auto found = std::search(pieces.begin() + static_cast<std::ptrdiff_t>(at), limit,
                                   part.begin(), part.end());
    if (found == limit) return std::nullopt;
    const auto where = static_cast<std::size_t>(found - pieces.begin());
    if (!gaps.empty()) gaps += '\n';
    gaps += source(request, pieces, at, where);
    at = where + part.size();
  }
  if (!gaps.empty()) gaps += '\n';
  gaps += source(request, pieces, at, end);
  return gaps;
}

Templates::Template Templates::common(const Template& like, const Views& pieces) {
  Flat flat;
  for (std::size_t i = 0; i < like.parts.size(); ++i) {
    if (i > 0) flat.emplace_back();
    flat.insert(flat.end(), like.parts[i].begin(), like.parts[i].end());
  }
  const std::size_t most = std::min(flat.size(), pieces.size());
  std::size_t begin = 0;
  while (begin < most && flat[begin] == pieces[begin]) ++begin;
  std::size_t end = 0;
  while (end < most - begin && flat[flat.size() - 1 - end] == pieces[pieces.size() - 1 - end])
    ++end;
  Template made = like;
  if (begin == flat.size() && begin == pieces.size()) return made;
  Runs runs{.a = flat, .b = pieces, .found = {}};
  runs.find(begin, flat.size() - end, begin, pieces.size() - end);
  made.parts.clear();
  made.parts.emplace_back(flat.begin(), flat.begin() + static_cast<std::ptrdiff_t>(begin));
  made.parts.insert(made.parts.end(), runs.found.begin(), runs.found.end());
  made.parts.emplace_back(flat.end() - static_cast<std::ptrdiff_t>(end), flat.end());
  return made;
}

const Templates::Template* Templates::find(std::string_view request, const Views& pieces,
                                           std::string& gaps) const {
  const Template* best = nullptr;
  for (const Template& each : all_) {
    const bool better = best == nullptr || (each.seen >= kSettled && best->seen < kSettled) ||
                        ((each.seen >= kSettled) == (best->seen >= kSettled) &&
                         each.constants() > best->constants());
    if (!better) continue;
    std::optional<std::string> found = align(each, request, pieces);
    if (!found) continue;
    const auto most = static_cast<std::size_t>(kLonger * static_cast<double>(each.longest));
    if (each.seen >= kSettled && found->size() > most + kLongerBytes) continue;
    gaps = std::move(*found);
    best = &each;
  }
  return best;
}

std::optional<Templates::Match> Templates::match(std::string_view request) const {
  const Views pieces = pieces_of(request);
  if (pieces.size() > kMostPieces) return std::nullopt;
  Match match;
  const Template* found = find(request, pieces, match.text);
  if (found == nullptr) return std::nullopt;
  match.template_id = found->id;
  match.settled = found->seen >= kSettled;
  return match;
}

std::optional<Templates::Match> Templates::learn(std::string_view request) {
  const Views pieces = pieces_of(request);
  if (pieces.empty() || pieces.size() > kMostPieces) return std::nullopt;
  std::string gaps;
  const Template* found = find(request, pieces, gaps);
  if (found == nullptr && shrink(pieces)) found = find(request, pieces, gaps);
  if (found == nullptr) {
    start(request, pieces);
    found = find(request, pieces, gaps);
    if (found == nullptr) return std::nullopt;
  } else {
    Template& mine = all_[static_cast<std::size_t>(found - all_.data())];
    ++mine.seen;
    mine.longest = std::max(mine.longest, gaps.size());
  }
  return Match{
      .text = std::move(gaps), .template_id = found->id, .settled = found->seen >= kSettled};
}

/// Whether a template could be brought to what it and the request have in common.
bool Templates::shrink(const Views& pieces) {
  for (Template& each : all_) {
    Template made = common(each, pieces);
    const std::size_t before = each.constants();
    const std::size_t after = made.constants();
    const bool young = each.seen < kYoung && after >= kLeastConstants &&
                       static_cast<double>(after) >= kKeptWhileYoung * static_cast<double>(before);
    const bool edge = after + kEdge >= before && after * 10 >= before * 9 &&
                      made.parts.size() == each.parts.size();
    if (!young && !edge) continue;
    each = std::move(made);
    return true;
  }
  return false;
}

/// Looks among the requests that were like none for one that this one is like.
void Templates::start(std::string_view request, const Views& pieces) {
  for (auto other = unmatched_.begin(); other != unmatched_.end(); ++other) {
    const Views others = pieces_of(*other);
    const Template whole{.id = 0, .parts = {Pieces(others.begin(), others.end())}};
    Template made = common(whole, pieces);
    const std::size_t constants = made.constants();
    if (constants < std::min(kLeastConstants, pieces.size())) continue;
    made.seen = 2;
    for (const std::string_view text : {std::string_view(*other), request}) {
      if (const auto gaps = align(made, text, pieces_of(text))) {
        made.longest = std::max(made.longest, gaps->size());
      }
    }
    unmatched_.erase(other);
    add(std::move(made));
    return;
  }
  unmatched_.emplace_back(request);
  if (unmatched_.size() >= kMostUnmatched) start_bare();
}

/// The requests have little in common: what they do have is the template.
void Templates::start_bare() {
  const Views first = pieces_of(unmatched_.front());
  Template made{.id = 0, .parts = {Pieces(first.begin(), first.end())}};
  for (const std::string& each : unmatched_) {
    made = common(made, pieces_of(each));
    if (made.parts.size() > 2) made.parts.erase(made.parts.begin() + 1, made.parts.end() - 1);
  }
  for (const std::string& each : unmatched_) {
    if (const auto gaps = align(made, each, pieces_of(each))) {
      made.longest = std::max(made.longest, gaps->size());
    }
  }
  made.seen = static_cast<std::uint32_t>(unmatched_.size());
  // Two bare texts that were alike by chance made no template of their own.
  std::erase_if(all_, [](const Template& each) { return each.seen < kSettled; });
  unmatched_.clear();
  add(std::move(made));
}

void Templates::add(Template made) {
  if (all_.size() == kMost) all_.erase(std::ranges::min_element(all_, {}, &Template::seen));
  made.id = next_id_++;
  all_.push_back(std::move(made));
}

std::vector<std::string> Templates::shown() const {
  std::vector<std::string> shown;
  for (const Template& each : all_) {
    std::string& text = shown.emplace_back();
    for (std::size_t i = 0; i < each.parts.size(); ++i) {
      if (i > 0) text += " … ";
      for (const std::string& piece : each.parts[i]) {
        const bool mark = !is_letter(piece.front());
        if (!text.empty() && !mark && !text.ends_with(' ')) text += ' ';
        text += piece;
      }
    }
  }
  return shown;
}

void Templates::append_state(std::string& out) const {
  std::vector<const Template*> settled;
  for (const Template& each : all_) {
    if (each.seen >= kSettled) settled.push_back(&each);
  }
  route::append_number(out, next_id_);
  route::append_number(out, static_cast<std::uint32_t>(settled.size()));
  for (const Template* each : settled) {
    route::append_number(out, each->id);
    route::append_number(out, each->seen);
    route::append_number(out, static_cast<std::uint32_t>(each->longest));
    route::append_number(out, static_cast<std::uint32_t>(each->parts.size()));
    for (const Pieces& part : each->parts) {
      route::append_number(out, static_cast<std::uint32_t>(part.size()));
      for (const std::string& piece : part) route::append_text(out, piece);
    }
  }
}

Result<> Templates::take_state(std::string_view& bytes) {
  const auto damaged = [] { return fail(ErrorCode::kCorrupt, "the templates are damaged"); };
  std::uint32_t count = 0;
  if (!route::take_number(bytes, next_id_) || !route::take_number(bytes, count) || count > kMost) {
    return damaged();
  }
  all_.assign(count, {});
  for (Template& each : all_) {
    std::uint32_t longest = 0;
    std::uint32_t parts = 0;
    if (!route::take_number(bytes, each.id) || !route::take_number(bytes, each.seen) ||
        !route::take_number(bytes, longest) || !route::take_number(bytes, parts) || parts == 0 ||
        parts > kMostParts) {
      return damaged();
    }
    each.longest = longest;
    each.parts.assign(parts, {});
    for (Pieces& part : each.parts) {
      std::uint32_t pieces = 0;
      if (!route::take_number(bytes, pieces) || pieces > kMostPieces ||
          pieces > bytes.size() / sizeof pieces) {
        return damaged();
      }
      part.assign(pieces, {});
      for (std::string& piece : part) {
        if (!route::take_text(bytes, piece) || piece.empty()) return damaged();
      }
    }
  }
  return {};
}

}  // namespace minimill::distill
