// SPDX-License-Identifier: Apache-2.0
// The log: exact lines, the limit of 8 KiB at every length around it, and every descriptor that may refuse a
// line.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log_internal.h"

#define TEXT_MAX (256 * 1024)

struct fixture {
    int read_fd, write_fd;
    struct mf_log *log;
    char text[TEXT_MAX];
    size_t len;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    f->read_fd = fds[0];
    f->write_fd = fds[1];
    assert_int_equal(fcntl(f->read_fd, F_SETFL, O_NONBLOCK), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_log_free(&f->log);
    close(f->read_fd);
    close(f->write_fd);
    free(f);
    return 0;
}

static struct mf_log_config config_of(int fd)
{
    return (struct mf_log_config){
        .fd = fd,
        .level = MF_LOG_DEBUG,
        .format = MF_LOG_FORMAT_JSON,
        .service = "ingestor",
        .instance = "host-1",
        .version = "1.2.3",
    };
}

static void open_log(struct fixture *f, enum mf_log_format format)
{
    struct mf_log_config config = config_of(f->write_fd);
    config.format = format;
    f->log = mf_log_new(&config);
}

// What has been written since the last call, terminated.
static const char *drain(struct fixture *f)
{
    f->len = 0;
    ssize_t got;
    while ((got = read(f->read_fd, f->text + f->len, TEXT_MAX - 1 - f->len)) > 0)
        f->len += (size_t)got;
    f->text[f->len] = '\0';
    return f->text;
}

static const char *skip_json_string(const char *at)
{
    assert_int_equal(*at, '"');
    for (at++; *at != '"'; at++) {
        assert_true((unsigned char)*at >= 0x20); // also ends at the terminator
        if (*at == '\\') {
            at++;
            assert_non_null(strchr("\"\\/bfnrtu", *at));
            for (int i = 0; *at == 'u' && i < 4; i++)
                assert_non_null(strchr("0123456789abcdef", at[1 + i]));
        }
    }
    return at + 1;
}

// Checks one line: a flat JSON object of strings, numbers, true and null, UTF-8, within the limit. Returns
// what follows its newline.
static const char *check_json_line(const char *line)
{
    const char *at = line;
    assert_int_equal(*at, '{');
    do {
        at = skip_json_string(at + 1);
        assert_int_equal(*at, ':');
        at++;
        if (*at == '"')
            at = skip_json_string(at);
        else
            at += strspn(at, "0123456789+-.eaturnl");
    } while (*at == ',');
    assert_int_equal(at[0], '}');
    assert_int_equal(at[1], '\n');
    size_t len = (size_t)(at + 2 - line);
    assert_true(len <= MF_LOG_LINE_MAX);
    assert_true(mf_str_is_utf8((struct mf_str){line, len}));
    return at + 2;
}

static size_t check_json_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; lines++)
        text = check_json_line(text);
    return lines;
}

static void json_line_is_exact(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    int64_t before = mf_clock_real_us();
    MF_LOGF(f->log, MF_LOG_NOTICE, "kafka", "assigned",
            MF_FIELDS(mf_lf_str("topic", "market.raw"), mf_lf_i64("partition", -3), mf_lf_str("symbol", NULL),
                      mf_lf_f64("duration_ms", 1.5), mf_lf_f64("rate", NAN),
                      mf_lf_view("key", MF_STR("a\"b"))),
            "%d partitions", 8);
    const char *line = drain(f);
    assert_int_equal(check_json_lines(line), 1);
    static const char head[] = "{\"ts\":\"";
    assert_memory_equal(line, head, strlen(head));
    int64_t stamp;
    assert_true(mf_time_parse((struct mf_str){line + strlen(head), 27}, &stamp));
    assert_true(stamp >= before && stamp <= mf_clock_real_us());
    assert_string_equal(
        line + strlen(head) + 27,
        "\",\"level\":\"notice\",\"service\":\"ingestor\",\"instance\":\"host-1\",\"version\":\"1.2.3\","
        "\"module\":\"kafka\",\"event\":\"assigned\",\"msg\":\"8 partitions\",\"topic\":\"market.raw\","
        "\"partition\":-3,\"duration_ms\":1.5,\"rate\":null,\"key\":\"a\\\"b\"}\n");
}

