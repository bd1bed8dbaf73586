// SPDX-License-Identifier: Apache-2.0
// HTTP client (see http_client.h): requests, limits, answers. The binding to the loop is http_client_multi.c.
//
// A finished transfer is queued and delivered from a call of its own, one per turn: the callback that asked
// may start, cancel or parse whatever it likes without standing inside curl. Environment proxies are honoured
// as curl does, except for loopback.
#include "common/http_client.h"

#include <stdlib.h>

#include <curl/curl.h>

#include "common/clock.h"
#include "common/http_client_private.h"
#include "common/url.h"

enum { HEADERS_MAX = 32 * 1024 };          // bytes of all response headers
enum { INFLATE_RATIO_MAX = 100 };          // decoded : received, …
enum { INFLATE_FREE_BYTES = 1024 * 1024 }; // … looked at only beyond this size

struct allowed_host {
    char *host;
    int port; // -1 = the scheme's default
};

struct mf_http_request {
    struct mf_http_client *client;
    struct mf_http_request *next, *previous; // in client->flying or client->landed
    CURL *easy;
    struct curl_slist *headers;
    mf_http_done_fn done;
    void *arg;
    char *endpoint;
    int64_t started_us;
    struct mf_buf body;
    size_t header_bytes;
    const char *too_large; // what passed its limit, NULL when nothing did
    bool landed;
    int result; // CURLcode
    bool has_location;
    int64_t retry_after_ms;
    char data_mode[32];
    char request_id[128];
    char detail[CURL_ERROR_SIZE];
};

struct mf_http_client {
    struct mf_loop *loop;
    struct mf_log *log;
    struct mf_metrics *metrics;
    struct mf_http_client_config config;
    char *user_agent, *ca_file;
    struct allowed_host *allowed;
    size_t allowed_count;
    struct http_multi *multi;
    struct mf_deferred *delivery;
    struct mf_http_request *flying, *landed;
    unsigned in_flight; // both lists
};

// ---------------------------------------------------------------- requests as list members

static void list_add(struct mf_http_request **list, struct mf_http_request *request)
{
    request->previous = NULL;
    request->next = *list;
    if (*list != NULL)
        (*list)->previous = request;
    *list = request;
}

static void list_remove(struct mf_http_request **list, struct mf_http_request *request)
{
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        *list = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
}

static void count_in_flight(struct mf_http_client *client, int change)
{
    client->in_flight = (unsigned)((int)client->in_flight + change);
    mf_metric_set(MF_METRIC0(client->metrics, &mf_http_metrics[MF_M_HTTP_IN_FLIGHT]), client->in_flight);
}

static void count_error(struct mf_http_client *client, const char *endpoint, const char *kind)
{
    mf_metric_add(MF_METRIC(client->metrics, &mf_http_metrics[MF_M_HTTP_ERRORS], endpoint, kind), 1);
}

// The key goes first: the list holds the authorization line.
static void request_free(struct mf_http_request *request)
{
    if (request->easy != NULL)
        curl_easy_cleanup(request->easy);
    for (struct curl_slist *line = request->headers; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(request->headers);
    mf_buf_free(&request->body);
    free(request->endpoint);
    free(request);
}

// ---------------------------------------------------------------- what curl hands us

// What the server announces: all of it, or at least the packed part.
static void reserve_body(struct mf_http_request *request)
{
    curl_off_t announced = -1;
    curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (announced > 0)
        mf_buf_reserve(&request->body, (size_t)announced);
}

// Bytes after decompression. Refusing them here ends the transfer at once, however much is still to come.
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct mf_http_request *request = arg;
    size_t len = size * count;
    http_multi_progress(request->client->multi);
    if (request->body.len == 0)
        reserve_body(request);
    if (mf_buf_add(&request->body, data, len) < 0) {
        request->too_large = "body";
        return CURL_WRITEFUNC_ERROR;
    }
    curl_off_t received = 0;
    curl_easy_getinfo(request->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    if (request->body.len > INFLATE_FREE_BYTES && received > 0 &&
        request->body.len / (size_t)received > INFLATE_RATIO_MAX) {
        request->too_large = "compression ratio of the body";
        return CURL_WRITEFUNC_ERROR;
    }
    return len;
}

static struct mf_str trim(struct mf_str text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL)
        text.len--;
    while (text.len > 0 && strchr(" \t", text.data[0]) != NULL) {
        text.data++;
        text.len--;
    }
    return text;
}

