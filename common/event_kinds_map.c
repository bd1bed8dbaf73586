// SPDX-License-Identifier: Apache-2.0
// Kinds of fields that are an object with free keys: a heartbeat's feeds, an alert's baseline. Pure.
#include "common/event_table.h"

#include <math.h>

enum { MAP_KEY_MAX = 128 };

static bool map_open(struct mf_event_report *report, const struct mf_event_field *field,
                     const struct mf_json_node *node)
{
    if (mf_json_type(node) != MF_JSON_OBJECT) {
        mf_event_report_add(report, "bad_type", field->name, "must be an object, not %s",
                            mf_json_type_name(mf_json_type(node)));
        return false;
    }
    if (mf_json_count(node) > field->max) {
        mf_event_report_add(report, "bad_value", field->name, "has %zu members, at most %zu are allowed",
                            mf_json_count(node), field->max);
        return false;
    }
    return true;
}

// Keys become JSON members: a good form, and none twice. `key_of` gives the i-th.
static void map_check_keys(struct mf_event_report *report, const struct mf_event_field *field,
                           const void *base, size_t count,
                           struct mf_str (*key_of)(const void *base, size_t i))
{
    for (size_t i = 0; i < count; i++) {
        struct mf_str key = key_of(base, i);
        bool good = key.len >= 1 && key.len <= MAP_KEY_MAX && mf_str_is_utf8(key) &&
                    memchr(key.data, '\0', key.len) == NULL;
        for (size_t j = 0; good && j < i; j++)
            good = !mf_str_eq(key, key_of(base, j));
        if (good)
            continue;
        mf_event_report_add(report, "bad_value", field->name,
                            "key %zu is empty, too long, not UTF-8 or there twice", i);
        return;
    }
}

static bool map_present(const struct mf_event_field *field, const void *base)
{
    (void)field, (void)base;
    return true;
}

// Members have no order, so the hash takes them by key: the place of the smallest key above *last, or count.
static size_t next_by_key(const void *base, size_t count, struct mf_str (*key_of)(const void *base, size_t i),
                          const struct mf_str *last)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++) {
        struct mf_str key = key_of(base, i);
        bool above = last == NULL || mf_str_cmp(key, *last) > 0;
        if (above && (best == count || mf_str_cmp(key, key_of(base, best)) < 0))
            best = i;
    }
    return best;
}

// ---- a heartbeat's feeds: name → time.

static struct mf_heartbeat *heartbeat_at(void *base)
{
    return &((struct mf_event *)base)->heartbeat;
}

static const struct mf_heartbeat *heartbeat_in(const void *base)
{
    return &((const struct mf_event *)base)->heartbeat;
}

// A row of its own, so that a feed's time obeys the rules of every other time.
static const struct mf_event_field feed_time = {.name = "feeds.time",
                                                .name_len = sizeof "feeds.time" - 1,
                                                .kind = &mf_kind_time,
                                                .rules = MF_FIELD_REQUIRED | MF_FIELD_CONTENT};

static void feeds_clear(const struct mf_event_field *field, void *base)
{
    (void)field;
    heartbeat_at(base)->feed_count = 0;
}

static bool feeds_read(struct mf_event_report *report, const struct mf_event_field *field,
                       const struct mf_json_node *node, void *base)
{
    struct mf_heartbeat *heartbeat = heartbeat_at(base);
    if (!map_open(report, field, node))
        return false;
    for (const struct mf_json_node *member = mf_json_first(node); member != NULL;
         member = mf_json_next(member)) {
        size_t i = heartbeat->feed_count++;
        heartbeat->feeds[i].name = mf_json_key(member);
        if (!mf_kind_time.read(report, &feed_time, member, &heartbeat->feeds[i].complete_to_us))
            return false;
    }
    return true;
}

static struct mf_str feed_key(const void *base, size_t i)
{
    return heartbeat_in(base)->feeds[i].name;
}

static void feeds_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    const struct mf_heartbeat *heartbeat = heartbeat_in(base);
    if (heartbeat->feed_count > field->max) {
        mf_event_report_add(report, "bad_value", field->name, "has more than %zu members", field->max);
        return;
    }
    map_check_keys(report, field, base, heartbeat->feed_count, feed_key);
    for (size_t i = 0; i < heartbeat->feed_count; i++)
        mf_kind_time.check(report, &feed_time, &heartbeat->feeds[i].complete_to_us);
}

