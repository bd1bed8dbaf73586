// SPDX-License-Identifier: Apache-2.0
// A circuit breaker, for a table or for one partition: open after a failure that stays, tried again after a
// while, closed by a success. Pure: a plain value and the caller's clock.
#ifndef SNK_BREAKER_H
#define SNK_BREAKER_H

#include "common/error.h"

enum snk_breaker_state { SNK_BREAKER_CLOSED, SNK_BREAKER_OPEN, SNK_BREAKER_TRYING };
struct snk_breaker {
    enum snk_breaker_state state;
    int64_t retry_at_us; // monotonic; when OPEN
    char reason[MF_ERROR_MESSAGE_SIZE];
};
void snk_breaker_open(struct snk_breaker *breaker, int64_t now_us, int64_t retry_ms, const char *reason);
bool snk_breaker_try(struct snk_breaker *breaker, int64_t now_us); // OPEN and due: becomes TRYING, true
bool snk_breaker_close(struct snk_breaker *breaker);               // true when it was not closed before

#endif
