// SPDX-License-Identifier: Apache-2.0
// Between the files of the log: how a line is formed (log_format.c) and how it leaves (log_sink.c).
#ifndef MF_LOG_INTERNAL_H
#define MF_LOG_INTERNAL_H

#include "log.h"

// ---------------------------------------------------------------- format
// What is the same in every line.
struct mf_log_identity {
    enum mf_log_format format; // never AUTO
    char service[64];
    char instance[128];
    char version[64];
};

struct mf_log_record {
    int64_t time_us; // real time
    enum mf_log_level level;
    const char *module;
    const char *event;
    struct mf_str message;
    const struct mf_log_field *fields;
    size_t field_count;
};

// Writes one line with its newline, at most MF_LOG_LINE_MAX bytes, and returns its length. A text that does
// not fit is cut and ends in "…"; JSON then has "truncated":true and stays valid.
size_t mf_log_format_line(const struct mf_log_identity *identity, const struct mf_log_record *record,
                          char line[MF_LOG_LINE_MAX]);
// AUTO by what fd is (a terminal, the journal named by $JOURNAL_STREAM, anything else).
enum mf_log_format mf_log_format_choose(enum mf_log_format wanted, int fd);

// ---------------------------------------------------------------- sink
enum mf_log_sink_kind {
    MF_LOG_SINK_DIRECT, // a write cannot wait: a regular file, or a description of our own that is
                        // non-blocking
    MF_LOG_SINK_SOCKET, // send with MSG_DONTWAIT
    MF_LOG_SINK_POLLED  // asked by poll before each write of at most PIPE_BUF bytes
};

struct mf_log_sink {
    int fd;
    bool owned; // opened by us
    enum mf_log_sink_kind kind;
    size_t rest_len; // end of a line that was taken in part; goes out before anything else
    char rest[MF_LOG_LINE_MAX];
};

void mf_log_sink_open(struct mf_log_sink *sink, int fd);
void mf_log_sink_close(struct mf_log_sink *sink);
// True when the whole line went out or its end is kept for the next call; false when nothing of it was taken.
bool mf_log_sink_write(struct mf_log_sink *sink, const char *line, size_t len);
// Tries to send the end of a line that was taken in part. True when nothing is left.
bool mf_log_sink_flush(struct mf_log_sink *sink);

#endif
