// SPDX-License-Identifier: Apache-2.0
// The command line: built-in options, commands of one or two words, usage. Says on stderr what is wrong.
#include <stdio.h>

#include "common/service_internal.h"

static const struct {
    const char *name;
    enum mf_service_action action;
    const char *help;
} builtins[] = {
    {"--help", MF_ACTION_HELP, "show this, or the help of a command"},
    {"--version", MF_ACTION_VERSION, "show the version"},
    {"--check-config", MF_ACTION_CHECK_CONFIG, "name every problem in the settings; exit 0 or 78"},
    {"--print-config", MF_ACTION_PRINT_CONFIG, "show the settings in force, secrets masked"},
    {"--healthcheck", MF_ACTION_HEALTHCHECK, "ask the running process for /livez; exit 0 or 1 within 2 s"},
    {"--print-reference", MF_ACTION_PRINT_REFERENCE,
     "print a reference table: settings, metrics, env or another"},
};

bool mf_service_has_loop(const struct mf_service_ops *ops)
{
    for (size_t i = 0; i < ops->command_count; i++) {
        if (ops->commands[i].kind != MF_COMMAND_PLAIN)
            return true;
    }
    return false;
}

static bool has_help(const struct mf_service_ops *ops, enum mf_service_action action)
{
    return action != MF_ACTION_HEALTHCHECK || mf_service_has_loop(ops);
}

void mf_service_usage(const struct mf_service_ops *ops, struct mf_buf *out)
{
    mf_buf_addf(out, "%s: %s\n\nUsage:\n", ops->binary, ops->summary);
    for (size_t i = 0; i < ops->command_count; i++) {
        const struct mf_command *command = &ops->commands[i];
        const char *usage = command->usage != NULL ? command->usage : "";
        mf_buf_addf(out, "  %s%s%s%s%s\n      %s\n", ops->binary, command->name != NULL ? " " : "",
                    command->name != NULL ? command->name : "", usage[0] != '\0' ? " " : "", usage,
                    command->summary);
    }
    mf_buf_add_c(out, "\nOptions:\n");
    for (size_t i = 0; i < MF_ARRAY_LEN(builtins); i++) {
        if (has_help(ops, builtins[i].action))
            mf_buf_addf(out, "  %-18s %s\n", builtins[i].name, builtins[i].help);
    }
    mf_buf_add_c(out, "\nExit codes: 0 done, 70 internal error or fenced, 75 temporary: run it again, "
                      "78 configuration or usage.\n");
}

static void add_usage(const struct mf_service_ops *ops, const struct mf_command *command, struct mf_buf *out)
{
    const char *usage = command->usage != NULL ? command->usage : "";
    mf_buf_addf(out, "Usage: %s%s%s%s%s\n", ops->binary, command->name != NULL ? " " : "",
                command->name != NULL ? command->name : "", usage[0] != '\0' ? " " : "", usage);
    mf_buf_addf(out, "  %s\n", command->summary);
}

void mf_service_command_usage(const struct mf_service_ops *ops, const struct mf_command *command,
                              struct mf_buf *out)
{
    add_usage(ops, command, out);
    if (command->help != NULL)
        mf_buf_addf(out, "\n%s\n", command->help);
    size_t len = command->name != NULL ? strlen(command->name) : 0;
    for (size_t i = 0; len > 0 && i < ops->command_count; i++) {
        const char *name = ops->commands[i].name;
        if (name == NULL || strncmp(name, command->name, len) != 0 || name[len] != ' ')
            continue;
        mf_buf_addf(out, "\n");
        add_usage(ops, &ops->commands[i], out);
    }
}

// Words of the command's name that argv begins with; 0 when it is another command.
static int match_words(const struct mf_command *command, int argc, char **argv)
{
    int words = 0;
    const char *at = command->name;
    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, " ");
        if (words == argc || strlen(argv[words]) != len || memcmp(argv[words], at, len) != 0)
            return 0;
        words++;
        at += len;
        at += strspn(at, " ");
    }
    return words;
}

// The longest command that argv begins with, else the one without a name.
static const struct mf_command *find_command(const struct mf_service_ops *ops, int argc, char **argv,
                                             int *words)
{
    const struct mf_command *best = NULL;
    *words = 0;
    for (size_t i = 0; i < ops->command_count; i++) {
        int matched = match_words(&ops->commands[i], argc, argv);
        if (matched > *words) {
            *words = matched;
            best = &ops->commands[i];
        }
    }
    for (size_t i = 0; best == NULL && i < ops->command_count; i++) {
        if (ops->commands[i].name == NULL)
            best = &ops->commands[i];
    }
    return best;
}

static int usage_error(const struct mf_service_ops *ops, const char *what, const char *word)
{
    struct mf_buf usage;
    mf_buf_init(&usage, 65536);
    mf_service_usage(ops, &usage);
    fprintf(stderr, "%s: %s%s%s\n\n%s", ops->binary, what, word != NULL ? " " : "", word != NULL ? word : "",
            mf_buf_c_str(&usage));
    mf_buf_free(&usage);
    return -1;
}

// A built-in option at argv[at]. 1 when it is one, 0 when not, -1 when it is used wrongly.
static int take_builtin(const struct mf_service_ops *ops, int argc, char **argv, int at,
                        struct mf_service_call *call)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(builtins); i++) {
        if (strcmp(argv[at], builtins[i].name) != 0)
            continue;
        call->action = builtins[i].action;
        int taken = 1;
        if (call->action == MF_ACTION_PRINT_REFERENCE) {
            if (at + 1 == argc)
                return usage_error(ops, "--print-reference needs to know what", NULL);
            call->reference = argv[at + 1];
            taken = 2;
        }
        if (at + taken < argc)
            return usage_error(ops, "unexpected word", argv[at + taken]);
        return 1;
    }
    return 0;
}

int mf_service_args_parse(int argc, char **argv, const struct mf_service_ops *ops,
                          struct mf_service_call *call)
{
    *call = (struct mf_service_call){.action = MF_ACTION_RUN};
    if (argc > 1 && strncmp(argv[1], "--", 2) == 0) {
        int taken = take_builtin(ops, argc, argv, 1, call);
        if (taken != 0)
            return taken > 0 ? 0 : -1;
    }
    int words;
    call->command = find_command(ops, argc - 1, argv + 1, &words);
    call->command_given = words > 0;
    call->argc = argc - 1 - words;
    call->argv = argv + 1 + words;
    if (call->command == NULL || (words == 0 && call->argc > 0 && call->argv[0][0] != '-')) {
        if (call->argc == 0)
            return usage_error(ops, "which command?", NULL);
        return usage_error(ops, call->argv[0][0] == '-' ? "unknown option" : "unknown command",
                           call->argv[0]);
    }
    if (call->argc > 0 && strcmp(call->argv[0], "--help") == 0) {
        call->action = MF_ACTION_HELP;
        return 0;
    }
    bool takes_none = call->command->usage == NULL || call->command->usage[0] == '\0';
    if (takes_none && call->argc > 0)
        return usage_error(ops, call->argv[0][0] == '-' ? "unknown option" : "unexpected word",
                           call->argv[0]);
    return 0;
}
