// SPDX-License-Identifier: Apache-2.0
// Indicators over windows: means, deviations, extremes. Every sum starts at 0 and runs from the oldest item
// to the newest; several run side by side, so that the processor's adders are busy although each keeps its
// order.
#include "services/processor/indicators_private.h"

#define BASELINE 20 // of volumes, returns, bands
#define QUARTER 15  // minutes
#define TAIL 61     // closes that the fixed windows reach back, the bar at hand included
#define YEAR 252
#define BANDS 120 // widths that a squeeze is judged among
#define SQUEEZE_RANK 6

struct closes { // sums
    double last_5, last_10, last_15, last_20, last_50, last_60;
};

struct spread { // means and sums of squared distances from them
    double mean, squares;
};

struct spreads {
    struct spread returns, returns_before, returns_15, volumes, closes;
};

static double sum_of(const double *items, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += items[i];
    return sum;
}

// The last 22, oldest first, two divisions at a time: what every bar has most of is divisions.
static void returns_of(const double *end, double returns[BASELINE + 2])
{
    typedef double pair __attribute__((vector_size(2 * sizeof(double))));
    const double *closes = end - BASELINE - 2;
    for (size_t i = 0; i < BASELINE + 2; i += 2) {
        pair now, before;
        memcpy(&now, closes + i, sizeof now);
        memcpy(&before, closes + i - 1, sizeof before);
        now = now / before - (pair){1, 1};
        memcpy(returns + i, &now, sizeof now);
    }
}

// First pass. closes: the last 20; returns: the last 21; volumes: 20, all oldest first.
static void sum_up(const double *closes, const double *returns, const double *volumes, struct closes *sums,
                   struct spreads *out)
{
    double s5 = 0, s10 = 0, s15 = 0, s20 = 0, now = 0, before = 0, quarter = 0, traded = 0;
    for (size_t i = 0; i < 5; i++) {
        s20 += closes[i], traded += volumes[i];
        before += returns[i], now += returns[i + 1];
    }
    for (size_t i = 5; i < 10; i++) {
        s20 += closes[i], traded += volumes[i], s15 += closes[i];
        before += returns[i], now += returns[i + 1], quarter += returns[i + 1];
    }
    for (size_t i = 10; i < 15; i++) {
        s20 += closes[i], traded += volumes[i], s15 += closes[i], s10 += closes[i];
        before += returns[i], now += returns[i + 1], quarter += returns[i + 1];
    }
    for (size_t i = 15; i < 20; i++) {
        s20 += closes[i], traded += volumes[i], s15 += closes[i], s10 += closes[i], s5 += closes[i];
        before += returns[i], now += returns[i + 1], quarter += returns[i + 1];
    }
    *sums = (struct closes){.last_5 = s5, .last_10 = s10, .last_15 = s15, .last_20 = s20};
    out->returns.mean = now / BASELINE;
    out->returns_before.mean = before / BASELINE;
    out->returns_15.mean = quarter / QUARTER;
    out->volumes.mean = traded / BASELINE;
    out->closes.mean = s20 / BASELINE;
}

// Second pass, and beside it the two long sums, whose adders would else wait for one another.
static void spread_out(const double *closes, const double *returns, const double *volumes,
                       struct closes *sums, struct spreads *out)
{
    const double now = out->returns.mean, before = out->returns_before.mean, traded = out->volumes.mean;
    const double quarter = out->returns_15.mean, mean = out->closes.mean;
    const double *last_60 = closes - 40, *last_50 = closes - 30;
    double now_2 = 0, before_2 = 0, quarter_2 = 0, traded_2 = 0, closes_2 = 0, s50 = 0, s60 = 0;
    for (size_t i = 0; i < BASELINE; i++) {
        double a = returns[i] - before, b = returns[i + 1] - now;
        double c = volumes[i] - traded, d = closes[i] - mean;
        before_2 += a * a;
        now_2 += b * b;
        traded_2 += c * c;
        closes_2 += d * d;
        s60 += last_60[3 * i];
        s60 += last_60[3 * i + 1];
        s60 += last_60[3 * i + 2];
        s50 += last_50[2 * i];
        s50 += last_50[2 * i + 1];
    }
    for (size_t i = BASELINE - QUARTER; i < BASELINE; i++) {
        double e = returns[i + 1] - quarter;
        quarter_2 += e * e;
    }
    for (size_t i = 40; i < 50; i++)
        s50 += last_50[i];
    sums->last_50 = s50;
    sums->last_60 = s60;
    out->returns.squares = now_2;
    out->returns_before.squares = before_2;
    out->returns_15.squares = quarter_2;
    out->volumes.squares = traded_2;
    out->closes.squares = closes_2;
}

