// SPDX-License-Identifier: Apache-2.0
// The command's own steps. Everything it says goes to stdout, failures to the log; the exit code is the
// error's class. Owns its session for the time of the run.
#include "services/sink/migrate.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "services/sink/warehouse.h"

// A migration may build an index over a large table, or wait for another run that does.
#define STATEMENT_TIMEOUT_MS INT64_C(900000)

// Stops at the first failure: what was applied before it stays, each in a transaction of its own.
static int apply(struct snk_warehouse *warehouse, const struct snk_plan *plan, bool dry_run,
                 struct mf_error *err)
{
    for (size_t i = 0; i < plan->pending; i++) {
        const struct mf_sql_text *text =
            snk_statement_migration(snk_warehouse_dialect(warehouse), plan->known + i);
        struct mf_str version = snk_statement_version(text);
        char checksum[SNK_CHECKSUM_SIZE];
        snk_migration_checksum(text, checksum);
        if (dry_run) {
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

// The book is read again under the lock: another run may have been faster.
static int migrate(struct snk_warehouse *warehouse, bool dry_run, struct mf_error *err)
{
    struct snk_applied_list applied = {0};
    struct snk_plan plan;
    int result = dry_run ? 0 : snk_warehouse_lock_migrations(warehouse, err);
    if (result == 0)
        result = snk_warehouse_list_migrations(warehouse, &applied, err);
    if (result == 0 && !dry_run && applied.count == 0)
        result = snk_warehouse_prepare_migrations(warehouse, err);
    if (result == 0)
        result = snk_plan_migrations(snk_warehouse_dialect(warehouse), &applied, &plan, err);
    if (result == 0)
        result = apply(warehouse, &plan, dry_run, err);
    if (result == 0)
        report(&plan, dry_run);
    snk_applied_free(&applied);
    return result;
}

int snk_migrate_run(struct mf_service *service, int argc, char **argv)
{
    bool dry_run = false;
    struct mf_option options[] = {{.name = "--dry-run", .flag = &dry_run}};
    struct snk_warehouse *warehouse = NULL;
    struct mf_error err;
    int result = mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, &err);
    if (result == 0) {
        warehouse = snk_warehouse_new(service->settings, "", service->instance);
        snk_warehouse_set_statement_timeout(warehouse, STATEMENT_TIMEOUT_MS);
        result = snk_warehouse_open(warehouse, false, &err);
    }
    if (result == 0)
        result = migrate(warehouse, dry_run, &err);
    snk_warehouse_free(&warehouse);
    int written = mf_service_flush("marketflow-sink", stdout);
    if (result == 0)
        return written;
    mf_log_error(service->log, MF_LOG_ERROR, "migrate", "migrate_failed", &err, "migrating the warehouse");
    return mf_error_exit_code(&err);
}
