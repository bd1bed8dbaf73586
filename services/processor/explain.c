// SPDX-License-Identifier: Apache-2.0
// marketflow-processor explain: why a rule fired on a bar or an article, or did not, with every number. The
// file is folded as `replay` does it; the newest bar at or before --at is told about, per series.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/processor/config.h"
#include "services/processor/replay.h"

#define SERIES_MAX 64  // of one symbol in a file
#define ALERTS_SHOWN 5 // newest published ones

struct told { // what there is to say about one series
    struct prc_series_key key;
    struct prc_rule_states before; // as the newest bar left them
    struct mf_buf text;
    int64_t time_us; // of the bar that the text is about
};

struct explaining {
    const char *symbol;
    const char *contract; // whose bars are asked for; NULL = the symbol's own
    enum prc_rule rule;
    int64_t at_us; // INT64_MAX = the end of the file
    bool any_interval;
    enum mf_interval interval;
    struct prc_fold_config config;
    struct told told[SERIES_MAX];
    size_t told_count;
    struct mf_buf article; // what there is to say about the newest one
    int64_t article_us;
    uint64_t records; // of the symbol
    struct mf_json *json;
    struct mf_event *alert;
    char *alerts[ALERTS_SHOWN]; // ring
    uint64_t alert_count;
};

static struct told *told_of(struct explaining *e, const struct prc_series_key *key)
{
    for (size_t i = 0; i < e->told_count; i++) {
        const struct prc_series_key *have = &e->told[i].key;
        if (have->interval == key->interval && have->adjusted == key->adjusted &&
            strcmp(have->source, key->source) == 0 && strcmp(have->provider, key->provider) == 0)
            return &e->told[i];
    }
    if (e->told_count == SERIES_MAX)
        return NULL;
    struct told *told = &e->told[e->told_count++];
    *told = (struct told){.key = *key, .time_us = INT64_MIN};
    mf_buf_init(&told->text, (size_t)64 * 1024);
    return told;
}

static void head_line(struct told *told, const struct prc_cell *cell, const struct prc_bar *bar)
{
    char time[MF_TIME_TEXT_SIZE];
    mf_time_format_ms(bar->time_us, time);
    bool derived = strcmp(told->key.source, told->key.provider) != 0;
    mf_buf_addf(&told->text, "%s %s of %s%s, adjusted %s, lane %s: bar of %s\n", cell->symbol,
                mf_interval_name(told->key.interval), told->key.provider, derived ? " (rolled up)" : "",
                mf_adjusted_name(told->key.adjusted), cell->lane, time);
}

static void on_bar(void *arg, const struct prc_cell *cell, const struct prc_series *series,
                   const struct prc_bar *bar, const struct prc_values *values, uint32_t n_obs)
{
    struct explaining *e = arg;
    if (strcmp(cell->symbol, e->symbol) != 0 || bar->time_us > e->at_us || e->rule >= PRC_RULE_BAR_MAX ||
        e->contract != NULL || (!e->any_interval && series->key.interval != e->interval))
        return;
    struct told *told = told_of(e, &series->key);
    if (told == NULL || bar->time_us < told->time_us)
        return; // a correction further back: the newest bar is what is asked for
    told->time_us = bar->time_us;
    mf_buf_clear(&told->text);
    head_line(told, cell, bar);
    prc_rule_explain(e->rule, &e->config.rules, values, bar, series->key.interval, series->asset_class, n_obs,
                     &told->before, &told->text);
    told->before = series->head.rules;
}

static void on_contract(void *arg, const struct prc_cell *cell, const struct prc_contract *contract,
                        const struct prc_bar *bar, const struct prc_values *values, uint32_t n_obs,
                        const struct prc_rule_state *before)
{
    struct explaining *e = arg;
    if (e->contract == NULL || strcmp(contract->ticker, e->contract) != 0 ||
        strcmp(cell->symbol, e->symbol) != 0 || bar->time_us > e->at_us || e->rule != PRC_CONTRACT_RULE ||
        (!e->any_interval && contract->key.interval != e->interval))
        return;
    struct told *told = told_of(e, &contract->key);
    if (told == NULL || bar->time_us < told->time_us)
        return;
    told->time_us = bar->time_us;
    told->before.of[PRC_CONTRACT_RULE] = *before;
    prc_rule_states_index(&told->before);
    mf_buf_clear(&told->text);
    mf_buf_addf(&told->text, "%s, an option of ", contract->ticker);
    head_line(told, cell, bar);
    prc_rule_explain(e->rule, &e->config.rules, values, bar, contract->key.interval, contract->asset_class,
                     n_obs, &told->before, &told->text);
}

