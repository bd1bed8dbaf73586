// SPDX-License-Identifier: Apache-2.0
// Writer of alerts. Pure.
#include "common/event_write.h"

#define BASELINE_NAME_MAX 128 // bytes, as the table has it

static bool interval_ok(const struct mf_alert *alert)
{
    bool of_news = mf_str_eq(alert->interval, MF_STR("news"));
    if (!of_news && mf_name_index(mf_interval_names, alert->interval) < 0)
        return false;
    return of_news == (alert->article_id.data != NULL) && (!of_news || alert->contract.data == NULL);
}

// Times that may be left out; 0 = they are.
static bool times_ok(const struct mf_alert *alert)
{
    bool resolved = alert->state == MF_ALERT_RESOLVED && mf_write_time_ok(alert->resolved_time_us);
    return (alert->resolved_time_us == 0 || resolved) &&
           (alert->cooldown_until_us == 0 || mf_write_time_ok(alert->cooldown_until_us));
}

static bool required_ok(struct mf_str text, size_t max)
{
    return text.len > 0 && mf_write_plain_ok(text, max);
}

// What the table's rows and check_alert of event_check.c ask for.
static bool alert_ok(const struct mf_alert *alert)
{
    return required_ok(alert->rule_id, 64) && required_ok(alert->rule_version, 64) && interval_ok(alert) &&
           (unsigned)alert->adjusted <= MF_ADJUSTED_MAX && (unsigned)alert->severity < MF_SEVERITY_MAX &&
           (unsigned)alert->direction < MF_DIRECTION_MAX && alert->baseline_count <= MF_ALERT_BASELINE_MAX &&
           required_ok(alert->message, 1024) && (unsigned)alert->state < MF_ALERT_STATE_MAX &&
           mf_write_plain_ok(alert->reason, 64) && times_ok(alert) && alert->revision >= 0 &&
           (alert->parent_source.data == NULL || mf_source_is_known(alert->parent_source)) &&
           mf_write_plain_ok(alert->article_id, 256) && mf_write_plain_ok(alert->contract, MF_SYMBOL_MAX) &&
           mf_write_hex_ok(alert->cause) &&
           mf_write_metadata_ok(alert->symbol_name, alert->exchange, alert->symbol_type);
}

static void write_text(struct mf_event_writer *w, struct mf_str member, struct mf_str value)
{
    if (value.data == NULL)
        return;
    mf_write(w, member);
    mf_write(w, value);
    mf_write(w, MF_STR("\""));
}

// A member that is part of the content, given what stands before its value.
static void write_name(struct mf_event_writer *w, struct mf_str member, struct mf_str item,
                       const char *const *names, unsigned index)
{
    mf_write(w, member);
    const char *from = w->at;
    mf_write_name(w, names, index);
    mf_write_content(w, item, (struct mf_str){from, (size_t)(w->at - from)});
    mf_write(w, MF_STR("\""));
}

static void write_time(struct mf_event_writer *w, struct mf_str member, struct mf_str item, int64_t time_us)
{
    if (time_us == 0)
        return;
    mf_write(w, member);
    const char *from = w->at;
    mf_write_time(w, time_us);
    mf_write_content(w, item, (struct mf_str){from, (size_t)(w->at - from)});
    mf_write(w, MF_STR("\""));
}

// False when it is not one that events carry.
static bool write_number(struct mf_event_writer *w, double value, struct mf_str *text)
{
    text->data = w->at;
    if (!mf_decimal_from_double(value, w->at, &text->len))
        return false;
    w->at += text->len;
    return true;
}

static bool write_statistic(struct mf_event_writer *w, struct mf_str member, struct mf_str item, double value)
{
    struct mf_str text;
    mf_write(w, member);
    if (!write_number(w, value, &text))
        return false;
    mf_write_content(w, item, text);
    return true;
}

