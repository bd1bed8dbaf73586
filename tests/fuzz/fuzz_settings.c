// SPDX-License-Identifier: Apache-2.0
// The environment as input, one variable per line. What was read and is printed must give the same settings
// again; a failure names a problem in clean text; the secret shows nowhere.
#include <stdlib.h>

#include "common/settings_internal.h"

#define SECRET "zq-fuzz-secret-90c2" // which no escape of another byte (\xb7) can spell
#define GIVEN "  # environment"
#define SETTING(name_, type_, ...)                                                      \
    {                                                                                   \
        .name = "T_" name_, .type = MF_SETTING_##type_, .description = "d", __VA_ARGS__ \
    }

static const struct mf_setting_def defs[] = {
    SETTING("TEXT", STRING, .optional = true),
    SETTING("COUNT", INTEGER, .default_value = "7", .max = 512),
    SETTING("FLAG", BOOLEAN, .default_value = "no"),
    SETTING("MODE", CHOICE, .default_value = "a", .choices = "a|bc"),
    SETTING("LIST", LIST, .default_value = ""),
    SETTING("KEY", SECRET, .optional = true),
    SETTING("GAP_INFO", DECIMAL, .default_value = "1", .per_interval = true),
};
static char secret_entry[] = "T_KEY=" SECRET;

static int parse(char *text, bool printed, struct mf_settings **settings, struct mf_buf *out)
{
    static const struct mf_setting_table table = {"T", defs, MF_ARRAY_LEN(defs)};
    static const char *const prefixes[] = {"T_", NULL};
    char *env[300] = {secret_entry};
    size_t count = 1;
    for (char *line; (line = strsep(&text, "\n")) != NULL && count < MF_ARRAY_LEN(env) - 1;) {
        size_t len = strlen(line), mark = strlen(GIVEN);
        bool given = len >= mark && strcmp(line + len - mark, GIVEN) == 0 && strncmp(line, "T_KEY=", 6) != 0;
        if (printed && given)
            line[len - mark] = '\0';
        if (!printed || given)
            env[count++] = line;
    }
    struct mf_error err;
    int result = mf_settings_parse(&table, 1, env, prefixes, settings, out, &err);
    assert((result != 0) == (out->len > 0) && mf_str_is_utf8(mf_buf_str(out)));
    assert(result == 0 || (err.class == MF_ERROR_CONFIG && strstr(err.message, SECRET) == NULL));
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mf_strndup((struct mf_str){(const char *)data, size});
    struct mf_settings *first = NULL, *second = NULL;
    struct mf_buf out;
    char digests[2][17];
    mf_buf_init(&out, 1 << 22);
    bool tame = strstr(text, SECRET) == NULL && strstr(text, "T_KEY_FILE") == NULL;
    if (tame && parse(text, false, &first, &out) == 0) {
        mf_settings_print(first, &out);
        mf_settings_digest(first, digests[0]);
        char *printed = mf_strdup(mf_buf_c_str(&out));
        mf_buf_clear(&out);
        assert(strstr(printed, SECRET) == NULL && parse(printed, true, &second, &out) == 0);
        mf_settings_digest(second, digests[1]);
        assert(strcmp(digests[0], digests[1]) == 0);
        free(printed);
    }
    assert(strstr(mf_buf_c_str(&out), SECRET) == NULL);
    mf_settings_free(&first);
    mf_settings_free(&second);
    mf_buf_free(&out);
    free(text);
    return 0;
}