// The previous 20 bars that traded, the bar at hand excluded: a view when all of the last 20 did, else
// copied.
static const double *traded_volumes(const struct prc_window *window, double scratch[BASELINE], size_t *found)
{
    *found = 0;
    const double *end = window->volumes + window->count - 1;
    if (window->count > BASELINE) {
        size_t traded = 0;
        for (size_t i = 1; i <= BASELINE; i++)
            traded += *(end - i) > 0;
        *found = traded;
        if (traded == BASELINE)
            return end - BASELINE;
    }
    *found = 0;
    for (size_t i = 1; i < window->count && *found < BASELINE; i++)
        if (*(end - i) > 0)
            scratch[BASELINE - ++*found] = *(end - i);
    for (size_t i = 0; i < BASELINE - *found; i++)
        scratch[i] = 0;
    return scratch;
}

// Equal volumes have no deviation, whatever their mean was rounded to.
static bool all_equal(const double *items, size_t count)
{
    size_t i = 1;
    while (i < count && items[i] == items[0])
        i++;
    return i >= count;
}

static void put_volumes(const struct prc_step *step, const double *traded, const struct spread *volumes,
                        size_t found)
{
    struct prc_values *values = step->values;
    double volume = step->bar->volume;
    if (step->interval == MF_INTERVAL_1M && step->window->count >= QUARTER)
        prc_put(values, MF_METRIC_FIELD_VOLUME_SUM_15M,
                sum_of(step->window->volumes + step->window->count - QUARTER, QUARTER));
    if (found < BASELINE)
        return;
    double sd = all_equal(traded, BASELINE) ? 0 : sqrt(volumes->squares / (BASELINE - 1));
    values->volume_n = BASELINE;
    prc_put(values, MF_METRIC_FIELD_VOLUME_MEAN_20, volumes->mean);
    prc_put(values, MF_METRIC_FIELD_VOLUME_SD_20, sd);
    if (volume <= 0)
        return;
    if (sd > 0)
        prc_put(values, MF_METRIC_FIELD_VOLUME_Z_20, (volume - volumes->mean) / sd);
    prc_put(values, MF_METRIC_FIELD_REL_VOLUME_20, volume / volumes->mean);
}

static void put_returns(const struct prc_step *step, const double *returns, const struct spreads *spreads)
{
    struct prc_values *values = step->values;
    size_t count = step->window->count;
    if (count >= 2)
        prc_put(values, MF_METRIC_FIELD_RET_1, returns[BASELINE]);
    if (step->interval == MF_INTERVAL_1M && count > QUARTER)
        prc_put(values, MF_METRIC_FIELD_VOLATILITY_15M,
                100 * sqrt(spreads->returns_15.squares / (QUARTER - 1)));
    if (count <= BASELINE)
        return;
    double sd = sqrt(spreads->returns.squares / (BASELINE - 1));
    double periods = prc_periods_per_year(step->interval, step->asset_class);
    prc_put(values, MF_METRIC_FIELD_VOLATILITY_20, sd);
    if (periods > 0)
        prc_put(values, MF_METRIC_FIELD_VOLATILITY_ANN_PCT, sd * 100 * sqrt(periods));
    if (count <= BASELINE + 1)
        return;
    values->move_sd = sqrt(spreads->returns_before.squares / (BASELINE - 1));
    values->has_move_z = values->move_sd > 0 && isfinite(returns[BASELINE] / values->move_sd);
    if (values->has_move_z)
        values->move_z = returns[BASELINE] / values->move_sd;
}

