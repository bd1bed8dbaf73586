// SPDX-License-Identifier: Apache-2.0
// marketflowctl events validate: problems by line and field, exit codes, lines of any length.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/event.h"
#include "event_samples.h"
#include "services/ctl/ctl.h"

struct fixture {
    FILE *input;
    char *out, *summary; // of the last run
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->input = tmpfile();
    *state = f;
    return f->input != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fclose(f->input);
    free(f->out);
    free(f->summary);
    free(f);
    return 0;
}

static int validate(struct fixture *f)
{
    size_t len = 0;
    free(f->out);
    free(f->summary);
    FILE *out = open_memstream(&f->out, &len), *summary = open_memstream(&f->summary, &len);
    fflush(f->input);
    assert_int_equal(lseek(fileno(f->input), 0, SEEK_SET), 0);
    int result = ctl_validate(fileno(f->input), "in.ndjson", out, summary);
    fclose(out);
    fclose(summary);
    return result;
}

static void put_sample(struct fixture *f, enum event_sample sample)
{
    static struct mf_event event;
    struct mf_error err;
    struct mf_buf text;
    mf_buf_init(&text, MF_DEAD_LETTER_SIZE_MAX);
    event_sample_fill(sample, &event);
    assert_int_equal(mf_event_encode(&event, &text, &err), 0);
    fwrite(text.data, 1, text.len, f->input);
    mf_buf_free(&text);
}

static void test_events_of_every_kind_pass(void **state)
{
    struct fixture *f = *state;
    for (enum event_sample sample = 0; sample < SAMPLE_MAX; sample++) {
        put_sample(f, sample);
        fputs(sample % 2 == 0 ? "\n" : "\r\n\n \t\n", f->input); // other ends of lines, and blank ones
    }
    assert_int_equal(validate(f), 0);
    assert_string_equal(f->out, "");
    char wanted[80];
    snprintf(wanted, sizeof wanted, "in.ndjson: %d lines checked, 0 with problems, 0 problems\n", SAMPLE_MAX);
    assert_string_equal(f->summary, wanted);
}

static void test_problems_by_line_and_field(void **state)
{
    struct fixture *f = *state;
    put_sample(f, SAMPLE_BAR);
    fputs("\n{\"schema_version\":\"1.0\"\n\n", f->input);
    fputs("{\"schema_version\":\"1.0\",\"event_type\":\"heartbeat\",\"symbol\":7,\"lane\":\"x\"}\n",
          f->input);
    fputs("{\"schema_version\":\"2.1\",\"event_type\":\"bar\"}", f->input); // no newline at the end
    assert_int_equal(validate(f), 78);
    assert_non_null(strstr(f->out, "in.ndjson:2: record: "));
    assert_non_null(strstr(f->out, " [json_syntax]\n"));
    assert_non_null(strstr(f->out, "in.ndjson:4: symbol: must be a string, not number [bad_type]\n"));
    assert_non_null(strstr(f->out, "in.ndjson:4: lane: must be live or backfill:<run id> [bad_value]\n"));
    assert_non_null(strstr(f->out, "in.ndjson:4: event_id: is required [missing_field]\n"));
    assert_non_null(
        strstr(f->out, "in.ndjson:5: schema_version: '2.1' is not a version 1.x [unsupported_version]\n"));
    assert_null(strstr(f->out, "in.ndjson:1:"));
    assert_non_null(strstr(f->summary, "in.ndjson: 4 lines checked, 3 with problems, "));
}

static void test_lines_at_the_limit(void **state)
{
    struct fixture *f = *state;
    static char line[MF_DEAD_LETTER_SIZE_MAX + 1];
    memset(line, ' ', sizeof line);
    // A whole event and blanks up to the limit of a line: too large for a bar, but it is read and said so.
    put_sample(f, SAMPLE_BAR);
    long len = ftell(f->input);
    fwrite(line, 1, MF_DEAD_LETTER_SIZE_MAX - (size_t)len, f->input);
    fputs("\n", f->input);
    memset(line, 'x', sizeof line);
    fwrite(line, 1, sizeof line, f->input); // one byte more
    for (int i = 0; i < 5; i++)             // and far more
        fwrite(line, 1, sizeof line, f->input);
    fputs("\n", f->input);
    put_sample(f, SAMPLE_NEWS);
    assert_int_equal(validate(f), 78);
    assert_non_null(
        strstr(f->out,
               "in.ndjson:1: record: the record has 393216 bytes, at most 262144 are allowed [json_size]\n"));
    assert_non_null(strstr(
        f->out, "in.ndjson:2: record: is larger than 393216 bytes and was skipped [line_too_large]\n"));
    assert_string_equal(f->summary, "in.ndjson: 3 lines checked, 2 with problems, 2 problems\n");
}

static void test_many_problems_are_cut_and_counted(void **state)
{
    struct fixture *f = *state;
    fputs("{\"schema_version\":\"1.0\",\"event_type\":\"metric\"", f->input);
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++)
        fprintf(f->input, ",\"%s\":null", mf_metric_field_names[i]);
    fputs("}\n", f->input);
    assert_int_equal(validate(f), 78);
    size_t lines = 0;
    for (const char *at = f->out; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, MF_EVENT_PROBLEMS_MAX + 1);
    assert_non_null(strstr(f->out, "more problems are not shown [too_many_problems]\n"));
    // 38 statistics, and 19 required fields of which 2 are there.
    assert_non_null(strstr(f->summary, "1 lines checked, 1 with problems, 55 problems\n"));
}

static void test_what_a_file_says_cannot_steer_a_terminal(void **state)
{
    struct fixture *f = *state;
    fputs("{\"schema_version\":\"1.0\",\"event_type\":\"a\\u001b[2J\\u0007\"}\n", f->input);
    assert_int_equal(validate(f), 78);
    assert_null(strchr(f->out, '\x1b'));
    assert_null(strchr(f->out, '\a'));
    assert_non_null(strstr(f->out, "[unknown_event_type]"));
}

static void test_files_that_cannot_be_read_or_answered(void **state)
{
    struct fixture *f = *state;
    char tmp[] = "/tmp", nowhere[] = "/nonexistent/file";
    char *folder[] = {tmp}, *missing[] = {nowhere}, *two[] = {tmp, nowhere};
    assert_int_equal(ctl_run_validate(NULL, 1, folder), 78);
    assert_int_equal(ctl_run_validate(NULL, 1, missing), 78);
    assert_int_equal(ctl_run_validate(NULL, 2, two), 78);
    assert_int_equal(ctl_run_validate(NULL, 0, NULL), 78);
    // A descriptor that cannot be read.
    int unreadable = open("/tmp", O_RDONLY);
    FILE *out = tmpfile();
    assert_int_equal(ctl_validate(unreadable, "folder", out, out), 75);
    fclose(out);
    close(unreadable);
    fputs("{}\n", f->input);
    fflush(f->input);
    lseek(fileno(f->input), 0, SEEK_SET);
    FILE *full = fopen("/dev/full", "w"), *summary = tmpfile();
    assert_int_equal(ctl_validate(fileno(f->input), "in", full, summary), 75);
    fclose(full);
    fclose(summary);
}

static void test_an_empty_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(validate(f), 0);
    assert_string_equal(f->out, "");
    assert_string_equal(f->summary, "in.ndjson: 0 lines checked, 0 with problems, 0 problems\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_of_every_kind_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_problems_by_line_and_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_at_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_problems_are_cut_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_file_says_cannot_steer_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_cannot_be_read_or_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