static void on_stale(void *arg, const struct prc_cell *cell, const struct prc_series *series,
                     int64_t clock_us, double age_in_intervals, bool steady)
{
    struct explaining *e = arg;
    char time[MF_TIME_TEXT_SIZE];
    if (e->rule != PRC_RULE_STALE_FEED || strcmp(cell->symbol, e->symbol) != 0 || clock_us > e->at_us ||
        (!e->any_interval && series->key.interval != e->interval))
        return;
    struct told *told = told_of(e, &series->key);
    if (told == NULL)
        return;
    mf_buf_clear(&told->text);
    mf_buf_addf(&told->text, "%s %s of %s, lane %s: heartbeat of %s\n", cell->symbol,
                mf_interval_name(series->key.interval), series->key.provider, cell->lane,
                mf_time_format_ms(clock_us, time));
    prc_stale_explain(&e->config.rules, series->key.interval, age_in_intervals, steady, &told->text);
}

static void on_news(void *arg, const struct prc_cell *cell, const struct mf_event *event,
                    const struct prc_news_facts *facts)
{
    struct explaining *e = arg;
    char time[MF_TIME_TEXT_SIZE];
    if (!prc_rule_is_news(e->rule) || strcmp(cell->symbol, e->symbol) != 0 ||
        event->event_time_us > e->at_us || event->event_time_us < e->article_us)
        return;
    e->article_us = event->event_time_us;
    mf_buf_clear(&e->article);
    mf_buf_addf(&e->article, "%s article %.*s of %s, lane %s: %.*s\n", cell->symbol,
                MF_STR_ARG(event->news.article_id), mf_time_format_ms(event->event_time_us, time), cell->lane,
                MF_STR_ARG(event->news.title));
    prc_news_explain(e->rule, &e->config.rules, facts, &e->article);
}

static void on_output(void *arg, const struct prc_output *output)
{
    struct explaining *e = arg;
    if (output->role != MF_TOPIC_ALERTS || !mf_str_eq_c(output->key, e->symbol) ||
        mf_event_decode(e->json, output->value, e->alert, NULL, NULL) < 0)
        return;
    const struct mf_event *alert = e->alert;
    struct mf_str contract = alert->alert.contract;
    if (e->contract != NULL ? !mf_str_eq_c(contract, e->contract) : contract.data != NULL)
        return;
    if (!mf_str_eq_c(alert->alert.rule_id, prc_rules[e->rule].id) || alert->event_time_us > e->at_us ||
        (!e->any_interval && !mf_str_eq_c(alert->alert.interval, mf_interval_name(e->interval))))
        return;
    char time[MF_TIME_TEXT_SIZE];
    struct mf_buf line;
    mf_buf_init(&line, 4096);
    mf_buf_addf(&line, "  %s %-8s %s revision %d: %.*s", mf_time_format_ms(alert->event_time_us, time),
                mf_severity_name(alert->alert.severity), mf_alert_state_name(alert->alert.state),
                alert->alert.revision, MF_STR_ARG(alert->alert.message));
    char **place = &e->alerts[e->alert_count++ % ALERTS_SHOWN];
    free(*place);
    *place = mf_strdup(mf_buf_c_str(&line));
    mf_buf_free(&line);
}

static bool on_event(void *arg, const struct mf_event *event)
{
    struct explaining *e = arg;
    e->records += mf_str_eq_c(event->symbol, e->symbol);
    return true;
}

// Nothing was looked at: what is missing.
static void print_why_nothing(const struct explaining *e, FILE *out)
{
    char time[MF_TIME_TEXT_SIZE];
    bool news = prc_rule_is_news(e->rule);
    fprintf(out, "%s looked at nothing of %s: %s", prc_rules[e->rule].id, e->symbol,
            news ? "no article passed"
            : e->rule == PRC_RULE_STALE_FEED
                ? "no heartbeat named a feed of its bars while the market was open"
            : e->contract != NULL ? "no final bar of the contract"
                                  : "no final bar");
    if (!e->any_interval && !news)
        fprintf(out, " of %s", mf_interval_name(e->interval));
    if (e->at_us != INT64_MAX)
        fprintf(out, " at or before %s", mf_time_format_ms(e->at_us, time));
    fputs("\n\n", out);
}