// Keeps a short header value if it is plain visible text; else the header counts as absent.
static void keep_text(char *dst, size_t size, struct mf_str value)
{
    dst[0] = '\0';
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] <= 0x20 || value.data[i] >= 0x7f)
            return;
    }
    mf_str_copy(dst, size, value);
}

// One line at a time, trailers included; all lines together have a limit.
// NOLINTNEXTLINE(readability-non-const-parameter): the type of the callback is curl's
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct mf_http_request *request = arg;
    struct mf_str line = {data, size * count};
    http_multi_progress(request->client->multi);
    request->header_bytes += line.len;
    if (request->header_bytes > HEADERS_MAX) {
        request->too_large = "header block";
        return 0;
    }
    if (mf_str_starts_with(line, "HTTP/")) { // also after a 1xx: only the last answer counts
        request->has_location = false;
        request->retry_after_ms = -1;
        request->data_mode[0] = request->request_id[0] = '\0';
        return line.len;
    }
    const char *colon = memchr(line.data, ':', line.len);
    if (colon == NULL)
        return line.len;
    size_t name_len = (size_t)(colon - line.data);
    struct mf_str value = trim((struct mf_str){colon + 1, line.len - name_len - 1});
    if (name_len == 8 && strncasecmp(line.data, "Location", 8) == 0)
        request->has_location = true;
    else if (name_len == 11 && strncasecmp(line.data, "Retry-After", 11) == 0)
        request->retry_after_ms = http_retry_after_ms(value, mf_clock_real_us());
    else if (name_len == 17 && strncasecmp(line.data, "X-Marketflow-Data", 17) == 0)
        keep_text(request->data_mode, sizeof request->data_mode, value);
    else if (name_len == 12 && strncasecmp(line.data, "X-Request-Id", 12) == 0)
        keep_text(request->request_id, sizeof request->request_id, value);
    return line.len;
}

// ---------------------------------------------------------------- the end of a request

static void set_failure(const struct mf_http_request *request, struct mf_error *err)
{
    if (request->too_large != NULL || request->result == CURLE_FILESIZE_EXCEEDED) {
        bool headers = request->too_large != NULL && request->header_bytes > HEADERS_MAX;
        mf_error_set(err, MF_ERROR_POISON, headers ? "headers_too_large" : "body_too_large",
                     "the answer was refused: its %s passes the limit of %zu bytes",
                     request->too_large != NULL ? request->too_large : "body",
                     headers ? (size_t)HEADERS_MAX : request->body.max);
        return;
    }
    const char *text =
        request->detail[0] != '\0' ? request->detail : curl_easy_strerror((CURLcode)request->result);
    mf_error_set(err, MF_ERROR_TRANSIENT, http_transport_kind(request->result), "no complete answer: %s",
                 text);
}

static void count_answer(struct mf_http_client *client, const struct mf_http_request *request,
                         const struct mf_http_response *response)
{
    const char *endpoint = request->endpoint;
    if (response->error != NULL) {
        bool too_large = response->error->class == MF_ERROR_POISON;
        count_error(client, endpoint, too_large ? "too_large" : response->error->code);
    } else {
        char code[16];
        mf_str_copy(code, sizeof code, MF_STR("other"));
        if (response->status >= 100 && response->status <= 599) {
            const char digits[4] = {(char)('0' + response->status / 100),
                                    (char)('0' + response->status / 10 % 10),
                                    (char)('0' + response->status % 10), '\0'};
            memcpy(code, digits, sizeof digits);
        }
        mf_metric_add(MF_METRIC(client->metrics, &mf_http_metrics[MF_M_HTTP_REQUESTS], endpoint, code), 1);
        if (response->redirect_refused)
            count_error(client, endpoint, "redirect_refused");
    }
    mf_metric_observe(MF_METRIC(client->metrics, &mf_http_metrics[MF_M_HTTP_DURATION], endpoint),
                      (double)response->duration_us / (double)MF_US_PER_SECOND);
    mf_metric_add(MF_METRIC(client->metrics, &mf_http_metrics[MF_M_HTTP_BYTES], endpoint),
                  (double)response->wire_bytes);
}

