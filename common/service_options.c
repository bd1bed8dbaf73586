// SPDX-License-Identifier: Apache-2.0
// Options of commands. Pure: values point into argv. Failure class: CONFIG "bad_arguments", naming the word.
#include "common/service.h"

static const struct mf_option *find(const struct mf_option *options, size_t count, const char *word,
                                    size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == len && memcmp(options[i].name, word, len) == 0)
            return &options[i];
    }
    return NULL;
}

static int bad(struct mf_error *err, const char *what, const char *word)
{
    return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "%s '%.200s'", what, word);
}

// Takes the option at argv[*at], and its value when that is the next word.
static int take(const struct mf_option *options, size_t count, int argc, char **argv, int *at, bool *seen,
                struct mf_error *err)
{
    const char *word = argv[*at];
    if (strncmp(word, "--", 2) != 0)
        return bad(err, word[0] == '-' ? "unknown option" : "unexpected word", word);
    size_t len = strcspn(word, "=");
    const struct mf_option *option = find(options, count, word, len);
    if (option == NULL)
        return bad(err, "unknown option", word);
    if (seen[option - options])
        return bad(err, "given twice:", option->name);
    seen[option - options] = true;
    const char *value = word[len] == '=' ? word + len + 1 : NULL;
    if (option->value == NULL) {
        if (value != NULL)
            return bad(err, "takes no value:", option->name);
        *option->flag = true;
        return 0;
    }
    // A following option is not a value: "--from --to X" misses one.
    if (value == NULL && *at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
        value = argv[++*at];
    if (value == NULL || value[0] == '\0')
        return bad(err, "needs a value:", option->name);
    *option->value = value;
    return 0;
}

int mf_options_parse(const struct mf_option *options, size_t count, int argc, char **argv,
                     struct mf_error *err)
{
    bool seen[64] = {false};
    assert(count <= MF_ARRAY_LEN(seen));
    for (int i = 0; i < argc; i++) {
        if (take(options, count, argc, argv, &i, seen, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (options[i].required && !seen[i])
            return bad(err, "missing option", options[i].name);
    }
    return 0;
}
