// SPDX-License-Identifier: Apache-2.0
// A parser for the few shapes that a reply has, a writer for strings, and whole reads and writes on the
// socket. Owns what it puts into a reply or a text.
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *reserve(void *memory, size_t size)
{
    void *grown = realloc(memory, size > 0 ? size : 1);
    if (grown == NULL)
        abort();
    return grown;
}

// ---- writing

static void add_bytes(struct wire_text *text, const char *data, size_t len)
{
    if (text->len + len + 1 > text->capacity) {
        text->capacity = (text->len + len + 1) * 2;
        text->data = reserve(text->data, text->capacity);
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void wire_add(struct wire_text *text, const char *literal)
{
    add_bytes(text, literal, strlen(literal));
}

void wire_add_string(struct wire_text *text, const char *data, size_t len)
{
    if (data == NULL) {
        wire_add(text, "null");
        return;
    }
    wire_add(text, "\"");
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        char escape[8];
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        add_bytes(text, data + plain, i - plain);
        wire_add(text, escape);
        plain = i + 1;
    }
    add_bytes(text, data + plain, len - plain);
    wire_add(text, "\"");
}

void wire_text_free(struct wire_text *text)
{
    free(text->data);
    *text = (struct wire_text){0};
}

// ---- parsing

struct parser {
    const char *at, *end;
    bool bad;
};

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

// Takes the word if it comes next.
static bool take(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    skip_blanks(p);
    if (p->bad || (size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

static void expect(struct parser *p, const char *word)
{
    if (!take(p, word))
        p->bad = true;
}

static bool take_boolean(struct parser *p)
{
    if (take(p, "true"))
        return true;
    expect(p, "false");
    return false;
}

static int64_t take_number(struct parser *p)
{
    bool negative = take(p, "-");
    int64_t number = 0;
    const char *start = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && p->at - start < 18)
        number = number * 10 + (*p->at++ - '0');
    p->bad |= p->at == start;
    return negative ? -number : number;
}

static unsigned take_hex(struct parser *p)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p->at < p->end ? *p->at++ : 'x';
        if (c >= '0' && c <= '9')
            value = value * 16 + (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (unsigned)(c - 'a') + 10;
        else
            p->bad = true;
    }
    return value;
}

// The helper writes everything beyond ASCII as it is; escapes are for controls. NUL and surrogates are
// refused.
static char take_escape(struct parser *p)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    char c = p->at < p->end ? *p->at++ : '\0';
    const char *known = c != '\0' ? strchr(names, c) : NULL;
    if (known != NULL)
        return meant[known - names];
    unsigned code = c == 'u' ? take_hex(p) : 0;
    p->bad |= code == 0 || code >= 0x80;
    return (char)code;
}

// A new text; NULL when the parser has failed.
static char *take_string(struct parser *p)
{
    expect(p, "\"");
    if (p->bad)
        return NULL;
    char *text = reserve(NULL, (size_t)(p->end - p->at) + 1);
    size_t len = 0;
    while (!p->bad && p->at < p->end && *p->at != '"') {
        char c = *p->at++;
        p->bad |= (unsigned char)c < 0x20;
        text[len++] = c == '\\' ? take_escape(p) : c;
    }
    text[len] = '\0';
    p->bad |= p->at == p->end;
    if (p->bad) {
        free(text);
        return NULL;
    }
    p->at++;
    return reserve(text, len + 1);
}

// A string into a field of the reply, cut to its size.
static void take_text(struct parser *p, char *field, size_t size)
{
    char *text = take_string(p);
    if (text != NULL)
        snprintf(field, size, "%s", text);
    free(text);
}

static void take_row(struct parser *p, struct wire_reply *reply)
{
    size_t known = reply->columns * reply->row_count;
    reply->cells = reserve(reply->cells, (known + reply->columns) * sizeof *reply->cells);
    memset(reply->cells + known, 0, reply->columns * sizeof *reply->cells);
    reply->row_count++;
    expect(p, "[");
    for (size_t i = 0; !p->bad && i < reply->columns; i++) {
        if (i > 0)
            expect(p, ",");
        if (!take(p, "null"))
            reply->cells[known + i] = take_string(p);
    }
    expect(p, "]");
}

static void take_rows(struct parser *p, struct wire_reply *reply)
{
    expect(p, "[");
    p->bad |= reply->columns == 0 || reply->row_count > 0;
    if (take(p, "]"))
        return;
    do
        take_row(p, reply);
    while (take(p, ","));
    expect(p, "]");
}

static void take_member(struct parser *p, struct wire_reply *reply)
{
    if (take(p, "\"ok\":"))
        reply->ok = take_boolean(p);
    else if (take(p, "\"crash\":"))
        reply->crash = take_boolean(p);
    else if (take(p, "\"state\":"))
        take_text(p, reply->state, sizeof reply->state);
    else if (take(p, "\"native\":"))
        reply->native = take_number(p);
    else if (take(p, "\"message\":"))
        take_text(p, reply->message, sizeof reply->message);
    else if (take(p, "\"query_id\":"))
        take_text(p, reply->query_id, sizeof reply->query_id);
    else if (take(p, "\"rows\":"))
        reply->rows = take_number(p);
    else if (reply->columns == 0 && take(p, "\"columns\":")) {
        int64_t columns = take_number(p);
        p->bad |= columns < 0 || columns > WIRE_COLUMNS_MAX;
        reply->columns = p->bad ? 0 : (size_t)columns;
    } else if (take(p, "\"data\":"))
        take_rows(p, reply);
    else
        p->bad = true;
}

bool wire_parse(const char *text, size_t len, struct wire_reply *reply)
{
    struct parser p = {.at = text, .end = text + len};
    *reply = (struct wire_reply){.rows = -1};
    expect(&p, "{");
    if (!p.bad && !take(&p, "}")) {
        do
            take_member(&p, reply);
        while (!p.bad && take(&p, ","));
        expect(&p, "}");
    }
    skip_blanks(&p);
    if (!p.bad && p.at == p.end)
        return true;
    wire_reply_free(reply);
    return false;
}

void wire_reply_free(struct wire_reply *reply)
{
    for (size_t i = 0; i < reply->columns * reply->row_count; i++)
        free(reply->cells[i]);
    free(reply->cells);
    *reply = (struct wire_reply){0};
}

// ---- the socket

static bool write_whole(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = send(fd, data, len, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        len -= (size_t)written;
    }
    return true;
}

static bool read_whole(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(fd, data, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        data += got;
        len -= (size_t)got;
    }
    return true;
}

bool wire_call(int fd, const struct wire_text *request, struct wire_reply *reply)
{
    size_t len = request->len;
    unsigned char head[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
                             (unsigned char)(len >> 8), (unsigned char)len};
    if (!write_whole(fd, (const char *)head, sizeof head) || !write_whole(fd, request->data, len) ||
        !read_whole(fd, (char *)head, sizeof head))
        return false;
    len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > WIRE_REPLY_MAX)
        return false;
    char *text = reserve(NULL, len + 1);
    bool good = read_whole(fd, text, len) && wire_parse(text, len, reply);
    free(text);
    return good;
}
