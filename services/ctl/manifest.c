// SPDX-License-Identifier: Apache-2.0
// The parser. Every field is looked at, so that a misspelt one is an error and not a default. Errors name the
// field as a path: "raw[3].offset".
#include "services/ctl/manifest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/event.h"
#include "common/json_reader.h"
#include "common/lines.h"
#include "services/ctl/manifest_series.h"

#define PARTITION_MAX 511

static const struct mf_json_limits limits = {.size = CTL_MANIFEST_SIZE_MAX,
                                             .depth = 6,
                                             .string_length = 1024,
                                             .object_keys = 32,
                                             .array_items = CTL_MANIFEST_SERIES_MAX,
                                             .number_length = 20};

static int refuse(struct mf_error *err, const char *code, const char *fmt, ...) MF_PRINTF(3, 4);
static int refuse(struct mf_error *err, const char *code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return mf_error_set(err, MF_ERROR_POISON, code, "%s", text);
}

static bool is_one_of(struct mf_str key, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mf_str_eq_c(key, known[i]))
            return true;
    }
    return false;
}

// Every member must be known. `where` ends in a dot unless it is empty.
static int check_members(const struct mf_json_node *object, const char *where, const char *const *known,
                         size_t count, struct mf_error *err)
{
    for (const struct mf_json_node *m = mf_json_first(object); m != NULL; m = mf_json_next(m)) {
        struct mf_str key = mf_json_key(m);
        if (!is_one_of(key, known, count))
            return refuse(err, "unknown_field", "%s%.*s is no field of a manifest", where,
                          key.len < 60 ? (int)key.len : 60, key.data);
    }
    return 0;
}

static int get(const struct mf_json_node *object, const char *where, const char *key, enum mf_json_type type,
               const struct mf_json_node **node, struct mf_error *err)
{
    *node = mf_json_get(object, key);
    if (*node == NULL)
        return refuse(err, "missing_field", "%s%s is missing", where, key);
    if (mf_json_type(*node) != type)
        return refuse(err, "bad_type", "%s%s is not %s %s", where, key, type == MF_JSON_ARRAY ? "an" : "a",
                      mf_json_type_name(type));
    return 0;
}

static int get_number(const struct mf_json_node *object, const char *where, const char *key, int64_t max,
                      int64_t *value, struct mf_error *err)
{
    const struct mf_json_node *node = NULL;
    if (get(object, where, key, MF_JSON_NUMBER, &node, err) != 0)
        return -1;
    if (!mf_str_to_i64(mf_json_text(node), value) || *value < 0 || *value > max)
        return refuse(err, "bad_value", "%s%s is not a whole number from 0 to %lld", where, key,
                      (long long)max);
    return 0;
}

