// SPDX-License-Identifier: Apache-2.0
// Compares; applying is warehouse_schema.c. Failure class: CONFIG, because only a person can tell whether the
// text or the database is right.
#include "services/sink/migrations.h"

#include <stdlib.h>

#include "common/hash.h"

bool snk_applied_add(struct snk_applied_list *list, const char *version, const char *checksum)
{
    if (list->count == SNK_MIGRATIONS_MAX || version == NULL || checksum == NULL)
        return false;
    list->items = mf_realloc(list->items, (list->count + 1) * sizeof *list->items);
    struct snk_applied *item = &list->items[list->count];
    if (!mf_str_copy(item->version, sizeof item->version, mf_str_of(version)) ||
        !mf_str_copy(item->checksum, sizeof item->checksum, mf_str_of(checksum)))
        return false;
    list->count++;
    return true;
}

void snk_applied_free(struct snk_applied_list *list)
{
    free(list->items);
    *list = (struct snk_applied_list){0};
}

void snk_migration_checksum(const struct mf_sql_text *text, char checksum[SNK_CHECKSUM_SIZE])
{
    mf_sha256_hex(text->text, text->length, checksum);
}

// The book is short and read once: no need for order.
static const struct snk_applied *find_applied(const struct snk_applied_list *applied, struct mf_str version)
{
    for (size_t i = 0; i < applied->count; i++) {
        if (mf_str_eq_c(version, applied->items[i].version))
            return &applied->items[i];
    }
    return NULL;
}

// What the book has beyond our own last migration. Versions begin with their number, so they sort by it.
static void count_newer(const struct snk_applied_list *applied, struct mf_str last, struct snk_plan *plan)
{
    for (size_t i = 0; i < applied->count; i++) {
        struct mf_str version = mf_str_of(applied->items[i].version);
        if (mf_str_cmp(version, last) <= 0)
            continue;
        if (plan->newest == NULL || mf_str_cmp(version, mf_str_of(plan->newest)) > 0)
            plan->newest = applied->items[i].version;
        plan->newer++;
    }
}

int snk_plan_migrations(const char *dialect, const struct snk_applied_list *applied, struct snk_plan *plan,
                        struct mf_error *err)
{
    *plan = (struct snk_plan){0};
    struct mf_str last = MF_STR("");
    const struct mf_sql_text *text;
    for (size_t i = 0; (text = snk_statement_migration(dialect, i)) != NULL; i++) {
        last = snk_statement_version(text);
        const struct snk_applied *row = find_applied(applied, last);
        if (row == NULL) {
            plan->pending++;
            continue;
        }
        // One was left out below this one: applying it now would run it against a schema it was not written
        // for.
        if (plan->pending > 0)
            return mf_error_set(
                err, MF_ERROR_CONFIG, "migration_gap",
                "%.*s is applied, but a migration before it is not: the schema was not made by this "
                "program's migrations",
                MF_STR_ARG(last));
        char checksum[SNK_CHECKSUM_SIZE];
        snk_migration_checksum(text, checksum);
        if (strcmp(checksum, row->checksum) != 0)
            return mf_error_set(
                err, MF_ERROR_CONFIG, "migration_edited",
                "sql/%s was changed after it was applied (SHA-256 %.12s… then, %.12s… now): put its text "
                "back and write a new migration",
                text->name, row->checksum, checksum);
        plan->known++;
    }
    count_newer(applied, last, plan);
    return 0;
}
