// SPDX-License-Identifier: Apache-2.0
// Tables of decisions as code; the reasons are with the cases. Nothing is owned, nothing can fail.
#include "services/sink/policy.h"

// A failure of the database's making, not of a row's: find the table, or wait.
static enum snk_action isolate(const struct snk_failure *failure)
{
    if (failure->rows == 0)
        return SNK_ACTION_HOLD_ALL; // only offsets: the table of offsets itself cannot be written
    return failure->table == SNK_TABLE_MAX ? SNK_ACTION_SPLIT_TABLES : SNK_ACTION_STOP_TABLE;
}

enum snk_action snk_decide(const struct snk_failure *failure)
{
    bool again = failure->attempts < SNK_ATTEMPTS_MAX;
    switch (failure->class) {
    case MF_ODBC_CONNECTION: return SNK_ACTION_CHECK_OUTCOME;
    // The server has refused and is still there: nothing was written, the same statement may go again. What
    // never passes may be too large for a limit (a statement timeout, locks, memory): halves may pass.
    case MF_ODBC_TRANSIENT:
        if (again)
            return SNK_ACTION_RETRY;
        return failure->rows > 1 ? SNK_ACTION_SPLIT_ROWS : SNK_ACTION_HOLD_ALL;
    // One row is to blame, unless there is none, or bisections so many that snk_bisection_is_allowed says
    // otherwise.
    case MF_ODBC_DATA:
        if (failure->rows == 0)
            return SNK_ACTION_HOLD_ALL;
        return failure->rows == 1 ? SNK_ACTION_REJECT_ROW : SNK_ACTION_BISECT;
    case MF_ODBC_CAPACITY:
    case MF_ODBC_CONFIG: return isolate(failure);
    case MF_ODBC_OTHER:
    case MF_ODBC_CLASS_MAX: break;
    }
    // Nobody knows what it is; a fresh connection may help, else it is treated as the table's fault.
    return again ? SNK_ACTION_CHECK_OUTCOME : isolate(failure);
}

const char *snk_action_name(enum snk_action action)
{
    static const char *const names[SNK_ACTION_MAX] = {"check_outcome", "retry",      "bisect",
                                                      "reject_row",    "split_rows", "split_tables",
                                                      "stop_table",    "hold_all"};
    return action < SNK_ACTION_MAX ? names[action] : "unknown";
}

enum snk_verdict snk_judge(const struct snk_partition *partition, int64_t next, bool found, int64_t epoch,
                           int64_t next_offset)
{
    if (!found)
        return SNK_GONE;
    if (epoch != partition->epoch)
        return SNK_FENCED;
    if (next_offset == next)
        return SNK_LANDED;
    return next_offset == partition->stored ? SNK_NOT_LANDED : SNK_ELSEWHERE;
}

const char *snk_verdict_name(enum snk_verdict verdict)
{
    static const char *const names[SNK_VERDICT_MAX] = {"landed", "not_landed", "elsewhere", "fenced", "gone"};
    return verdict < SNK_VERDICT_MAX ? names[verdict] : "unknown";
}

bool snk_bisection_is_allowed(const struct snk_partition *partition, uint64_t bisection, unsigned limit,
                              int64_t now_us)
{
    assert(limit >= 1 && limit <= SNK_POISON_LIMIT_MAX && bisection != 0);
    if (partition->bisection == bisection || partition->bisected_count < limit)
        return true;
    // The ring has `limit` slots. The slot to be written holds the bisection that is `limit` back.
    return now_us - partition->bisected_us[partition->bisected_at] >= MF_US_PER_MINUTE;
}

void snk_charge_bisection(struct snk_partition *partition, uint64_t bisection, unsigned limit, int64_t now_us)
{
    assert(snk_bisection_is_allowed(partition, bisection, limit, now_us));
    if (partition->bisection == bisection)
        return;
    partition->bisection = bisection;
    partition->bisected_us[partition->bisected_at] = now_us;
    partition->bisected_at = (partition->bisected_at + 1) % limit;
    if (partition->bisected_count < limit)
        partition->bisected_count++;
}

void snk_repeats_surprise(struct snk_repeats *repeats)
{
    unsigned stretch = repeats->stretch > 0 ? repeats->stretch : SNK_REPEATS_MIN;
    repeats->left = stretch;
    repeats->stretch = stretch < SNK_REPEATS_MAX / 2 ? stretch * 2 : SNK_REPEATS_MAX;
}

void snk_repeats_looked(struct snk_repeats *repeats, bool found)
{
    if (found) {
        unsigned stretch = repeats->stretch / 2;
        repeats->left = stretch > SNK_REPEATS_MIN ? stretch : SNK_REPEATS_MIN;
    } else if (repeats->left > 0) {
        repeats->left--;
    }
}