static void text_line_is_for_people(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_TEXT);
    MF_LOGF(f->log, MF_LOG_WARNING, "http", "refused",
            MF_FIELDS(mf_lf_str("endpoint", "bars"), mf_lf_str("error", "no such host"),
                      mf_lf_str("empty", ""), mf_lf_i64("attempt", 2)),
            "got \"%s\"\n\x1b[31m", "it");
    const char *line = drain(f);
    assert_string_equal(line + 27, " warning  http refused: got \"it\"\\n\\x1b[31m endpoint=bars "
                                   "error=\"no such host\" empty=\"\" attempt=2\n");
}

static void journal_lines_have_priorities(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JOURNAL);
    for (unsigned i = 0; i < MF_LOG_LEVEL_MAX; i++) {
        MF_LOG(f->log, (enum mf_log_level)i, "m", "e", "x");
        char prefix[5];
        snprintf(prefix, sizeof prefix, "<%u>{", 7 - i);
        const char *line = drain(f);
        assert_memory_equal(line, prefix, 4);
        check_json_line(line + 3);
    }
}

static void levels_are_parsed_and_filtered(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    for (unsigned i = 0; i < MF_LOG_LEVEL_MAX; i++) {
        enum mf_log_level parsed;
        assert_true(mf_log_level_parse(mf_log_level_name((enum mf_log_level)i), &parsed));
        assert_int_equal(parsed, i);
        mf_log_set_level(f->log, parsed);
        for (unsigned j = 0; j < MF_LOG_LEVEL_MAX; j++)
            MF_LOG(f->log, (enum mf_log_level)j, "m", "e", "x");
        assert_int_equal(check_json_lines(drain(f)), MF_LOG_LEVEL_MAX - i);
    }
    enum mf_log_level parsed;
    assert_false(mf_log_level_parse("INFO", &parsed));
    assert_false(mf_log_level_parse("", &parsed));
    struct mf_log_counts counts = mf_log_counts(f->log);
    assert_int_equal(counts.written[MF_LOG_DEBUG], 1);
    assert_int_equal(counts.written[MF_LOG_CRITICAL], 6);

    MF_LOG(NULL, MF_LOG_CRITICAL, "m", "e", "nowhere to write"); // no log is fine
    mf_log_tick(NULL);
}

static void hostile_text_stays_one_valid_line(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    MF_LOGF(f->log, MF_LOG_INFO, "m", "e", MF_FIELDS(mf_lf_view("v", MF_STR("\0\xff\"}\n{"))), "%s",
            "a\r\nb\xc3(\xf0\x9f\x93\x88");
    const char *line = drain(f);
    assert_int_equal(check_json_lines(line), 1);
    assert_non_null(strstr(line, "\"msg\":\"a\\r\\nb\\\\xc3(\xf0\x9f\x93\x88\""));
    assert_non_null(strstr(line, "\"v\":\"\\u0000\\\\xff\\\"}\\n{\""));
}

static void error_becomes_fields(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    struct mf_error err;
    mf_error_set(&err, MF_ERROR_TRANSIENT, "broker_down", "no broker at %s", "h:1");
    mf_log_error(f->log, MF_LOG_ERROR, "kafka", "produce_failed", &err, "producing to market.raw");
    const char *line = drain(f);
    assert_int_equal(check_json_lines(line), 1);
    assert_non_null(strstr(line, "\"msg\":\"producing to market.raw\",\"error_class\":\"transient\","
                                 "\"error_code\":\"broker_down\",\"error\":\"no broker at h:1\"}"));
}