static void put_means(const struct prc_step *step, const struct closes *sums, const double *end)
{
    struct prc_values *values = step->values;
    size_t count = step->window->count;
    double close = step->bar->close;
    if (count >= 5)
        prc_put(values, MF_METRIC_FIELD_SMA_5, sums->last_5 / 5);
    if (count >= 10)
        prc_put(values, MF_METRIC_FIELD_SMA_10, sums->last_10 / 10);
    if (count >= 20)
        prc_put(values, MF_METRIC_FIELD_SMA_20, sums->last_20 / 20);
    if (count >= 50)
        prc_put(values, MF_METRIC_FIELD_SMA_50, sums->last_50 / 50);
    if (step->interval == MF_INTERVAL_1D && count >= 200)
        prc_put(values, MF_METRIC_FIELD_SMA_200, sum_of(end - 200, 200) / 200);
    if (count > 10) {
        prc_put(values, MF_METRIC_FIELD_MOMENTUM_10, close - *(end - 11));
        prc_put(values, MF_METRIC_FIELD_ROC_10, 100 * (close / *(end - 11) - 1));
    }
    if (step->interval != MF_INTERVAL_1M || count < QUARTER)
        return;
    prc_put(values, MF_METRIC_FIELD_MA_15M, sums->last_15 / QUARTER);
    if (count < 60)
        return;
    prc_put(values, MF_METRIC_FIELD_MA_1H, sums->last_60 / 60);
    double delta = close - *(end - 16);
    double spread = sums->last_15 / QUARTER - sums->last_60 / 60;
    values->momentum_delta = delta;
    values->momentum = spread > 0 && delta > 0   ? PRC_MOMENTUM_BULLISH
                       : spread < 0 && delta < 0 ? PRC_MOMENTUM_BEARISH
                                                 : PRC_MOMENTUM_NEUTRAL;
}

static void put_bands(struct prc_values *values, size_t count, const struct spread *closes)
{
    if (count < BASELINE)
        return;
    double sd = sqrt(closes->squares / BASELINE);
    double up = closes->mean + 2 * sd, low = closes->mean - 2 * sd;
    prc_put(values, MF_METRIC_FIELD_BB_MID, closes->mean);
    prc_put(values, MF_METRIC_FIELD_BB_UP, up);
    prc_put(values, MF_METRIC_FIELD_BB_LOW, low);
    values->has_bb = isfinite(sd);
    values->bb_sd = sd;
    values->bb_width = (up - low) / closes->mean;
}

bool prc_history_kept(enum mf_interval interval)
{
    return interval == MF_INTERVAL_1M || interval == MF_INTERVAL_1D;
}

double prc_history_of(const struct prc_values *values, enum mf_interval interval)
{
    if (interval == MF_INTERVAL_1M)
        return prc_has(values, MF_METRIC_FIELD_VOLATILITY_15M) ? values->v[MF_METRIC_FIELD_VOLATILITY_15M]
                                                               : NAN;
    return values->has_bb ? values->bb_width : NAN;
}

static double squares_of(const double *items, size_t count, double mean)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (items[i] - mean) * (items[i] - mean);
    return sum;
}

double prc_window_history(const double *closes, size_t count, enum mf_interval interval)
{
    const double *end = closes + count;
    if (interval == MF_INTERVAL_1M) {
        double returns[QUARTER];
        if (count <= QUARTER)
            return NAN;
        for (size_t i = 0; i < QUARTER; i++)
            returns[i] = (end - QUARTER)[i] / (end - QUARTER - 1)[i] - 1;
        double value =
            100 * sqrt(squares_of(returns, QUARTER, sum_of(returns, QUARTER) / QUARTER) / (QUARTER - 1));
        return isfinite(value) ? value : NAN;
    }
    if (count < BASELINE)
        return NAN;
    double mean = sum_of(end - BASELINE, BASELINE) / BASELINE;
    double sd = sqrt(squares_of(end - BASELINE, BASELINE, mean) / BASELINE);
    return isfinite(sd) ? (mean + 2 * sd - (mean - 2 * sd)) / mean : NAN;
}

// Of the bar `back` bars behind the one at hand.
static double history_at(const struct prc_step *step, size_t back)
{
    const struct prc_window *window = step->window;
    if (window->history != NULL)
        return window->history[window->count - 1 - back];
    return prc_window_history(window->closes, window->count - back, step->interval);
}

