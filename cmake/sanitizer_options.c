// SPDX-License-Identifier: Apache-2.0
//
// The options of the sanitizers, compiled into every executable of a sanitized build, so that they hold
// however a program is started: a supervisor or a test may clear its environment. A report ends the program
// with 99, which no service uses, so that no test takes it for an ordinary exit. ASAN_OPTIONS and the like
// still win over these.

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *__asan_default_options(void)
{
    return "exitcode=99:print_suppressions=0:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_"
           "return=1";
}

const char *__ubsan_default_options(void)
{
    return "exitcode=99:print_stacktrace=1:halt_on_error=1";
}

const char *__tsan_default_options(void)
{
    return "exitcode=99:halt_on_error=1:second_deadlock_stack=1";
}

// psqlODBC 13.02 keeps the result of a statement that failed. Handles that we forget would show all the same:
// the driver manager allocates its half of each.
const char *__lsan_default_suppressions(void)
{
    return "leak:psqlodbcw.so\n";
}
