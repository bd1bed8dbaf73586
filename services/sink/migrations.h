// SPDX-License-Identifier: Apache-2.0
// Which migrations are to be applied: the embedded texts against the book that the warehouse keeps. Pure.
#ifndef SNK_MIGRATIONS_H
#define SNK_MIGRATIONS_H

#include "common/error.h"
#include "services/sink/statement.h"

#define SNK_MIGRATIONS_MAX 1000
#define SNK_VERSION_SIZE 96
#define SNK_CHECKSUM_SIZE 65

// One row of the book.
struct snk_applied {
    char version[SNK_VERSION_SIZE];
    char checksum[SNK_CHECKSUM_SIZE];
};
struct snk_applied_list {
    struct snk_applied *items;
    size_t count;
};
// False when the list is full or a text does not fit.
bool snk_applied_add(struct snk_applied_list *list, const char *version, const char *checksum);
void snk_applied_free(struct snk_applied_list *list);

struct snk_plan {
    size_t known;       // migrations of this program that are applied: index of the first one to apply
    size_t pending;     // migrations to apply, from there on
    size_t newer;       // applied ones that this program does not know: a newer one made them
    const char *newest; // the last of those; NULL when there are none. Borrowed from the list
};

// SHA-256 of a migration's bytes, as it stands in the book.
void snk_migration_checksum(const struct mf_sql_text *text, char checksum[SNK_CHECKSUM_SIZE]);

// CONFIG "migration_edited" when an applied migration is not the text of this program, "migration_gap" when
// one is missing below an applied one; both name it.
int snk_plan_migrations(const char *dialect, const struct snk_applied_list *applied, struct snk_plan *plan,
                        struct mf_error *err);

#endif
