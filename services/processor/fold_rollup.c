// SPDX-License-Identifier: Apache-2.0
// Roll-ups: bars of longer intervals made of shorter ones, along a chain that begins at a vendor's series
// (docs/processor.md §4). Windows are made in order of (end, interval), so that a window comes after all that
// it is made of. Everything is told from the ring of the series below: there is no other state than fed_by.
#include "services/processor/fold_private.h"

#include <stdlib.h>

#define LONG_ENDS_US (15 * MF_US_PER_MINUTE) // 4h and 1d windows end at multiples of it: sessions close so
// A session date lies at most a day off the bar's own in UTC: how far its New York day reaches from the bar.
#define DATE_SLACK_US (2 * MF_US_PER_DAY)
#define DATE_ENDS_US (3 * MF_US_PER_DAY)
#define VOLUME_MAX 1e15 // as events carry numbers

int64_t prc_chain_clock(const struct prc_series *root, int64_t complete_to_us)
{
    int64_t clock = root->head.indicators.n_obs > 0 ? root->largest_end_us : PRC_TIME_ALWAYS;
    return complete_to_us > clock ? complete_to_us : clock;
}

// The intervals that a series can feed; 0 to 2 of them.
static size_t targets_of(const struct prc_series *series, enum mf_interval targets[2])
{
    enum mf_interval interval = series->key.interval;
    bool stock = series->asset_class == MF_ASSET_STOCK;
    size_t count = 0;
    switch (interval) {
    case MF_INTERVAL_1S: targets[count++] = MF_INTERVAL_5S; break;
    case MF_INTERVAL_1M: targets[count++] = MF_INTERVAL_5M; break;
    case MF_INTERVAL_5M: targets[count++] = MF_INTERVAL_15M; break;
    case MF_INTERVAL_15M: targets[count++] = MF_INTERVAL_1H; break;
    case MF_INTERVAL_1H: targets[count++] = MF_INTERVAL_4H; break;
    default: return 0;
    }
    if (interval == (stock ? MF_INTERVAL_15M : MF_INTERVAL_1H))
        targets[count++] = MF_INTERVAL_1D;
    return count;
}

static uint8_t feeder(const struct prc_group *group, const struct prc_series *series)
{
    unsigned code = 1u + (unsigned)series->key.interval;
    return (uint8_t)(group->vendor[series->key.interval] == series ? code : code | PRC_FED_BY_DERIVED);
}

static bool may_feed(const struct prc_group *group, const struct prc_series *series, enum mf_interval target)
{
    return group->fed_by[target] == 0 || group->fed_by[target] == feeder(group, series);
}

// Windows that begin where the session date says, whatever its time.
static bool goes_by_date(const struct prc_series *series, enum mf_interval target)
{
    bool american = series->asset_class == MF_ASSET_STOCK || series->asset_class == MF_ASSET_OPTION;
    return american && target >= MF_INTERVAL_4H;
}

// The window of the target interval that a bar of the series lies in; false when the bar takes no part.
static bool window_of(struct prc_fold *fold, const struct prc_series *series, enum mf_interval target,
                      const struct prc_window_key *bar, int64_t *start_us, int64_t *end_us)
{
    int64_t length = mf_interval_us(target), midnight = 0;
    if (!goes_by_date(series, target)) { // midnights lie on whole hours
        *start_us = prc_floor(bar->time_us, length);
        *end_us = *start_us + length;
        return true;
    }
    struct mf_calendar_session session;
    bool has_session = prc_fold_session(fold, bar->session_day, &midnight, &session);
    if (target == MF_INTERVAL_4H) {
        *start_us = midnight + prc_floor(bar->time_us - midnight, length);
        *end_us = *start_us + length;
        return true;
    }
    bool stock = series->asset_class == MF_ASSET_STOCK;
    *start_us = midnight;
    *end_us = stock && has_session ? session.close_us : midnight + MF_US_PER_DAY;
    return !stock || bar->session == MF_SESSION_REGULAR;
}

