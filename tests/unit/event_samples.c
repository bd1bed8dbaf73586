// SPDX-License-Identifier: Apache-2.0
#include "event_samples.h"

#define CAUSE MF_STR("0123456789abcdef0123456789abcdef")

static void feed_envelope(struct mf_event *event, enum mf_event_type type)
{
    mf_event_init(event, type);
    event->symbol = MF_STR("AAPL");
    event->asset_class = MF_ASSET_STOCK;
    event->source = MF_STR("polygon");
    event->lane = MF_STR("live");
    event->event_time_us = SAMPLE_OPEN_US;
    event->ingest_time_us = SAMPLE_OPEN_US + 62113 * MF_US_PER_MS;
    event->mode = MF_MODE_REST;
}

static void made_envelope(struct mf_event *event, enum mf_event_type type)
{
    feed_envelope(event, type);
    event->source = MF_STR("processor");
}

static void minute_bar(struct mf_bar *bar)
{
    bar->interval = MF_INTERVAL_1M;
    bar->window_end_us = SAMPLE_OPEN_US + MF_US_PER_MINUTE;
    bar->session_date = (struct mf_date){2024, 1, 2};
    bar->session = MF_SESSION_REGULAR;
    bar->open = MF_STR("187.15");
    bar->high = MF_STR("187.40");
    bar->low = MF_STR("186.9");
    bar->close = MF_STR("187.22");
    bar->volume = MF_STR("41203.5");
    bar->vwap = MF_STR("187.1712");
    bar->trade_count = 392;
    bar->adjusted = MF_ADJUSTED_SPLIT;
    bar->vendor_ms = SAMPLE_OPEN_US / 1000;
}

static void fill_bar(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_BAR);
    event->flags = MF_FLAG_IS_MOCK | MF_FLAG_DELAYED;
    event->request_id = MF_STR("a1b2");
    event->page = 0;
    minute_bar(&event->bar);
    event->bar.otc = 0;
}

static void fill_bar_bare(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_BAR);
    event->symbol = MF_STR("BRK.B");
    event->lane = MF_STR("backfill:5f2a-90.c1_X");
    event->mode = MF_MODE_REPLAY;
    event->event_time_us = INT64_C(1704171600000000); // midnight in New York
    struct mf_bar *bar = &event->bar;
    bar->interval = MF_INTERVAL_1D;
    bar->window_end_us = event->event_time_us + MF_US_PER_DAY;
    bar->session_date = (struct mf_date){2024, 1, 2};
    bar->session = MF_SESSION_FULL;
    bar->open = bar->high = bar->low = bar->close = MF_STR("0.0000001");
    bar->volume = MF_STR("0");
    bar->adjusted = MF_ADJUSTED_NONE;
    bar->vendor_ms = INT64_C(1704171600000);
}

static void fill_bar_derived(struct mf_event *event)
{
    made_envelope(event, MF_EVENT_BAR);
    minute_bar(&event->bar);
    event->bar.interval = MF_INTERVAL_5M;
    event->bar.window_end_us = SAMPLE_OPEN_US + 5 * MF_US_PER_MINUTE;
    event->bar.vendor_ms = INT64_MIN;
    event->bar.parent_source = MF_STR("polygon");
    event->bar.revision = 2;
    event->bar.cause = CAUSE;
}

static void fill_option_bar(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_OPTION_BAR);
    event->asset_class = MF_ASSET_OPTION;
    minute_bar(&event->option_bar.bar);
    struct mf_option_bar *option = &event->option_bar;
    option->ticker = MF_STR("O:AAPL240119C00150000");
    option->underlying = MF_STR("AAPL");
    option->expiration = (struct mf_date){2024, 1, 19};
    option->strike = MF_STR("150");
    option->type = MF_OPTION_CALL;
    option->shares_per_contract = MF_STR("100");
    option->exercise = MF_STR("american");
    option->days_to_expiration = 17;
}

