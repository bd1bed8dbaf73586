// SPDX-License-Identifier: Apache-2.0
// The command's own steps. Everything it says goes to stdout, failures to the log; the exit code is the
// error's class. Owns its session for the time of the run, and while it applies something the lease, which
// one run at a time can have: a row with an owner and an end, so that a run that died holds up nobody for
// ever.
#include "services/sink/migrate.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "services/sink/warehouse.h"

// A migration may build an index over a large table.
#define STATEMENT_TIMEOUT_MS INT64_C(900000)
#define LEASE_POLL_MS 250
// Longer than the lease lasts where only its end tells that a run has died.
#define WAIT_DEFAULT "90"

struct run {
    struct snk_warehouse *warehouse;
    bool dry_run, grants;
    int64_t wait_ms;
    char owner[SNK_LEASE_OWNER_SIZE]; // of the lease
};

// TRANSIENT "migrations_running" when somebody else keeps the lease beyond the time that we wait.
static int take_lease(const struct run *run, struct mf_error *err)
{
    int64_t until_us = mf_clock_monotonic_us() + run->wait_ms * MF_US_PER_MS;
    struct snk_lease holder;
    for (;;) {
        if (snk_warehouse_take_lease(run->warehouse, run->owner, &holder, err) != 0)
            return -1;
        if (strcmp(holder.owner, run->owner) == 0)
            return 0;
        if (mf_clock_monotonic_us() >= until_us)
            return mf_error_set(err, MF_ERROR_TRANSIENT, "migrations_running",
                                "'%s' is applying migrations, its lease in ops.schema_lease ends at %s UTC "
                                "unless it is renewed; a run that is dead needs no more than that",
                                holder.owner, holder.expires_at);
        poll(NULL, 0, LEASE_POLL_MS); // a command, not a service: nothing else waits for this thread
    }
}

// Stops at the first failure: what was applied before it stays, each in a transaction of its own.
static int apply(const struct run *run, const struct snk_plan *plan, struct mf_error *err)
{
    struct snk_warehouse *warehouse = run->warehouse;
    for (size_t i = 0; i < plan->pending; i++) {
        const struct mf_sql_text *text =
            snk_statement_migration(snk_warehouse_dialect(warehouse), plan->known + i);
        struct mf_str version = snk_statement_version(text);
        char checksum[SNK_CHECKSUM_SIZE];
        snk_migration_checksum(text, checksum);
        if (run->dry_run) {
            printf("would apply %.*s (SHA-256 %s)\n", MF_STR_ARG(version), checksum);
            continue;
        }
        int64_t start_us = mf_clock_monotonic_us();
        if (snk_warehouse_apply_migration(warehouse, text, err) != 0)
            return mf_error_prefix(err, "migration %.*s", MF_STR_ARG(version));
        printf("applied %.*s (SHA-256 %s) in %" PRId64 " ms\n", MF_STR_ARG(version), checksum,
               (mf_clock_monotonic_us() - start_us) / MF_US_PER_MS);
    }
    return 0;
}

// The last line is for people and for deploy scripts: it says that nothing is left to do.
static void report(const struct snk_plan *plan, bool dry_run)
{
    if (plan->newest != NULL)
        printf("the schema has %zu migrations that this program does not know, up to %s: a newer one made "
               "them\n",
               plan->newer, plan->newest);
    if (dry_run)
        printf("%zu migrations applied before, %zu to apply\n", plan->known, plan->pending);
    else
        printf("%zu migrations applied before, %zu now: the schema is up to date\n", plan->known,
               plan->pending);
}

// What the book lacks. It is read under the lease: another run may have been faster.
static int bring_up(const struct run *run, struct mf_error *err)
{
    struct snk_applied_list applied = {0};
    struct snk_plan plan;
    int result = snk_warehouse_list_migrations(run->warehouse, &applied, err);
    if (result == 0)
        result = snk_plan_migrations(snk_warehouse_dialect(run->warehouse), &applied, &plan, err);
    if (result == 0)
        result = apply(run, &plan, err);
    if (result == 0)
        report(&plan, run->dry_run);
    snk_applied_free(&applied);
    return result;
}

static int migrate(const struct run *run, struct mf_error *err)
{
    if (run->dry_run)
        return bring_up(run, err);
    if (snk_warehouse_prepare_migrations(run->warehouse, err) != 0 || take_lease(run, err) != 0)
        return -1;
    int result = bring_up(run, err);
    if (result == 0 && run->grants) {
        result = snk_warehouse_apply_grants(run->warehouse, err);
        if (result == 0)
            printf("roles and grants are as they should be\n");
    }
    // What went wrong before is worth more than that the lease could not be given back: it ends by itself.
    snk_warehouse_release_lease(run->warehouse, run->owner, NULL);
    return result;
}

// Nobody else, on whatever host, has the same.
static void name_owner(struct run *run, const char *instance)
{
    snprintf(run->owner, sizeof run->owner, "%.64s/%ld/%08x", instance, (long)getpid(),
             (unsigned)mf_random_seed());
}

static int parse(struct run *run, int argc, char **argv, struct mf_error *err)
{
    const char *wait = WAIT_DEFAULT;
    struct mf_option options[] = {{.name = "--dry-run", .flag = &run->dry_run},
                                  {.name = "--grants", .flag = &run->grants},
                                  {.name = "--wait", .value = &wait}};
    int64_t seconds = 0;
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, err) != 0)
        return -1;
    if (!mf_str_to_i64(mf_str_of(wait), &seconds) || seconds < 0 || seconds > 3600)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_option", "--wait: '%.40s' is not 0 to 3600 s", wait);
    run->wait_ms = seconds * 1000;
    return 0;
}

int snk_migrate_run(struct mf_service *service, int argc, char **argv)
{
    struct run run = {0};
    struct mf_error err;
    int result = parse(&run, argc, argv, &err);
    name_owner(&run, service->instance);
    if (result == 0) {
        run.warehouse = snk_warehouse_new(service->settings, "", service->instance);
        snk_warehouse_set_statement_timeout(run.warehouse, STATEMENT_TIMEOUT_MS);
        result = snk_warehouse_open(run.warehouse, false, &err);
    }
    if (result == 0)
        result = migrate(&run, &err);
    snk_warehouse_free(&run.warehouse);
    int written = mf_service_flush("marketflow-sink", stdout);
    if (result == 0)
        return written;
    mf_log_error(service->log, MF_LOG_ERROR, "migrate", "migrate_failed", &err, "migrating the warehouse");
    return mf_error_exit_code(&err);
}