// The regime of volatility: this quarter of an hour against the four before it, which do not overlap.
static void put_vol_regime(const struct prc_step *step)
{
    struct prc_values *values = step->values;
    if (step->window->count <= PRC_LOOKBACK - 1 || !prc_has(values, MF_METRIC_FIELD_VOLATILITY_15M))
        return;
    double sum = 0;
    for (size_t back = 60; back >= QUARTER; back -= QUARTER)
        sum += history_at(step, back);
    double mean = sum / 4;
    double ratio = values->v[MF_METRIC_FIELD_VOLATILITY_15M] / mean;
    if (!(mean > 0) || !isfinite(ratio))
        return;
    values->vol_ratio = ratio;
    values->vol_regime = ratio >= 2     ? PRC_VOL_HIGH
                         : ratio >= 1.5 ? PRC_VOL_ELEVATED
                         : ratio <= 0.5 ? PRC_VOL_LOW
                                        : PRC_VOL_NORMAL;
}

static double highest(const double *items, size_t count)
{
    double found = items[0];
    for (size_t i = 1; i < count; i++)
        found = items[i] > found ? items[i] : found;
    return found;
}

static double lowest(const double *items, size_t count)
{
    double found = items[0];
    for (size_t i = 1; i < count; i++)
        found = items[i] < found ? items[i] : found;
    return found;
}

// 52 weeks are 252 sessions.
static void put_year(const struct prc_step *step)
{
    const struct prc_window *window = step->window;
    struct prc_values *values = step->values;
    if (window->highs == NULL || window->lows == NULL || window->count < YEAR)
        return;
    size_t from = window->count - YEAR;
    double high = highest(window->highs + from, YEAR), low = lowest(window->lows + from, YEAR);
    prc_put(values, MF_METRIC_FIELD_HIGH_52W, high);
    prc_put(values, MF_METRIC_FIELD_LOW_52W, low);
    if (high > low)
        prc_put(values, MF_METRIC_FIELD_POSITION_52W_PCT, 100 * (step->bar->close - low) / (high - low));
    values->has_prev_52w = window->count > YEAR;
    if (values->has_prev_52w) {
        values->prev_high_52w = highest(window->highs + from - 1, YEAR);
        values->prev_low_52w = lowest(window->lows + from - 1, YEAR);
    }
}

// A squeeze: hardly any of the last 120 bands was narrower.
static void put_squeeze(const struct prc_step *step)
{
    struct prc_values *values = step->values;
    if (step->window->count < BASELINE + BANDS - 1 || !values->has_bb)
        return;
    size_t narrower = 0;
    for (size_t back = 1; back < BANDS; back++)
        narrower += history_at(step, back) < values->bb_width;
    values->has_squeeze = true;
    values->squeeze = narrower < SQUEEZE_RANK;
}

void prc_step_windows(const struct prc_step *step)
{
    const struct prc_window *window = step->window;
    MF_UNINITIALISED double padded[TAIL];
    MF_UNINITIALISED double scratch[BASELINE];
    MF_UNINITIALISED double all_returns[BASELINE + 2];
    struct closes sums;
    struct spreads spreads;
    size_t found = 0;
    const double *end = window->closes + window->count;
    if (window->count < TAIL) { // windows that do not fit come out wrong, and are not put
        memset(padded, 0, (TAIL - window->count) * sizeof(*padded));
        memcpy(padded + TAIL - window->count, window->closes, window->count * sizeof(*padded));
        end = padded + TAIL;
    }
    returns_of(end, all_returns);
    const double *returns = all_returns + 1;
    const double *volumes = traded_volumes(window, scratch, &found);
    sum_up(end - BASELINE, returns, volumes, &sums, &spreads);
    spread_out(end - BASELINE, returns, volumes, &sums, &spreads);
    put_returns(step, returns, &spreads);
    put_volumes(step, volumes, &spreads.volumes, found);
    put_means(step, &sums, end);
    put_bands(step->values, window->count, &spreads.closes);
    if (step->interval == MF_INTERVAL_1M)
        put_vol_regime(step);
    if (step->interval == MF_INTERVAL_1D) {
        put_year(step);
        put_squeeze(step);
    }
}