static void fill_option_snapshot(struct mf_event *event)
{
    fill_option_bar(event);
    event->event_time_us = INT64_C(1704171600000000); // midnight in New York
    event->option_bar.bar.interval = MF_INTERVAL_1D;
    event->option_bar.bar.window_end_us = event->event_time_us + 16 * MF_US_PER_HOUR;
    event->option_bar.bar.session = MF_SESSION_FULL;
    event->option_bar.bar.adjusted = MF_ADJUSTED_NONE;
    event->flags = MF_FLAG_DELAYED;
    event->option_bar.snapshot.time_us = INT64_C(1704315600123000);
    event->option_bar.snapshot.open_interest = MF_STR("1543");
    event->option_bar.snapshot.implied_volatility = MF_STR("0.30160000");
    event->option_bar.snapshot.delta = MF_STR("-0.51");
    event->option_bar.snapshot.gamma = MF_STR("0.0001");
    event->option_bar.snapshot.theta = MF_STR("-0.0405");
    event->option_bar.snapshot.vega = MF_STR("0");
    event->option_bar.snapshot.underlying_price = MF_STR("187.15");
}

static void fill_news(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_NEWS);
    event->page = 3;
    struct mf_news *news = &event->news;
    news->article_id = MF_STR("polygon|4f1c");
    news->url = MF_STR("https://news.example/a?b=1&c=\"x\"");
    news->url_hash = MF_STR("9ae1f0c9b6e52a34");
    news->title = MF_STR("Äpfel \xf0\x9f\x8d\x8e: \"up\"\n\x1f= 3:x");
    news->description = MF_STR("");
    news->author = MF_STR("A. Writer");
    news->publisher = MF_STR("Example Wire");
    news->tickers[0] = MF_STR("AAPL");
    news->tickers[1] = MF_STR("MSFT");
    news->ticker_count = 2;
    news->keywords[0] = MF_STR("earnings");
    news->keyword_count = 1;
    news->sentiment_label = MF_STR("positive");
    news->sentiment_score = MF_STR("-0.350");
    news->sentiment_relevance = MF_STR("1");
    news->sentiment_reason = MF_STR("Sales grew.");
    news->lang = MF_STR("en");
}

static void fill_news_bare(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_NEWS);
    event->news.article_id = MF_STR("4f1c");
    event->news.url = MF_STR("https://news.example/a");
    event->news.url_hash = MF_STR("9ae1f0c9b6e52a34");
    event->news.title = MF_STR("Apples");
    event->news.publisher = MF_STR("Example Wire");
}

static void fill_symbol(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_SYMBOL);
    struct mf_symbol_info *info = &event->symbol_info;
    info->name = MF_STR("Meta Platforms, Inc.");
    info->exchange = MF_STR("XNAS");
    info->type = MF_STR("CS");
    info->currency = MF_STR("usd");
    info->figi = MF_STR("BBG000MM2P62");
    info->list_date = (struct mf_date){2012, 5, 18};
    info->delist_date = (struct mf_date){2030, 2, 28};
    info->aliases[0] = (struct mf_symbol_alias){.symbol = MF_STR("FB"), .to = {2022, 6, 8}};
    info->aliases[1] = (struct mf_symbol_alias){.symbol = MF_STR("META"), .from = {2022, 6, 9}};
    info->alias_count = 2;
    info->active = 1;
}

static void fill_symbol_bare(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_SYMBOL);
    event->symbol_info.name = MF_STR("Bitcoin");
    event->symbol_info.active = 0;
}

static struct mf_corporate_action *fill_action(struct mf_event *event, enum mf_action_kind kind)
{
    feed_envelope(event, MF_EVENT_CORPORATE_ACTION);
    event->corporate_action.kind = kind;
    event->corporate_action.ex_date = (struct mf_date){2024, 1, 2};
    return &event->corporate_action;
}

static void fill_split(struct mf_event *event)
{
    struct mf_corporate_action *action = fill_action(event, MF_ACTION_SPLIT);
    action->split_from = MF_STR("1");
    action->split_to = MF_STR("4");
}

static void fill_dividend(struct mf_event *event)
{
    struct mf_corporate_action *action = fill_action(event, MF_ACTION_DIVIDEND);
    action->cash_amount = MF_STR("0.24");
    action->currency = MF_STR("USD");
}

static void fill_ticker_change(struct mf_event *event)
{
    struct mf_corporate_action *action = fill_action(event, MF_ACTION_TICKER_CHANGE);
    action->old_symbol = MF_STR("FB");
    action->new_symbol = MF_STR("META");
}

static void fill_feed_status(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_FEED_STATUS);
    event->symbol = MF_STR("polygon.bars.1m");
    struct mf_feed_status *status = &event->feed_status;
    status->feed = MF_STR("polygon.bars.1m");
    status->state = MF_FEED_GAP;
    status->expected = 390;
    status->received = 388;
    status->gaps[0] =
        (struct mf_feed_gap){SAMPLE_OPEN_US, SAMPLE_OPEN_US + MF_US_PER_MINUTE, MF_STR("vendor")};
    status->gap_count = 1;
    status->excluded[0] = MF_STR("TSLA");
    status->excluded_count = 1;
    status->last_event_time_us = SAMPLE_OPEN_US;
    status->lag_ms = -5;
}

