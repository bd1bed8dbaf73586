// SPDX-License-Identifier: Apache-2.0
// Claims of a run (see run_owner.h).
#include "services/ingestor/run_owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/json_writer.h"

// A look takes well under a second; what it finds must have stopped the older process within TAKEOVER_MS.
enum { RETRY_MS = 100, CHECK_MS = 1000, TAKEOVER_MS = 5000 };

struct ing_owner {
    struct ing_app *app;
    struct ing_owner_ops ops;
    struct mf_json *json;
    char key[MF_RUN_ID_MAX + 8];
    char run_id[MF_RUN_ID_MAX + 1];
    struct ing_claims claims;
    struct mf_timer *timer;
    struct ing_batch *batch; // of the claim
    void (*checked)(void *arg);
    void *checked_arg;
    bool claimed, owned, waited, over; // over: lost or given up
    bool reading, again;               // again: what is being read began before the question
};

// ---------------------------------------------------------------- claims

void ing_claim_encode(const struct ing_claim *claim, struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "version");
    mf_jw_i64(&w, 1);
    mf_jw_key(&w, "owner");
    mf_jw_c_string(&w, claim->id);
    mf_jw_key(&w, "at");
    mf_jw_c_string(&w, claim->at);
    mf_jw_key(&w, "released");
    mf_jw_bool(&w, claim->released);
    mf_jw_object_end(&w);
}

static bool decode(struct mf_json *json, struct mf_str value, struct ing_claim *claim)
{
    const struct mf_json_node *root;
    struct mf_error err;
    if (mf_json_parse(json, value, &mf_json_limits_event, &root, &err) < 0)
        return false;
    const struct mf_json_node *released = mf_json_get(root, "released");
    *claim = (struct ing_claim){.released = released != NULL && mf_json_type(released) == MF_JSON_BOOL &&
                                            mf_json_bool(released)};
    mf_str_copy(claim->at, sizeof claim->at, ing_text_of(root, "at"));
    return mf_str_copy(claim->id, sizeof claim->id, ing_text_of(root, "owner")) && claim->id[0] != '\0';
}

static void remove_other(struct ing_claims *claims, const char *id)
{
    size_t kept = 0;
    for (size_t i = 0; i < claims->count; i++) {
        if (strcmp(claims->others[i].id, id) != 0)
            claims->others[kept++] = claims->others[i];
    }
    claims->count = kept;
}

void ing_claims_add(struct ing_claims *claims, struct mf_json *json, struct mf_str value)
{
    struct ing_claim claim;
    if (value.data == NULL) {
        claims->count = 0;
        return;
    }
    if (!decode(json, value, &claim))
        return; // nothing that a process of this kind wrote
    if (strcmp(claim.id, claims->mine.id) == 0) {
        claims->seen = true;
        return;
    }
    remove_other(claims, claim.id);
    if (claim.released)
        return;
    if (claims->seen) {
        claims->lost = true;
        claims->newer = claim;
        return;
    }
    if (claims->count == ING_OWNERS_MAX)
        memmove(&claims->others[0], &claims->others[1], --claims->count * sizeof claims->others[0]);
    claims->others[claims->count++] = claim;
}

// ---------------------------------------------------------------- reading

bool ing_owner_wants(const struct ing_owner *owner, struct mf_str key)
{
    return mf_str_eq_c(key, owner->key);
}

void ing_owner_seen(struct ing_owner *owner, struct mf_str key, struct mf_str value)
{
    if (ing_owner_wants(owner, key))
        ing_claims_add(&owner->claims, owner->json, value);
}

static void refresh(struct ing_owner *owner)
{
    owner->reading = true;
    ing_store_read(owner->app->store);
}

static void lose(struct ing_owner *owner, const struct mf_error *err)
{
    owner->over = true;
    mf_timer_cancel(owner->timer);
    owner->ops.on_lost(owner->ops.arg, err);
}

static void lose_to_newer(struct ing_owner *owner)
{
    struct mf_error err;
    mf_error_set(&err, MF_ERROR_TRANSIENT, "taken_over", "run %s was taken over by another process (%s)",
                 owner->run_id, owner->claims.newer.at);
    lose(owner, &err);
}

// Nobody before this process, or they had their time to stop.
static void settle(struct ing_owner *owner)
{
    if (owner->claims.count > 0 && !owner->waited) {
        const struct ing_claim *other = &owner->claims.others[owner->claims.count - 1];
        owner->waited = true;
        MF_LOGF(owner->app->service->log, MF_LOG_NOTICE, "backfill", "run_taken_over",
                MF_FIELDS(mf_lf_str("run_id", owner->run_id), mf_lf_str("owner", other->at)),
                "another process (%s) has not given run %s up: it gets %d s to stop", other->at,
                owner->run_id, TAKEOVER_MS / 1000);
        mf_timer_arm_ms(owner->timer, TAKEOVER_MS);
        return;
    }
    owner->owned = true;
    mf_timer_arm_ms(owner->timer, CHECK_MS);
    owner->ops.on_owned(owner->ops.arg);
}