static void fill_response(struct mf_http_request *request, struct mf_http_response *response,
                          struct mf_error *err)
{
    long status = 0;
    long header_size = 0;
    curl_off_t received = 0;
    const char *content_type = NULL;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(request->easy, CURLINFO_HEADER_SIZE, &header_size);
    curl_easy_getinfo(request->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    curl_easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &content_type);
    *response = (struct mf_http_response){
        .body_buf = &request->body,
        .retry_after_ms = request->retry_after_ms,
        .duration_us = mf_clock_monotonic_us() - request->started_us,
        .wire_bytes = (size_t)received + (size_t)header_size,
    };
    if (request->result != CURLE_OK) {
        set_failure(request, err);
        response->error = err;
        return;
    }
    response->status = (int)status;
    response->body = request->body.len > 0 ? mf_buf_str(&request->body) : MF_STR("");
    response->content_type = mf_str_of(content_type);
    if (request->data_mode[0] != '\0')
        response->data_mode = mf_str_of(request->data_mode);
    if (request->request_id[0] != '\0')
        response->request_id = mf_str_of(request->request_id);
    response->redirect_refused = status >= 300 && status < 400 && request->has_location;
}

// Delivers one answer per turn.
static void deliver(void *arg)
{
    struct mf_http_client *client = arg;
    struct mf_http_request *request = client->landed;
    if (request == NULL)
        return;
    while (request->next != NULL) // the list grows at its head; the oldest goes first
        request = request->next;
    list_remove(&client->landed, request);
    if (client->landed != NULL)
        mf_deferred_schedule(client->delivery);
    count_in_flight(client, -1);
    struct mf_error err;
    struct mf_http_response response;
    fill_response(request, &response, &err);
    count_answer(client, request, &response);
    request->done(request->arg, &response);
    request_free(request);
}

static void land(struct mf_http_client *client, struct mf_http_request *request, int result)
{
    list_remove(&client->flying, request);
    request->result = result;
    request->landed = true;
    list_add(&client->landed, request);
    mf_deferred_schedule(client->delivery);
}

static void on_finished(void *arg, void *easy, int result)
{
    char *private = NULL;
    curl_easy_getinfo((CURL *)easy, CURLINFO_PRIVATE, &private);
    land(arg, (struct mf_http_request *)(void *)private, result);
}

static int make_multi(struct mf_http_client *client, struct mf_error *err);

// The state of every transfer is unknown: all end as if their connection had been cut, and are asked again.
static void on_broken(void *arg, const char *why)
{
    struct mf_http_client *client = arg;
    MF_LOG(client->log, MF_LOG_WARNING, "http", "http_client_reset",
           "%u requests are given up and repeated: %s", client->in_flight, why);
    while (client->flying != NULL) {
        http_multi_remove(client->multi, client->flying->easy);
        land(client, client->flying, CURLE_RECV_ERROR);
    }
    http_multi_free(&client->multi);
    struct mf_error err;
    if (make_multi(client, &err) <
        0) // only when memory is out: every later request then fails with this error
        mf_log_error(client->log, MF_LOG_ERROR, "http", "http_client_reset", &err, "making the client again");
}

static int make_multi(struct mf_http_client *client, struct mf_error *err)
{
    struct http_multi_ops ops = {.finished = on_finished, .broken = on_broken, .arg = client};
    return http_multi_new(client->loop, client->config.connections_per_host, &ops, &client->multi, err);
}

// ---------------------------------------------------------------- starting a request

static int default_port(const struct mf_url *url)
{
    return url->scheme.len == 5 ? 443 : 80;
}