// Members as they come; the content has them in the order of their names. False when a name is there twice or
// is not one that needs no escape.
static bool write_baseline(struct mf_event_writer *w, const struct mf_alert *alert)
{
    struct mf_str values[MF_ALERT_BASELINE_MAX];
    unsigned char sorted[MF_ALERT_BASELINE_MAX];
    mf_write(w, MF_STR(",\"baseline\":{"));
    for (unsigned i = 0; i < alert->baseline_count; i++) {
        struct mf_str name = alert->baseline[i].name;
        unsigned at = i;
        if (!required_ok(name, BASELINE_NAME_MAX))
            return false;
        for (; at > 0; at--) {
            int order = mf_str_cmp(alert->baseline[sorted[at - 1]].name, name);
            if (order == 0)
                return false;
            if (order < 0)
                break;
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = (unsigned char)i;
        mf_write(w, i > 0 ? MF_STR(",\"") : MF_STR("\""));
        mf_write(w, name);
        mf_write(w, MF_STR("\":"));
        if (!write_number(w, alert->baseline[i].value, &values[i]))
            return false;
    }
    mf_write(w, MF_STR("}"));
    for (unsigned i = 0; i < alert->baseline_count; i++) {
        mf_write_content(w, MF_STR("baseline.name"), alert->baseline[sorted[i]].name);
        mf_write_content(w, MF_STR("baseline.value"), values[sorted[i]]);
    }
    return true;
}

static bool write_verdict(struct mf_event_writer *w, const struct mf_alert *alert)
{
    write_name(w, MF_STR(",\"severity\":\""), MF_STR("severity"), mf_severity_names, alert->severity);
    write_name(w, MF_STR(",\"direction\":\""), MF_STR("direction"), mf_direction_names, alert->direction);
    return write_statistic(w, MF_STR(",\"value\":"), MF_STR("value"), alert->value) &&
           write_statistic(w, MF_STR(",\"threshold\":"), MF_STR("threshold"), alert->threshold) &&
           write_baseline(w, alert);
}

bool mf_write_alert(struct mf_event_writer *w, const struct mf_event *event)
{
    const struct mf_alert *alert = &event->alert;
    if (!w->made || !alert_ok(alert))
        return false;
    write_text(w, MF_STR(",\"rule_id\":\""), alert->rule_id);
    write_text(w, MF_STR(",\"rule_version\":\""), alert->rule_version);
    mf_write_content(w, MF_STR("rule_version"), alert->rule_version);
    write_text(w, MF_STR(",\"interval\":\""), alert->interval);
    if (alert->adjusted != MF_ADJUSTED_MAX) {
        mf_write(w, MF_STR(",\"adjusted\":\""));
        mf_write_name(w, mf_adjusted_names, alert->adjusted);
        mf_write(w, MF_STR("\""));
    }
    if (!write_verdict(w, alert))
        return false;
    write_text(w, MF_STR(",\"message\":\""), alert->message);
    write_name(w, MF_STR(",\"state\":\""), MF_STR("state"), mf_alert_state_names, alert->state);
    write_text(w, MF_STR(",\"reason\":\""), alert->reason);
    if (alert->reason.data != NULL)
        mf_write_content(w, MF_STR("reason"), alert->reason);
    write_time(w, MF_STR(",\"resolved_time\":\""), MF_STR("resolved_time"), alert->resolved_time_us);
    write_time(w, MF_STR(",\"cooldown_until\":\""), MF_STR("cooldown_until"), alert->cooldown_until_us);
    mf_write(w, MF_STR(",\"revision\":"));
    mf_write_count(w, alert->revision);
    write_text(w, MF_STR(",\"parent_source\":\""), alert->parent_source);
    write_text(w, MF_STR(",\"article_id\":\""), alert->article_id);
    write_text(w, MF_STR(",\"contract\":\""), alert->contract);
    write_text(w, MF_STR(",\"cause\":\""), alert->cause);
    mf_write_metadata(w, alert->symbol_name, alert->exchange, alert->symbol_type);
    return true;
}