static void fill_heartbeat(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_HEARTBEAT);
    event->symbol = MF_STR_NULL;
    struct mf_heartbeat *heartbeat = &event->heartbeat;
    heartbeat->feeds[0].name = MF_STR("polygon.bars.1m");
    heartbeat->feeds[0].complete_to_us = SAMPLE_OPEN_US;
    heartbeat->feeds[1].name = MF_STR("polygon.news");
    heartbeat->feeds[1].complete_to_us = SAMPLE_OPEN_US - MF_US_PER_HOUR;
    heartbeat->feed_count = 2;
    heartbeat->clock_us = SAMPLE_OPEN_US + MF_US_PER_MS;
}

static void fill_lane_end(struct mf_event *event)
{
    fill_heartbeat(event);
    event->lane = MF_STR("backfill:r1");
    event->heartbeat.feed_count = 0;
    event->heartbeat.lane_end = true;
}

static void fill_metric_cold(struct mf_event *event)
{
    made_envelope(event, MF_EVENT_METRIC);
    struct mf_metric_event *metric = &event->metric;
    metric->interval = MF_INTERVAL_1M;
    metric->adjusted = MF_ADJUSTED_SPLIT;
    metric->bar_time_us = SAMPLE_OPEN_US;
    metric->revision = 0;
    metric->parent_source = MF_STR("polygon");
    metric->cause = CAUSE;
    metric->n_obs = 1;
    metric->warmup = true;
}

static void fill_metric(struct mf_event *event)
{
    fill_metric_cold(event);
    struct mf_metric_event *metric = &event->metric;
    metric->n_obs = 300;
    metric->warmup = false;
    metric->revision = 1;
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++) {
        metric->present |= UINT64_C(1) << i;
        metric->values[i] = (i % 3 == 0 ? -1.0 : 1.0) * (i + 1) / 7.0;
    }
    metric->values[MF_METRIC_FIELD_RSI_14] = 100;
    metric->vol_regime = MF_STR("HIGH");
    metric->market_regime = MF_STR("trend_up");
}

static void fill_alert(struct mf_event *event)
{
    made_envelope(event, MF_EVENT_ALERT);
    struct mf_alert *alert = &event->alert;
    alert->rule_id = MF_STR("volume_spike");
    alert->rule_version = MF_STR("1.5f2a90c1");
    alert->interval = MF_STR("1m");
    alert->adjusted = MF_ADJUSTED_SPLIT;
    alert->severity = MF_SEVERITY_WARNING;
    alert->direction = MF_DIRECTION_UP;
    alert->value = 4.2;
    alert->threshold = 3;
    alert->baseline[0].name = MF_STR("mean");
    alert->baseline[0].value = 11000.5;
    alert->baseline[1].name = MF_STR("sd");
    alert->baseline[1].value = 7190.1;
    alert->baseline_count = 2;
    alert->message = MF_STR("1m volume 41203.5 is 4.2 sd above its 20-bar mean 11000.5");
    alert->state = MF_ALERT_FIRING;
    alert->cooldown_until_us = SAMPLE_OPEN_US + 15 * MF_US_PER_MINUTE;
    alert->revision = 0;
    alert->parent_source = MF_STR("polygon");
    alert->cause = CAUSE;
}

static void fill_alert_resolved(struct mf_event *event)
{
    fill_alert(event);
    event->alert.state = MF_ALERT_RESOLVED;
    event->alert.reason = MF_STR("corrected");
    event->alert.resolved_time_us = SAMPLE_OPEN_US + 3 * MF_US_PER_MINUTE;
    event->alert.cooldown_until_us = 0;
    event->alert.revision = 1;
}

static void fill_alert_news(struct mf_event *event)
{
    fill_alert(event);
    event->alert.rule_id = MF_STR("news_keyword");
    event->alert.interval = MF_STR("news");
    event->alert.adjusted = MF_ADJUSTED_MAX;
    event->alert.article_id = MF_STR("polygon|4f1c");
    event->alert.baseline_count = 0;
}

