#pragma once

// Who holds the other end of a Unix socket, asked of the kernel.

#include "http/server.h"

namespace minimill::http {

/// Without uid for any other kind of socket.
Peer peer_credentials(int socket);

}  // namespace minimill::http