static struct prc_window_key key_of(const struct prc_slot *slot)
{
    return (struct prc_window_key){slot->time_us, slot->session_day, (enum mf_session)slot->session};
}

static void put_on(struct prc_agenda *agenda, struct prc_series *from, enum mf_interval target,
                   int64_t start_us, int64_t end_us)
{
    for (size_t i = 0; i < agenda->count; i++) {
        const struct prc_rollup *have = &agenda->items[i];
        if (have->from == from && have->interval == target && have->start_us == start_us)
            return;
    }
    if (agenda->count == agenda->capacity) {
        agenda->capacity = agenda->capacity == 0 ? 16 : agenda->capacity * 2;
        agenda->items = mf_realloc(agenda->items, agenda->capacity * sizeof(*agenda->items));
    }
    agenda->items[agenda->count++] = (struct prc_rollup){from, target, start_us, end_us};
}

// One roll: closed windows end at or before a limit (clock less lateness), which moves from before to after.
struct roll {
    struct prc_fold *fold;
    const struct prc_target *root;
    int64_t before_us, after_us;
};

// Index of the ring's first bar that begins at or after the time. Windows that close lie at the ring's end:
// from there back, the bars looked at are those that will be summed up, and waited for together.
static size_t first_from(const struct prc_series *series, int64_t time_us)
{
    size_t at = prc_series_ring_count(series);
    const struct prc_slot *slots = at > 0 ? prc_series_ring_slot(series, 0) : NULL;
    for (; at > 0 && slots[at - 1].time_us >= time_us; at--)
        __builtin_prefetch((const char *)&slots[at - 1] + sizeof(*slots) / 2);
    return at;
}

// Does the clock pass an end of a window of the interval?
static bool passes_end(const struct roll *roll, enum mf_interval target)
{
    int64_t length = target < MF_INTERVAL_4H ? mf_interval_us(target) : LONG_ENDS_US;
    return prc_floor(roll->before_us, length) != prc_floor(roll->after_us, length);
}

// Dates may run backwards, and windows then do not end in the order of their bars: every bar is asked that
// can lie in one that is open, of those in a row that lie in the same one the last.
static void add_closing_by_date(const struct roll *roll, struct prc_series *from, enum mf_interval target)
{
    bool days = target == MF_INTERVAL_1D;
    int64_t reach = days ? DATE_ENDS_US : mf_interval_us(target), start = 0, end = 0;
    int32_t day = INT32_MIN;
    for (size_t i = prc_series_ring_count(from); i > 0; i--) {
        const struct prc_slot *slot = prc_series_ring_slot(from, i - 1);
        struct prc_window_key key = key_of(slot);
        if (key.session_day == day && (days || key.time_us >= start))
            continue;
        if (key.time_us + reach <= roll->before_us)
            break;
        if (!window_of(roll->fold, from, target, &key, &start, &end))
            continue;
        day = key.session_day;
        if (end > roll->before_us && end <= roll->after_us)
            put_on(&roll->fold->agenda, from, target, start, end);
    }
}

// The windows of one interval that close now and have bars in the series: from the newest back, a window at a
// time, to the first that was closed before.
static void add_closing(const struct roll *roll, struct prc_series *from, enum mf_interval target)
{
    for (size_t i = prc_series_ring_count(from); i > 0;) {
        struct prc_window_key key = key_of(prc_series_ring_slot(from, i - 1));
        int64_t start = 0, end = 0;
        window_of(roll->fold, from, target, &key, &start, &end);
        if (end <= roll->before_us)
            break;
        if (end <= roll->after_us)
            put_on(&roll->fold->agenda, from, target, start, end);
        i = first_from(from, start);
    }
}

// The windows that the changed bar of the series lies in, where they are closed.
static void add_changed(const struct roll *roll, struct prc_series *from, const struct prc_window_key *bar)
{
    enum mf_interval targets[2];
    size_t count = targets_of(from, targets);
    for (size_t t = 0; t < count; t++) {
        int64_t start = 0, end = 0;
        if (may_feed(roll->root->group, from, targets[t]) &&
            window_of(roll->fold, from, targets[t], bar, &start, &end) && end <= roll->after_us)
            put_on(&roll->fold->agenda, from, targets[t], start, end);
    }
}