static void feeds_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    (void)field;
    const struct mf_heartbeat *heartbeat = heartbeat_in(base);
    struct mf_event_output json = {.json = out->json}, hash = {.hash = out->hash, .prefix = out->prefix};
    if (json.json != NULL) {
        mf_jw_object_begin(json.json);
        for (size_t i = 0; i < heartbeat->feed_count; i++) {
            mf_jw_key_str(json.json, heartbeat->feeds[i].name);
            mf_kind_time.emit(&json, &feed_time, &heartbeat->feeds[i].complete_to_us);
        }
        mf_jw_object_end(json.json);
    }
    size_t count = hash.hash != NULL ? heartbeat->feed_count : 0;
    for (size_t i = next_by_key(base, count, feed_key, NULL); i < count;
         i = next_by_key(base, count, feed_key, &heartbeat->feeds[i].name)) {
        mf_event_hash_item(&hash, MF_STR("feeds.name"), heartbeat->feeds[i].name);
        mf_kind_time.emit(&hash, &feed_time, &heartbeat->feeds[i].complete_to_us);
    }
}

const struct mf_field_kind mf_kind_feeds = {
    .label = "object, feed name → time",
    .clear = feeds_clear,
    .present = map_present,
    .read = feeds_read,
    .check = feeds_check,
    .emit = feeds_emit,
};

// ---- an alert's baseline: name → statistic.

static struct mf_alert *alert_at(void *base)
{
    return &((struct mf_event *)base)->alert;
}

static const struct mf_alert *alert_in(const void *base)
{
    return &((const struct mf_event *)base)->alert;
}

static const struct mf_event_field baseline_value = {.name = "baseline.value",
                                                     .name_len = sizeof "baseline.value" - 1,
                                                     .kind = &mf_kind_statistic,
                                                     .rules = MF_FIELD_REQUIRED | MF_FIELD_CONTENT};

static void baseline_clear(const struct mf_event_field *field, void *base)
{
    (void)field;
    alert_at(base)->baseline_count = 0;
}

static bool baseline_read(struct mf_event_report *report, const struct mf_event_field *field,
                          const struct mf_json_node *node, void *base)
{
    struct mf_alert *alert = alert_at(base);
    if (!map_open(report, field, node))
        return false;
    for (const struct mf_json_node *member = mf_json_first(node); member != NULL;
         member = mf_json_next(member)) {
        size_t i = alert->baseline_count++;
        alert->baseline[i].name = mf_json_key(member);
        if (!mf_kind_statistic.read(report, &baseline_value, member, &alert->baseline[i].value))
            return false;
    }
    return true;
}

static struct mf_str baseline_key(const void *base, size_t i)
{
    return alert_in(base)->baseline[i].name;
}

static void baseline_check(struct mf_event_report *report, const struct mf_event_field *field,
                           const void *base)
{
    const struct mf_alert *alert = alert_in(base);
    if (alert->baseline_count > field->max) {
        mf_event_report_add(report, "bad_value", field->name, "has more than %zu members", field->max);
        return;
    }
    map_check_keys(report, field, base, alert->baseline_count, baseline_key);
    for (size_t i = 0; i < alert->baseline_count; i++)
        mf_kind_statistic.check(report, &baseline_value, &alert->baseline[i].value);
}

static void baseline_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    (void)field;
    const struct mf_alert *alert = alert_in(base);
    struct mf_event_output json = {.json = out->json}, hash = {.hash = out->hash, .prefix = out->prefix};
    if (json.json != NULL) {
        mf_jw_object_begin(json.json);
        for (size_t i = 0; i < alert->baseline_count; i++) {
            mf_jw_key_str(json.json, alert->baseline[i].name);
            mf_kind_statistic.emit(&json, &baseline_value, &alert->baseline[i].value);
        }
        mf_jw_object_end(json.json);
    }
    size_t count = hash.hash != NULL ? alert->baseline_count : 0;
    for (size_t i = next_by_key(base, count, baseline_key, NULL); i < count;
         i = next_by_key(base, count, baseline_key, &alert->baseline[i].name)) {
        mf_event_hash_item(&hash, MF_STR("baseline.name"), alert->baseline[i].name);
        mf_kind_statistic.emit(&hash, &baseline_value, &alert->baseline[i].value);
    }
}

const struct mf_field_kind mf_kind_baseline = {
    .label = "object, name → statistic",
    .clear = baseline_clear,
    .present = map_present,
    .read = baseline_read,
    .check = baseline_check,
    .emit = baseline_emit,
};