// Around the limit, at every length, and with every kind of last character.
static void long_lines_are_cut_and_stay_json(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    static const char *const fillers[] = {"x", "\n", "€", "\xff"};
    char *message = mf_alloc(MF_LOG_LINE_MAX + 1);
    bool whole = false, cut = false;
    for (size_t k = 0; k < MF_ARRAY_LEN(fillers); k++) {
        size_t unit = strlen(fillers[k]);
        for (size_t n = k == 0 ? 7800 : 1000; n <= 8191 / unit; n += k == 0 ? 1 : 97) {
            for (size_t i = 0; i < n; i++)
                memcpy(message + i * unit, fillers[k], unit);
            message[n * unit] = '\0';
            MF_LOGF(f->log, MF_LOG_INFO, "m", "e", MF_FIELDS(mf_lf_i64("after", 1)), "%s", message);
            const char *line = drain(f);
            assert_int_equal(check_json_lines(line), 1);
            assert_non_null(strstr(line, ",\"after\":1"));
            bool is_cut = strstr(line, ",\"truncated\":true}") != NULL;
            assert_int_equal(is_cut, strstr(line, "…\"") != NULL);
            if (k == 0 && !is_cut)
                assert_non_null(strstr(line, message));
            whole |= !is_cut;
            cut |= is_cut;
        }
    }
    assert_true(whole && cut);
    free(message);
}

static void long_fields_leave_room_for_the_message(void **state)
{
    struct fixture *f = *state;
    char *value = mf_alloc(20001);
    memset(value, 'v', 20000);
    value[20000] = '\0';
    for (unsigned format = MF_LOG_FORMAT_JSON; format <= MF_LOG_FORMAT_TEXT; format++) {
        open_log(f, (enum mf_log_format)format);
        MF_LOGF(f->log, MF_LOG_INFO, "m", "e",
                MF_FIELDS(mf_lf_str("first", "1"), mf_lf_str("long", value), mf_lf_str("late", value),
                          mf_lf_i64("last", 9)),
                "the message");
        const char *line = drain(f);
        assert_true(f->len <= MF_LOG_LINE_MAX);
        assert_non_null(strstr(line, "the message"));
        assert_non_null(strstr(line, "…"));
        assert_int_equal(line[f->len - 1], '\n');
        if (format == MF_LOG_FORMAT_JSON)
            assert_int_equal(check_json_lines(line), 1);
        mf_log_free(&f->log);
    }
    // The longest of everything at once.
    struct mf_log_config config = config_of(f->write_fd);
    config.service = config.instance = config.version = value;
    f->log = mf_log_new(&config);
    MF_LOGF(f->log, MF_LOG_INFO, value, value, MF_FIELDS(mf_lf_str("long", value)), "%s", value);
    const char *line = drain(f);
    assert_int_equal(check_json_lines(line), 1);
    assert_non_null(strstr(line, ",\"truncated\":true}"));
    free(value);
}

static void fill_pipe(int fd)
{
    int own =
        open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC); // any descriptor, to leave the pipe's flags alone
    if (own >= 0)
        close(own);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int filler = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(filler >= 0);
    char block[PIPE_BUF];
    memset(block, '#', sizeof block);
    block[sizeof block - 1] = '\n';
    while (write(filler, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    close(filler);
}

// A full pipe that is shared and blocking: nothing waits, nothing is torn, the loss is counted and reported.
static void full_pipe_drops_and_counts(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    assert_int_equal(fcntl(f->write_fd, F_GETFL) & O_NONBLOCK, 0);
    fill_pipe(f->write_fd);
    errno = ENOENT;
    for (int i = 0; i < 3; i++)
        MF_LOG(f->log, MF_LOG_ERROR, "m", "lost", "%d", i);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mf_log_counts(f->log).dropped, 3);
    assert_int_equal(mf_log_counts(f->log).written[MF_LOG_ERROR], 0);
    mf_log_tick(f->log); // still full: the report itself is not a lost line
    assert_int_equal(mf_log_counts(f->log).dropped, 3);
    drain(f);
    mf_log_tick(f->log);
    const char *line = drain(f);
    assert_int_equal(check_json_lines(line), 1);
    assert_non_null(strstr(line, "\"event\":\"log_dropped\""));
    assert_non_null(strstr(line, "\"dropped\":3}"));
    mf_log_tick(f->log);
    assert_string_equal(drain(f), "");
    assert_int_equal(fcntl(f->write_fd, F_GETFL) & O_NONBLOCK, 0); // never touched
}