// Down the chain: what closes above this series, and above what it feeds.
static void add_chain(const struct roll *roll, struct prc_series *from)
{
    enum mf_interval targets[2];
    size_t count = targets_of(from, targets);
    const struct prc_group *group = roll->root->group;
    for (size_t t = 0; t < count; t++) {
        // All that lies above ends where this interval does: nothing more is to be asked, of memory neither.
        if (!passes_end(roll, targets[t]) || !may_feed(group, from, targets[t]))
            continue;
        if (goes_by_date(from, targets[t]))
            add_closing_by_date(roll, from, targets[t]);
        else
            add_closing(roll, from, targets[t]);
        if (group->fed_by[targets[t]] != 0 && group->derived[targets[t]] != NULL)
            add_chain(roll, group->derived[targets[t]]);
    }
}

static struct prc_rollup take_first(struct prc_agenda *agenda)
{
    size_t first = 0;
    for (size_t i = 1; i < agenda->count; i++) {
        const struct prc_rollup *a = &agenda->items[i], *b = &agenda->items[first];
        if (a->end_us < b->end_us || (a->end_us == b->end_us && a->interval < b->interval))
            first = i;
    }
    struct prc_rollup taken = agenda->items[first];
    agenda->items[first] = agenda->items[--agenda->count];
    return taken;
}

// The numbers of a bar that is being made of others.
struct sum {
    const struct prc_slot *first, *last, *high, *low;
    mf_fixed8 high_value, low_value, volume;
    double weighted, weight; // of the vwap
    bool has_vwap, counted;
    int64_t trades;
    unsigned flags;
    enum mf_session session;
};

static mf_fixed8 exact(const struct prc_slot *slot, enum prc_number_field field)
{
    char scratch[MF_DECIMAL_TEXT_SIZE];
    mf_fixed8 value = 0;
    if (slot->numbers.wide == NULL)
        return mf_decimal_number_fixed8(
            (struct mf_decimal_number){slot->numbers.mantissa[field], slot->numbers.scale[field]});
    bool valid = mf_decimal_to_fixed8(prc_number_text(&slot->numbers, field, scratch), &value);
    assert(valid); // it has been an event's number
    (void)valid;
    return value;
}

static void add_slot(struct sum *sum, const struct prc_slot *slot)
{
    mf_fixed8 high = exact(slot, PRC_HIGH), low = exact(slot, PRC_LOW);
    if (sum->first == NULL) {
        *sum = (struct sum){.first = slot,
                            .high = slot,
                            .low = slot,
                            .high_value = high,
                            .low_value = low,
                            .has_vwap = true,
                            .counted = true,
                            .session = (enum mf_session)slot->session};
    }
    if (high > sum->high_value) {
        sum->high = slot;
        sum->high_value = high;
    }
    if (low < sum->low_value) {
        sum->low = slot;
        sum->low_value = low;
    }
    sum->last = slot;
    sum->flags |= prc_inherited(slot->flags);
    sum->volume += exact(slot, PRC_VOLUME);
    double volume = prc_number_double(&slot->numbers, PRC_VOLUME);
    if (volume > 0 && !slot->numbers.has_vwap)
        sum->has_vwap = false;
    if (volume > 0 && slot->numbers.has_vwap) {
        sum->weighted += prc_number_double(&slot->numbers, PRC_VWAP) * volume;
        sum->weight += volume;
    }
    sum->counted = sum->counted && slot->trade_count != PRC_NO_TRADE_COUNT;
    sum->trades += sum->counted ? slot->trade_count : 0;
    if ((enum mf_session)slot->session != sum->session)
        sum->session = MF_SESSION_FULL;
}

// The texts of a made bar, and where those that are nobody's own lie.
struct texts {
    struct mf_str of[PRC_NUMBER_MAX];
    char scratch[PRC_NUMBER_MAX][MF_DECIMAL_TEXT_SIZE];
};