static void print(const struct explaining *e, FILE *out)
{
    if (e->told_count == 0 && e->article.len == 0)
        print_why_nothing(e, out);
    for (size_t i = 0; i < e->told_count; i++)
        fprintf(out, "%.*s\n", MF_STR_ARG(mf_buf_str(&e->told[i].text)));
    if (e->article.len > 0)
        fprintf(out, "%.*s\n", MF_STR_ARG(mf_buf_str(&e->article)));
    fprintf(out, "%" PRIu64 " alert events of %s would be published%s\n", e->alert_count,
            prc_rules[e->rule].id,
            e->alert_count > ALERTS_SHOWN ? ", the newest:"
            : e->alert_count > 0          ? ":"
                                          : "");
    uint64_t from = e->alert_count > ALERTS_SHOWN ? e->alert_count - ALERTS_SHOWN : 0;
    for (uint64_t i = from; i < e->alert_count; i++)
        fprintf(out, "%s\n", e->alerts[i % ALERTS_SHOWN]);
}

static int find_rule(const char *name, enum prc_rule *rule, struct mf_error *err)
{
    for (int r = 0; r < PRC_RULE_MAX; r++)
        if (strcmp(prc_rules[r].id, name) == 0) {
            *rule = (enum prc_rule)r;
            return 0;
        }
    mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--rule: '%s' is none of", name);
    for (int r = 0; r < PRC_RULE_MAX; r++) {
        size_t len = strlen(err->message);
        snprintf(err->message + len, sizeof err->message - len, " %s", prc_rules[r].id);
    }
    return -1;
}

static int arguments(int argc, char **argv, struct explaining *e, struct prc_replay_config *config,
                     struct mf_error *err)
{
    const char *rule = "", *at = NULL, *interval = NULL;
    const struct mf_option options[] = {{.name = "--symbol", .value = &e->symbol, .required = true},
                                        {.name = "--rule", .value = &rule, .required = true},
                                        {.name = "--at", .value = &at},
                                        {.name = "--interval", .value = &interval},
                                        {.name = "--contract", .value = &e->contract},
                                        {.name = "--lane", .value = &config->lane}};
    if (argc == 0 || (argv[0][0] == '-' && argv[0][1] != '\0'))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "FILE comes first (- for standard input)");
    config->path = argv[0];
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc - 1, argv + 1, err) < 0 ||
        find_rule(rule, &e->rule, err) < 0)
        return -1;
    e->any_interval = interval == NULL;
    if (interval != NULL && !mf_interval_parse(mf_str_of(interval), &e->interval))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--interval: '%s' is no interval",
                            interval);
    if (e->contract != NULL && e->rule != PRC_CONTRACT_RULE)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--contract: only %s looks at option bars",
                            prc_rules[PRC_CONTRACT_RULE].id);
    e->at_us = INT64_MAX;
    if (at != NULL && !mf_time_parse(mf_str_of(at), &e->at_us))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--at: '%s' is not a time such as 2024-01-02T14:30:00Z", at);
    return 0;
}

static int run(struct mf_service *service, struct explaining *e, const struct prc_replay_config *config,
               struct mf_error *err)
{
    struct mf_calendar *calendar = NULL;
    struct prc_replay_counts counts = {0};
    if (prc_fold_config_load(service->settings, &calendar, &e->config, err) < 0)
        return -1;
    e->json = mf_json_new();
    e->alert = mf_alloc(sizeof *e->alert);
    struct prc_fold *fold = prc_fold_new(&e->config);
    const struct prc_watch watch = {e, on_bar, on_contract, on_news, on_stale};
    prc_fold_watch(fold, &watch);
    int rc = prc_replay_file(fold, config, &counts, err);
    if (rc == 0 && e->records == 0)
        rc = mf_error_set(err, MF_ERROR_CONFIG, "unknown_symbol",
                          "%s: no event of symbol %s in %" PRIu64 " lines", config->path, e->symbol,
                          counts.lines);
    if (rc == 0)
        print(e, stdout);
    prc_fold_free(&fold);
    mf_json_free(&e->json);
    free(e->alert);
    mf_calendar_free(&calendar);
    return rc;
}

int prc_run_explain(struct mf_service *service, int argc, char **argv)
{
    struct mf_error err;
    struct explaining *e = mf_calloc(1, sizeof *e);
    e->article_us = INT64_MIN;
    mf_buf_init(&e->article, (size_t)64 * 1024);
    struct prc_replay_config config = {.emit = on_output, .before = on_event, .arg = e};
    int rc = arguments(argc, argv, e, &config, &err);
    if (rc == 0)
        rc = run(service, e, &config, &err);
    for (size_t i = 0; i < e->told_count; i++)
        mf_buf_free(&e->told[i].text);
    for (size_t i = 0; i < ALERTS_SHOWN; i++)
        free(e->alerts[i]);
    mf_buf_free(&e->article);
    free(e);
    if (rc < 0) {
        fprintf(stderr, "marketflow-processor: explain: %s\n", err.message);
        return mf_error_exit_code(&err);
    }
    return mf_service_flush("marketflow-processor", stdout);
}