// Lines into a pipe with little room: a line taken in part is finished before the next. Which length is taken
// in part depends on how the kernel packs pages, so lengths are tried until one is.
static void partial_lines_are_finished(void **state)
{
    struct fixture *f = *state;
    open_log(f, MF_LOG_FORMAT_JSON);
    assert_true(fcntl(f->write_fd, F_SETPIPE_SZ, 16384) >= 16384);
    size_t torn = 0;
    for (int len = 4200; len < 8000; len += 200) {
        uint64_t before = mf_log_counts(f->log).written[MF_LOG_INFO];
        uint64_t dropped = mf_log_counts(f->log).dropped;
        for (int i = 0; i < 5; i++)
            MF_LOG(f->log, MF_LOG_INFO, "m", "e", "%0*d", len, i);
        uint64_t written = mf_log_counts(f->log).written[MF_LOG_INFO] - before;
        assert_int_equal(written + mf_log_counts(f->log).dropped - dropped, 5);
        assert_true(written < 5);
        size_t had = strlen(drain(f));
        torn += f->text[had - 1] != '\n';
        char *both = mf_alloc(TEXT_MAX);
        memcpy(both, f->text, had);
        mf_log_tick(f->log);
        drain(f);
        memcpy(both + had, f->text, f->len + 1);
        assert_int_equal(check_json_lines(both), written + 1); // and the report of the dropped ones
        free(both);
    }
    assert_true(torn > 0);
}

static void polled_descriptor_never_waits(void **state)
{
    struct fixture *f = *state;
    struct mf_log_sink *sink = mf_calloc(1, sizeof *sink);
    mf_log_sink_open(sink, f->write_fd);
    assert_true(sink->owned);
    mf_log_sink_close(sink);
    // As when a pipe of another user cannot be opened again.
    *sink = (struct mf_log_sink){.fd = f->write_fd, .kind = MF_LOG_SINK_POLLED};
    char line[MF_LOG_LINE_MAX];
    memset(line, 'x', sizeof line);
    size_t taken = 0;
    while (taken < 1000 && mf_log_sink_write(sink, line, sizeof line))
        taken++;
    assert_true(taken > 0 && taken < 1000);
    size_t total = strlen(drain(f));
    assert_true(mf_log_sink_flush(sink));
    total += strlen(drain(f));
    assert_int_equal(total, taken * sizeof line);
    mf_log_sink_close(sink);
    free(sink);
    assert_true(fcntl(f->write_fd, F_GETFD) >= 0); // borrowed: still open
}

static void full_disk_drops_and_counts(void **state)
{
    struct fixture *f = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    struct mf_log_config config = config_of(full);
    f->log = mf_log_new(&config);
    for (int i = 0; i < 10; i++)
        MF_LOG(f->log, MF_LOG_INFO, "m", "e", "%d", i);
    assert_int_equal(mf_log_counts(f->log).dropped, 10);
    close(full);
}

// A file that reaches its limit in the middle of a line, and gets room again.
static void file_at_its_limit_is_finished_later(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/mf-test-log-XXXXXX";
    int file = mkostemp(path, O_CLOEXEC);
    assert_true(file >= 0);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old_action;
    struct rlimit old;
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &old_action), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 1000, .rlim_max = old.rlim_max};
    struct mf_log_config config = config_of(file);
    f->log = mf_log_new(&config);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 20; i++)
        MF_LOG(f->log, MF_LOG_INFO, "m", "e", "%d", i);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    struct mf_log_counts counts = mf_log_counts(f->log);
    assert_true(counts.dropped > 0 && counts.written[MF_LOG_INFO] > 0);
    assert_int_equal(counts.dropped + counts.written[MF_LOG_INFO], 20);
    mf_log_tick(f->log);
    assert_int_equal(sigaction(SIGXFSZ, &old_action, NULL), 0);
    ssize_t len = pread(file, f->text, TEXT_MAX - 1, 0);
    assert_true(len > 1000);
    f->text[len] = '\0';
    assert_int_equal(check_json_lines(f->text), counts.written[MF_LOG_INFO] + 1);
    unlink(path);
    close(file);
}

