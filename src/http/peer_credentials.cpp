#include "http/peer_credentials.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

namespace minimill::http {
namespace {

bool is_unix(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  return ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.ss_family == AF_UNIX;
}

}  // namespace

Peer peer_credentials(int socket) {
  Peer peer;
  if (!is_unix(socket)) return peer;
#ifdef SO_PEERCRED
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.uid = credentials.uid;
    peer.pid = credentials.pid;
  }
#else
  uid_t uid = 0;
  gid_t gid = 0;
  if (::getpeereid(socket, &uid, &gid) == 0) peer.uid = uid;
#endif
  return peer;
}

bool is_own_server(const Peer& server) {
  return server.uid && (*server.uid == ::geteuid() || *server.uid == 0);
}

}  // namespace minimill::http
