// SPDX-License-Identifier: Apache-2.0
// What the sink does about failures: decisions from values, no I/O, no clock. Pure.
#ifndef SNK_POLICY_H
#define SNK_POLICY_H

#include "common/odbc.h"
#include "services/sink/partition.h"
#include "services/sink/work.h"

enum snk_action {
    SNK_ACTION_CHECK_OUTCOME, // the connection is lost: connect again, read the offset rows, then decide
    SNK_ACTION_RETRY,         // the same statement again, after a delay
    SNK_ACTION_BISECT,        // halves: look for the row that is refused
    SNK_ACTION_REJECT_ROW,    // found it: to the dead-letter queue
    SNK_ACTION_SPLIT_ROWS,    // halves: ask for less at once
    SNK_ACTION_SPLIT_TABLES,  // look for the table that cannot be written
    SNK_ACTION_STOP_TABLE,    // found it: its topic stops, the others go on
    SNK_ACTION_HOLD_ALL,      // nothing can be written: everything waits for the slow retry
    SNK_ACTION_MAX
};

// Attempts at one statement before a failure that should pass is taken for one that stays.
#define SNK_ATTEMPTS_MAX 5

// A flush statement that failed: how, what it was about, and how often it was tried (1 = the first time).
struct snk_failure {
    enum mf_odbc_class class;
    enum snk_table table; // of the range; SNK_TABLE_MAX = all tables
    size_t rows;
    unsigned attempts;
};
enum snk_action snk_decide(const struct snk_failure *failure);
const char *snk_action_name(enum snk_action action);

// What the offset row of a partition says about a flush that was to move it to `next`.
enum snk_verdict {
    SNK_LANDED,     // it is at `next`: done
    SNK_NOT_LANDED, // it is where it was: again
    SNK_ELSEWHERE,  // own epoch, another offset: go on from there
    SNK_FENCED,     // another epoch: somebody else has the partition
    SNK_GONE,       // no row: the table was emptied; the partition must be assigned anew
    SNK_VERDICT_MAX
};
enum snk_verdict snk_judge(const struct snk_partition *partition, int64_t next, bool found, int64_t epoch,
                           int64_t next_offset);
const char *snk_verdict_name(enum snk_verdict verdict);

// May the bisection (its number, see work.h) dead-letter a row of the partition? Not when `limit` others have
// within the last minute: that is no poison row but a schema that does not fit. One that has been charged
// goes on, whatever number of rows it finds. 1 <= limit <= SNK_POISON_LIMIT_MAX, the same in every call.
bool snk_bisection_is_allowed(const struct snk_partition *partition, uint64_t bisection, unsigned limit,
                              int64_t now_us);
// Charges it to the partition, once however often it is asked; it must be allowed (asserted).
void snk_charge_bisection(struct snk_partition *partition, uint64_t bisection, unsigned limit,
                          int64_t now_us);

// Does a flush have to look whether a row is there already? Rows come once, so it begins without, which is
// cheaper; the first one that is there after all makes it look for a stretch of flushes, which doubles with
// every such surprise: loading a log again is one surprise, not thousands.
#define SNK_REPEATS_MIN 64
#define SNK_REPEATS_MAX 65536
struct snk_repeats {
    unsigned left;    // flushes that look
    unsigned stretch; // how many of them the next surprise gives; 0 = SNK_REPEATS_MIN
};
void snk_repeats_surprise(struct snk_repeats *repeats);
// A flush that looked went through; found: some row was there.
void snk_repeats_looked(struct snk_repeats *repeats, bool found);

#endif