static void full_socket_and_lost_reader(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct mf_log_config config = config_of(pair[0]);
    f->log = mf_log_new(&config);
    char message[4001];
    memset(message, 'm', 4000);
    message[4000] = '\0';
    for (int i = 0; i < 10000 && mf_log_counts(f->log).dropped == 0; i++)
        MF_LOG(f->log, MF_LOG_INFO, "m", "e", "%s", message);
    assert_int_equal(mf_log_counts(f->log).dropped, 1);
    assert_int_equal(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    close(pair[1]); // no reader: no SIGPIPE either
    MF_LOG(f->log, MF_LOG_INFO, "m", "e", "x");
    assert_int_equal(mf_log_counts(f->log).dropped, 2);
    mf_log_free(&f->log);
    close(pair[0]);

    config.fd = -1; // no descriptor at all
    f->log = mf_log_new(&config);
    MF_LOG(f->log, MF_LOG_INFO, "m", "e", "x");
    assert_int_equal(mf_log_counts(f->log).dropped, 1);
}

static void repeats_are_suppressed_and_reported(void **state)
{
    struct fixture *f = *state;
    struct mf_log_config config = config_of(f->write_fd);
    config.burst = 3;
    config.window_ms = 40;
    f->log = mf_log_new(&config);
    int64_t begin = mf_clock_monotonic_us();
    for (int i = 0; i < 10; i++) {
        MF_LOG(f->log, MF_LOG_ERROR, "m", "often", "%d", i);
        MF_LOG(f->log, MF_LOG_WARNING, "m", "often", "%d", i);
    }
    MF_LOG(f->log, MF_LOG_ERROR, "m", "other", "x");
    bool in_time = mf_clock_monotonic_us() - begin < 40000; // else the machine stood still for a window
    size_t seen = check_json_lines(drain(f));
    assert_true(!in_time || seen == 3 + 3 + 1);
    uint64_t held = mf_log_counts(f->log).suppressed[MF_LOG_ERROR];
    int64_t deadline = mf_clock_monotonic_us() + 10 * MF_US_PER_SECOND;
    char all[8192] = "";
    while (strstr(all, "\"level\":\"error\"") == NULL || strstr(all, "\"level\":\"warning\"") == NULL) {
        assert_true(mf_clock_monotonic_us() < deadline);
        mf_log_tick(f->log);
        const char *more = drain(f);
        assert_true(strlen(all) + strlen(more) < sizeof all);
        memcpy(all + strlen(all), more, strlen(more) + 1);
    }
    if (in_time) {
        assert_int_equal(held, 7);
        assert_int_equal(check_json_lines(all), 2);
        assert_non_null(strstr(all, "\"event\":\"suppressed\",\"msg\":\"7 more lines of often suppressed\","
                                    "\"suppressed_event\":\"often\",\"suppressed\":7}"));
    }
    // A new window: lines appear again.
    MF_LOG(f->log, MF_LOG_ERROR, "m", "often", "again");
    assert_int_equal(check_json_lines(drain(f)), 1);
}

static void free_reports_what_was_suppressed(void **state)
{
    struct fixture *f = *state;
    struct mf_log_config config = config_of(f->write_fd);
    config.burst = 1;
    config.window_ms = 3600000;
    f->log = mf_log_new(&config);
    MF_LOG(f->log, MF_LOG_INFO, "m", "e", "x");
    MF_LOG(f->log, MF_LOG_INFO, "m", "e", "y");
    drain(f);
    mf_log_free(&f->log);
    const char *line = drain(f);
    assert_int_equal(check_json_lines(line), 1);
    assert_non_null(strstr(line, "\"suppressed\":1}"));
}

// More event ids than the table holds: they share one limit, and nothing is lost silently.
static void limit_survives_many_event_ids(void **state)
{
    struct fixture *f = *state;
    struct mf_log_config config = config_of(f->write_fd);
    config.burst = 1;
    config.window_ms = 3600000;
    f->log = mf_log_new(&config);
    size_t lines = 0;
    for (int i = 0; i < 2000; i++) {
        char event[24];
        snprintf(event, sizeof event, "event_%d", i);
        MF_LOG(f->log, MF_LOG_INFO, "m", event, "x");
        lines += check_json_lines(drain(f));
    }
    struct mf_log_counts counts = mf_log_counts(f->log);
    assert_int_equal(lines, counts.written[MF_LOG_INFO]);
    assert_int_equal(lines + counts.suppressed[MF_LOG_INFO], 2000);
    assert_true(lines >= 300 && lines < 600);
    mf_log_free(&f->log);
    assert_non_null(strstr(drain(f), "\"suppressed_event\":\"other_events\""));
}

static void format_follows_the_descriptor(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    assert_int_equal(fstat(f->write_fd, &status), 0);
    char stream[64];
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    assert_int_equal(mf_log_format_choose(MF_LOG_FORMAT_AUTO, f->write_fd), MF_LOG_FORMAT_JOURNAL);
    assert_int_equal(mf_log_format_choose(MF_LOG_FORMAT_TEXT, f->write_fd), MF_LOG_FORMAT_TEXT);
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); // the variable was meant for another stream
    assert_int_equal(mf_log_format_choose(MF_LOG_FORMAT_AUTO, f->write_fd), MF_LOG_FORMAT_JSON);
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    assert_int_equal(mf_log_format_choose(MF_LOG_FORMAT_AUTO, f->write_fd), MF_LOG_FORMAT_JSON);

    int main_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (main_fd < 0 || grantpt(main_fd) != 0 || unlockpt(main_fd) != 0) {
        print_message("SKIPPED the terminal: no pseudo-terminals here\n");
    } else {
        int terminal = open(ptsname(main_fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(terminal >= 0);
        assert_int_equal(mf_log_format_choose(MF_LOG_FORMAT_AUTO, terminal), MF_LOG_FORMAT_TEXT);
        struct mf_log_config config = config_of(terminal);
        config.format = MF_LOG_FORMAT_AUTO;
        f->log = mf_log_new(&config);
        // Nobody reads the terminal: in the end it is full, and that is a dropped line too.
        for (int i = 0; i < 100000 && mf_log_counts(f->log).dropped == 0; i++)
            MF_LOG(f->log, MF_LOG_INFO, "m", "e", "%d", i);
        assert_int_equal(mf_log_counts(f->log).dropped, 1);
        close(terminal);
    }
    if (main_fd >= 0)
        close(main_fd);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(json_line_is_exact),
        LOG_TEST(text_line_is_for_people),
        LOG_TEST(journal_lines_have_priorities),
        LOG_TEST(levels_are_parsed_and_filtered),
        LOG_TEST(hostile_text_stays_one_valid_line),
        LOG_TEST(error_becomes_fields),
        LOG_TEST(long_lines_are_cut_and_stay_json),
        LOG_TEST(long_fields_leave_room_for_the_message),
        LOG_TEST(full_pipe_drops_and_counts),
        LOG_TEST(partial_lines_are_finished),
        LOG_TEST(polled_descriptor_never_waits),
        LOG_TEST(full_disk_drops_and_counts),
        LOG_TEST(file_at_its_limit_is_finished_later),
        LOG_TEST(full_socket_and_lost_reader),
        LOG_TEST(repeats_are_suppressed_and_reported),
        LOG_TEST(free_reports_what_was_suppressed),
        LOG_TEST(limit_survives_many_event_ids),
        LOG_TEST(format_follows_the_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
