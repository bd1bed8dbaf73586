// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1.x request, as far as a server of three read-only pages needs it. Pure; strict on
// purpose, because what two readers could understand differently is refused.
#ifndef MF_HTTP_REQUEST_H
#define MF_HTTP_REQUEST_H

#include "base.h"

enum mf_http_head {
    MF_HTTP_HEAD_INCOMPLETE, // the blank line is not there yet
    MF_HTTP_HEAD_OK,
    MF_HTTP_HEAD_BAD // 400
};

struct mf_http_request {
    struct mf_str method; // views into the text
    struct mf_str path;   // without the query
    bool has_body;        // announced by Content-Length or Transfer-Encoding
};

// Reads the request line and the headers (RFC 9112 §3, §5). request is set when the result is OK.
enum mf_http_head mf_http_request_parse(struct mf_str text, struct mf_http_request *request);

#endif
