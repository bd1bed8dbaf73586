// SPDX-License-Identifier: Apache-2.0
// curl multi on the loop: one watch per socket, one timer, completions read after every action. Rules kept
// here: nothing of curl is called from inside its callbacks; the callbacks never fail (that would abort all
// transfers); a CURLMsg is copied before its handle is removed. libcurl 7.88.
#include "common/http_client_private.h"

#include <stdlib.h>

#include <curl/curl.h>

#include "common/clock.h"

struct http_socket {
    struct http_multi *multi;
    struct http_socket *next, **link; // in multi->sockets
    struct mf_fd *watch;
    struct http_spin spin;
};

struct http_multi {
    struct mf_loop *loop;
    struct http_multi_ops ops;
    CURLM *handle;
    struct mf_timer *timer;
    struct http_socket *sockets;
    uint64_t progress;
};

bool http_spin_note(struct http_spin *spin, int64_t now_us, uint64_t progress)
{
    if (progress != spin->progress || now_us - spin->window_start_us > MF_US_PER_SECOND) {
        *spin = (struct http_spin){.window_start_us = now_us, .progress = progress};
    }
    return ++spin->wakeups > HTTP_SPIN_WAKEUPS_MAX;
}

static void socket_free(struct http_socket *s)
{
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    mf_fd_free(&s->watch);
    free(s);
}

// Gives curl the event, then hands out what has finished. The multi may be freed by `broken`: nothing follows
// it.
static void act(struct http_multi *multi, curl_socket_t fd, int mask)
{
    int running = 0;
    CURLMcode code = curl_multi_socket_action(multi->handle, fd, mask, &running);
    // The socket can have been closed by an earlier event of the same turn (curl's own examples ignore this
    // code).
    if (code != CURLM_OK && code != CURLM_BAD_SOCKET) {
        multi->ops.broken(multi->ops.arg, curl_multi_strerror(code));
        return;
    }
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(multi->handle, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        curl_multi_remove_handle(multi->handle, easy);
        multi->progress++;
        multi->ops.finished(multi->ops.arg, easy, (int)result);
    }
}

static void on_socket_ready(int fd, unsigned events, void *arg)
{
    struct http_socket *s = arg;
    struct http_multi *multi = s->multi;
    if (http_spin_note(&s->spin, mf_clock_monotonic_us(), multi->progress)) {
        mf_fd_set_events(s->watch, 0);
        multi->ops.broken(multi->ops.arg,
                          "a descriptor is ready again and again although nothing happens on it");
        return;
    }
    int mask = ((events & MF_FD_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & MF_FD_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    act(multi, fd, mask); // s may be gone now
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

// May name descriptors that are not a transfer's (resolver, happy eyeballs): `easy` is never touched.
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)easy;
    struct http_multi *multi = arg;
    struct http_socket *s = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL) {
            curl_multi_assign(multi->handle, fd, NULL);
            socket_free(s);
        }
        return 0;
    }
    unsigned events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? MF_FD_READ : 0) |
                      (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? MF_FD_WRITE : 0);
    if (s != NULL) {
        mf_fd_set_events(s->watch, events);
        return 0;
    }
    s = mf_calloc(1, sizeof *s);
    s->multi = multi;
    s->watch = mf_fd_new(multi->loop, fd, events, on_socket_ready, s);
    s->next = multi->sockets;
    s->link = &multi->sockets;
    if (s->next != NULL)
        s->next->link = &s->next;
    multi->sockets = s;
    curl_multi_assign(multi->handle, fd, s);
    return 0;
}

// 0 means "soon": curl must not be called from in here, a timer of no delay does it in the next turn.
static int on_curl_timer(CURLM *handle, long timeout_ms, void *arg)
{
    (void)handle;
    struct http_multi *multi = arg;
    if (timeout_ms < 0)
        mf_timer_cancel(multi->timer);
    else
        mf_timer_arm_ms(multi->timer, timeout_ms);
    return 0;
}

int http_multi_new(struct mf_loop *loop, unsigned connections_per_host, const struct http_multi_ops *ops,
                   struct http_multi **multi, struct mf_error *err)
{
    CURLM *handle = curl_multi_init();
    if (handle == NULL)
        return mf_error_set(err, MF_ERROR_FATAL, "curl", "curl_multi_init failed");
    struct http_multi *made = mf_calloc(1, sizeof *made);
    *made = (struct http_multi){.loop = loop, .ops = *ops, .handle = handle};
    made->timer = mf_timer_new(loop, on_timer, made);
    curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, made);
    curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(handle, CURLMOPT_TIMERDATA, made);
    curl_multi_setopt(handle, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections_per_host);
    *multi = made;
    return 0;
}

void http_multi_free(struct http_multi **multi)
{
    struct http_multi *old = *multi;
    if (old == NULL)
        return;
    *multi = NULL;
    // Without callbacks first: from 8.9 on cleanup itself calls them (curl#14860, curl#15201).
    curl_multi_setopt(old->handle, CURLMOPT_SOCKETFUNCTION, NULL);
    curl_multi_setopt(old->handle, CURLMOPT_TIMERFUNCTION, NULL);
    while (old->sockets != NULL)
        socket_free(old->sockets); // NOLINT(clang-analyzer-unix.Malloc): it takes itself off the list
    curl_multi_cleanup(old->handle);
    mf_timer_free(&old->timer);
    free(old);
}

int http_multi_add(struct http_multi *multi, void *easy, struct mf_error *err)
{
    CURLMcode code = curl_multi_add_handle(multi->handle, easy);
    if (code != CURLM_OK)
        return mf_error_set(err, MF_ERROR_FATAL, "curl", "curl_multi_add_handle: %s",
                            curl_multi_strerror(code));
    return 0;
}

void http_multi_remove(struct http_multi *multi, void *easy)
{
    curl_multi_remove_handle(multi->handle, easy);
}

void http_multi_progress(struct http_multi *multi)
{
    multi->progress++;
}
