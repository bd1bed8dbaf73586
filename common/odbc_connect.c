// SPDX-License-Identifier: Apache-2.0
// What comes before a session: the connection string, keeping its secret out of texts, and the probe.
//
// Why each key of the PostgreSQL string is pinned: Protocol=7.4-2 undoes a failed statement only (7.4-1 drops
// the whole transaction silently, 7.4-0 reports success for a COMMIT that stored nothing); CommLog=0 because
// Debian's template leaves a log file per process; BatchSize=1 makes an accidental parameter array obvious;
// jit is off because one compilation costs more than a flush. synchronous_commit is off because rows and
// offsets are one transaction: what a crashed server loses of the last moments is loaded again.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/odbc_private.h"

// A value that two parsers read as it stands (driver manager and driver): their separators cannot be carried.
static int add_plain(struct mf_buf *out, const char *key, const char *role, const char *value,
                     struct mf_error *err)
{
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || strchr(";{}", *c) != NULL)
            return mf_error_set(err, MF_ERROR_CONFIG, "odbc_bad_setting",
                                "the warehouse %s has a character that a connection string cannot carry",
                                role);
    }
    mf_buf_addf(out, "%s=%s;", key, value);
    return 0;
}

// psqlODBC decodes %XX in a password, so every byte survives both parsers.
static void add_password(struct mf_buf *out, const char *password)
{
    mf_buf_add_c(out, "Password=");
    for (const unsigned char *c = (const unsigned char *)password; *c != '\0'; c++)
        mf_buf_addf(out, "%%%02X", *c);
    mf_buf_add_c(out, ";");
}

// The part that libpq parses: blanks separate, single quotes enclose.
static int add_libpq_options(struct mf_buf *out, const struct mf_odbc_config *config, struct mf_error *err)
{
    mf_buf_addf(out,
                "pqopt={application_name=marketflow client_encoding=UTF8 tcp_user_timeout=15000 "
                "options='-c statement_timeout=%lld -c TimeZone=UTC -c jit=off "
                "-c synchronous_commit=off'",
                (long long)config->statement_timeout_ms);
    if (config->ca_file != NULL) {
        for (const char *c = config->ca_file; *c != '\0'; c++) {
            if ((unsigned char)*c < 0x20 || strchr("{}'\\;", *c) != NULL)
                return mf_error_set(err, MF_ERROR_CONFIG, "odbc_bad_setting",
                                    "the warehouse CA file's path has a character that a connection string "
                                    "cannot carry");
        }
        mf_buf_addf(out, " sslrootcert='%s'", config->ca_file);
    }
    mf_buf_add_c(out, "};");
    return 0;
}

static int postgresql_string(const struct mf_odbc_config *config, struct mf_buf *out, struct mf_error *err)
{
    if (add_plain(out, "Driver", "driver", config->driver, err) != 0 ||
        add_plain(out, "Servername", "host", config->host, err) != 0 ||
        add_plain(out, "Database", "database", config->database, err) != 0 ||
        add_plain(out, "Username", "user", config->user, err) != 0 ||
        add_plain(out, "SSLmode", "sslmode", config->sslmode != NULL ? config->sslmode : "prefer", err) != 0)
        return -1;
    mf_buf_addf(out, "Port=%d;", config->port);
    if (config->password != NULL)
        add_password(out, config->password);
    mf_buf_add_c(out,
                 "Protocol=7.4-2;UseServerSidePrepare=1;BatchSize=1;KeepaliveTime=30;KeepaliveInterval=10;"
                 "CommLog=0;Debug=0;MaxVarcharSize=255;MaxLongVarcharSize=1048576;");
    return add_libpq_options(out, config, err);
}

