// SPDX-License-Identifier: Apache-2.0
// The request budget of a provider's key, as every process that uses the key computes it from one log: the
// claims on market.ingestor.budget (one partition), folded in the order of the log. A claim asks for some
// requests; what it gets depends on nothing but the records before it and the time stamps of the log, so all
// who read the log agree, and nobody has to be asked. Pure: no I/O, no clock.
//
// What holds: a request starts between its claim's place in the log and ING_BUDGET_GRANT_US later, or never.
// So when no window + ING_BUDGET_GRANT_US of log time holds more than `per_minute` granted requests, no
// window of the provider's does. A claim in the last second of a UTC day counts in both days. A process that
// dies with a claim wastes it.
//
// Where reading begins must make no difference: what one claim got decides what the next gets, and so on, so
// that somebody who has missed a part might never come to agree with the others again. Therefore all begin
// anew at midnight UTC, with what every reader knows: of the claims of the last window before it, not what
// they got but what they asked for counts. Who reads from a window before the day's beginning, or from
// further back, knows all.
//
// Priorities: what a claim did not get stays a want for as long as the budget says to wait, and a claim of
// lower priority leaves the room for it. Each claim is judged by the limits it carries.
// Ownership: the caller's; memory grows with the distinct milliseconds of a window at most (61 000 entries).
// Failure classes: POISON from decoding.
#ifndef ING_BUDGET_H
#define ING_BUDGET_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json_reader.h"

#define ING_BUDGET_GRANT_US MF_US_PER_SECOND      // how long a grant is good for, from its place in the log
#define ING_BUDGET_WINDOW_MIN_US MF_US_PER_SECOND // the shortest window
#define ING_BUDGET_WINDOW_MAX_US MF_US_PER_MINUTE // the longest
#define ING_BUDGET_COUNT_MAX 1000                 // requests of one claim
#define ING_BUDGET_WAIT_MAX_US MF_US_PER_HOUR     // of a hold
#define ING_BUDGET_RECORD_MAX 512                 // bytes of a record
enum { ING_BUDGET_PROCESS_LEN = 16, ING_BUDGET_ID_LEN = 32, ING_BUDGET_WANTS_MAX = 32 };

enum ing_priority { ING_PRIORITY_LIVE, ING_PRIORITY_RECONCILE, ING_PRIORITY_BACKFILL, ING_PRIORITY_MAX };
const char *ing_priority_name(enum ing_priority priority); // "live", "reconcile", "backfill"

struct ing_budget_limits { // 0 = no limit
    uint64_t per_minute;   // in any window
    uint64_t per_day;      // in one UTC day
    int64_t window_us;     // ING_BUDGET_WINDOW_MIN_US to _MAX_US
};

enum ing_budget_kind { ING_BUDGET_CLAIM, ING_BUDGET_HOLD };

struct ing_budget_record {
    enum ing_budget_kind kind;
    char process[ING_BUDGET_PROCESS_LEN + 1]; // 16 hex digits, random per process
    // of a claim
    uint64_t number; // counts the process's claims
    enum ing_priority priority;
    uint64_t count; // 1 to ING_BUDGET_COUNT_MAX
    struct ing_budget_limits limits;
    // of a hold: the provider said "too many requests", nothing may start for that long
    int64_t wait_us;
};

enum ing_budget_reason { // why a claim did not get all it asked for
    ING_BUDGET_ALL,      // it did
    ING_BUDGET_WINDOW,
    ING_BUDGET_DAY,
    ING_BUDGET_HELD,     // by a hold
    ING_BUDGET_PRIORITY, // others of higher priority want what there is
};

struct ing_budget_verdict {
    uint64_t granted; // 0 to count
    enum ing_budget_reason reason;
    int64_t retry_us; // log time before which asking for the rest is of no use; only without ING_BUDGET_ALL
};

struct ing_budget_claims { // of one time stamp
    int64_t time_us;
    uint64_t granted_before, asked_before; // in all before them
};
struct ing_budget_want {
    char process[ING_BUDGET_PROCESS_LEN + 1];
    enum ing_priority priority;
    uint64_t count;
    int64_t until_us; // log time
};

struct ing_budget {
    struct ing_budget_claims *claims; // ring of those of the longest window, in time order
    size_t head, count, capacity;
    uint64_t granted, asked; // in all; what was granted before the day began is what was asked
    int64_t log_us;          // newest time of the log
    int64_t day;             // of log_us, since 1970
    uint64_t used;           // of that day
    int64_t held_until_us;   // log time
    struct ing_budget_want wants[ING_BUDGET_WANTS_MAX];
    size_t want_count;
};

void ing_budget_init(struct ing_budget *budget);
void ing_budget_free(struct ing_budget *budget); // ready to be used again
// The next record of the log with its time stamp. verdict: of a claim; may be NULL.
void ing_budget_fold(struct ing_budget *budget, const struct ing_budget_record *record, int64_t log_us,
                     struct ing_budget_verdict *verdict);
// What such a claim would get if it were the next record, at log_us.
struct ing_budget_verdict ing_budget_peek(const struct ing_budget *budget,
                                          const struct ing_budget_record *claim, int64_t log_us);
// Requests that the process still wants by its last claim, as others have to respect it; 0 = none.
uint64_t ing_budget_wanted(const struct ing_budget *budget, const char *process, int64_t log_us);
uint64_t ing_budget_used_today(const struct ing_budget *budget, int64_t log_us);

void ing_budget_encode(const struct ing_budget_record *record, struct mf_buf *out);
// POISON "budget_record": nothing that a process of this version wrote.
int ing_budget_decode(struct mf_json *json, struct mf_str text, struct ing_budget_record *record,
                      struct mf_error *err);
// What stands for the key on the topic: the first half of HMAC-SHA-256, keyed with the provider's key, of
// "marketflow request budget 1|<provider>". It tells who shares a key and nothing about the key.
void ing_budget_id(const char *provider, const char *key, char id[ING_BUDGET_ID_LEN + 1]);

#endif