// Host and port must both match; a port that is not given is the scheme's own.
static bool host_allowed(const struct mf_http_client *client, const struct mf_url *url)
{
    int port = url->port >= 0 ? url->port : default_port(url);
    for (size_t i = 0; i < client->allowed_count; i++) {
        const struct allowed_host *allowed = &client->allowed[i];
        if (strlen(allowed->host) == url->host.len &&
            strncasecmp(allowed->host, url->host.data, url->host.len) == 0 &&
            port == (allowed->port >= 0 ? allowed->port : default_port(url)))
            return true;
    }
    return false;
}

// Before anything is sent: the key must not reach another host, and plain http never leaves the machine.
static int check_url(struct mf_http_client *client, const char *endpoint, const char *url, bool *loopback,
                     struct mf_error *err)
{
    struct mf_url parsed;
    if (!mf_url_parse(mf_str_of(url), &parsed) || parsed.has_userinfo)
        return mf_error_set(err, MF_ERROR_POISON, "bad_url", "the URL of a request is malformed");
    *loopback = mf_url_is_loopback(&parsed);
    bool plain = parsed.scheme.len == 4;
    if ((plain && !(client->config.allow_plain_http && *loopback)) || !host_allowed(client, &parsed)) {
        count_error(client, endpoint, "host_refused");
        return mf_error_set(err, MF_ERROR_POISON, "host_refused", "requests to %.*s://%.*s are not allowed",
                            MF_STR_ARG(parsed.scheme), MF_STR_ARG(parsed.host));
    }
    return 0;
}

// One header line; a line break in it would smuggle in another header.
static int add_header(struct mf_http_request *request, const char *line, struct mf_error *err)
{
    for (const char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return mf_error_set(err, MF_ERROR_CONFIG, "bad_header",
                                "a request header holds a control character");
    }
    struct curl_slist *longer = curl_slist_append(request->headers, line);
    if (longer == NULL)
        abort();
    request->headers = longer;
    return 0;
}

static int add_headers(struct mf_http_request *request, const char *bearer, const char *const *headers,
                       struct mf_error *err)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        if (add_header(request, headers[i], err) < 0)
            return -1;
    }
    if (bearer == NULL)
        return 0;
    static const char prefix[] = "Authorization: Bearer ";
    size_t size = sizeof prefix + strlen(bearer);
    char *line = mf_alloc(size);
    memcpy(line, prefix, sizeof prefix - 1);
    memcpy(line + sizeof prefix - 1, bearer, strlen(bearer) + 1);
    int result = add_header(request, line, err);
    explicit_bzero(line, size);
    free(line);
    return result;
}

// Everything about a request that takes time or space has a bound.
static void set_limits(CURL *easy, const struct mf_http_client_config *config)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)config->total_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((config->low_speed_timeout_ms + 999) / 1000));
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)config->body_max);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, config->allow_plain_http ? "https,http" : "https");
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_options(struct mf_http_request *request, const char *url, bool loopback)
{
    struct mf_http_client *client = request->client;
    CURL *easy = request->easy;
    set_limits(easy, &client->config);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->detail);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    if (client->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
    if (loopback)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

int mf_http_client_get(struct mf_http_client *client, const char *endpoint, const char *url,
                       const char *bearer, const char *const *headers, mf_http_done_fn done, void *arg,
                       struct mf_http_request **request, struct mf_error *err)
{
    bool loopback = false;
    if (check_url(client, endpoint, url, &loopback, err) < 0)
        return -1;
    if (client->multi == NULL && make_multi(client, err) < 0)
        return -1;
    struct mf_http_request *made = mf_calloc(1, sizeof *made);
    *made = (struct mf_http_request){.client = client, .done = done, .arg = arg, .retry_after_ms = -1};
    made->endpoint = mf_strdup(endpoint);
    made->started_us = mf_clock_monotonic_us();
    mf_buf_init(&made->body, client->config.body_max);
    made->easy = curl_easy_init();
    if (made->easy == NULL)
        abort(); // out of memory
    int result = add_headers(made, bearer, headers, err);
    if (result == 0) {
        set_options(made, url, loopback);
        result = http_multi_add(client->multi, made->easy, err);
    }
    if (result < 0) {
        request_free(made);
        return -1;
    }
    list_add(&client->flying, made);
    count_in_flight(client, 1);
    if (request != NULL)
        *request = made;
    return 0;
}

// Legal at any time outside curl's own callbacks, and we are never inside one here.
void mf_http_client_cancel(struct mf_http_client *client, struct mf_http_request **request)
{
    struct mf_http_request *old = *request;
    if (old == NULL)
        return;
    *request = NULL;
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): not seen to be gone from the list after the free before
    if (old->landed) {
        list_remove(&client->landed, old);
    } else {
        http_multi_remove(client->multi, old->easy);
        list_remove(&client->flying, old);
    }
    count_in_flight(client, -1);
    request_free(old);
}

