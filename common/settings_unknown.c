// SPDX-License-Identifier: Apache-2.0
// Variables that look like ours and are not: a typo must not pass as a default.
#include <stdio.h>

#include "common/escape.h"
#include "common/settings_internal.h"

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

// Edit distance (Levenshtein 1966) of two names, of which at most MF_SETTING_NAME_MAX bytes count.
static size_t distance(struct mf_str a, struct mf_str b)
{
    size_t row[MF_SETTING_NAME_MAX + 1];
    size_t a_len = a.len < MF_SETTING_NAME_MAX ? a.len : MF_SETTING_NAME_MAX;
    size_t b_len = b.len < MF_SETTING_NAME_MAX ? b.len : MF_SETTING_NAME_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            row[j] = min3(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[b_len];
}

// The setting whose name takes the fewest edits; the first of several. NULL without settings.
static const char *nearest(const struct mf_settings *settings, struct mf_str name)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < settings->count; i++) {
        size_t d = distance(name, mf_str_of(settings->values[i].def->name));
        if (d < best_distance) {
            best_distance = d;
            best = settings->values[i].def->name;
        }
    }
    return best;
}

// A setting, a value for one interval that was read, or the file of a secret.
static bool is_known(const struct mf_settings *settings, const char *name)
{
    if (mf_setting_find(settings, name) != NULL || mf_setting_find_variant(settings, name) != NULL)
        return true;
    size_t len = strlen(name);
    static const char suffix[] = "_FILE";
    if (len <= strlen(suffix) || strcmp(name + len - strlen(suffix), suffix) != 0)
        return false;
    char secret[MF_SETTING_NAME_MAX];
    if (!mf_str_copy(secret, sizeof secret, (struct mf_str){name, len - strlen(suffix)}))
        return false;
    const struct mf_setting_value *value = mf_setting_find(settings, secret);
    return value != NULL && value->def->type == MF_SETTING_SECRET;
}

// An empty variable of an interval is as good as not given; its name must still be right.
static bool is_empty_variant(const struct mf_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct mf_setting_def *def = settings->values[i].def;
        if (!def->per_interval)
            continue;
        size_t stem = (size_t)(strrchr(def->name, '_') + 1 - def->name);
        if (strncmp(name, def->name, stem) != 0)
            continue;
        struct mf_str interval = {name + stem, strcspn(name + stem, "_")};
        char own[MF_SETTING_NAME_MAX];
        if (mf_setting_is_interval(interval) && mf_setting_variant_name(def->name, interval, own) &&
            strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static void check_entry(struct mf_setting_parse *parse, const char *entry)
{
    size_t len = strcspn(entry, "=");
    char name[MF_SETTING_NAME_MAX];
    bool fits = mf_str_copy(name, sizeof name, (struct mf_str){entry, len});
    if (fits && (is_known(parse->settings, name) || is_empty_variant(parse->settings, name)))
        return;
    char shown[MF_SETTING_NAME_MAX];
    size_t used;
    size_t shown_len = mf_escape(MF_ESCAPE_TEXT, (struct mf_str){entry, len}, shown, sizeof shown - 1, &used);
    shown[shown_len] = '\0';
    const char *best = nearest(parse->settings, (struct mf_str){entry, len});
    if (best != NULL)
        mf_setting_problem(parse, shown, "no such setting; the nearest is %s", best);
    else
        mf_setting_problem(parse, shown, "no such setting");
}

void mf_setting_find_unknown(struct mf_setting_parse *parse, const char *const *own_prefixes)
{
    if (own_prefixes == NULL)
        return;
    for (char *const *entry = parse->env; *entry != NULL; entry++) {
        for (const char *const *prefix = own_prefixes; *prefix != NULL; prefix++) {
            if (strchr(*entry, '=') != NULL && strncmp(*entry, *prefix, strlen(*prefix)) == 0) {
                check_entry(parse, *entry);
                break;
            }
        }
    }
}