// DSN-less, with keys of the driver's documentation. No password of a user: a key pair alone. OPS is there
// because a session that stages binds needs a current schema. A long-lived session is kept alive by the
// driver.
static int snowflake_string(const struct mf_odbc_config *config, struct mf_buf *out, struct mf_error *err)
{
    assert(config->key_file != NULL && config->compute != NULL);
    if (add_plain(out, "Driver", "driver", config->driver, err) != 0 ||
        add_plain(out, "Server", "host", config->host, err) != 0 ||
        add_plain(out, "Database", "database", config->database, err) != 0 ||
        add_plain(out, "Warehouse", "compute warehouse", config->compute, err) != 0 ||
        add_plain(out, "UID", "user", config->user, err) != 0 ||
        add_plain(out, "PRIV_KEY_FILE", "key file", config->key_file, err) != 0 ||
        (config->role != NULL && add_plain(out, "Role", "role", config->role, err) != 0) ||
        (config->key_password != NULL &&
         add_plain(out, "PRIV_KEY_FILE_PWD", "key password", config->key_password, err) != 0))
        return -1;
    mf_buf_addf(out,
                "Port=%d;Schema=OPS;AUTHENTICATOR=SNOWFLAKE_JWT;CLIENT_SESSION_KEEP_ALIVE=true;"
                "LOGIN_TIMEOUT=%lld;",
                config->port, (long long)((config->login_timeout_ms + 999) / 1000));
    return 0;
}

int mf_odbc_connection_string(const struct mf_odbc_config *config, struct mf_buf *out, struct mf_error *err)
{
    assert(config->driver != NULL && config->host != NULL && config->database != NULL &&
           config->user != NULL);
    int result = config->dialect == MF_ODBC_SNOWFLAKE ? snowflake_string(config, out, err)
                                                      : postgresql_string(config, out, err);
    if (result != 0)
        return -1;
    if (out->overflow)
        return mf_error_set(err, MF_ERROR_CONFIG, "odbc_bad_setting", "the warehouse settings are too long");
    return 0;
}

void mf_odbc_redact(char *text, const char *secret)
{
    size_t len = secret != NULL ? strlen(secret) : 0;
    if (len < 4)
        return;
    for (char *at = strstr(text, secret); at != NULL; at = strstr(at, secret)) {
        memcpy(at, "***", 3);
        memmove(at + 3, at + len, strlen(at + len) + 1);
        at += 3;
    }
}

static int probe_failed(struct mf_error *err, const char *host, int port, const char *why)
{
    return mf_error_set(err, MF_ERROR_TRANSIENT, "probe_failed", "nobody listens on %s port %d: %s", host,
                        port, why);
}

// Connects without blocking; returns 0 or the errno that says why not.
static int connect_within(int fd, const struct sockaddr *address, socklen_t length, int64_t until_us)
{
    if (connect(fd, address, length) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    for (;;) {
        int64_t left_ms = (until_us - mf_clock_monotonic_us()) / MF_US_PER_MS;
        struct pollfd watch = {.fd = fd, .events = POLLOUT};
        int ready = poll(&watch, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0)
            return ETIMEDOUT;
        if (ready > 0)
            break;
        if (errno != EINTR)
            return errno;
    }
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

static int probe_address(int family, const struct sockaddr *address, socklen_t length, int64_t until_us)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = connect_within(fd, address, length, until_us);
    close(fd);
    return error;
}

// A host that is a folder means PostgreSQL's Unix socket in it.
static int probe_unix(const char *folder, int port, int64_t until_us)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%d", folder, port);
    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        return ENAMETOOLONG;
    return probe_address(AF_UNIX, (const struct sockaddr *)&address, sizeof address, until_us);
}

int mf_odbc_probe(const char *host, int port, int64_t timeout_ms, struct mf_error *err)
{
    int64_t until_us = mf_clock_monotonic_us() + timeout_ms * MF_US_PER_MS;
    int error = EADDRNOTAVAIL;
    if (host[0] == '/') {
        error = probe_unix(host, port, until_us);
        return error == 0 ? 0 : probe_failed(err, host, port, strerror(error));
    }
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int resolved = getaddrinfo(host, service, &hints, &found);
    if (resolved != 0)
        return probe_failed(err, host, port, gai_strerror(resolved));
    for (struct addrinfo *a = found; a != NULL && error != 0; a = a->ai_next)
        error = probe_address(a->ai_family, a->ai_addr, a->ai_addrlen, until_us);
    freeaddrinfo(found);
    return error == 0 ? 0 : probe_failed(err, host, port, strerror(error));
}
