#include "cloud/gate.h"

#include <utility>

namespace minimill::cloud {

void Guest::leave() {
  for (Gate* gate : std::exchange(before_, {})) {
    gate->queue_.erase(app, Gate::entry_of(*this));
    gate->guests_.erase(number);
  }
  if (Gate* gate = std::exchange(kept_at_, nullptr)) {
    --gate->kept_;
    gate->queue_.correct(app, -service_s);
    gate->call();
  }
}

lane::FairQueue::Entry Gate::entry_of(const Guest& guest) {
  return {.ticket = guest.number,
          .key = static_cast<double>(guest.number),
          .service_s = guest.service_s};
}

bool Gate::lets_in(const Guest& guest) const {
  return guest.kept_at_ == this || (room() > 0 && queue_.size() == 0);
}

void Gate::wait(Guest& guest) {
  queue_.push(guest.app, entry_of(guest));
  guests_.emplace(guest.number, &guest);
  guest.before_.push_back(this);
}

void Gate::call() {
  while (room() > 0) {
    const auto next = queue_.front();
    if (!next) return;
    Guest& guest = *guests_.at(next->ticket);
    queue_.serve(guest.app, entry_of(guest));
    guests_.erase(next->ticket);
    std::erase(guest.before_, this);
    guest.leave();  // the other doors
    guest.kept_at_ = this;
    ++kept_;
    guest.tell();
  }
}

ConcurrencyLimit::Permit Gate::enter(Guest& guest, SteadyTime now) {
  if (guest.kept_at_ == this) {
    guest.kept_at_ = nullptr;
    --kept_;
  }
  const ConcurrencyLimit::Permit permit = limit_.begin(now);
  guest.leave();
  return permit;
}

void Gate::accepted(const ConcurrencyLimit::Permit& permit, std::optional<double> slowdown,
                    SteadyTime now) {
  limit_.accepted(permit, slowdown, now);
  call();
}

ConcurrencyLimit::Refusal Gate::refused(const ConcurrencyLimit::Permit& permit) {
  return limit_.refused(permit);
}

void Gate::exit() {
  limit_.end();
  call();
}

}  // namespace minimill::cloud