static bool is_topic(struct mf_str name)
{
    static const char known[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for (size_t i = 0; i < name.len; i++) {
        if (memchr(known, name.data[i], sizeof known - 1) == NULL)
            return false;
    }
    return name.len >= 1 && name.len <= CTL_MANIFEST_TOPIC_MAX;
}

static int take_partition(struct ctl_manifest *manifest, const struct mf_json_node *item, size_t place,
                          struct mf_error *err)
{
    static const char *const known[] = {"topic", "partition", "offset"};
    char where[40];
    snprintf(where, sizeof where, "raw[%zu].", place);
    if (mf_json_type(item) != MF_JSON_OBJECT)
        return refuse(err, "bad_type", "raw[%zu] is not an object", place);
    struct ctl_manifest_partition *p = &manifest->partitions[place];
    const struct mf_json_node *topic = NULL;
    int64_t number = 0;
    if (check_members(item, where, known, MF_ARRAY_LEN(known), err) != 0 ||
        get(item, where, "topic", MF_JSON_STRING, &topic, err) != 0 ||
        get_number(item, where, "partition", PARTITION_MAX, &number, err) != 0 ||
        get_number(item, where, "offset", INT64_MAX - 1, &p->offset, err) != 0)
        return -1;
    if (!is_topic(mf_json_text(topic)))
        return refuse(err, "bad_value", "%stopic is not a topic's name", where);
    mf_str_copy(p->topic, sizeof p->topic, mf_json_text(topic));
    p->partition = (int32_t)number;
    for (size_t i = 0; i < place; i++) {
        if (manifest->partitions[i].partition == p->partition &&
            strcmp(manifest->partitions[i].topic, p->topic) == 0)
            return refuse(err, "duplicate_partition", "raw[%zu] and raw[%zu] are both %s [%d]", i, place,
                          p->topic, (int)p->partition);
    }
    return 0;
}

static int take(const struct mf_json_node *root, struct ctl_manifest *manifest, struct mf_error *err)
{
    static const char *const known[] = {"manifest_version", "run_id", "raw"};
    const struct mf_json_node *version = NULL, *raw = NULL;
    if (mf_json_type(root) != MF_JSON_OBJECT)
        return refuse(err, "bad_type", "the manifest is not an object");
    if (get(root, "", "manifest_version", MF_JSON_STRING, &version, err) != 0)
        return -1;
    struct mf_str text = mf_json_text(version);
    bool first = mf_str_eq_c(text, "1.0");
    if (!first && !mf_str_eq_c(text, "1.1"))
        return refuse(err, "unsupported_version",
                      "manifest_version is '%.*s'; this program reads 1.0 and 1.1",
                      text.len < 20 ? (int)text.len : 20, text.data);
    if ((first && check_members(root, "", known, MF_ARRAY_LEN(known), err) != 0) ||
        (!first && ctl_manifest_take_series(root, manifest, err) != 0) ||
        get(root, "", "raw", MF_JSON_ARRAY, &raw, err) != 0)
        return -1;
    const struct mf_json_node *run = mf_json_get(root, "run_id");
    if (run != NULL && (mf_json_type(run) != MF_JSON_STRING || mf_json_text(run).len == 0 ||
                        !is_topic(mf_json_text(run)) || mf_json_text(run).len > MF_RUN_ID_MAX))
        return refuse(err, "bad_value", "run_id is not 1 to %d of the characters A-Z a-z 0-9 . _ -",
                      MF_RUN_ID_MAX);
    if (run != NULL)
        mf_str_copy(manifest->run_id, sizeof manifest->run_id, mf_json_text(run));
    manifest->count = mf_json_count(raw);
    if (manifest->count > CTL_MANIFEST_PARTITIONS_MAX)
        return refuse(err, "json_items", "raw names more than %d partitions", CTL_MANIFEST_PARTITIONS_MAX);
    manifest->partitions = mf_calloc(manifest->count, sizeof *manifest->partitions);
    size_t place = 0;
    for (const struct mf_json_node *item = mf_json_first(raw); item != NULL; item = mf_json_next(item)) {
        if (take_partition(manifest, item, place++, err) != 0)
            return -1;
    }
    return 0;
}

int ctl_manifest_parse(struct mf_str text, struct ctl_manifest *manifest, struct mf_error *err)
{
    struct mf_json *json = mf_json_new();
    const struct mf_json_node *root = NULL;
    struct ctl_manifest found = {0};
    int result = mf_json_parse(json, text, &limits, &root, err);
    if (result == 0)
        result = take(root, &found, err);
    mf_json_free(&json);
    if (result == 0)
        *manifest = found;
    else
        ctl_manifest_free(&found);
    return result;
}

static int read_all(int fd, const char *path, struct mf_buf *text, struct mf_error *err)
{
    char part[16384];
    for (;;) {
        ssize_t got = read(fd, part, sizeof part);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mf_error_set(err, MF_ERROR_CONFIG, "bad_file", "%s: %s", path, strerror(errno));
        if (got == 0)
            return 0;
        if (mf_buf_add(text, part, (size_t)got) != 0)
            return mf_error_set(err, MF_ERROR_POISON, "json_size", "%s: is larger than %zu bytes", path,
                                CTL_MANIFEST_SIZE_MAX);
    }
}

int ctl_manifest_read(const char *path, struct ctl_manifest *manifest, struct mf_error *err)
{
    struct mf_buf text;
    int fd = -1;
    if (mf_lines_open(path, &fd, err) != 0)
        return -1;
    mf_buf_init(&text, CTL_MANIFEST_SIZE_MAX);
    int result = read_all(fd, path, &text, err);
    mf_lines_close(fd);
    if (result == 0 && ctl_manifest_parse(mf_buf_str(&text), manifest, err) != 0)
        result = mf_error_prefix(err, "%s", path);
    mf_buf_free(&text);
    return result;
}

void ctl_manifest_free(struct ctl_manifest *manifest)
{
    free(manifest->partitions);
    *manifest = (struct ctl_manifest){0};
}
