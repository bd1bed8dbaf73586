// SPDX-License-Identifier: Apache-2.0
// The settings in force: as text for --print-config, as a digest for the log. A secret's value appears in
// neither.
#include <stdio.h>

#include "common/hash.h"
#include "common/settings_internal.h"

static const char *source_name(const struct mf_setting_value *value)
{
    switch (value->source) {
    case MF_SETTING_FROM_DEFAULT: return "default";
    case MF_SETTING_FROM_ENVIRONMENT: return "environment";
    case MF_SETTING_FROM_FILE: return "file";
    case MF_SETTING_FROM_CREDENTIAL: return "credential";
    }
    assert(!"a source");
    return "";
}

static const char *shown(const struct mf_setting_value *value)
{
    if (value->text == NULL)
        return "(unset)";
    return value->def->type == MF_SETTING_SECRET ? "********" : value->text;
}

void mf_settings_print(const struct mf_settings *settings, struct mf_buf *out)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct mf_setting_value *value = &settings->values[i];
        mf_buf_addf(out, "%s=%s  # %s\n", value->def->name, shown(value), source_name(value));
        for (size_t j = 0; j < settings->variant_count; j++) {
            if (settings->variants[j].def == value->def)
                mf_buf_addf(out, "%s=%s  # environment\n", settings->variants[j].name,
                            settings->variants[j].text);
        }
    }
}

static uint64_t hash_pair(const char *name, const char *text)
{
    uint64_t pair[2] = {mf_hash64(name, strlen(name)), mf_hash64(text, strlen(text))};
    return mf_hash64(pair, sizeof pair);
}

void mf_settings_digest(const struct mf_settings *settings, char digest[17])
{
    // A chain of hashes instead of one over a copy of everything; the order is that of the tables.
    uint64_t chain[2] = {0, 0};
    for (size_t i = 0; i < settings->count; i++) {
        const struct mf_setting_value *value = &settings->values[i];
        if (value->def->type == MF_SETTING_SECRET || value->text == NULL)
            continue;
        chain[1] = hash_pair(value->def->name, value->text);
        chain[0] = mf_hash64(chain, sizeof chain);
    }
    // Variants come in the order of the environment, which means nothing: their sum does not depend on it.
    chain[1] = 0;
    for (size_t i = 0; i < settings->variant_count; i++)
        chain[1] += hash_pair(settings->variants[i].name, settings->variants[i].text);
    snprintf(digest, 17, "%016llx", (unsigned long long)mf_hash64(chain, sizeof chain));
}
