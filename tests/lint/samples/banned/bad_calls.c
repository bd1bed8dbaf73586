// SPDX-License-Identifier: Apache-2.0
/* strcpy(a, b) in a comment is text */
static const char *const text = "system(\"x\")";
void f(char *to, const char *from)
{
    strcpy(to, from);              // BAD
    ops->system(to);
    ops.system(to);
    mf_signal(3);
    x = atoi (from);               // BAD
    if (from) usleep(10);          // BAD
    yajl_gen_double(g, 1.0);       // BAD
    event_active(e, 1, 1);         // BAD
    y = strtod(from, 0);           // BAD
    p = malloc(3);                 // BAD
    char c = '"'; gets(to);        // BAD
}