// False when the sum is beyond what events carry.
static bool write_texts(const struct sum *sum, struct texts *texts)
{
    const struct prc_slot *const of[] = {sum->first, sum->high, sum->low, sum->last};
    for (int f = PRC_OPEN; f <= PRC_CLOSE; f++)
        texts->of[f] = prc_number_text(&of[f]->numbers, (enum prc_number_field)f, texts->scratch[f]);
    size_t len = mf_decimal_from_fixed8(sum->volume, texts->scratch[PRC_VOLUME]);
    texts->of[PRC_VOLUME] = (struct mf_str){texts->scratch[PRC_VOLUME], len};
    texts->of[PRC_VWAP] = MF_STR_NULL;
    if (mf_decimal_fixed8_double(sum->volume) > VOLUME_MAX)
        return false;
    double vwap = sum->weight > 0 ? sum->weighted / sum->weight : 0;
    if (sum->has_vwap && vwap > 0 && mf_decimal_from_double(vwap, texts->scratch[PRC_VWAP], &len) &&
        !mf_str_eq_c((struct mf_str){texts->scratch[PRC_VWAP], len}, "0"))
        texts->of[PRC_VWAP] = (struct mf_str){texts->scratch[PRC_VWAP], len};
    return true;
}

// Over what an event's content hash covers, in canonical form.
static uint64_t content_of(const struct texts *texts, int64_t trade_count)
{
    char all[PRC_NUMBER_MAX * MF_DECIMAL_TEXT_SIZE + MF_INTEGER_TEXT_SIZE];
    size_t len = 0;
    for (int f = 0; f < PRC_NUMBER_MAX; f++) {
        if (texts->of[f].data != NULL)
            len += mf_decimal_canonical(texts->of[f], all + len);
        all[len++] = '|';
    }
    len += mf_i64_text(trade_count, all + len);
    return mf_hash64(all, len);
}

static bool sum_up(const struct roll *roll, const struct prc_rollup *window, struct sum *sum)
{
    const struct prc_series *from = window->from;
    int64_t slack = goes_by_date(from, window->interval) ? DATE_SLACK_US : 0;
    int64_t last = window->start_us + mf_interval_us(window->interval) + slack;
    size_t count = prc_series_ring_count(from), i = first_from(from, window->start_us - slack);
    bool whole = from->head.indicators.n_obs <= PRC_RING || i > 0 ||
                 prc_series_ring_slot(from, 0)->time_us <= window->start_us;
    *sum = (struct sum){0};
    for (; whole && i < count; i++) {
        const struct prc_slot *slot = prc_series_ring_slot(from, i);
        struct prc_window_key key = key_of(slot);
        int64_t start = 0, end = 0;
        if (slot->time_us >= last)
            break;
        if (window_of(roll->fold, from, window->interval, &key, &start, &end) && start == window->start_us)
            add_slot(sum, slot);
    }
    return whole && sum->first != NULL;
}

static void publish(struct prc_fold *fold, const struct prc_target *target, const struct texts *texts,
                    const struct prc_series_bar *bar, unsigned revision)
{
    if (prc_fold_replays(fold))
        return;
    const struct prc_series *series = target->series;
    prc_fold_made_begin(fold, &fold->derived, target->cell, series->asset_class, bar->bar.time_us,
                        bar->bar.flags, bar->bar.mode);
    struct mf_bar *out = &fold->derived.bar;
    out->interval = series->key.interval;
    out->window_end_us = bar->bar.end_us;
    out->session_date = mf_date_from_days(bar->bar.session_day);
    out->session = bar->bar.session;
    out->open = texts->of[PRC_OPEN];
    out->high = texts->of[PRC_HIGH];
    out->low = texts->of[PRC_LOW];
    out->close = texts->of[PRC_CLOSE];
    out->volume = texts->of[PRC_VOLUME];
    out->vwap = texts->of[PRC_VWAP];
    out->trade_count = bar->trade_count;
    out->adjusted = series->key.adjusted;
    out->parent_source = mf_str_of(series->key.provider);
    out->revision = (int)revision;
    out->cause = fold->event.event_id;
    fold->counts.derived_bars++;
    struct prc_about about = {target->cell, series, bar->bar.end_us, -1};
    prc_fold_made_emit(fold, &fold->derived, MF_TOPIC_BARS_FILTERED, &about);
}

