// SPDX-License-Identifier: Apache-2.0
// Which process works on a backfill run. Two that did would open the lane again behind each other's lane end,
// and all that was folded there would be counted twice. So a process writes a claim ("owner|" and the run's
// id, on the watermarks topic, one partition) and reads it back before it asks for anything. The newest claim
// counts: the process before it finds it with its next look (every second, and before the lane end), stops
// and leaves. The newer one gives it five seconds for that whenever it sees a claim that was not given up,
// which is also what a killed process leaves behind. Ownership: the backfill's; the store is the app's.
// Failure classes through on_lost: TRANSIENT "taken_over" and what a delivery fails with.
#ifndef ING_RUN_OWNER_H
#define ING_RUN_OWNER_H

#include "services/ingestor/app.h"

struct ing_owner;

struct ing_owner_ops {
    void (*on_owned)(void *arg); // once; the store has been read again since older processes stopped
    void (*on_lost)(void *arg, const struct mf_error *err); // once: nothing more may be published
    void *arg;
};

struct ing_owner *ing_owner_new(struct ing_app *app, const char *run_id, const struct ing_owner_ops *ops);
void ing_owner_free(struct ing_owner **owner);

// For the mode: keys to read, their records in order, and the end of each reading.
bool ing_owner_wants(const struct ing_owner *owner, struct mf_str key);
void ing_owner_seen(struct ing_owner *owner, struct mf_str key, struct mf_str value);
void ing_owner_refreshed(struct ing_owner *owner);

void ing_owner_claim(struct ing_owner *owner); // on_owned or on_lost follows
// Looks now: fn(arg) when the run is still this process's, on_lost otherwise.
void ing_owner_check(struct ing_owner *owner, void (*fn)(void *arg), void *arg);
// No looks of its own any more: what is left takes little time, or must not see the store change.
void ing_owner_rest(struct ing_owner *owner);
// An orderly end, once all that was published is acknowledged. A run that is over for good is forgotten.
void ing_owner_release(struct ing_owner *owner, bool over);

// ---------------------------------------------------------------- the claims of a run, pure

#define ING_OWNER_ID_MAX 32
#define ING_OWNER_AT_MAX 128
#define ING_OWNERS_MAX 16
struct ing_claim {
    char id[ING_OWNER_ID_MAX + 1]; // random, of a process
    char at[ING_OWNER_AT_MAX + 1]; // host:pid, for people
    bool released;
};
struct ing_claims {
    struct ing_claim mine;
    bool seen;                               // mine was read back
    struct ing_claim others[ING_OWNERS_MAX]; // before mine and not given up; the newest are kept
    size_t count;
    bool lost;
    struct ing_claim newer; // when lost
};
void ing_claim_encode(const struct ing_claim *claim, struct mf_buf *out);
// The next record in the order of the topic; an absent value is a run that was over.
void ing_claims_add(struct ing_claims *claims, struct mf_json *json, struct mf_str value);

#endif