void ing_owner_refreshed(struct ing_owner *owner)
{
    owner->reading = false;
    if (owner->over)
        return;
    if (owner->claims.lost) {
        lose_to_newer(owner);
        return;
    }
    if (owner->again) {
        owner->again = false;
        refresh(owner);
        return;
    }
    if (!owner->owned) {
        settle(owner);
        return;
    }
    mf_timer_arm_ms(owner->timer, CHECK_MS);
    void (*fn)(void *arg) = owner->checked;
    owner->checked = NULL;
    if (fn != NULL)
        fn(owner->checked_arg);
}

void ing_owner_check(struct ing_owner *owner, void (*fn)(void *arg), void *arg)
{
    assert(owner->owned && owner->checked == NULL);
    if (owner->over)
        return; // on_lost has been called
    owner->checked = fn;
    owner->checked_arg = arg;
    mf_timer_cancel(owner->timer);
    if (owner->reading)
        owner->again = true;
    else
        refresh(owner);
}

// ---------------------------------------------------------------- writing

static int publish(struct ing_owner *owner, struct ing_batch *batch, const struct ing_claim *claim,
                   struct mf_error *err)
{
    struct mf_buf value;
    mf_buf_init(&value, 1024);
    if (claim != NULL)
        ing_claim_encode(claim, &value);
    int result = ing_publisher_watermark(owner->app->publisher, batch, mf_str_of(owner->key),
                                         claim != NULL ? mf_buf_str(&value) : MF_STR_NULL, err);
    mf_buf_free(&value);
    return result;
}

static void on_claimed(void *arg, const struct mf_error *err)
{
    struct ing_owner *owner = arg;
    owner->batch = NULL;
    if (err != NULL)
        lose(owner, err);
    else
        refresh(owner);
}

static void send_claim(struct ing_owner *owner)
{
    struct mf_error err;
    if (publish(owner, owner->batch, &owner->claims.mine, &err) < 0) {
        mf_timer_arm_ms(owner->timer, RETRY_MS); // the queue is full
        return;
    }
    owner->claimed = true;
    ing_batch_seal(owner->batch);
}

void ing_owner_claim(struct ing_owner *owner)
{
    owner->batch = ing_batch_new(owner->app->publisher, on_claimed, owner);
    send_claim(owner);
}

void ing_owner_rest(struct ing_owner *owner)
{
    mf_timer_cancel(owner->timer);
}

void ing_owner_release(struct ing_owner *owner, bool over)
{
    struct mf_error err;
    mf_timer_cancel(owner->timer);
    if (!owner->claimed || owner->over)
        return;
    owner->over = true;
    struct ing_claim claim = owner->claims.mine;
    claim.released = true;
    if (publish(owner, NULL, over ? NULL : &claim, &err) < 0)
        mf_log_error(owner->app->service->log, MF_LOG_WARNING, "watermarks", "watermark_not_written", &err,
                     "giving the run up");
}

// ---------------------------------------------------------------- life

static void on_timer(void *arg)
{
    struct ing_owner *owner = arg;
    if (!owner->claimed)
        send_claim(owner);
    else if (!owner->reading)
        refresh(owner);
}

struct ing_owner *ing_owner_new(struct ing_app *app, const char *run_id, const struct ing_owner_ops *ops)
{
    struct ing_owner *owner = mf_calloc(1, sizeof *owner);
    char host[65] = "";
    *owner = (struct ing_owner){.app = app, .ops = *ops, .json = mf_json_new()};
    gethostname(host, sizeof host - 1);
    snprintf(owner->key, sizeof owner->key, "owner|%s", run_id);
    mf_str_copy(owner->run_id, sizeof owner->run_id, mf_str_of(run_id));
    snprintf(owner->claims.mine.id, sizeof owner->claims.mine.id, "%016" PRIx64 "%016" PRIx64,
             mf_random_seed(), mf_random_seed());
    snprintf(owner->claims.mine.at, sizeof owner->claims.mine.at, "%s:%ld", host, (long)getpid());
    owner->timer = mf_timer_new(app->service->loop, on_timer, owner);
    return owner;
}

void ing_owner_free(struct ing_owner **owner)
{
    struct ing_owner *old = *owner;
    if (old == NULL)
        return;
    *owner = NULL;
    ing_batch_abandon(&old->batch);
    mf_timer_free(&old->timer);
    mf_json_free(&old->json);
    free(old);
}
