// Must not compile: an answer is changed by edit alone, else the app gets what it was before.
#include "chat/chat_event.h"

void restore(minimill::chat::ChatAnswer& answer) { answer.parts().text.clear(); }