unsigned mf_http_client_in_flight(const struct mf_http_client *client)
{
    return client->in_flight;
}

// ---------------------------------------------------------------- the client

static int take_allowed_hosts(struct mf_http_client *client, const char *const *hosts, struct mf_error *err)
{
    size_t count = 0;
    while (hosts != NULL && hosts[count] != NULL)
        count++;
    client->allowed = mf_calloc(count, sizeof *client->allowed);
    for (size_t i = 0; i < count; i++) {
        char text[300];
        struct mf_buf url;
        mf_buf_init(&url, sizeof text);
        mf_buf_addf(&url, "https://%s", hosts[i]);
        struct mf_url parsed;
        bool ok = !url.overflow && mf_url_parse(mf_buf_str(&url), &parsed) && parsed.path.len == 0 &&
                  !parsed.has_userinfo && parsed.query.data == NULL;
        if (ok) {
            client->allowed[i] = (struct allowed_host){.host = mf_strndup(parsed.host), .port = parsed.port};
            client->allowed_count++;
        }
        mf_buf_free(&url);
        if (!ok)
            return mf_error_set(err, MF_ERROR_CONFIG, "bad_host", "'%s' is not a host or host:port",
                                hosts[i]);
    }
    return 0;
}

static int check_curl(const struct mf_http_client_config *config, struct mf_error *err)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if ((info->features & CURL_VERSION_ASYNCHDNS) == 0)
        return mf_error_set(err, MF_ERROR_FATAL, "no_async_resolver", "libcurl %s resolves names by blocking",
                            info->version);
    if (config->ca_file == NULL)
        return 0;
    FILE *file = fopen(config->ca_file, "re");
    if (file == NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_ca_file", "the CA file %s cannot be read",
                            config->ca_file);
    fclose(file);
    return 0;
}

int mf_http_client_new(struct mf_loop *loop, struct mf_log *log, struct mf_metrics *metrics,
                       const struct mf_http_client_config *config, struct mf_http_client **client,
                       struct mf_error *err)
{
    // Counted by curl itself: every client initialises and cleans up once.
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mf_error_set(err, MF_ERROR_FATAL, "curl", "curl_global_init failed");
    struct mf_http_client *made = mf_calloc(1, sizeof *made);
    *made = (struct mf_http_client){.loop = loop, .log = log, .metrics = metrics, .config = *config};
    made->user_agent = mf_strdup(config->user_agent != NULL ? config->user_agent : "marketflow");
    made->ca_file = config->ca_file != NULL ? mf_strdup(config->ca_file) : NULL;
    made->delivery = mf_deferred_new(loop, deliver, made);
    if (check_curl(config, err) < 0 || take_allowed_hosts(made, config->allowed_hosts, err) < 0 ||
        make_multi(made, err) < 0) {
        mf_http_client_free(&made);
        return -1;
    }
    *client = made;
    return 0;
}

void mf_http_client_free(struct mf_http_client **client)
{
    struct mf_http_client *old = *client;
    if (old == NULL)
        return;
    *client = NULL;
    for (struct mf_http_request *request; (request = old->flying) != NULL;)
        mf_http_client_cancel(old, &request);
    for (struct mf_http_request *request; (request = old->landed) != NULL;)
        mf_http_client_cancel(old, &request);
    http_multi_free(&old->multi);
    mf_deferred_free(&old->delivery);
    for (size_t i = 0; i < old->allowed_count; i++)
        free(old->allowed[i].host);
    free(old->allowed);
    free(old->user_agent);
    free(old->ca_file);
    free(old);
    curl_global_cleanup();
}

const char *mf_http_client_version(void)
{
    return curl_version();
}
