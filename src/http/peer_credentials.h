#pragma once

// Who holds the other end of a Unix socket, asked of the kernel.

#include "http/server.h"

namespace minimill::http {

/// Without uid for any other kind of socket.
Peer peer_credentials(int socket);

/// Whether a Unix socket's server runs as this user, or as root, who can read everything anyway.
bool is_own_server(const Peer& server);

}  // namespace minimill::http