static void fill_bar(const struct prc_rollup *window, const struct sum *sum, const struct texts *texts,
                     struct prc_series_bar *made)
{
    bool parsed = prc_numbers_parse(texts->of, &made->numbers);
    assert(parsed); // texts of events, and sums within their limits
    (void)parsed;
    made->trade_count = sum->counted ? sum->trades : PRC_NO_TRADE_COUNT;
    made->content_hash = content_of(texts, made->trade_count);
    made->bar = (struct prc_bar){
        .time_us = window->start_us,
        .end_us = window->end_us,
        .session_day = sum->first->session_day,
        .session = window->interval == MF_INTERVAL_1D ? MF_SESSION_FULL : sum->session,
        .flags = sum->flags,
        .mode = (enum mf_provenance_mode)sum->last->mode,
    };
    prc_fold_doubles(&made->numbers, &made->bar);
}

static struct prc_series *derived_of(struct prc_group *group, const struct prc_rollup *window)
{
    struct prc_series **at = &group->derived[window->interval];
    if (*at == NULL) {
        struct prc_series_key key = {
            .source = "processor", .adjusted = group->adjusted, .interval = window->interval};
        memcpy(key.provider, group->provider, sizeof(key.provider));
        *at = prc_series_new(&key, window->from->asset_class);
    }
    return *at;
}

static void miss(struct prc_fold *fold)
{
    fold->counts.rollups_missed += !prc_fold_replays(fold);
}

// Makes one window, publishes it when it is new or another, and puts what it lies in on the agenda.
static void make(const struct roll *roll, const struct prc_rollup *window)
{
    struct prc_fold *fold = roll->fold;
    struct prc_group *group = roll->root->group;
    MF_UNINITIALISED struct texts texts;
    MF_UNINITIALISED struct prc_applied applied;
    struct sum sum;
    struct prc_series_bar made;
    unsigned revision = 0;
    if (!may_feed(group, window->from, window->interval))
        return;
    if (!sum_up(roll, window, &sum) || !write_texts(&sum, &texts)) {
        miss(fold);
        return;
    }
    fill_bar(window, &sum, &texts, &made);
    group->fed_by[window->interval] = feeder(group, window->from);
    window->from->feeds |= (uint16_t)(1u << window->interval);
    struct prc_target target = {roll->root->cell, group, derived_of(group, window)};
    enum prc_placement placement =
        prc_series_place(target.series, made.bar.time_us, made.content_hash, &revision);
    if (placement == PRC_PLACED_DUPLICATE || placement == PRC_PLACED_LATE) {
        if (placement == PRC_PLACED_LATE)
            miss(fold);
        prc_numbers_clear(&made.numbers);
        return;
    }
    publish(fold, &target, &texts, &made, revision);
    prc_fold_freeze(fold, &target, true, &made.bar);
    struct prc_window_key key = {made.bar.time_us, made.bar.session_day, made.bar.session};
    prc_fold_apply(fold, &target, &made, &applied);
    add_changed(roll, target.series, &key);
}

void prc_fold_roll(struct prc_fold *fold, const struct prc_target *root, const struct prc_window_key *bar,
                   int64_t before_us, int64_t after_us)
{
    struct roll roll = {fold, root, before_us - fold->lateness_us, after_us - fold->lateness_us};
    enum mf_interval targets[2];
    if (!fold->rollups || targets_of(root->series, targets) == 0)
        return;
    fold->agenda.count = 0;
    if (bar != NULL)
        add_changed(&roll, root->series, bar);
    add_chain(&roll, root->series);
    while (fold->agenda.count > 0) {
        struct prc_rollup window = take_first(&fold->agenda);
        make(&roll, &window);
    }
}
