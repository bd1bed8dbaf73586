// SPDX-License-Identifier: Apache-2.0
//
// The options of the sanitizers, compiled into every executable of a sanitized build, so that they hold
// however a program is started: a supervisor or a test may clear its environment. A report ends the program
// with 99, which no service uses, so that no test takes it for an ordinary exit. ASAN_OPTIONS and the like
// still win over these.

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);
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

// librdkafka counts references with atomic instructions that are not instrumented, so what it frees looks
// like a race with whoever used it last, and its locks order nothing here (tsan_threads.c). What our code
// does in one of its threads is still watched.
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so.1\ncalled_from_lib:liblz4.so.1\n"; // which it decompresses with
}

// psqlODBC 13.02 keeps the result of a statement that failed. Handles that we forget would show all the same:
// the driver manager allocates its half of each.
const char *__lsan_default_suppressions(void)
{
    return "leak:psqlodbcw.so\n";
}
