// SPDX-License-Identifier: Apache-2.0
// A scripted HTTP server on loopback for unit tests: real sockets, driven by the test's loop. What is sent
// for a path, to the byte, and whether the connection is closed afterwards is the test's to say. Any failure
// aborts the test program.
#ifndef MF_TEST_HTTP_SCRIPT_H
#define MF_TEST_HTTP_SCRIPT_H

#include "common/loop.h"

struct mf_buf;
struct http_script;

enum http_script_after {
    HTTP_SCRIPT_KEEP_OPEN, // wait for the next request (for ever, if the answer was empty or incomplete)
    HTTP_SCRIPT_HANG_UP
};

// Fills `out` with the whole answer, status line included. path: with the query.
typedef enum http_script_after (*http_script_fn)(void *arg, const char *path, struct mf_buf *out);

struct http_script *http_script_new(struct mf_loop *loop, http_script_fn fn, void *arg);
void http_script_free(struct http_script **script);
int http_script_port(const struct http_script *script);
const char *http_script_last_request(struct http_script *script); // request line and headers
size_t http_script_accepted(const struct http_script *script);    // connections so far

#endif