static void fill_alert_option(struct mf_event *event)
{
    fill_alert(event);
    event->asset_class = MF_ASSET_OPTION;
    event->alert.rule_id = MF_STR("price_integrity");
    event->alert.contract = MF_STR("O:AAPL240119C00150000");
    event->alert.baseline[0].name = MF_STR("previous_close");
    event->alert.baseline_count = 1;
}

static void fill_dead_letter(struct mf_event *event)
{
    feed_envelope(event, MF_EVENT_DEAD_LETTER);
    event->symbol = MF_STR("_UNKNOWN");
    event->ingest_time_us = event->event_time_us;
    struct mf_dead_letter *letter = &event->dead_letter;
    letter->stage = MF_STR("sink");
    letter->reason = MF_STR("json_syntax");
    letter->detail = MF_STR("lexical error at byte 3");
    letter->raw = MF_STR("\x00\xff{\"");
    letter->attempts = 1;
    letter->origin.topic = MF_STR("market.bars.filtered");
    letter->origin.partition = 5;
    letter->origin.offset = INT64_C(9007199254740993);
    letter->origin.timestamp_ms = SAMPLE_OPEN_US / 1000;
}

static void fill_dead_letter_ingest(struct mf_event *event)
{
    fill_dead_letter(event);
    event->symbol = MF_STR("AAPL");
    event->dead_letter.stage = MF_STR("ingest");
    event->dead_letter.raw = MF_STR("");
    event->dead_letter.origin = (struct mf_origin){.partition = -1,
                                                   .offset = -1,
                                                   .timestamp_ms = -1,
                                                   .provider = MF_STR("polygon"),
                                                   .feed = MF_STR("polygon.bars.1m"),
                                                   .request_id = MF_STR("a1b2"),
                                                   .page = 6,
                                                   .index = 17};
}

static void fill_dead_letter_cut(struct mf_event *event)
{
    static char large[MF_DEAD_LETTER_RAW_MAX + 1];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 31 % 251);
    fill_dead_letter(event);
    event->dead_letter.raw = (struct mf_str){large, sizeof large};
}

static const struct {
    const char *name;
    void (*fill)(struct mf_event *event);
} samples[SAMPLE_MAX] = {
    [SAMPLE_BAR] = {"bar", fill_bar},
    [SAMPLE_BAR_BARE] = {"bare bar", fill_bar_bare},
    [SAMPLE_BAR_DERIVED] = {"derived bar", fill_bar_derived},
    [SAMPLE_OPTION_BAR] = {"option bar", fill_option_bar},
    [SAMPLE_OPTION_SNAPSHOT] = {"option snapshot", fill_option_snapshot},
    [SAMPLE_NEWS] = {"news", fill_news},
    [SAMPLE_NEWS_BARE] = {"bare news", fill_news_bare},
    [SAMPLE_SYMBOL] = {"symbol", fill_symbol},
    [SAMPLE_SYMBOL_BARE] = {"bare symbol", fill_symbol_bare},
    [SAMPLE_SPLIT] = {"split", fill_split},
    [SAMPLE_DIVIDEND] = {"dividend", fill_dividend},
    [SAMPLE_TICKER_CHANGE] = {"ticker change", fill_ticker_change},
    [SAMPLE_FEED_STATUS] = {"feed status", fill_feed_status},
    [SAMPLE_HEARTBEAT] = {"heartbeat", fill_heartbeat},
    [SAMPLE_LANE_END] = {"lane end", fill_lane_end},
    [SAMPLE_METRIC] = {"metric", fill_metric},
    [SAMPLE_METRIC_COLD] = {"cold metric", fill_metric_cold},
    [SAMPLE_ALERT] = {"alert", fill_alert},
    [SAMPLE_ALERT_RESOLVED] = {"resolved alert", fill_alert_resolved},
    [SAMPLE_ALERT_NEWS] = {"news alert", fill_alert_news},
    [SAMPLE_ALERT_OPTION] = {"option alert", fill_alert_option},
    [SAMPLE_DEAD_LETTER] = {"dead letter", fill_dead_letter},
    [SAMPLE_DEAD_LETTER_INGEST] = {"dead letter of ingest", fill_dead_letter_ingest},
    [SAMPLE_DEAD_LETTER_CUT] = {"dead letter, cut", fill_dead_letter_cut},
};

const char *event_sample_name(enum event_sample sample)
{
    return samples[sample].name;
}

void event_sample_fill(enum event_sample sample, struct mf_event *event)
{
    samples[sample].fill(event);
}
